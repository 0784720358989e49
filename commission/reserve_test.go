package commission

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// rich gives a member money to withdraw: amount settled sales of 8 yuan for alice, 2 for bob, 3 for host1.
func rich(t *testing.T, w *world, sales int) {
	t.Helper()
	for n := range sales {
		order := fmt.Sprintf("rich%d", n)
		must(t, w.Accrue(t.Context(), sale(order, 10000)))
		must(t, w.StartWindow(t.Context(), order, w.clock.Now(), time.Time{}))
	}
	w.clock.Advance(8 * day)
	for {
		n, err := w.SettleDue(t.Context())
		must(t, err)
		if n == 0 {
			break
		}
	}
	must(t, w.CatchUp(t.Context()))
}

func hold(number string, amount money.Fen) Hold {
	return Hold{Member: "alice", Number: number, Amount: amount, At: start, Notes: []Note{{Key: "rail", Value: "测试 rail"}}}
}

func payout(number string, amount, tax money.Fen) Payout {
	return Payout{Member: "alice", Number: number, Amount: amount, Tax: tax, At: start.Add(day)}
}

func TestMoneyIsReservedOnceAndNeverTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 10) // alice has 8,000 fen
	must(t, w.Reserve(t.Context(), hold("W1", 5000)))
	must(t, w.Reserve(t.Context(), hold("W1", 5000))) // again
	if err := w.Reserve(t.Context(), hold("W1", 4000)); !errors.Is(err, ErrEntryConflict) {
		t.Errorf("another content: %v", err)
	}
	if err := w.Reserve(t.Context(), hold("W2", 3001)); !errors.Is(err, ErrPurseShort) {
		t.Errorf("before the fold: %v", err)
	}
	is, err := w.Spendable(t.Context(), "alice")
	must(t, err)
	if want := (Spendable{Balance: Balance{Available: 8000}, Held: 5000, Free: 3000}); is != want {
		t.Error(cmp.Diff(want, is))
	}
	must(t, w.CatchUp(t.Context()))
	if err := w.Reserve(t.Context(), hold("W2", 3001)); !errors.Is(err, ErrPurseShort) {
		t.Errorf("after the fold: %v", err)
	}
	must(t, w.Reserve(t.Context(), hold("W2", 3000)))
	must(t, w.ConfirmPayout(t.Context(), payout("W1", 5000, 1000)))
	must(t, w.ConfirmPayout(t.Context(), payout("W1", 5000, 1000)))
	if err := w.FailPayout(t.Context(), payout("W1", 5000, 0)); !errors.Is(err, ErrEntryConflict) {
		t.Errorf("failed after it was paid: %v", err)
	}
	must(t, w.FailPayout(t.Context(), payout("W2", 3000, 0)))
	if err := w.ConfirmPayout(t.Context(), payout("W2", 3000, 0)); !errors.Is(err, ErrEntryConflict) {
		t.Errorf("paid after it failed: %v", err)
	}
	if err := w.ConfirmPayout(t.Context(), payout("W3", 3000, 0)); !errors.Is(err, ErrPayoutUnknown) {
		t.Errorf("never reserved: %v", err)
	}
	if diff := cmp.Diff(Balance{Available: 3000, Withdrawn: 4000}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	must(t, w.ReturnPayout(t.Context(), payout("W1", 5000, 1000)))
	if diff := cmp.Diff(Balance{Available: 8000}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

func TestManyReservingAtOnceNeverTakeMoreThanThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 10)
	other := open(t, w.store, w.clock, Config{}) // another process
	var taken atomic.Int64
	var callers sync.WaitGroup
	for n := range 64 {
		callers.Go(func() {
			s := w.Service
			if n%2 == 1 {
				s = other
			}
			err := s.Reserve(t.Context(), hold(fmt.Sprintf("W%d", n), 700))
			if err == nil {
				taken.Add(1)
			} else if !errors.Is(err, ErrPurseShort) {
				t.Error(err)
			}
			if n%7 == 0 {
				_, err := s.SealOnce(t.Context())
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if taken.Load() != 11 {
		t.Errorf("%d reservations of 700 out of 8,000", taken.Load())
	}
	if diff := cmp.Diff(Balance{Available: 300, Withdrawing: 7700}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

var errKilled = errors.New("killed")

func TestAReservationIsFinishedAfterADeathAndOutlivesARebuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 10)
	w.hook = func(step string) error {
		if step == "held" {
			return errKilled
		}
		return nil
	}
	if err := w.Reserve(t.Context(), hold("W1", 6000)); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	again := open(t, w.store, w.clock, Config{})
	if err := again.Reserve(t.Context(), hold("W2", 6000)); !errors.Is(err, ErrPurseShort) {
		t.Errorf("the held money was given twice: %v", err)
	}
	must(t, again.Rebuild(t.Context()))
	if err := again.Reserve(t.Context(), hold("W2", 6000)); !errors.Is(err, ErrPurseShort) {
		t.Errorf("after a rebuild: %v", err)
	}
	must(t, again.Reserve(t.Context(), hold("W1", 6000)))
	must(t, again.Rebuild(t.Context()))
	is, err := again.Spendable(t.Context(), "alice")
	must(t, err)
	if want := (Spendable{Balance: Balance{Available: 2000, Withdrawing: 6000}, Free: 2000}); is != want {
		t.Error(cmp.Diff(want, is))
	}
	verified(t, again)
}

func TestNothingIsReservedWhileThePursesAreRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 10)
	w.hook = func(step string) error {
		if step == "epoch" {
			return errKilled
		}
		return nil
	}
	if err := w.Rebuild(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	again := open(t, w.store, w.clock, Config{})
	if err := again.Reserve(t.Context(), hold("W1", 100)); !errors.Is(err, ErrPurseBusy) {
		t.Error(err)
	}
	must(t, again.CatchUp(t.Context()))
	must(t, again.Reserve(t.Context(), hold("W1", 100)))
	verified(t, again)
}

func TestALateRefundGoesIntoTheRedAndLaterEarningsFillIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 1)
	must(t, w.Reserve(t.Context(), hold("W1", 800)))
	must(t, w.ConfirmPayout(t.Context(), payout("W1", 800, 0)))
	must(t, w.ClawBack(t.Context(), Refund{Order: "rich0", Number: "r1", At: start, Lines: []RefundLine{{1, 10000, 10000}}}))
	if diff := cmp.Diff(Balance{Available: -800, Withdrawn: 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	must(t, w.Accrue(t.Context(), sale("later", 20000)))
	must(t, w.StartWindow(t.Context(), "later", w.clock.Now(), time.Time{}))
	w.clock.Advance(8 * day)
	_, err := w.SettleDue(t.Context())
	must(t, err)
	if diff := cmp.Diff(Balance{Available: 800, Withdrawn: 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

func TestBadReservationsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	good := hold("W1", 100)
	for name, change := range map[string]func(*Hold){
		"no member": func(h *Hold) { h.Member = "" },
		"a path":    func(h *Hold) { h.Member = "a/b" },
		"no number": func(h *Hold) { h.Number = "" },
		"a dash":    func(h *Hold) { h.Number = "W-1" },
		"too long":  func(h *Hold) { h.Number = "W23456789012345678901234567890123" },
		"nothing":   func(h *Hold) { h.Amount = 0 },
		"less":      func(h *Hold) { h.Amount = -1 },
		"too much":  func(h *Hold) { h.Amount = money.Max + 1 },
		"no time":   func(h *Hold) { h.At = time.Time{} },
		"a bad key": func(h *Hold) { h.Notes = []Note{{Key: "A b", Value: "x"}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := good
			change(&h)
			if err := w.Reserve(t.Context(), h); !errors.Is(err, ErrPayoutInvalid) {
				t.Error(err)
			}
		})
	}
}

// An outcome may reach the ledger in the same millisecond as its reservation, or through a process whose clock is behind.
func TestAnOutcomeIsSealedBehindItsReservation(t *testing.T) {
	t.Parallel()
	for _, behind := range []time.Duration{0, time.Hour} {
		w := newWorld(t, Config{SealBatch: 1})
		w.publish(t)
		rich(t, w, 10)
		late := open(t, w.store, clock.NewManual(w.clock.Now().Add(-behind)), Config{SealBatch: 1})
		must(t, w.Reserve(t.Context(), hold("W1", 1000)))
		must(t, late.ConfirmPayout(t.Context(), payout("W1", 1000, 200)))
		must(t, late.ReturnPayout(t.Context(), payout("W1", 1000, 200)))
		var order []string
		for {
			n, err := late.SealOnce(t.Context())
			must(t, err)
			if n == 0 {
				break
			}
			purse, err := w.Purse(t.Context(), "alice")
			must(t, err)
			order = append(order, purse.Newest[0].Entry)
			if purse.Withdrawing < 0 || purse.Withdrawn < 0 {
				t.Errorf("%v behind, after %v: %+v", behind, order, purse.Balance)
			}
		}
		if diff := cmp.Diff([]string{"withdraw/W1", "outcome/W1", "tax/W1", "return/W1"}, order); diff != "" {
			t.Errorf("%v behind: %s", behind, diff)
		}
	}
}

// Whoever reserves faster than entries are sealed is asked to wait, not told that there were no money.
func TestTooManyReservationsAtOnceAreBusyNotShort(t *testing.T) {
	t.Parallel()
	p := &book.PurseDoc{}
	p.Available = 1_000_000
	for i := range book.MaxHolds {
		must(t, holdIn(p, fmt.Sprint("W", i), 1))
	}
	if err := holdIn(p, "W999", 1); !errors.Is(err, ErrPurseBusy) {
		t.Error(err)
	}
	if err := holdIn(p, "W998", 2_000_000); !errors.Is(err, ErrPurseShort) {
		t.Error(err)
	}
}

func TestAPurseRemembersTheLatestSpentNumbers(t *testing.T) {
	t.Parallel()
	p := &book.PurseDoc{}
	for i := range 2 * book.MaxSpent {
		p.Spend(fmt.Sprint("W", i))
	}
	if len(p.Spent) != book.MaxSpent || p.Spent[book.MaxSpent-1] != fmt.Sprint("W", 2*book.MaxSpent-1) || slices.Contains(p.Spent, "W0") {
		t.Error(p.Spent)
	}
}
