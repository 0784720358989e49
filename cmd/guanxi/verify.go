package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/groupbuy"
	"guanxi/internal/app"
	"guanxi/internal/clock"
	"guanxi/internal/crosscheck"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/order"
)

func verifyCommand() *cobra.Command {
	var v verification
	c := &cobra.Command{
		Use:   "verify",
		Short: "read the whole ledger again and hold it against orders and withdrawals; name the first difference",
		Long: "verify streams every book: the chain of seals and its signed checkpoints, the hash, balance and arithmetic of every " +
			"entry, closed months, vouchers, every purse and every line of its statement. Then it compares orders with accruals, " +
			"refunds with claw-backs, and withdrawals with entries and transfers. It prints each difference and changes nothing. " +
			"Exit code 0: everything agrees; 1: it does not, or could not be finished.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			store, err := v.where.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			return v.run(c, store)
		},
	}
	v.where.flags(c)
	c.Flags().StringVar(&v.anchor, "anchor", "", "file of checkpoints kept outside of the store (GUANXI_LEDGER_ANCHOR)")
	c.Flags().BoolVar(&v.ledgerOnly, "ledger-only", false, "leave out orders and withdrawals")
	return c
}

// verification is what `guanxi verify` was asked for.
type verification struct {
	where      place
	anchor     string
	ledgerOnly bool
}

func (v *verification) run(c *cobra.Command, store *docstore.Store) error {
	ledger, err := commission.New(c.Context(), commission.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}})
	if err != nil {
		return err
	}
	good, err := v.ledger(c, ledger)
	if err != nil {
		return err
	}
	if !v.ledgerOnly {
		agree, err := v.others(c, store, ledger)
		if err != nil {
			return err
		}
		good = good && agree
	}
	if !whole(c, store) || !good {
		return errReported
	}
	fmt.Fprintln(c.OutOrStdout(), "✓ everything agrees")
	return nil
}

func (v *verification) ledger(c *cobra.Command, ledger *commission.Service) (good bool, err error) {
	var anchors []commission.Checkpoint
	if v.anchor != "" {
		if anchors, err = app.Anchors(v.anchor); err != nil {
			return false, err
		}
	}
	bar, start := entriesBar("verify"), time.Now()
	report, err := ledger.VerifyAgainst(c.Context(), anchors, func(p commission.Progress) { _ = bar.Set64(p.Entries) })
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err != nil {
		return false, err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "ledger: %d entries (%d not sealed yet), %d seals, %d checkpoints, %d purses, %d settlements, %d vouchers, "+
		"%d closed months in %s\n", report.Entries, report.Unsealed, report.Seals, report.Checkpoints, report.Purses,
		report.Settlements, report.Vouchers, report.Periods, time.Since(start).Round(time.Millisecond))
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	more(out, report.More)
	return report.Good(), nil
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
	sharings, err := sharing.OpenArchive(c.Context(), store)
	if err != nil {
		return false, err
	}
	bar, start := entriesBar("compare"), time.Now()
	report, err := crosscheck.Run(c.Context(), crosscheck.Deps{
		Orders: orders, Ledger: ledger, Campaigns: campaigns, Withdrawals: withdrawals, Sharings: sharings, Clock: clock.System{},
	}, func(p crosscheck.Progress) { _ = bar.Set64(p.Done) })
	_ = bar.Finish()
	if err != nil {
		return false, err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "compared: %d orders, %d refunds, %d entries, %d withdrawals, %d sharings (%d too young to judge) in %s\n",
		report.Orders, report.Refunds, report.Entries, report.Withdrawals, report.Sharings, report.Young, time.Since(start).Round(time.Millisecond))
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	more(out, report.More)
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

// place says which store a command works on.
type place struct{ dir, mongo, database, file string }

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.dir, "dir", "", "folder of an embedded store")
	c.Flags().StringVar(&p.mongo, "mongo", "", "MongoDB URL")
	c.Flags().StringVar(&p.database, "database", "guanxi", "MongoDB database")
	c.Flags().StringVar(&p.file, "env-file", "", "settings; used when neither --dir nor --mongo is given, and for the keys")
}

// open opens the store. Without keys in the settings personal data stays sealed: the ledger holds none.
func (p *place) open(ctx context.Context) (*docstore.Store, error) {
	values, err := app.ReadValues(os.Environ(), p.file)
	if err != nil {
		return nil, err
	}
	switch {
	case p.dir != "":
		if _, err := os.Stat(p.dir); err != nil {
			return nil, fmt.Errorf("no store there: %w", err)
		}
		values["GUANXI_DIR"], values["GUANXI_MONGO_URL"] = p.dir, ""
	case p.mongo != "":
		values["GUANXI_MONGO_URL"], values["GUANXI_MONGO_DATABASE"] = p.mongo, p.database
	}
	return app.OpenStore(ctx, values)
}
