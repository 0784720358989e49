package ledgerexport

import (
	"context"
	"io"
	"strconv"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore"
)

// endless is a ledger of seals that are made when they are read.
type endless struct{ entries int }

const perSeal = 1000

func (l endless) StreamEntries(_ context.Context, from, to int64, visit func(*commission.Seal, []*commission.Entry) error) error {
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for n := from; n <= to; n++ {
		entries := make([]*commission.Entry, perSeal)
		for i := range entries {
			order := strconv.FormatInt(n*perSeal+int64(i), 10)
			entries[i] = &commission.Entry{ID: "accrue/" + order, Book: "main", Kind: commission.Accrue, Order: order, At: at, Postings: []commission.Posting{
				{Account: commission.CommissionExpense, Amount: -300},
				{Account: commission.Pending.Of("m" + strconv.Itoa(i)), Amount: 200, Line: 1, Role: commission.Direct, Rule: "default"},
				{Account: commission.Pending.Of("h" + strconv.Itoa(i%50)), Amount: 100, Line: 1, Role: commission.Host, Rule: "default"},
			}}
		}
		if err := visit(&commission.Seal{Number: n, At: at.Add(time.Duration(n) * time.Minute)}, entries); err != nil {
			return err
		}
	}
	return nil
}

func (l endless) SealAt(context.Context, time.Time) (int64, error) {
	return int64(l.entries / perSeal), nil
}

func (l endless) Periods(context.Context, docstore.Paging) (docstore.Page[commission.Period], error) {
	return docstore.Page[commission.Period]{}, nil
}

func BenchmarkExport(b *testing.B) {
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				if _, err := Export(b.Context(), endless{200_000}, io.Discard, Options{Format: f}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
