package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/order"
	"guanxi/proof/crosscheck"
)

func verifyCommand() *cobra.Command {
	var v verification
	c := &cobra.Command{
		Use:   "verify",
		Short: "read the whole ledger again and hold it against orders and withdrawals; name every difference",
		Long: "verify streams every book: the chain of seals and its signed checkpoints, the hash, balance and arithmetic of every " +
			"entry, closed months, vouchers, every purse and every line of its statement. Then it compares orders with accruals, " +
			"refunds with claw-backs, and withdrawals with entries and transfers, computes every tax year again, and proves the " +
			"chain of facts: the audit log, rules, payees and everything else money or law depends on (docs/proof.md). It prints " +
			"each difference and changes nothing, makes no store and migrates none.\n" +
			"Exit code 0: everything agrees; 1: it does not, or could not be finished; 2: there is no store, or nothing in it.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			store, values, err := v.where.read(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			return v.run(c, store, values)
		},
	}
	v.where.flags(c)
	c.Flags().StringVar(&v.anchor, "anchor", "", "file of checkpoints kept outside of the store; default GUANXI_LEDGER_ANCHOR of the settings")
	c.Flags().BoolVar(&v.ledgerOnly, "ledger-only", false, "leave out orders, withdrawals, taxes and the chain of facts")
	return c
}

// verification is what `guanxi verify` was asked for.
type verification struct {
	where      place
	anchor     string
	ledgerOnly bool

	report *commission.Report
	any    bool // there was something to prove
}

func (v *verification) run(c *cobra.Command, store *docstore.Store, values app.Values) error {
	key, err := values.LedgerKey()
	if err != nil {
		return err
	}
	ledger, err := commission.New(c.Context(), commission.Deps{
		Store: store, Clock: clock.System{}, IDs: id.Random{}, Config: commission.Config{Key: key},
	})
	if err != nil {
		return err
	}
	if v.anchor == "" {
		v.anchor = values["GUANXI_LEDGER_ANCHOR"]
	}
	good, err := v.ledger(c, ledger)
	if err != nil {
		return err
	}
	for _, part := range []func() (bool, error){
		func() (bool, error) { return v.others(c, store, ledger) },
		func() (bool, error) { return v.facts(c, store) },
	} {
		if v.ledgerOnly {
			break
		}
		agree, err := part()
		if err != nil {
			return err
		}
		good = good && agree
	}
	switch {
	case !whole(c, store) || !good:
		return errReported
	case !v.any:
		return undecided{errors.New("the store is empty: there is nothing to prove")}
	}
	fmt.Fprintln(c.OutOrStdout(), "✓ everything agrees")
	return nil
}

func (v *verification) ledger(c *cobra.Command, ledger *commission.Service) (good bool, err error) {
	var anchors []commission.Checkpoint
	var torn []int
	if v.anchor != "" {
		if anchors, torn, err = app.Anchors(v.anchor); err != nil {
			return false, err
		}
	}
	bar, start := entriesBar("verify"), time.Now()
	report, err := ledger.VerifyAgainst(c.Context(), anchors, func(p commission.Progress) { _ = bar.Set64(p.Entries) })
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err != nil {
		return false, err
	}
	v.report, v.any = report, report.Entries > 0
	out := c.OutOrStdout()
	fmt.Fprintf(out, "ledger: %d entries (%d not sealed yet), %d seals, %d checkpoints, %d purses, %d settlements, %d vouchers, "+
		"%d closed months in %s\n", report.Entries, report.Unsealed, report.Seals, report.Checkpoints, report.Purses,
		report.Settlements, report.Vouchers, report.Periods, time.Since(start).Round(time.Millisecond))
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	more(out, report.More)
	for _, number := range torn {
		fmt.Fprintf(out, "! the anchor's line %d cannot be read: a process died while it wrote it, or somebody changed it\n", number)
	}
	if v.anchor != "" {
		age(out, report.Newest, newestAnchor(anchors), "anchor")
	} else {
		age(out, report.Newest, report.Signed, "newest checkpoint")
	}
	return report.Good(), nil
}

func newestAnchor(anchors []commission.Checkpoint) (newest time.Time) {
	for i := range anchors {
		if anchors[i].At.After(newest) {
			newest = anchors[i].At
		}
	}
	return newest
}

// age says when the newest part of the chain is held by nothing but the store itself.
func age(out io.Writer, sealed, signed time.Time, what string) {
	switch {
	case sealed.IsZero():
	case signed.IsZero():
		fmt.Fprintln(out, "! no checkpoint is signed (GUANXI_LEDGER_KEY): nothing shows whether the newest seals were taken away")
	case sealed.Sub(signed) > time.Hour:
		fmt.Fprintf(out, "! the %s is of %s, the newest seal of %s: nothing outside of the store holds what was sealed in between\n", what,
			signed.Format(time.RFC3339), sealed.Format(time.RFC3339))
	}
}

// others holds orders and withdrawals against the ledger.
func (v *verification) others(c *cobra.Command, store *docstore.Store, ledger *commission.Service) (good bool, err error) {
	orders, err := order.OpenArchive(c.Context(), store)
	if err != nil {
		return false, err
	}
	campaigns, err := groupbuy.OpenArchive(c.Context(), store)
	if err != nil {
		return false, err
	}
	withdrawals, err := withdrawal.OpenArchive(c.Context(), store)
	if err != nil {
		return false, err
	}
	tables, err := tax.OpenBook(c.Context(), store, clock.System{})
	if err != nil {
		return false, err
	}
	sharings, err := sharing.OpenArchive(c.Context(), store)
	if err != nil {
		return false, err
	}
	bar, start := entriesBar("compare"), time.Now()
	report, err := crosscheck.Run(c.Context(), crosscheck.Deps{
		Orders: orders, Ledger: ledger, Campaigns: campaigns, Withdrawals: withdrawals, Years: withdrawals,
		TaxTables: tables, Sharings: sharings, Clock: clock.System{},
	}, func(p crosscheck.Progress) { _ = bar.Set64(p.Done) })
	_ = bar.Finish()
	if err != nil {
		return false, err
	}
	v.any = v.any || report.Orders+report.Withdrawals+report.TaxYears+report.Sharings+report.Young > 0
	out := c.OutOrStdout()
	fmt.Fprintf(out, "compared: %d orders, %d refunds, %d entries, %d withdrawals, %d tax years, %d sharings (%d too young to judge) in %s\n",
		report.Orders, report.Refunds, report.Entries, report.Withdrawals, report.TaxYears, report.Sharings,
		report.Young, time.Since(start).Round(time.Millisecond))
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	more(out, report.More)
	if report.Before > 0 {
		fmt.Fprintf(out, "! %d orders are before the chain: their accruals hold lines and people, but no digest of the order\n", report.Before)
	}
	return report.Good(), nil
}

func more(out io.Writer, n int64) {
	if n > 0 {
		fmt.Fprintf(out, "… and %d more\n", n)
	}
}

func entriesBar(what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("entries"), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond))
}
