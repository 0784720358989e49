package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

// world is a platform, our books and a service over both.
type world struct {
	clock *clock.Manual
	store *docstore.Store
	bills *platform
	ours  *books
	*Service
}

func at(t testing.TB, day, hour string) time.Time {
	t.Helper()
	when, err := time.ParseInLocation(time.DateTime, day+" "+hour, clock.Shanghai())
	if err != nil {
		t.Fatal(err)
	}
	return when.UTC()
}

func newWorld(t testing.TB, config Config) *world {
	t.Helper()
	w := &world{clock: clock.NewManual(at(t, "2026-03-01", "12:00:00")), bills: newPlatform(), ours: newBooks()}
	w.store = docstoretest.NewStore(t, w.clock)
	w.Service = w.open(t, config)
	return w
}

func (w *world) open(t testing.TB, config Config) *Service {
	t.Helper()
	s, err := New(t.Context(), Deps{
		Store: w.store, Clock: w.clock, IDs: id.Random{}, Bills: w.bills, Ours: w.ours, Config: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tend works until nothing is due.
func (w *world) tend(t testing.TB) {
	t.Helper()
	for range 100 {
		n, err := w.Tend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	t.Fatal("Tend does not come to an end")
}

// statement is one bill as the platform gives it.
type statement struct {
	trade  []TradeLine
	funds  []FundLine
	totals *Totals // instead of the sum of the lines
	answer error
}

type platform struct {
	mu        sync.Mutex
	days      map[string]*statement
	downloads int
	stop      int // fail after so many lines; 0 never
	each      func(row int)
}

func newPlatform() *platform { return &platform{days: map[string]*statement{}} }

func (p *platform) day(s Statement, day string) *statement {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := runID(s, day)
	if p.days[key] == nil {
		p.days[key] = &statement{}
	}
	return p.days[key]
}

var errPlatform = errors.New("platform away")

func (p *platform) Trade(_ context.Context, day string, each func(TradeLine) error) (Totals, error) {
	d := p.day(Trade, day)
	return deliver(p, d, d.trade, TradeLine.line, each)
}

func (p *platform) Funds(_ context.Context, account Statement, day string, each func(FundLine) error) (Totals, error) {
	d := p.day(account, day)
	return deliver(p, d, d.funds, FundLine.line, each)
}

func deliver[L any](p *platform, d *statement, lines []L, as func(L, int64) Line, each func(L) error) (Totals, error) {
	p.mu.Lock()
	p.downloads++
	lines = slices.Clone(lines)
	p.mu.Unlock()
	if d.answer != nil {
		return Totals{}, d.answer
	}
	if len(lines) == 0 && d.totals == nil {
		return Totals{}, ErrNoStatement
	}
	var sum Totals
	for n, l := range lines {
		if p.stop > 0 && n >= p.stop {
			return Totals{}, errPlatform
		}
		if p.each != nil {
			p.each(n)
		}
		if err := each(l); err != nil {
			return Totals{}, err
		}
		sum.add(as(l, 0))
	}
	if d.totals != nil {
		sum = *d.totals
	}
	return sum, nil
}

// books are our side in memory.
type books struct {
	mu      sync.Mutex
	facts   map[factKey]Fact
	largest int // numbers asked for at once
}

func newBooks() *books { return &books{facts: map[factKey]Fact{}} }

func (b *books) put(f Fact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts[factKey{f.Move, f.Number}] = f
}

func (b *books) Lookup(_ context.Context, of Movement, numbers []string) (map[string]Fact, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.largest = max(b.largest, len(numbers))
	found := map[string]Fact{}
	for _, n := range numbers {
		if f, ok := b.facts[factKey{of, n}]; ok {
			found[n] = f
		}
	}
	return found, nil
}

func (b *books) Each(_ context.Context, of []Movement, _, _ time.Time, each func(Fact) error) error {
	b.mu.Lock()
	all := make([]Fact, 0, len(b.facts))
	for _, f := range b.facts {
		if slices.Contains(of, f.Move) {
			all = append(all, f)
		}
	}
	b.mu.Unlock()
	for _, f := range all { // other days too: they are passed over
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}
