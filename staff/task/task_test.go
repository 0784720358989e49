package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type world struct {
	clock *clock.Manual
	gone  map[string]string // subject → why the cause is gone
	found []Finding         // what the source reports
	*Service
	other *Service // another process
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: clock.NewManual(time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)), gone: map[string]string{}}
	store := docstoretest.NewStore(t, w.clock)
	ask := func(_ context.Context, t *Task) (bool, string, error) {
		why, gone := w.gone[t.Subject]
		return gone, why, nil
	}
	deps := Deps{
		Store: store, Clock: w.clock, Gone: map[string]Gone{"order": ask},
		Sources: []Source{func(_ context.Context, report func(Finding) error) error {
			for _, f := range w.found {
				if err := report(f); err != nil {
					return err
				}
			}
			return nil
		}},
	}
	var err error
	if w.Service, err = New(t.Context(), deps); err != nil {
		t.Fatal(err)
	}
	if w.other, err = New(t.Context(), deps); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) finding() Finding {
	return Finding{Kind: "order/refund-abnormal", Subject: "order/o1", Detail: "o1r1", At: w.clock.Now()}
}

func (w *world) report(t *testing.T, f Finding) *Task {
	t.Helper()
	made, err := w.Report(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestOneCauseIsOneTaskHoweverOftenItIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.finding()
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			if _, err := []*Service{w.Service, w.other}[n%2].Report(context.Background(), f); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	page, err := w.List(t.Context(), Filter{State: Open}, docstore.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(len(page.Items), err)
	}
	made := page.Items[0]
	if made.Version != 1 || made.Role != "operations" || made.Owner != "" || !made.DueAt.Equal(f.At.Add(4*time.Hour)) {
		t.Errorf("%+v", made)
	}
	if _, err := w.Report(t.Context(), Finding{Kind: "order/nonsense", Subject: "order/o1"}); err == nil {
		t.Error("a kind nobody knows was taken")
	}
}

func TestATaskIsTakenHandedOverResolvedAndReopened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.report(t, w.finding()).ID
	step := func(name string, do func() (*Task, error), want error, owner string, state State) {
		t.Helper()
		got, err := do()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Fatalf("%s: %v, want %v", name, err, want)
		}
		if got, _ = w.Get(t.Context(), id); got.Owner != owner || got.State != state {
			t.Fatalf("%s: it is %s's and %s, want %s's and %s", name, got.Owner, got.State, owner, state)
		}
	}
	ctx := t.Context()
	say := func(by, words string) Word { return Word{Task: id, By: by, To: "mei", Words: words} }
	step("take", func() (*Task, error) { return w.Take(ctx, id, "lan") }, nil, "lan", Open)
	step("take again", func() (*Task, error) { return w.Take(ctx, id, "lan") }, nil, "lan", Open)
	step("take another's", func() (*Task, error) { return w.Take(ctx, id, "tom") }, ErrTaken, "lan", Open)
	step("resolve another's", func() (*Task, error) { return w.Resolve(ctx, say("tom", "好了")) }, ErrTaken, "lan", Open)
	step("hand over without words", func() (*Task, error) { return w.HandOver(ctx, say("lan", " ")) }, ErrInvalid, "lan", Open)
	step("hand over", func() (*Task, error) { return w.HandOver(ctx, say("lan", "下班了")) }, nil, "mei", Open)
	step("hand over again", func() (*Task, error) { return w.HandOver(ctx, say("lan", "下班了")) }, nil, "mei", Open)
	step("reopen an open one", func() (*Task, error) { return w.Reopen(ctx, say("mei", "再看")) }, ErrWrongState, "mei", Open)
	step("resolve", func() (*Task, error) { return w.Resolve(ctx, say("mei", "已在商户平台退款")) }, nil, "mei", Resolved)
	step("resolve again", func() (*Task, error) { return w.Resolve(ctx, say("mei", "已在商户平台退款")) }, nil, "mei", Resolved)
	step("resolve otherwise", func() (*Task, error) { return w.Resolve(ctx, say("mei", "别的")) }, ErrWrongState, "mei", Resolved)
	step("take a closed one", func() (*Task, error) { return w.Take(ctx, id, "tom") }, ErrWrongState, "mei", Resolved)
	step("reopen", func() (*Task, error) { return w.Reopen(ctx, say("lan", "钱没到")) }, nil, "lan", Open)
	for _, missing := range []func() (*Task, error){
		func() (*Task, error) { return w.Take(ctx, "none", "lan") },
		func() (*Task, error) { return w.Resolve(ctx, Word{Task: "none", By: "lan", Words: "x"}) },
		func() (*Task, error) { return w.Get(ctx, "no such id!") },
	} {
		if _, err := missing(); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	made, err := w.Get(ctx, id)
	did := ""
	for _, turn := range made.Turns {
		did += turn.By + " " + turn.What + ", "
	}
	if err != nil || did != "lan take, lan hand-over, mei resolve, lan reopen, " {
		t.Error(did, err)
	}
	for filter, want := range map[Filter]int{
		{State: Open}: 1, {State: Open, Owner: "lan"}: 1, {State: Open, Owner: "mei"}: 0, {State: Open, Role: "operations"}: 1,
		{State: Open, Kind: "order/refund-abnormal"}: 1, {State: Resolved}: 0,
	} {
		if page, err := w.List(ctx, filter, docstore.Paging{}); err != nil || len(page.Items) != want {
			t.Errorf("%+v: %d, %v", filter, len(page.Items), err)
		}
	}
	for _, bad := range []Filter{{}, {State: "x"}, {State: Open, Owner: "a", Kind: "b"}} {
		if _, err := w.List(ctx, bad, docstore.Paging{}); !errors.Is(err, ErrPage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestATaskClosesByItselfWhenItsCauseIsGoneAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.finding()
	id := w.report(t, f).ID
	watch := func(want int) {
		t.Helper()
		if n, err := w.Watch(t.Context()); n != want || err != nil {
			t.Fatal(n, err)
		}
	}
	watch(0)
	w.gone["order/o1"] = "退款已到账"
	w.clock.Advance(2 * time.Hour)
	watch(1)
	watch(0)
	made, err := w.Get(t.Context(), id)
	if err != nil || made.State != Healed || made.Words != "退款已到账" {
		t.Fatalf("%+v, %v", made, err)
	}
	w.report(t, f) // the event that told of it comes once more: it is older than the end
	if made, _ = w.Get(t.Context(), id); made.State != Healed {
		t.Error("an old event opened it again")
	}
	w.clock.Advance(time.Hour)
	w.report(t, w.finding()) // it happened again
	if made, _ = w.Get(t.Context(), id); made.State != Open || made.Reopened != 1 {
		t.Errorf("%+v", made)
	}
	if _, err := w.Resolve(t.Context(), Word{Task: id, By: "lan", Words: "看过了"}); err != nil {
		t.Fatal(err)
	}
	w.report(t, f)
	w.clock.Advance(time.Hour)
	if _, err := w.Reopen(t.Context(), Word{Task: id, By: "lan", Words: "再看看"}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(48 * time.Hour)
	watch(0) // what a person opened, a person closes
	if made, _ = w.Get(t.Context(), id); made.State != Open {
		t.Error("closed by itself although a person wanted to see it")
	}
}

func TestWatchCountsWhatIsOpenAndWhatIsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.found = append(w.found, Finding{Kind: "event/parked", Subject: fmt.Sprint("event/x", n), At: w.clock.Now()})
	}
	w.report(t, w.finding())
	for range 2 {
		if _, err := w.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(3 * time.Hour)
	if _, err := w.other.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := w.other.Overview()
	if seen.Open["event/parked"] != 3 || seen.Overdue["event/parked"] != 3 || seen.Open["order/refund-abnormal"] != 1 ||
		seen.Overdue["order/refund-abnormal"] != 0 || seen.Untaken != 4 || len(seen.Open) != len(rules) {
		t.Errorf("%+v", seen)
	}
}

// TestWhoDoesNotWatchCountsWhenAsked: another process owns the watching.
func TestWhoDoesNotWatchCountsWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := func() int {
		seen, err := w.other.Counted(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seen.Open["event/parked"]
	}
	got := []int{open()}
	w.found = append(w.found, Finding{Kind: "event/parked", Subject: "event/x", At: w.clock.Now()})
	if _, err := w.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{countedFor - time.Millisecond, time.Millisecond} {
		w.clock.Advance(d)
		got = append(got, open())
	}
	if want := []int{0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestEveryMoveOfATask(t *testing.T) {
	t.Parallel()
	allowed := ""
	for _, from := range []State{"", Open, Resolved, Healed} {
		for _, to := range []State{Open, Resolved, Healed} {
			task := &Task{State: from}
			if task.move(to) == nil {
				allowed += string(from) + ">" + string(to) + " "
			}
		}
	}
	if allowed != ">open open>resolved open>healed resolved>open healed>open " {
		t.Error(allowed)
	}
}

func TestATaskKeepsTheLatestTurns(t *testing.T) {
	t.Parallel()
	one := Task{}
	for n := range 2 * maxTurns {
		one.turn(time.Unix(int64(n), 0), Turn{})
	}
	if len(one.Turns) != maxTurns || one.Turns[maxTurns-1].At != time.Unix(2*maxTurns-1, 0) {
		t.Error(len(one.Turns))
	}
}
