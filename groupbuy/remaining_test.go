package groupbuy

import (
	"testing"
	"time"

	"guanxi/internal/claim"
)

func TestClaimsThatHaveLapsedNoLongerCount(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	a := Allotment{Kept: 5, Left: 1, Open: claim.Write([]claim.Claim{
		{Order: "o1", Units: 2, Until: now.Add(time.Minute)}, {Order: "o2", Units: 7, Until: now.Add(-time.Minute)},
	})}
	a.Due = a.Open.Due()
	a.forget(now)
	if got := a.used(); got != 6 {
		t.Errorf("used = %d, want 4 seated and 2 still payable", got)
	}
}

// What was stored before claims had holders and totals had buckets is read and counted as it was.
func TestAllotmentsOfBeforeCountOn(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	a := Allotment{Kept: 3, Seats: spans{1, 2}, Open: "old 2 1800000060000\n", Due: now.Add(time.Minute)}
	if a.used() != 5 {
		t.Fatalf("used = %d", a.used())
	}
	w := want{claim.New("old"), nil, now.Add(time.Hour)}
	if a.join(w, now) != 2 || a.take(w, 4, 8) != 3 {
		t.Errorf("joined and took otherwise: %+v", a)
	}
	a.leave(w.Try)
	if a.used() != 5 { // the claim that was there before has no holders who could leave
		t.Errorf("used = %d after the attempt left: %+v", a.used(), a)
	}
	for range 2 { // its leaving is counted once
		if !a.counted(&Seat{Number: 2, Left: true}, 1) || a.counted(&Seat{Number: 3}, 1) || a.used() != 4 {
			t.Errorf("the seats of before are counted otherwise: %+v", a)
		}
	}
}
