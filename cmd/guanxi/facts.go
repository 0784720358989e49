package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"guanxi/internal/docstore"
	"guanxi/internal/notary"
	"guanxi/proof/crosscheck"
)

// facts proves the chain of facts, and that it goes through the heads the checkpoints have signed.
func (v *verification) facts(c *cobra.Command, store *docstore.Store) (good bool, err error) {
	heads := make([]notary.Head, 0, len(v.report.Facts))
	for number, hash := range v.report.Facts {
		heads = append(heads, notary.Head{Number: number, Hash: hash})
	}
	bar, start := entriesBar("facts"), time.Now()
	report, err := notary.Verify(c.Context(), store, crosscheck.Chained(), heads, func(links int64) { _ = bar.Set64(links) })
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err != nil {
		return false, err
	}
	v.any = v.any || report.Links+report.Unchained+report.Waiting > 0
	out := c.OutOrStdout()
	fmt.Fprintf(out, "facts: %d documents in %d links (%d of them older than the chain, %d not sealed yet) in %s\n", report.Documents,
		report.Links, report.Before, report.Waiting, time.Since(start).Round(time.Millisecond))
	if report.Unchained > 0 {
		fmt.Fprintf(out, "! %d documents are before the chain: no program that keeps it has been started on this store yet\n", report.Unchained)
	}
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	more(out, report.More)
	return report.Good(), nil
}
