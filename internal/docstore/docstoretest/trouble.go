package docstoretest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

// Trouble is a store in which one write in ten goes wrong while it is on.
type Trouble struct{ on atomic.Bool }

// Store opens the store.
func (tr *Trouble) Store(t testing.TB, c clock.Clock) *docstore.Store {
	t.Helper()
	flaky := NewFlaky(Embedded(t))
	flaky.Next = func(docstore.Op) Mishap {
		if !tr.on.Load() || rand.IntN(10) > 0 {
			return Fine
		}
		return []Mishap{Refused, ReplyLost, AskedLost}[rand.IntN(3)]
	}
	return StoreOn(t, flaky, c)
}

// AtOnce carries out the deeds side by side in trouble, and those that the store broke again without, as an event comes
// again. It gives the error of one that breaks even then. A refusal (fault.Fault) is an answer.
func (tr *Trouble) AtOnce(ctx context.Context, deeds []func(context.Context) error) error {
	var at sync.WaitGroup
	var mu sync.Mutex
	var broken []func(context.Context) error
	tr.on.Store(true)
	for _, do := range deeds {
		at.Go(func() {
			if err := do(ctx); err != nil && fault.Of(err) == nil {
				mu.Lock()
				defer mu.Unlock()
				broken = append(broken, do)
			}
		})
	}
	at.Wait()
	tr.on.Store(false)
	for _, do := range broken {
		if err := do(ctx); err != nil && fault.Of(err) == nil {
			return err
		}
	}
	return nil
}
