package reconcile

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// pageLines is how many lines of a bill are kept, looked up and compared together.
const pageLines = LookupBatch

const maxPageBytes = 4 << 20 // of one unpacked page

// page keeps some lines of a bill. Its id is <run>/<attempt>/<n>: two processes that download at once do not mix.
type page struct {
	docstore.Doc `bson:",inline"`
	Lines        int    `bson:"lines"`
	Body         []byte `bson:"body"` // deflated CSV, one row per line, in the bill's order
}

func pagesFrom(run string, attempt int64) string { return fmt.Sprintf("%s/%09d/", run, attempt) }

func pageID(run string, attempt int64, n int) string {
	return fmt.Sprintf("%s%06d", pagesFrom(run, attempt), n)
}

func pack(lines []Line) ([]byte, error) {
	var out bytes.Buffer
	zip, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	rows := csv.NewWriter(zip)
	for _, l := range lines {
		if err := rows.Write(l.row()); err != nil {
			return nil, err
		}
	}
	rows.Flush()
	if err := errors.Join(rows.Error(), zip.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(body []byte) ([]Line, error) {
	rows := csv.NewReader(io.LimitReader(flate.NewReader(bytes.NewReader(body)), maxPageBytes))
	rows.FieldsPerRecord, rows.ReuseRecord = 0, true // as many as the first row has
	lines := make([]Line, 0, pageLines)
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("kept page is damaged: %w", err)
		}
		l, err := lineOf(row)
		if err != nil {
			return nil, fmt.Errorf("kept page is damaged: %w", err)
		}
		lines = append(lines, l)
	}
}

// What a kept row has: pages of earlier programs lack the last three.
const (
	lineFields    = 15
	lineFieldsOld = 12
)

func (l Line) row() []string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return []string{
		n(l.Row), string(l.Move), string(l.State), strconv.FormatBool(l.In), l.Number, l.Platform, l.Flow, l.Order,
		n(int64(l.Amount)), n(int64(l.Fee)), n(l.At.UnixMilli()), l.Words, n(int64(l.Settled)), n(int64(l.Coupon)), l.App,
	}
}

func lineOf(row []string) (Line, error) {
	switch len(row) {
	case lineFields:
	case lineFieldsOld:
		row = append(slices.Clone(row), "0", "0", "")
	default:
		return Line{}, csv.ErrFieldCount
	}
	l := Line{
		Move: Movement(row[1]), State: LineState(row[2]), Number: row[4], Platform: row[5], Flow: row[6],
		Order: row[7], Words: row[11], App: row[14],
	}
	var errs [7]error
	var amount, fee, at, settled, coupon int64
	l.Row, errs[0] = strconv.ParseInt(row[0], 10, 64)
	l.In, errs[1] = strconv.ParseBool(row[3])
	amount, errs[2] = strconv.ParseInt(row[8], 10, 64)
	fee, errs[3] = strconv.ParseInt(row[9], 10, 64)
	at, errs[4] = strconv.ParseInt(row[10], 10, 64)
	settled, errs[5] = strconv.ParseInt(row[12], 10, 64)
	coupon, errs[6] = strconv.ParseInt(row[13], 10, 64)
	l.Settled, l.Coupon = money.Fen(settled), money.Fen(coupon)
	l.Amount, l.Fee, l.At = money.Fen(amount), money.Fen(fee), time.UnixMilli(at).UTC()
	return l, errors.Join(errs[:]...)
}

// eachPage gives the kept lines of a run, page by page.
func (s *Service) eachPage(ctx context.Context, r *Run, visit func([]Line) error) error {
	for n := range r.Pages {
		p, err := s.pages.Get(ctx, pageID(r.ID, r.Evidence, n))
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		lines, err := unpack(p.Body)
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		if err := visit(lines); err != nil {
			return err
		}
	}
	return nil
}

// sweepPages removes the pages of earlier attempts: nothing points at them any more.
func (s *Service) sweepPages(ctx context.Context, r *Run) error {
	old := docstore.All().Between(r.ID+"/", pagesFrom(r.ID, r.Evidence)).First(pageLines)
	for {
		found, err := s.pages.Find(ctx, old)
		if err != nil {
			return err
		}
		for _, p := range found.Items {
			if err := s.pages.Delete(ctx, p.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
				return err
			}
		}
		if found.Next == "" {
			return nil
		}
	}
}

// keeper writes the lines of a bill to pages while they come in.
type keeper struct {
	m     *matching
	lines []Line
	pages int
	total Totals
}

func (k *keeper) add(ctx context.Context, l Line) error {
	k.total.add(l)
	if k.lines = append(k.lines, l); len(k.lines) < pageLines {
		return nil
	}
	return k.flush(ctx)
}

func (k *keeper) flush(ctx context.Context) error {
	if len(k.lines) == 0 {
		return nil
	}
	body, err := pack(k.lines)
	if err != nil {
		return err
	}
	if err := k.m.beat(ctx); err != nil {
		return err
	}
	number := len(k.lines)
	if _, err := k.m.s.pages.Upsert(ctx, pageID(k.m.run.ID, k.m.run.Attempt, k.pages), func(p *page) error {
		p.Lines, p.Body = number, body
		return nil
	}); err != nil {
		return err
	}
	k.pages, k.lines = k.pages+1, k.lines[:0]
	return nil
}
