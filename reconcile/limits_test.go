package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// endless is a platform and our books that make their movements up as they are asked for.
type endless struct {
	lines, wrong int
	peak         uint64
	largest      int
}

func (e *endless) facts() iter.Seq2[int, Fact] {
	from, _, _ := span(theDay)
	return func(yield func(int, Fact) bool) {
		for i := range e.lines {
			if i%20_000 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				e.peak = max(e.peak, m.HeapAlloc)
			}
			if !yield(i, Fact{
				Move: Payment, Number: fmt.Sprintf("N%d", i), State: FactDone, Amount: 100,
				At: from.Add(time.Duration(i) * time.Millisecond),
			}) {
				return
			}
		}
	}
}

func (e *endless) Trade(_ context.Context, _ string, each func(TradeLine) error) (Totals, error) {
	var sum Totals
	for i, f := range e.facts() {
		l := (*platform)(nil).tradeLine(f)
		if i < e.wrong {
			l.Amount++
		}
		sum.add(l.line(0))
		if err := each(l); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (e *endless) Funds(context.Context, Statement, string, func(FundLine) error) (Totals, error) {
	return Totals{}, ErrNotYet
}

func (e *endless) Lookup(_ context.Context, of Movement, numbers []string) (map[string]Fact, error) {
	e.largest = max(e.largest, len(numbers))
	from, _, _ := span(theDay)
	found := make(map[string]Fact, len(numbers))
	for _, n := range numbers {
		found[n] = Fact{Move: of, Number: n, State: FactDone, Amount: 100, At: from}
	}
	return found, nil
}

func (e *endless) Each(_ context.Context, _ []Movement, _, _ time.Time, each func(Fact) error) error {
	for _, f := range e.facts() {
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// TestALargeDayStreams: 200,000 lines pass in pages, in several parts of the index, and the heap does not hold them.
func TestALargeDayStreams(t *testing.T) { //nolint:paralleltest // it measures the heap
	w := newWorld(t, Config{})
	e := &endless{lines: 200_000, wrong: 2500}
	s, err := New(t.Context(), Deps{
		Store: w.store, Clock: w.clock, IDs: id.Random{}, Bills: e, Ours: e,
		Config: Config{Since: theDay, Index: 70_000, MaxTasks: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Set(at(t, nextDay, "10:00:00"))
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if n, err := s.Tend(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r, err := s.Get(t.Context(), Trade, theDay)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(r.State, r.Bill, r.Ours, r.Matched, r.Differences, r.Beyond, r.Pages)
	want := fmt.Sprint(Differing, Totals{Lines: 200_000, In: 20_002_500}, Totals{Lines: 200_000, In: 20_000_000}, 197_500, 2500, 1500, 400)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if grown := int64(e.peak) - int64(before.HeapAlloc); grown > 12<<20 || e.largest > LookupBatch {
		t.Errorf("the heap grew by %d bytes; %d numbers looked up at once", grown, e.largest)
	}
	open, err := s.tasks.Count(t.Context(), docstore.By(indexState, string(TaskOpen)), 0)
	if open != 1000 || err != nil {
		t.Error(open, err)
	}
}

func TestPagesKeepLinesExactly(t *testing.T) {
	t.Parallel()
	lines := []Line{
		{Row: 1, Move: Payment, State: LineDone, In: true, Number: "a,b\"c\n", Platform: "4200", Order: "o", Amount: 1, Fee: -2, At: at(t, theDay, "00:00:00")},
		{Row: 2, Move: Other, State: LineOpen, Number: "", Flow: "f", Amount: money.Max, At: at(t, theDay, "23:59:59"), Words: "提现 提现"},
	}
	body, err := pack(lines)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpack(body)
	if diff := cmp.Diff(lines, got); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	for n := range body { // a damaged page is an error or other lines, never a panic
		broken := append([]byte(nil), body...)
		broken[n] ^= 0x55
		_, _ = unpack(broken)
	}
}

func TestNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Since: theDay})
	ctx := t.Context()
	second := func(_ any, err error) error { return err }
	for _, c := range []struct {
		rule string
		err  error
		want *fault.Fault
	}{
		{"a day is a day", second(w.Again(ctx, Trade, "2026-02-30")), ErrDay},
		{"a statement is a statement", second(w.Again(ctx, "x", theDay)), ErrDay},
		{"not before ten the next day", second(w.Again(ctx, Trade, theDay)), ErrTooEarly},
		{"not after three months", second(w.Again(ctx, Trade, "2025-11-28")), ErrTooOld},
		{"no such run", second(w.Get(ctx, Trade, "2026-02-20")), ErrNotFound},
		{"no such task", second(w.Task(ctx, "x")), ErrNotFound},
		{"a resolution has words", second(w.Resolve(ctx, Resolution{Task: "x", By: "me"})), ErrInvalid},
		{"a resolution has somebody", second(w.Resolve(ctx, Resolution{Task: "x", Words: "ok"})), ErrInvalid},
		{"a task to resolve exists", second(w.Resolve(ctx, Resolution{Task: "x", By: "me", Words: "ok"})), ErrNotFound},
		{"a page is a page", second(w.Tasks(ctx, TaskOpen, docstore.Paging{First: 5000})), ErrPage},
		{"there are no lines before the bill", w.Lines(ctx, Trade, theDay, nil), ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %s", c.rule, c.err, c.want.Code)
		}
	}
}

// TestTroubleWaits: a broken download leaves nothing behind and is tried again later; a bill nobody ever got is lost.
func TestTroubleWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Since: theDay})
	busyDay(w)
	w.bills.stop = pageLines + 10
	w.clock.Set(at(t, nextDay, "10:00:00"))
	if n, err := w.Tend(t.Context()); n != 0 || !errors.Is(err, errPlatform) {
		t.Fatal(n, err)
	}
	r, err := w.Get(t.Context(), Trade, theDay)
	if err != nil || r.State != Waiting || r.Problem != "failed" || r.Fetched {
		t.Fatal(r, err)
	}
	w.tend(t) // nothing is due
	w.clock.Set(at(t, "2026-06-02", "10:00:00"))
	if _, err := w.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err = w.Get(t.Context(), Trade, theDay); err != nil || r.State != Lost || !r.NextAt.IsZero() {
		t.Fatal(r, err)
	}
	if _, err := w.Again(t.Context(), Trade, theDay); !errors.Is(err, ErrTooOld) {
		t.Fatal(err)
	}
}

// TestAKeptBillOutlivesThePlatforms: after three months the day is matched again from its pages.
func TestAKeptBillOutlivesThePlatforms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Since: theDay, Looks: -1})
	busyDay(w)
	w.clock.Set(at(t, nextDay, "10:00:00"))
	w.tend(t)
	want := w.picture(t)
	w.clock.Set(at(t, "2026-09-01", "10:00:00"))
	w.bills.days[runID(Trade, theDay)] = nil
	if _, err := w.Again(t.Context(), Trade, theDay); err != nil {
		t.Fatal(err)
	}
	if _, err := w.one(t.Context(), runID(Trade, theDay)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.picture(t)); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
}
