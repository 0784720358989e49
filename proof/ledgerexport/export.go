package ledgerexport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Ledger is what an export reads; *commission.Service is one. What is not sealed yet is not in an export.
type Ledger interface {
	StreamEntries(ctx context.Context, from, to int64, visit func(*commission.Seal, []*commission.Entry) error) error
	SealAt(ctx context.Context, t time.Time) (int64, error)
	Periods(ctx context.Context, page docstore.Paging) (docstore.Page[commission.Period], error)
}

var _ Ledger = (*commission.Service)(nil)

// Format is what is written.
type Format string

// The formats.
const (
	CSV       Format = "csv"       // the journal, one row per posting
	XLSX      Format = "xlsx"      // journal, trial balance, purses and periods as sheets of one workbook
	Beancount Format = "beancount" // plain-text accounting for beancount and fava
	Hledger   Format = "hledger"   // plain-text accounting for hledger and ledger
)

// Formats lists them.
func Formats() []Format { return []Format{CSV, XLSX, Beancount, Hledger} }

// Options says what to export.
type Options struct {
	Format   Format
	Book     string    // for titles only
	From, To time.Time // posted at From or later, and before To; zero leaves a side open
	Member   string    // only what moved this purse ("staff:<id>" for staff); "" is everybody
	Progress func(Progress)
}

// Progress tells how far an export is. Seals before the first one of the export are read for the opening balances.
type Progress struct {
	Seal, Last int64
	Entries    int64 // read so far
}

// Result is what was written.
type Result struct {
	First, Last int64 // seals; Last < First when there was nothing
	Entries     int64
	Lines       int64 // postings
	Accounts    int64
}

// ErrFormat: no such format.
var ErrFormat = errors.New("ledgerexport: the format is none of csv, xlsx, beancount, hledger")

// record is one entry on its way out.
type record struct {
	seal  *commission.Seal
	entry *commission.Entry
	lines []line
}

// sink writes one format.
type sink interface {
	begin(o *Options, opening *books) error // once, before the first entry
	entry(r *record) error
	end(closing *books, periods []*commission.Period) error // flushes
}

// Export streams the ledger into w.
func Export(ctx context.Context, ledger Ledger, w io.Writer, o Options) (*Result, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	s, err := newSink(o.Format, out)
	if err != nil {
		return nil, err
	}
	x := &export{options: o, sink: s, books: &books{accounts: map[commission.Account]*account{}}, result: &Result{}}
	if err := errors.Join(x.run(ctx, ledger), closeSink(s)); err != nil {
		return nil, fmt.Errorf("export ledger: %w", err)
	}
	if err := out.Flush(); err != nil {
		return nil, fmt.Errorf("export ledger: %w", err)
	}
	x.result.Accounts = int64(len(x.books.accounts))
	return x.result, nil
}

func newSink(f Format, out io.Writer) (sink, error) {
	switch f {
	case CSV:
		return newSheetCSV(out), nil
	case XLSX:
		return newWorkbook(out, maxRows), nil
	case Beancount:
		return &text{out: out, syntax: beancount{}}, nil
	case Hledger:
		return &text{out: out, syntax: hledger{}}, nil
	}
	return nil, ErrFormat
}

func closeSink(s sink) error {
	if c, ok := s.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

type export struct {
	options Options
	sink    sink
	books   *books
	result  *Result
	begun   bool
	read    int64
}

// distant is later than every seal.
func distant() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

func (x *export) run(ctx context.Context, ledger Ledger) error {
	before, to := int64(0), x.options.To
	if to.IsZero() {
		to = distant()
	}
	last, err := ledger.SealAt(ctx, to)
	if err != nil {
		return err
	}
	if !x.options.From.IsZero() {
		if before, err = ledger.SealAt(ctx, x.options.From); err != nil {
			return err
		}
	}
	x.result.First, x.result.Last = before+1, last
	if last > 0 {
		err = ledger.StreamEntries(ctx, 1, last, func(seal *commission.Seal, entries []*commission.Entry) error {
			return x.seal(seal, entries)
		})
		if err != nil {
			return err
		}
	}
	if err := x.begin(); err != nil {
		return err
	}
	periods, err := x.periods(ctx, ledger)
	if err != nil {
		return err
	}
	return x.sink.end(x.books, periods)
}

func (x *export) begin() error {
	if x.begun {
		return nil
	}
	x.begun = true
	return x.sink.begin(&x.options, x.books)
}

func (x *export) seal(seal *commission.Seal, entries []*commission.Entry) error {
	for _, e := range entries {
		lines := view(e, x.options.Member)
		switch {
		case seal.Number < x.result.First:
			x.books.before(lines)
			continue
		case x.options.Member != "" && len(lines) == 0:
			continue
		}
		if err := x.begin(); err != nil {
			return err
		}
		x.books.take(lines)
		x.result.Entries++
		x.result.Lines += int64(len(lines))
		if err := x.sink.entry(&record{seal, e, lines}); err != nil {
			return err
		}
	}
	x.read += int64(len(entries))
	if x.options.Progress != nil {
		x.options.Progress(Progress{Seal: seal.Number, Last: x.result.Last, Entries: x.read})
	}
	return nil
}

const maxPeriods = 1200 // a century of months

// periods gives the closed months of the export, oldest first. An extract for one member has none.
func (x *export) periods(ctx context.Context, ledger Ledger) (all []*commission.Period, err error) {
	if x.options.Member != "" {
		return nil, nil
	}
	page := docstore.Paging{First: docstore.MaxPage}
	for len(all) < maxPeriods {
		list, err := ledger.Periods(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			start, err := time.ParseInLocation("2006-01", p.Month, clock.Shanghai())
			if err != nil {
				return nil, err
			}
			if start.Before(x.options.From) || !x.options.To.IsZero() && !start.Before(x.options.To) || p.Closing != "" {
				continue
			}
			all = append([]*commission.Period{p}, all...)
		}
		if page.After = list.Next; page.After == "" {
			break
		}
	}
	return all, nil
}

// day is the posting day of a seal.
func (r *record) day() string { return clock.Day(r.seal.At) }
