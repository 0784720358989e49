package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/staff/task"
)

// taskGauges are the tasks as the owner of their loop counted them last; a process that does not own it shows none.
type taskGauges struct {
	tasks                          *task.Service
	app                            *App
	open, overdue, untaken, oldest *prometheus.Desc
}

func newTaskGauges(a *App) *taskGauges {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("guanxi_tasks_"+name, help, labels, nil)
	}
	return &taskGauges{
		tasks: a.Tasks, app: a,
		open:    d("open", "Tasks people must look at, by kind.", "kind", "role"),
		overdue: d("overdue", "Of them, those past their due time.", "kind", "role"),
		untaken: d("untaken", "Open tasks that nobody has taken."),
		oldest:  d("oldest_seconds", "Age of the oldest open task."),
	}
}

// Describe implements prometheus.Collector.
func (g *taskGauges) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.open, g.overdue, g.untaken, g.oldest} {
		into <- d
	}
}

// Collect implements prometheus.Collector. Kinds stand there with 0, too, so that an alarm knows them.
func (g *taskGauges) Collect(into chan<- prometheus.Metric) {
	seen := g.tasks.Overview()
	if !g.app.owns("tasks") {
		return
	}
	if seen == nil {
		seen = &task.Overview{}
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, rule := range task.Kinds() {
		gauge(g.open, float64(seen.Open[rule.Kind]), rule.Kind, string(rule.Role))
		gauge(g.overdue, float64(seen.Overdue[rule.Kind]), rule.Kind, string(rule.Role))
	}
	gauge(g.untaken, float64(seen.Untaken))
	oldest := 0.0
	if !seen.Oldest.IsZero() {
		oldest = g.app.clock.Now().Sub(seen.Oldest).Seconds()
	}
	gauge(g.oldest, oldest)
}
