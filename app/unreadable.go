package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// unreadable is one document that was passed over because it cannot be read, until somebody has looked. Id: derived from
// collection and document.
type unreadable struct {
	docstore.Doc `bson:",inline"`
	Collection   string    `bson:"collection"`
	Document     string    `bson:"document"`
	Why          string    `bson:"why"`
	At           time.Time `bson:"at"`
}

// watchUnreadable writes down and tells what this process passes over.
func (a *App) watchUnreadable(ctx context.Context) error {
	docs, err := docstore.Open[unreadable](ctx, a.Store, docstore.Spec{
		Name: "unreadable_documents", Indexes: []docstore.Index{{Name: "at", Fields: []string{"at"}}},
	})
	if err != nil {
		return err
	}
	found := make(chan docstore.Unreadable, 1000)
	a.Store.OnUnreadable(func(u docstore.Unreadable) {
		a.log.Error("document cannot be read and is passed over", slog.String("collection", u.Collection), slog.String("document", u.Document), slog.String("error", u.Why))
		select {
		case found <- u:
		default: // the metric counts it all the same
		}
	})
	a.loops.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case u := <-found:
				_, err := docs.Upsert(ctx, id.Derive("unreadable", u.Collection, u.Document), func(d *unreadable) error {
					if d.Fresh() {
						d.Collection, d.Document, d.Why, d.At = u.Collection, u.Document, u.Why, u.First
					}
					return nil
				})
				if err != nil && ctx.Err() == nil {
					a.log.Warn("unreadable document not written down", "error", err.Error())
				}
			}
		}
	})
	return nil
}

// unreadableGauge counts them per collection, as this process has met them.
type unreadableGauge struct {
	store *docstore.Store
	desc  *prometheus.Desc
}

func newUnreadableGauge(store *docstore.Store) *unreadableGauge {
	return &unreadableGauge{store, prometheus.NewDesc("guanxi_unreadable_documents",
		"Documents that cannot be read and are passed over: somebody must look.", []string{"collection"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *unreadableGauge) Describe(into chan<- *prometheus.Desc) { into <- g.desc }

// Collect implements prometheus.Collector.
func (g *unreadableGauge) Collect(into chan<- prometheus.Metric) {
	list, more := g.store.Unreadable()
	counts := map[string]int{}
	for _, u := range list {
		counts[u.Collection]++
	}
	if more > 0 {
		counts["more"] = more
	}
	for collection, n := range counts {
		into <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(n), collection)
	}
}
