package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Two processes, many hands at the same moment: one open withdrawal, one transfer, one event.
func TestACrowdOnOnePurseTakesEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{MaxCount: 20, VelocityCount: 100})
	w.join("mia", 400_00)
	processes := []*process{w.start(), w.start()}
	crowd := func(do func(p *process, n int)) {
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() { do(processes[n%2], n) })
		}
		all.Wait()
	}
	ctx := t.Context()
	for round := range 10 {
		var mu sync.Mutex
		numbers := map[string]bool{}
		crowd(func(p *process, n int) {
			in := AskInput{Key: fmt.Sprintf("r%d-%d", round, n%4), Member: "mia", Amount: money.Fen(10_00 + n%4)}
			got, err := p.Ask(ctx, in)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrOpenOne), errors.Is(err, docstore.ErrContended):
			case err != nil:
				t.Error(err)
			case got.State != Asked:
				numbers[got.ID] = true
			}
		})
		if len(numbers) != 1 {
			t.Fatalf("round %d: %d withdrawals went through", round, len(numbers))
		}
		for number := range numbers {
			got, err := processes[0].Get(ctx, number)
			if err != nil {
				t.Fatal(err)
			}
			if got.State == Sent || got.State == Waiting {
				w.platform.turn(number, TransferSuccess, "")
			}
			o, err := w.platform.query(number)
			if err != nil {
				t.Fatal(err)
			}
			crowd(func(p *process, n int) {
				if n%5 == 0 {
					_, _ = p.Tend(context.Background())
					return
				}
				if _, err := p.Settle(ctx, o); err != nil && !errors.Is(err, docstore.ErrContended) {
					t.Error(err)
				}
			})
			got, err = processes[1].Settle(ctx, o)
			if err != nil || got.State != Paid || got.Posted != Paid {
				t.Fatalf("%v, %v", got, err)
			}
			paid := 0
			for _, m := range got.Outbox {
				if m.Name == EventPaid {
					paid++
				}
			}
			if paid != 1 {
				t.Errorf("told %d times that it was paid", paid)
			}
		}
	}
	if w.platform.sends != 10 {
		t.Errorf("%d transfers were sent", w.platform.sends)
	}
	if b := w.ledger.pots["mia"]; b.Withdrawing != 0 || b.Available+b.Withdrawn != 400_00 {
		t.Errorf("purse %+v", *b)
	}
}
