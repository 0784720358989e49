package transfer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"guanxi/internal/docstore"
)

// Measure counts and hashes everything a snapshot holds, but for what belongs to its place.
func Measure(ctx context.Context, s docstore.Snapshot, progress func(Progress)) ([]Totals, error) {
	collections, err := s.Collections(ctx)
	if err != nil {
		return nil, err
	}
	var all []Totals
	sum := Progress{}
	for _, name := range collections {
		if passed(name) {
			continue
		}
		c := count(name)
		err := each(ctx, s, name, func(records []docstore.Record) error {
			for _, r := range records {
				c.add(r)
			}
			sum.Collection, sum.Read = name, sum.Read+int64(len(records))
			if progress != nil {
				progress(sum)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", name, err)
		}
		if c.Documents > 0 {
			all = append(all, c.totals())
		}
	}
	return all, nil
}

// Differences says, a sentence each, where two measurements differ.
func Differences(from, to []Totals) (all []string) {
	there, names := map[string]Totals{}, map[string]bool{}
	for _, t := range to {
		there[t.Collection], names[t.Collection] = t, true
	}
	here := map[string]Totals{}
	for _, t := range from {
		here[t.Collection], names[t.Collection] = t, true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := here[name], there[name]
		switch {
		case a.Documents != b.Documents:
			all = append(all, fmt.Sprintf("%s: %d documents here, %d there", name, a.Documents, b.Documents))
		case !bytes.Equal(a.Hash, b.Hash):
			all = append(all, fmt.Sprintf("%s: %d documents on both sides, and they are not the same", name, a.Documents))
		}
	}
	return all
}
