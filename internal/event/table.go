package event

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// WriteTable prints who takes which event as a Markdown table, sorted by event and consumer.
func WriteTable(w io.Writer, consumers []Consumer) error {
	rows := slices.Clone(consumers)
	slices.SortFunc(rows, func(a, b Consumer) int {
		return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Name, b.Name))
	})
	if _, err := fmt.Fprint(w, "| event | consumer | effect |\n|---|---|---|\n"); err != nil {
		return fmt.Errorf("event: write table: %w", err)
	}
	for _, c := range rows {
		if _, err := fmt.Fprintf(w, "| %s | %s | %s |\n", c.Event, c.Name, c.Effect); err != nil {
			return fmt.Errorf("event: write table: %w", err)
		}
	}
	return nil
}
