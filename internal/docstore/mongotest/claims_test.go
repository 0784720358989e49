package mongotest

import (
	"testing"
	"time"

	"guanxi/app/claimtest"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// Two instances, each with connections of its own to one server that loses replies and cuts connections, their clocks 90 s
// apart.
func TestOrdersKeepWhatTheyClaimedOverTheWire(t *testing.T) {
	t.Parallel()
	double, c := newDouble(t), clock.NewManual(start())
	config := claimtest.Config{Clock: c, Skew: 90 * time.Second, Rounds: 6, Quiet: docstoretest.StoreOn(t, connect(t, double, quick), c)}
	for range 2 {
		config.Stores = append(config.Stores, docstoretest.StoreOn(t, connect(t, double, quick), c))
	}
	config.Storm = func() func() {
		storm(double)
		return double.Behave
	}
	claimtest.Run(t, config)
}

// One order is sent to two processes under one key; the one that has claimed first loses its connection: one order with
// its stock, and the other process's answer is that order.
func TestAnAttemptThatLosesItsConnectionTakesNothingFromItsTwin(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"quotas", "allotments", "buckets", "orders"} {
		for _, kind := range []wiredouble.Kind{wiredouble.LoseReply, wiredouble.CutBefore, wiredouble.CutReply, wiredouble.Late} {
			double, c := newDouble(t), clock.NewManual(start())
			config := claimtest.Config{Clock: c, Rounds: 1, Quiet: docstoretest.StoreOn(t, connect(t, double, quick), c)}
			for range 2 {
				config.Stores = append(config.Stores, docstoretest.StoreOn(t, connect(t, double, quick), c))
			}
			config.Storm = func() func() {
				gate, landed := make(chan struct{}), make(chan struct{}, 1000)
				for _, command := range []string{"insert", "update"} {
					double.Misbehave(wiredouble.Fault{Kind: kind, Command: command, In: in, Skip: 1, Every: 3, Times: 4, Gate: gate, Landed: landed})
				}
				return func() {
					double.Behave()
					close(gate)
				}
			}
			claimtest.Run(t, config)
		}
	}
}
