package outreach

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

// TestDyingAnywhereNeverTellsTwice kills the process right before and right after each of its calls to the outside, and lets
// another one go on. Only who dies between the mark and the end leaves a doubt.
func TestDyingAnywhereNeverTellsTwice(t *testing.T) {
	t.Parallel()
	for _, mood := range []string{"", "no-credit 43101", "busy"} {
		for _, after := range []bool{false, true} {
			for n := range 10 {
				t.Run(fmt.Sprintf("%s %v %d", mood, after, n), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.mood = mood
					w.start().accepts("ann", "key1", "key2")
					p := w.start()
					p.life.DieAt(n, after)
					_ = p.Plan(t.Context(), w.waiting("ann", "w1")) // it may be dead
					p.tends()
					if n < 4 && !p.life.Dead() {
						t.Error("it should have died")
					}
					if mood == "busy" {
						w.mood = ""
					}
					next := w.start()
					next.plans(w.waiting("ann", "w1")) // the event is delivered again
					for range 3 {
						w.clock.Advance(3 * time.Minute)
						if _, err := next.Tend(t.Context()); err != nil {
							t.Error(err)
						}
					}
					got := w.stand(WithdrawalWaiting, "w1")
					allowed := []string{
						"sent; arrived 1; left 1 free 1", "unsent unknown; arrived 0; left 1 free 1", "unsent unknown; arrived 1; left 1 free 1",
					}
					if mood == "no-credit 43101" {
						allowed = []string{"unsent no-credit 43101; arrived 0; left 0 free 0", "unsent unknown; arrived 0; left 1 free 1"}
					}
					if !slices.Contains(allowed, got) {
						t.Errorf("it is %s", got)
					}
				})
			}
		}
	}
}

// TestRandomLivesTellAtMostOnce plays acceptances, events, platform moods, deaths and time on two processes.
func TestRandomLivesTellAtMostOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		processes := []*process{w.start(), w.start()}
		accepted, keys := map[string]bool{}, 0
		moods := []string{"", "", "busy", "lost", "unheard", "refused 47003", "no-credit 43101"}
		for range rapid.IntRange(5, 25).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "process")
			p := processes[i]
			if rapid.IntRange(0, 4).Draw(r, "mortal") == 0 {
				p.life.DieAt(rapid.IntRange(0, 8).Draw(r, "fuse"), rapid.Bool().Draw(r, "after"))
			}
			w.mood = rapid.SampledFrom(moods).Draw(r, "mood")
			number := fmt.Sprint("w", rapid.IntRange(0, 4).Draw(r, "number"))
			switch rapid.IntRange(0, 4).Draw(r, "act") {
			case 0:
				keys++
				key := fmt.Sprint("key", rapid.IntRange(1, keys).Draw(r, "key"))
				accepted[key] = true
				_, _ = p.Report(context.Background(), ReportInput{Key: key, Member: "ann", Answers: []TemplateAnswer{{template, Accept}}})
			case 1:
				_ = p.Plan(context.Background(), w.waiting("ann", number))
			case 2, 3:
				p.tends()
			case 4:
				w.clock.Advance(time.Duration(rapid.IntRange(1, 600).Draw(r, "seconds")) * time.Second)
			}
			p.life.Spare()
			if p.life.Dead() {
				processes[i] = w.start()
			}
			if w.most() > 1 || len(w.arrived) > len(accepted) {
				r.Fatalf("%d arrived, one of them %d times, %d accepted", len(w.arrived), w.most(), len(accepted))
			}
		}
		w.mood = ""
		last := w.start()
		for range 4 {
			w.clock.Advance(30 * time.Minute)
			last.tends()
		}
		if w.most() > 1 || len(w.arrived) > len(accepted) {
			r.Fatalf("%d arrived, one of them %d times, %d accepted", len(w.arrived), w.most(), len(accepted))
		}
		err := last.notices.Each(context.Background(), docstore.All(), func(n *Notice) error {
			if !n.State.Ended() || !n.NextAt.IsZero() {
				r.Fatalf("%s is %s, due %v", n.ID, n.State, n.NextAt)
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		if c, err := last.credits.Get(context.Background(), creditID("ann", template)); err == nil && (len(c.Holds) > 0 || c.Left < 0) {
			r.Fatalf("left %d, held %v", c.Left, c.Holds)
		}
	})
}
