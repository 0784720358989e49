package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/internal/docstore"
	"guanxi/proof/auditor"
)

func auditCommand() *cobra.Command {
	var where place
	c := &cobra.Command{
		Use:   "audit",
		Short: "compute every purse a second time, from the events alone, and name whose purse differs",
		Long: "audit shares no code with the ledger. It reads confirmed sales, receipts, refunds, policies, withdrawals and vouchers, " +
			"computes every purse from them and compares. For each difference it names the first order, withdrawal or voucher " +
			"that explains it. It changes nothing. Exit code 0: every purse is what the facts say; 1: one is not; 2: undecided, " +
			"because something is still on its way or the audit could not be finished.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := audit(c, &where)
			switch {
			case err != nil:
				return undecided{err}
			case report.Good():
				return nil
			case report.Certain():
				return errReported
			}
			return undecided{errReported}
		},
	}
	where.flags(c)
	return c
}

func audit(c *cobra.Command, where *place) (report *auditor.Report, err error) {
	store, _, err := where.read(c.Context())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return printAudit(c, store)
}

func printAudit(c *cobra.Command, store *docstore.Store) (*auditor.Report, error) {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("audit"),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("orders"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	start := time.Now()
	report, err := auditor.Audit(c.Context(), store, func(p auditor.Progress) { _ = bar.Set64(p.Orders) })
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err != nil {
		return nil, err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%d purses recomputed from %d orders, %d withdrawals and %d vouchers in %s\n", report.Purses, report.Orders,
		report.Withdrawals, report.Vouchers, time.Since(start).Round(time.Millisecond))
	for _, early := range report.Early {
		fmt.Fprintf(out, "✗ %s\n", early)
	}
	for _, d := range report.Differences {
		mark := "✗"
		if d.Doubt != "" {
			mark = "?"
		}
		fmt.Fprintf(out, "%s %s: by the facts %s; in the purse %s\n", mark, d.Member, d.Facts, d.Purse)
		if d.Text != "" {
			fmt.Fprintf(out, "  %s\n", d.Text)
		}
		if d.Doubt != "" {
			fmt.Fprintf(out, "  undecided: %s\n", d.Doubt)
		}
	}
	if report.More > 0 {
		fmt.Fprintf(out, "… and %d more\n", report.More)
	}
	if !whole(c, store) {
		return nil, errReported
	}
	if report.Good() && report.Purses+report.Orders+report.Withdrawals+report.Vouchers == 0 {
		return nil, errors.New("the store is empty: there is nothing to audit")
	}
	if report.Good() {
		fmt.Fprintln(out, "✓ every purse is what the facts say")
	}
	return report, nil
}

// undecided ends the program with exit code 2.
type undecided struct{ error }

func (u undecided) Unwrap() error { return u.error }
