package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/commission"
	"guanxi/internal/app"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

func verifyCommand() *cobra.Command {
	var where place
	c := &cobra.Command{
		Use:   "verify",
		Short: "read the whole ledger again: seals, entries, balances, purses; name the first difference",
		Long: "verify streams every book, recomputes the chain of seals, the hash and balance of every entry and every purse, and " +
			"prints each difference. It changes nothing. Exit code 0: everything agrees; 1: it does not, or could not be finished.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			store, err := where.open(c.Context())
			if err != nil {
				return err
			}
			return errors.Join(verify(c, store), store.Close())
		},
	}
	where.flags(c)
	return c
}

func verify(c *cobra.Command, store *docstore.Store) error {
	ledger, err := commission.New(c.Context(), commission.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}})
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("verify"),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("entries"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	start := time.Now()
	report, err := ledger.Verify(c.Context(), func(p commission.Progress) { _ = bar.Set64(p.Entries) })
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%d entries (%d not sealed yet), %d seals, %d purses, %d settlements in %s\n", report.Entries, report.Unsealed,
		report.Seals, report.Purses, report.Settlements, time.Since(start).Round(time.Millisecond))
	for _, d := range report.Differences {
		fmt.Fprintf(out, "✗ %s · %s: %s\n", d.Rule, d.Subject, d.Text)
	}
	if report.More > 0 {
		fmt.Fprintf(out, "… and %d more\n", report.More)
	}
	if !report.Good() {
		return errReported
	}
	fmt.Fprintln(out, "✓ everything agrees")
	return nil
}

// place says which store a command works on.
type place struct{ dir, mongo, database, file string }

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.dir, "dir", "", "folder of an embedded store")
	c.Flags().StringVar(&p.mongo, "mongo", "", "MongoDB URL")
	c.Flags().StringVar(&p.database, "database", "guanxi", "MongoDB database")
	c.Flags().StringVar(&p.file, "env-file", "", "settings; used when neither --dir nor --mongo is given, and for the keys")
}

// open opens the store. Without keys in the settings it opens with throw-away ones: the ledger holds no personal
// data, so its commands need none.
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
	for _, name := range []string{"GUANXI_KEY_LOOKUP", "GUANXI_KEYS"} {
		if values[name] == "" {
			values[name] = throwAway(name)
		}
	}
	return app.OpenStore(ctx, values)
}

func throwAway(name string) string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	key := base64.StdEncoding.EncodeToString(raw)
	if name == "GUANXI_KEYS" {
		return "none:" + key
	}
	return key
}
