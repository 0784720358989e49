package lane

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGapsAreWhatWasNotRead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random, track, read := rand.New(rand.NewPCG(seed, 3)), &Track{}, map[int64]int64{}
		for range random.IntN(60) {
			n, batch := random.Int64N(40), random.Int64N(5)
			if read[n] == 0 {
				read[n] = batch + 1
				track.Add(batch, n)
			}
			if random.IntN(20) == 0 {
				upTo := random.Int64N(5)
				track.Drop(upTo)
				for n, batch := range read {
					if batch != 0 && batch-1 <= upTo {
						delete(read, n)
					}
				}
			}
		}
		inGap := func(n int64) bool {
			return slices.ContainsFunc(track.Gaps(), func(s Span) bool { return s.From <= n && n <= s.To })
		}
		for n := range int64(60) {
			if inGap(n) != (read[n] == 0) {
				t.Fatalf("seed %d: %d: read %v, gaps %v", seed, n, read, track.Gaps())
			}
		}
	}
}

func TestKeysSortByNumberAndCanBeTakenApart(t *testing.T) {
	t.Parallel()
	keys := []string{}
	for _, n := range []int64{0, 1, 9, 10, 99, 1000, Last} {
		key := Key("main", "abc", n)
		if lane, back, ok := Parse("main", key); lane != "abc" || back != n || !ok {
			t.Error(key, lane, back, ok)
		}
		keys = append(keys, key)
	}
	if !slices.IsSorted(keys) || keys[0] < First("main") || keys[len(keys)-1] >= Behind("main", "abc") {
		t.Error(keys)
	}
	for _, other := range []string{"main/101773000000000a", "other/pabc/1", "main/pabc", "main/pabc/x"} {
		if _, _, ok := Parse("main", other); ok {
			t.Error(other)
		}
	}
}

func TestANumberUnderWhichNothingWasStoredIsUsedAgain(t *testing.T) {
	t.Parallel()
	p := NewPoster()
	first := p.Take(3)
	p.Return(2)
	if diff := cmp.Diff([][]int64{{1, 2, 3}, {2, 4}}, [][]int64{first, p.Take(2)}); diff != "" {
		t.Error(diff)
	}
}
