package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/event"
	"guanxi/staff/task"
)

// gauges reads the relay's own counters when metrics are scraped.
type gauges struct {
	app                                                  *App
	delivered, failed, parked, overflow, waiting, oldest *prometheus.Desc
	consumers                                            []consumerGauge
}

// consumerGauge is one number of each consumer.
type consumerGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(event.ConsumerStats) float64
}

func consumerGauges() []consumerGauge {
	gauge := func(name, help string, kind prometheus.ValueType, value func(event.ConsumerStats) float64) consumerGauge {
		return consumerGauge{prometheus.NewDesc("guanxi_event_consumer_"+name, help, []string{"consumer", "platform"}, nil), kind, value}
	}
	const counter, level = prometheus.CounterValue, prometheus.GaugeValue
	return []consumerGauge{
		gauge("delivered_total", "Messages it has taken.", counter, func(c event.ConsumerStats) float64 { return float64(c.Delivered) }),
		gauge("failed_total", "Calls that failed.", counter, func(c event.ConsumerStats) float64 { return float64(c.Failed) }),
		gauge("put_off_total", "Messages put off because its line was full or its platform away.", counter,
			func(c event.ConsumerStats) float64 { return float64(c.PutOff) }),
		gauge("parked_total", "Messages it was given up on for: somebody must look.", counter,
			func(c event.ConsumerStats) float64 { return float64(c.Parked) }),
		gauge("queued", "Messages that wait for a call in this process.", level, func(c event.ConsumerStats) float64 { return float64(c.Queued) }),
		gauge("running", "Calls at this moment.", level, func(c event.ConsumerStats) float64 { return float64(c.Running) }),
		gauge("waiting", "Messages in the outboxes that it has not taken, as of the last sweep; a bounded look.", level,
			func(c event.ConsumerStats) float64 { return float64(c.Waiting) }),
		gauge("oldest_seconds", "Age of the oldest of them.", level, func(c event.ConsumerStats) float64 { return c.Oldest.Seconds() }),
		gauge("circuit_open", "1 while its platform is left alone because it does not answer.", level, func(c event.ConsumerStats) float64 {
			if c.CircuitOpen {
				return 1
			}
			return 0
		}),
	}
}

func newGauges(a *App) *gauges {
	d := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("guanxi_events_"+name, help, nil, nil)
	}
	return &gauges{
		app:       a,
		delivered: d("delivered_total", "Messages taken by all their consumers."),
		failed:    d("failed_total", "Rounds in which a consumer failed."),
		parked:    d("parked_total", "Messages parked after too many failures: somebody must look."),
		overflow:  d("overflow_total", "Messages left to the sweeper because the queue was full."),
		waiting:   d("waiting", "Documents with a waiting outbox."),
		oldest:    d("oldest_seconds", "Age of the oldest waiting message."),
		consumers: consumerGauges(),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.delivered, g.failed, g.parked, g.overflow, g.waiting, g.oldest} {
		into <- d
	}
	for _, c := range g.consumers {
		into <- c.desc
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(into chan<- prometheus.Metric) {
	s := g.app.Relay.Stats()
	for _, one := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value float64
	}{
		{g.delivered, prometheus.CounterValue, float64(s.Delivered)},
		{g.failed, prometheus.CounterValue, float64(s.Failed)},
		{g.parked, prometheus.CounterValue, float64(s.Parked)},
		{g.overflow, prometheus.CounterValue, float64(s.Overflow)},
		{g.waiting, prometheus.GaugeValue, float64(s.Waiting)},
		{g.oldest, prometheus.GaugeValue, s.Oldest.Seconds()},
	} {
		into <- prometheus.MustNewConstMetric(one.desc, one.kind, one.value)
	}
	for _, one := range g.consumers {
		for _, c := range s.Consumers {
			into <- prometheus.MustNewConstMetric(one.desc, one.kind, one.value(c), c.Name, c.Platform)
		}
	}
}

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
