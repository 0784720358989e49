package commission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

// stopping is a driver in which a test can do something at a chosen moment.
type stopping struct {
	docstore.Driver
	beforeFind func(docstore.Query)
	afterWrite func([]docstore.Op)
	accruals   atomic.Int64 // read by their ids
}

func (d *stopping) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	if d.beforeFind != nil && collection == "entries" {
		d.beforeFind(q)
	}
	return d.Driver.Find(ctx, collection, q)
}

func (d *stopping) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	for _, id := range ids {
		if collection == "entries" && strings.HasPrefix(id, "accrue/") {
			d.accruals.Add(1)
		}
	}
	return d.Driver.Get(ctx, collection, ids)
}

func (d *stopping) Write(ctx context.Context, ops []docstore.Op) []error {
	answers := d.Driver.Write(ctx, ops)
	if d.afterWrite != nil {
		d.afterWrite(ops)
	}
	return answers
}

// family is a store whose processes post what follows from each other's entries.
type family struct {
	t      *testing.T
	driver *stopping
	flaky  *docstoretest.Flaky
	clock  *clock.Manual
	store  *docstore.Store
	policy *policy.Policy
}

func newFamily(t *testing.T) *family {
	t.Helper()
	f := &family{t: t, driver: &stopping{Driver: docstoretest.Embedded(t)}, clock: clock.NewManual(start)}
	f.flaky = docstoretest.NewFlaky(f.driver)
	f.store = docstoretest.StoreOn(t, f.flaky, f.clock)
	p, err := f.process(Config{}).Policies.Publish(t.Context(), testPolicy())
	must(t, err)
	f.policy = p
	return f
}

func (f *family) process(config Config) *Service { return open(f.t, f.store, f.clock, config) }

// accrue sells an order and hands it over.
func (f *family) accrue(s *Service, order string) {
	f.t.Helper()
	must(f.t, s.Accrue(f.t.Context(), sale(order, 10000)))
	must(f.t, s.StartWindow(f.t.Context(), order, f.clock.Now(), time.Time{}))
}

// settle posts the settlements of everything that was handed over.
func (f *family) settle(s *Service) {
	f.t.Helper()
	f.clock.Advance(8 * day)
	must(f.t, settleEverything(f.t.Context(), s))
}

func (f *family) seal(s *Service) {
	f.t.Helper()
	_, err := s.SealOnce(f.t.Context())
	must(f.t, err)
}

// older posts an entry as a version did that had neither lanes nor marks.
func (f *family) older(s *Service, e *Entry, n int64) {
	f.t.Helper()
	e.Book = "main"
	must(f.t, s.book.Entries.Insert(f.t.Context(), e.Doc(fmt.Sprintf("main/%d", int64(1e14)+n))))
}

// stopped accrues an order in a goroutine that stands still when the store has the accrual and the process does not know.
func (f *family) stopped(s *Service, order string) (goOn func()) {
	f.t.Helper()
	there, on, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	stops := atomic.Bool{}
	f.driver.afterWrite = func(ops []docstore.Op) {
		if ops[0].ID == book.AccrueID(order) && ops[0].Kind == docstore.Insert && stops.CompareAndSwap(false, true) {
			close(there)
			<-on
		}
	}
	go func() { ended <- s.Accrue(context.Background(), sale(order, 10000)) }()
	<-there
	return func() {
		close(on)
		must(f.t, <-ended)
	}
}

// TestNothingIsSealedBeforeItsAccrual whichever process posted it, however late it came and whoever forgot it.
func TestNothingIsSealedBeforeItsAccrual(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*family) *Service{
		"a process died and left accruals, the next one seals from memory": func(f *family) *Service {
			dead, next := f.process(Config{Alone: true}), f.process(Config{SealBatch: 5, Alone: true})
			for n := range 10 {
				f.accrue(dead, fmt.Sprint("o", n))
			}
			f.settle(next)
			return next
		},
		"posted in a lane that was empty when the listing passed it": func(f *family) *Service {
			first, second := f.process(Config{}), f.process(Config{})
			if first.lane.Name() > second.lane.Name() {
				first, second = second, first
			}
			must(f.t, second.Accrue(f.t.Context(), sale("early", 10000)))
			finds := 0
			f.driver.beforeFind = func(q docstore.Query) {
				if finds++; finds == 2 {
					f.accrue(first, "o1")
					f.settle(second)
				}
			}
			return second
		},
		"written late, when it was taken for lost and listed in vain": func(f *family) *Service {
			s := f.process(Config{Alone: true})
			f.flaky.Next = func(op docstore.Op) docstoretest.Mishap {
				if op.ID == "accrue/o1" {
					return docstoretest.Late
				}
				return docstoretest.Fine
			}
			if err := s.Accrue(f.t.Context(), sale("o1", 10000)); !errors.Is(err, docstore.ErrUnclear) {
				f.t.Fatal(err)
			}
			f.flaky.Next = nil
			must(f.t, s.CatchUp(f.t.Context()))
			_, err := f.flaky.Land(f.t.Context())
			must(f.t, err)
			f.accrue(s, "o1")
			f.settle(s)
			return s
		},
		"settled by a caller who was faster than the one who posted it": func(f *family) *Service {
			s := f.process(Config{Alone: true})
			goOn := f.stopped(s, "o1")
			f.accrue(s, "o1")
			f.settle(s)
			f.seal(s)
			goOn()
			return s
		},
		"posted by a version without lanes": func(f *family) *Service {
			s := f.process(Config{SealBatch: 1, Alone: true})
			f.older(s, policy.Compute(f.policy, sale("o1", 10000)), 1)
			must(f.t, s.StartWindow(f.t.Context(), "o1", f.clock.Now(), time.Time{}))
			f.settle(s)
			return s
		},
		"settled by a version without lanes, which is listed first": func(f *family) *Service {
			s := f.process(Config{SealBatch: 1})
			must(f.t, s.Accrue(f.t.Context(), sale("o1", 10000)))
			accrual := policy.Compute(f.policy, sale("o1", 10000))
			d := &Settlement{Doc: docstore.Doc{ID: "o1"}}
			d.receive(start, start)
			must(f.t, d.adopt(accrual, &s.config))
			d.settle(start.Add(8 * day))
			must(f.t, s.settlements.Insert(f.t.Context(), d))
			f.older(s, d.settled(accrual)[0], 1)
			return s
		},
		"refunded and settled behind a full batch": func(f *family) *Service {
			one, two := f.process(Config{SealBatch: 3}), f.process(Config{SealBatch: 3})
			for n := range 5 {
				f.accrue(one, fmt.Sprint("o", n))
				r := Refund{Order: fmt.Sprint("o", n), Number: "r1", At: start, Lines: []RefundLine{{1, 500, 10000}}}
				must(f.t, two.ClawBack(f.t.Context(), r))
			}
			f.settle(two)
			return two
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFamily(t)
			s := tell(f)
			f.seal(s)
			f.driver.beforeFind, f.driver.afterWrite = nil, nil
			verified(t, s)
			must(t, s.CatchUp(t.Context()))
			must(t, s.Tidy(t.Context()))
			if report := verified(t, s); report.Unsealed != 0 || report.Entries < 2 {
				t.Errorf("%+v", report)
			}
		})
	}
}

// TestWhatIsRememberedTooLateIsNotSealedTwice: the poster stood still while its entry was listed, sealed and cleared.
func TestWhatIsRememberedTooLateIsNotSealedTwice(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	s := f.process(Config{Alone: true})
	goOn := f.stopped(s, "o1")
	must(t, errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())))
	must(t, s.Accrue(t.Context(), sale("o2", 10000)))
	f.seal(s)
	goOn()
	must(t, s.CatchUp(t.Context()))
	if report := verified(t, s); report.Entries != 2 {
		t.Errorf("%+v", report)
	}
}

// TestALateEntryOfABusyProcessIsSealedWithTheNext: its poster was told that nobody knows, and asked again.
func TestALateEntryOfABusyProcessIsSealedWithTheNext(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	s := f.process(Config{Alone: true})
	must(t, s.CatchUp(t.Context()))
	e := policy.Compute(f.policy, sale("o1", 10000))
	e.Book = "main"
	must(t, s.book.Entries.Insert(t.Context(), e.Doc(e.Book+"/p"+s.lane.Name()+"/000000000000900")))
	must(t, s.Accrue(t.Context(), sale("o1", 10000)))
	must(t, s.Accrue(t.Context(), sale("o2", 10000)))
	if n, err := s.SealOnce(t.Context()); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// TestASettlementOfAClearedAccrualReadsNothingMore: with and without the memory of its process.
func TestASettlementOfAClearedAccrualReadsNothingMore(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		f := newFamily(t)
		one, two := f.process(Config{Alone: alone}), f.process(Config{Alone: alone})
		for n := range 20 {
			f.accrue(one, fmt.Sprint("o", n))
		}
		must(t, errors.Join(one.CatchUp(t.Context()), one.Tidy(t.Context())))
		f.settle(two)
		f.driver.accruals.Store(0)
		if n, err := two.SealOnce(t.Context()); n != 20 || err != nil || f.driver.accruals.Load() > 0 {
			t.Errorf("alone %v: sealed %d, %v; %d accruals read", alone, n, err, f.driver.accruals.Load())
		}
		verified(t, two)
		must(t, two.Tidy(t.Context()))
		must(t, two.book.Entries.Each(t.Context(), docstore.All(), func(doc *book.EntryDoc) error {
			if doc.Unsealed != "" || doc.Seal == 0 || doc.Rooted {
				t.Error(doc.ID, doc.Seal, doc.Unsealed, doc.Rooted)
			}
			return nil
		}))
	}
}

// TestAReturnIsBehindItsTax though whoever confirmed the payment died before the tax was posted, and repeats it later.
func TestAReturnIsBehindItsTax(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 5)
	p := Payout{Member: "alice", Number: "W1", Amount: 100, Tax: 20, At: start, Notes: []Note{{Key: "bill", Value: "b 1"}}}
	must(t, w.Reserve(t.Context(), Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At}))
	w.hook = func(step string) error {
		if step == "posted confirm" {
			return errCrash
		}
		return nil
	}
	if err := w.ConfirmPayout(t.Context(), p); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	w.hook = nil
	back := p
	back.At, back.Notes = start.Add(day), nil
	must(t, w.ReturnPayout(t.Context(), back))
	must(t, w.CatchUp(t.Context()))
	must(t, w.ConfirmPayout(t.Context(), p))
	must(t, w.ReturnPayout(t.Context(), back))
	must(t, w.CatchUp(t.Context()))
	verified(t, w.Service)
}
