package app

import (
	"github.com/prometheus/client_golang/prometheus"
)

// gauges reads the relay's own counters when metrics are scraped.
type gauges struct {
	app                                                  *App
	delivered, failed, parked, overflow, waiting, oldest *prometheus.Desc
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
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.delivered, g.failed, g.parked, g.overflow, g.waiting, g.oldest} {
		into <- d
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
}
