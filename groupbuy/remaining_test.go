package groupbuy

import (
	"testing"
	"time"
)

func TestClaimsThatHaveLapsedNoLongerCount(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	a := Allotment{Kept: 5, Left: 1, Open: write([]opening{
		{Order: "o1", Units: 2, Until: now.Add(time.Minute)}, {Order: "o2", Units: 7, Until: now.Add(-time.Minute)},
	})}
	if got := a.claimed(now); got != 6 {
		t.Errorf("claimed = %d, want 4 seated and 2 still payable", got)
	}
}
