package commission

import (
	"errors"
	"testing"
	"time"
)

// die lets the service die at a step.
func die(s *Service, at string) {
	s.hook = func(step string) error {
		if step == at {
			return errKilled
		}
		return nil
	}
}

func TestADeadReservationDoesNotCoverALargerOneUnderItsNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 1) // alice has 800 fen
	die(w.Service, "held")
	if err := w.Reserve(t.Context(), hold("W1", 100)); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.hook = nil
	err := w.Reserve(t.Context(), hold("W1", 10_000))
	if !errors.Is(err, ErrEntryConflict) {
		t.Errorf("100 fen are held, 10,000 were asked for: %v", err)
	}
	must(t, w.Reserve(t.Context(), hold("W1", 100)))
	if is := balance(t, w.Service, "alice"); is != (Balance{Available: 700, Withdrawing: 100}) {
		t.Errorf("%+v", is)
	}
	verified(t, w.Service)
}

func TestAMonthWithoutSealsIsClosedAndVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	w.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
	_, err := w.ClosePeriod(t.Context(), "2026-03", "chief")
	must(t, err)
	verified(t, w.Service)
	w.month(t, "april", 3)
	verified(t, w.Service)
	w.clock.Set(time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC))
	for _, month := range []string{"2026-04", "2026-05"} {
		_, err := w.ClosePeriod(t.Context(), month, "chief")
		must(t, err)
	}
	verified(t, w.Service)
}

func TestARebuildThatHasOnlyBegunIsNoDifference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 3, Key: signer()})
	w.publish(t)
	w.month(t, "march", 10)
	w.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
	_, err := w.ClosePeriod(t.Context(), "2026-03", "chief")
	must(t, err)
	for _, at := range []string{"epoch", "half folded", "folded", "bookmarked"} {
		die(w.Service, at)
		if err := w.Rebuild(t.Context()); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		w.hook = nil
		verified(t, w.Service)
	}
	must(t, w.CatchUp(t.Context()))
	verified(t, w.Service)
}
