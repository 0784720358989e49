package commission

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestASaleWalksFromPendingToAvailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	ctx := t.Context()
	must(t, w.Accrue(ctx, sale("o1", 9900, 101)))
	must(t, w.Accrue(ctx, sale("o1", 9900, 101)))
	if diff := cmp.Diff(Balance{Pending: 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	must(t, w.StartWindow(ctx, "o1", start.Add(time.Hour), time.Time{}))
	w.clock.Advance(7 * day)
	n, err := w.SettleDue(ctx)
	must(t, err)
	if n != 0 {
		t.Errorf("settled %d before the window was over", n)
	}
	w.clock.Advance(time.Hour)
	if n, err = w.SettleDue(ctx); err != nil || n != 1 {
		t.Errorf("settled %d, %v", n, err)
	}
	if diff := cmp.Diff(Balance{Available: 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	must(t, w.ClawBack(ctx, Refund{Order: "o1", Number: "r1", At: w.clock.Now(), Lines: []RefundLine{{1, 9900, 9900}}}))
	must(t, w.ClawBack(ctx, Refund{Order: "o1", Number: "r1", At: w.clock.Now(), Lines: []RefundLine{{1, 9900, 9900}}}))
	if diff := cmp.Diff(Balance{Available: 8}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
}
