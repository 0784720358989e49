package claimtest_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/app/claimtest"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

// Two instances on one embedded store, their clocks 90 s apart, one write in eight going wrong: refused, its reply lost,
// never arrived, or landing late.
func TestOrdersKeepWhatTheyClaimedOnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	c, driver := clock.NewManual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), docstoretest.Embedded(t)
	config := claimtest.Config{Clock: c, Skew: 90 * time.Second, Rounds: 150, Quiet: docstoretest.StoreOn(t, driver, c)}
	stormy, flakies := atomic.Bool{}, []*docstoretest.Flaky(nil)
	for range 2 {
		flaky := docstoretest.NewFlaky(driver)
		flaky.Next = func(docstore.Op) docstoretest.Mishap {
			if !stormy.Load() || rand.IntN(8) > 0 {
				return docstoretest.Fine
			}
			return []docstoretest.Mishap{
				docstoretest.Refused, docstoretest.ReplyLost, docstoretest.AskedLost, docstoretest.Late,
			}[rand.IntN(4)]
		}
		flakies = append(flakies, flaky)
		config.Stores = append(config.Stores, docstoretest.StoreOn(t, flaky, c))
	}
	config.Storm = func() func() {
		stormy.Store(true)
		return func() {
			stormy.Store(false)
			for _, flaky := range flakies {
				if _, err := flaky.Land(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	}
	claimtest.Run(t, config)
}
