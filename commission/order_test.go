package commission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/internal/lane"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

// aPayout is a withdrawal with all that can follow, in the order of the story.
func aPayout(t *testing.T, s *Service, number string) {
	t.Helper()
	p := Payout{Member: "alice", Number: number, Amount: 100, Tax: 20, At: start}
	must(t, s.Reserve(t.Context(), Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At}))
	must(t, s.ConfirmPayout(t.Context(), p))
	must(t, s.ReturnPayout(t.Context(), p))
}

// waiting lists what waits for its seal, by id.
func waiting(t *testing.T, s *Service) map[string]unsealedEntry {
	t.Helper()
	found := map[string]unsealedEntry{}
	must(t, s.book.Entries.Each(t.Context(), docstore.By("unsealed"), func(doc *book.EntryDoc) error {
		e, err := book.ParseEntry(doc)
		found[doc.ID] = unsealedEntry{e, doc.Unsealed}
		return err
	}))
	return found
}

// TestVerifyNamesInversions seals every pair the wrong way round, in one seal and in two.
func TestVerifyNamesInversions(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string][2]string{
		"an outcome before its reservation": {"outcome/W1", "withdraw/W1"},
		"a tax before its payment":          {"tax/W1", "outcome/W1"},
		"a return before its payment":       {"return/W1", "outcome/W1"},
		"a return before its tax":           {"return/W1", "tax/W1"},
		"a claw-back before its accrual":    {"clawback/o9/r1", "accrue/o9"},
		"a settlement before its accrual":   {"settle/o9", "accrue/o9"},
	} {
		for _, seals := range []int{1, 2} {
			for _, cleared := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, seals, cleared), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, Config{})
					w.publish(t)
					rich(t, w, 5)
					aPayout(t, w.Service, "W1")
					must(t, w.Accrue(t.Context(), sale("o9", 10000)))
					must(t, w.ClawBack(t.Context(), Refund{Order: "o9", Number: "r1", At: start, Lines: []RefundLine{{1, 500, 10000}}}))
					must(t, w.StartWindow(t.Context(), "o9", start, time.Time{}))
					w.clock.Advance(8 * day)
					_, err := w.SettleDue(t.Context())
					must(t, err)
					crooked(t, w.Service, wrong[0], wrong[1], seals)
					must(t, w.CatchUp(t.Context()))
					if cleared {
						must(t, w.Tidy(t.Context()))
					}
					report, err := w.Verify(t.Context(), nil)
					must(t, err)
					if !slices.ContainsFunc(report.Differences, func(d Difference) bool { return d.Rule == "order" && d.Subject == wrong[0] }) {
						t.Errorf("%+v", report.Differences)
					}
				})
			}
		}
	}
}

// crooked seals what waits with first right before second, in one seal or in two.
func crooked(t *testing.T, s *Service, first, second string, seals int) {
	t.Helper()
	all, batch := waiting(t, s), []unsealedEntry{}
	for _, id := range []string{"accrue/o9", "clawback/o9/r1", "settle/o9", "withdraw/W1", "outcome/W1", "tax/W1", "return/W1"} {
		if e, ok := all[id]; ok && id != first && id != second {
			batch = append(batch, e)
		}
	}
	if all[first].Entry == nil || all[second].Entry == nil {
		t.Fatal("not there: ", first, second)
	}
	s.sealer.mu.Lock()
	defer s.sealer.mu.Unlock()
	for _, part := range map[int][][]unsealedEntry{
		1: {{all[first], all[second]}, batch}, 2: {{all[first]}, {all[second]}, batch},
	}[seals] {
		book, err := s.finish(t.Context())
		must(t, err)
		must(t, s.seal(t.Context(), book, part))
	}
}

// TestWhatABatchFollowsFromJoinsIt though the listing passed its place a moment too early.
func TestWhatABatchFollowsFromJoinsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 5)
	aPayout(t, w.Service, "W1")
	all := waiting(t, w.Service)
	batch, err := w.ordered(t.Context(), []unsealedEntry{all["return/W1"]})
	must(t, err)
	ids := []string{}
	for _, e := range batch {
		ids = append(ids, e.ID)
	}
	if strings.Join(ids, " ") != "withdraw/W1 outcome/W1 tax/W1 return/W1" {
		t.Error(ids)
	}
}

// TestClocksDoNotOrderTheChain: three processes, 90 seconds apart either way, each posting what follows from the other's.
func TestClocksDoNotOrderTheChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 7})
	w.publish(t)
	rich(t, w, 40)
	ahead := open(t, w.store, clock.NewManual(start.Add(90*time.Second)), Config{SealBatch: 7})
	behind := open(t, w.store, clock.NewManual(start.Add(-90*time.Second)), Config{SealBatch: 7})
	people := []*Service{ahead, behind, w.Service}
	for n := range 30 {
		p := Payout{Member: "alice", Number: fmt.Sprintf("W%02d", n), Amount: 10, Tax: 2, At: start}
		must(t, people[n%3].Reserve(t.Context(), Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At}))
		must(t, people[(n+1)%3].ConfirmPayout(t.Context(), p))
		must(t, people[(n+2)%3].ReturnPayout(t.Context(), p))
		if n%4 == 0 {
			_, err := people[n/4%3].SealOnce(t.Context())
			must(t, err)
		}
	}
	must(t, behind.CatchUp(t.Context()))
	report := verified(t, w.Service)
	if report.Unsealed != 0 {
		t.Errorf("%+v", report)
	}
}

// counting counts the records a driver gives and the calls it takes.
type counting struct {
	docstore.Driver
	records, calls atomic.Int64
}

func (c *counting) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	records, next, err := c.Driver.Find(ctx, collection, q)
	c.records.Add(int64(len(records)))
	c.calls.Add(1)
	return records, next, err
}

func (c *counting) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	records, err := c.Driver.Get(ctx, collection, ids)
	c.records.Add(int64(len(records)))
	c.calls.Add(1)
	return records, err
}

// TestASealReadsWhatIsNewNotWhatWaitsToBeCleared: with one process and with two that seal in turn.
func TestASealReadsWhatIsNewNotWhatWaitsToBeCleared(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		driver := &counting{Driver: docstoretest.Embedded(t)}
		c := clock.NewManual(start)
		store := docstoretest.StoreOn(t, driver, c)
		one, two := open(t, store, c, Config{Alone: alone}), open(t, store, c, Config{Alone: alone})
		p, err := one.Policies.Publish(t.Context(), testPolicy())
		must(t, err)
		n := 0
		post := func(s *Service, count int) {
			entries := make([]*Entry, count)
			for i := range entries {
				entries[i] = policy.Compute(p, sale(fmt.Sprintf("o%06d", n), 10000))
				n++
			}
			must(t, s.postAll(t.Context(), entries))
		}
		for range 8 {
			post(one, 1000)
			post(two, 1000)
			must(t, one.CatchUp(t.Context()))
		}
		must(t, two.CatchUp(t.Context())) // learns the others' seals once
		for round := range 6 {
			sealer := []*Service{one, two}[round%2]
			post(one, 50)
			post(two, 50)
			driver.records.Store(0)
			driver.calls.Store(0)
			_, err := sealer.SealOnce(t.Context())
			must(t, err)
			must(t, sealer.CatchUp(t.Context()))
			if records, calls := driver.records.Load(), driver.calls.Load(); records > 600 || calls > 60 {
				t.Errorf("alone %v, round %d: %d records read with %d calls for 100 entries, %d wait to be cleared", alone, round, records, calls, n)
			}
		}
		verified(t, one)
	}
}

// TestALatePostingIsSealedAtOnce: its process took its number long ago and was stopped; meanwhile others of the same process
// and of another were sealed and wait to be cleared. Nobody waits for a quiet moment.
func TestALatePostingIsSealedAtOnce(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"25 ms": 25 * time.Millisecond, "20 s": 20 * time.Second, "a day": 24 * time.Hour} {
		for _, whose := range []string{"of the sealer's own process", "of another, which dies"} {
			t.Run(name+" "+whose, func(t *testing.T) {
				t.Parallel()
				driver := docstoretest.NewFlaky(docstoretest.Embedded(t))
				c := clock.NewManual(start)
				store := docstoretest.StoreOn(t, driver, c)
				one := open(t, store, c, Config{SealBatch: 100})
				two := open(t, store, c, Config{SealBatch: 100})
				_, err := one.Policies.Publish(t.Context(), testPolicy())
				must(t, err)
				poster := one
				if whose != "of the sealer's own process" {
					poster = two
				}
				arrived, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				driver.Before = func(op docstore.Op) {
					if op.ID == "accrue/late" && op.Kind == docstore.Insert {
						close(arrived)
						<-goOn
					}
				}
				ctx := context.Background()
				must(t, poster.Accrue(ctx, sale("early", 10000)))
				go func() { ended <- poster.Accrue(ctx, sale("late", 10000)) }()
				<-arrived
				for n := range 20 {
					must(t, poster.Accrue(ctx, sale(fmt.Sprintf("o%d", n), 10000)))
					must(t, one.Accrue(ctx, sale(fmt.Sprintf("p%d", n), 10000)))
					_, err := one.SealOnce(ctx)
					must(t, err)
					c.Advance(late / 20)
				}
				close(goOn)
				must(t, <-ended)
				must(t, one.Accrue(ctx, sale("after", 10000)))
				n, err := one.SealOnce(ctx)
				must(t, err)
				if waits := len(waiting(t, one)); n != 2 || one.sealer.known[book.AccrueID("late")] == 0 {
					t.Errorf("sealed %d; %d in the index", n, waits)
				}
				verified(t, one)
			})
		}
	}
}

// TestEntriesOfAVersionWithoutLanesAreSealed beside those of one that has them.
func TestEntriesOfAVersionWithoutLanesAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.publish(t)
	must(t, w.Accrue(t.Context(), sale("new", 10000)))
	for n := range 3 {
		e := policy.Compute(p, sale(fmt.Sprintf("old%d", n), 10000))
		e.Book = "main"
		must(t, w.book.Entries.Insert(t.Context(), e.Doc(fmt.Sprintf("main/%d", int64(1e14)+start.UnixMilli()+int64(n)))))
		must(t, w.Accrue(t.Context(), sale(fmt.Sprintf("new%d", n), 10000)))
		_, err := w.SealOnce(t.Context())
		must(t, err)
	}
	if _, _, ok := lane.Parse("main", waiting(t, w.Service)["accrue/new"].key); !ok {
		t.Error("a new entry has no lane")
	}
	must(t, errors.Join(w.CatchUp(t.Context()), w.Tidy(t.Context())))
	if report := verified(t, w.Service); report.Entries != 7 || report.Unsealed != 0 {
		t.Errorf("%+v", report)
	}
}
