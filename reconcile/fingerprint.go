package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// fingerprint stands for a movement's number in 63 bits. Two of a million numbers share one by chance once in twenty
// million days; a shared one could hide a line that is missing in the bill, never one that is missing in our books.
func fingerprint(m Movement, number string) uint64 {
	h := sha256.New()
	h.Write([]byte(m))
	h.Write([]byte{0})
	h.Write([]byte(number))
	return binary.BigEndian.Uint64(h.Sum(nil)) >> 1
}

// index is the set of a bill's numbers, or of one part of them when the bill is large.
type index struct {
	entries     []uint64 // sorted; fingerprint<<1 | 1 when the line is done
	part, parts uint64
}

// holds tells whether a fingerprint belongs to this part at all.
func (x *index) holds(fp uint64) bool { return fp%x.parts == x.part }

func (x *index) has(fp uint64) bool {
	at, _ := slices.BinarySearch(x.entries, fp<<1)
	return at < len(x.entries) && x.entries[at]>>1 == fp
}

// buildIndex reads one part of the run's numbers and calls twice for each that is done more than once.
func (s *Service) buildIndex(ctx context.Context, r *Run, part, parts uint64, twice func(uint64)) (*index, error) {
	x := &index{part: part, parts: parts, entries: make([]uint64, 0, min(r.Bill.Lines, int64(s.config.Index)))}
	if err := s.fillIndex(ctx, r, x); err != nil {
		return nil, err
	}
	slices.Sort(x.entries)
	for i := 1; i < len(x.entries); i++ {
		if x.entries[i] == x.entries[i-1] && x.entries[i]&1 == 1 {
			twice(x.entries[i] >> 1)
		}
	}
	return x, nil
}

// fillIndex adds the numbers of a run's bill, unsorted.
func (s *Service) fillIndex(ctx context.Context, r *Run, x *index) error {
	return s.eachPage(ctx, r, func(lines []Line) error {
		for _, l := range lines {
			if !l.Move.matched() || l.Number == "" {
				continue
			}
			fp := fingerprint(l.Move, l.Number)
			if !x.holds(fp) {
				continue
			}
			entry := fp << 1
			if l.State == LineDone {
				entry |= 1
			}
			x.entries = append(x.entries, entry)
		}
		return nil
	})
}
