package authority

import (
	"strconv"
	"testing"
	"time"
)

func TestAFullDeskLeavesTheWordToTheBrand(t *testing.T) {
	t.Parallel()
	k, now := desk{}, time.Unix(1_800_000_000, 0)
	for n := range MaxWords {
		if !k.give(word{strconv.Itoa(n), 1, now}, now) {
			t.Fatal(n)
		}
	}
	if k.give(word{"one more", 1, now}, now) || len(k.Words) != MaxWords {
		t.Error("one more was taken")
	}
	if !k.give(word{"0", 2, now}, now) || k.Words[0].Amount != 2 {
		t.Error("one that lies there")
	}
	if later := now.Add(time.Hour); !k.give(word{"one more", 1, later}, later) || len(k.Words) != 1 {
		t.Error("when the period is over")
	}
}
