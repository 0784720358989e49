package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/id"
	"guanxi/proof/ledgerexport"
)

func ledgerCommand() *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "work with the commission ledger"}
	c.AddCommand(ledgerExportCommand(), ledgerRebuildCommand())
	return c
}

func ledgerRebuildCommand() *cobra.Command {
	var where place
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "compute every purse again from the entries",
		Long: "rebuild computes every purse and statement again from the sealed entries. It may run beside the service (with MongoDB) " +
			"and may be interrupted: the service goes on with it. Until it is done purses show less, and nothing can be withdrawn.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			store, err := where.there(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			ledger, err := commission.New(c.Context(), commission.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}})
			if err != nil {
				return err
			}
			start := time.Now()
			if err := ledger.Rebuild(c.Context()); err != nil {
				return err
			}
			if !whole(c, store) {
				return errReported
			}
			fmt.Fprintf(c.OutOrStdout(), "✓ every purse was computed again in %s; %s verify proves them\n", time.Since(start).Round(time.Millisecond), called())
			return nil
		},
	}
	where.flags(c)
	return c
}

// ledgerExport is what `guanxi ledger export` was asked for.
type ledgerExport struct {
	where                  place
	format, from, to, book string
	member, out            string
	force                  bool
}

func ledgerExportCommand() *cobra.Command {
	var x ledgerExport
	c := &cobra.Command{
		Use:   "export",
		Short: "write the ledger down for finance: csv, xlsx, beancount or hledger",
		Long: "export writes every sealed entry in the order of the chain. Entries are dated by their seal, as in closed periods, in " +
			"Shanghai's days. In plain-text formats debits are positive and credits negative.\n\n" +
			"  guanxi ledger export --dir var --format xlsx --from 2026-10 --to 2026-10 --out october.xlsx\n" +
			"  guanxi ledger export --dir var --format beancount --out all.beancount && bean-check all.beancount",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return x.run(c) },
	}
	x.where.flags(c)
	c.Flags().StringVar(&x.format, "format", string(ledgerexport.CSV), "csv, xlsx, beancount or hledger")
	c.Flags().StringVar(&x.from, "from", "", "first month or day, 2006-01 or 2006-01-02")
	c.Flags().StringVar(&x.to, "to", "", "last month or day, included")
	c.Flags().StringVar(&x.book, "book", "main", "book")
	c.Flags().StringVar(&x.member, "member", "", `only what moved this member's purse; staff is "staff:<id>"`)
	c.Flags().StringVar(&x.out, "out", "", "file to write")
	c.Flags().BoolVar(&x.force, "force", false, "overwrite the file")
	_ = c.MarkFlagRequired("out")
	return c
}

func (x *ledgerExport) run(c *cobra.Command) (err error) {
	options := ledgerexport.Options{Format: ledgerexport.Format(x.format), Book: x.book, Member: x.member}
	if options.From, _, err = businessSpan(x.from); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if _, options.To, err = businessSpan(x.to); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if !options.To.IsZero() && !options.From.Before(options.To) {
		return errors.New("--from is later than --to")
	}
	if _, err := os.Stat(x.out); err == nil && !x.force {
		return fmt.Errorf("%s exists; --force overwrites it", x.out)
	}
	store, _, err := x.where.read(c.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ledger, err := commission.New(c.Context(), commission.Deps{
		Store: store, Clock: clock.System{}, IDs: id.Random{}, Config: commission.Config{Book: x.book},
	})
	if err != nil {
		return err
	}
	if err := x.write(c, ledger, options); err != nil {
		return err
	}
	if !whole(c, store) {
		return errReported // what could be read has been written
	}
	return nil
}

// write fills a temporary file beside the asked one and renames it, so that a half-written export is never taken for a
// whole one.
func (x *ledgerExport) write(c *cobra.Command, ledger *commission.Service, options ledgerexport.Options) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(x.out), "."+filepath.Base(x.out)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("ledger export"),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("entries"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	options.Progress = func(p ledgerexport.Progress) { _ = bar.Set64(p.Entries) }
	start := time.Now()
	result, err := ledgerexport.Export(c.Context(), ledger, temp, options)
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err == nil && result.Last == 0 {
		err = undecided{errors.New("no entry is sealed in that time: nothing was written")}
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Chmod(0o600), temp.Close()); err != nil {
		return err
	}
	if err := x.publish(temp.Name()); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: %d entries, %d postings, %d accounts in %s\n", x.out, result.Entries, result.Lines, result.Accounts,
		time.Since(start).Round(time.Millisecond))
	return nil
}

// publish gives the finished file its name. Without --force a file that appeared meanwhile is not overwritten.
func (x *ledgerExport) publish(temp string) error {
	if x.force {
		return os.Rename(temp, x.out)
	}
	if err := os.Link(temp, x.out); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s exists; --force overwrites it", x.out)
		}
		return os.Rename(temp, x.out) // a file system without links
	}
	return os.Remove(temp)
}

// businessSpan gives the first moment of a month or day in Shanghai and the first one after it.
func businessSpan(s string) (start, end time.Time, err error) {
	if s == "" {
		return start, end, nil
	}
	if strings.Count(s, "-") == 1 {
		if start, err = time.ParseInLocation("2006-01", s, clock.Shanghai()); err != nil {
			return start, end, errors.New("neither a month nor a day, 2006-01 or 2006-01-02")
		}
		return start, start.AddDate(0, 1, 0), nil
	}
	if start, err = time.ParseInLocation(time.DateOnly, s, clock.Shanghai()); err != nil {
		return start, end, errors.New("neither a month nor a day, 2006-01 or 2006-01-02")
	}
	return start, start.AddDate(0, 0, 1), nil
}
