package commission

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

// monthOnDisk writes a month of business into a folder: sales, refunds, settlement, withdrawals, corrections, the close.
func monthOnDisk(t *testing.T, dir string) {
	t.Helper()
	c := clock.NewManual(start)
	s, store := ledgerIn(t, dir, c)
	d := dice{rand.New(rand.NewPCG(7, 7))}
	_, err := s.Policies.Publish(t.Context(), testPolicy())
	must(t, err)
	ctx := t.Context()
	for n := range 300 {
		order := fmt.Sprintf("m%03d", n)
		of := d.sale(order, c.Now(), func() string { return pick(d, drawnMembers) })
		must(t, s.Accrue(ctx, of))
		must(t, s.StartWindow(ctx, order, c.Now(), time.Time{}))
		if l := of.Lines[0]; n%5 == 0 && l.Paid > 0 {
			must(t, s.ClawBack(ctx, Refund{Order: order, Number: "r1", At: c.Now(), Lines: []RefundLine{{l.Line, (l.Paid + 1) / 2, l.Paid}}}))
		}
		if n%10 == 9 {
			must(t, settleEverything(ctx, s))
			must(t, s.CatchUp(ctx))
			p := Payout{Member: pick(d, drawnMembers), Number: fmt.Sprint("W", n), Amount: 100, Tax: 20, At: c.Now()}
			if err := s.Reserve(ctx, Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At}); err == nil {
				must(t, s.ConfirmPayout(ctx, p))
			} else if !errors.Is(err, ErrPurseShort) {
				t.Fatal(err)
			}
		}
		if n%100 == 50 {
			v, err := s.ProposeVoucher(ctx, proposal(order))
			must(t, err)
			_, err = s.ApproveVoucher(ctx, v.ID, "chief", "")
			must(t, err)
		}
		c.Advance(2 * time.Hour)
	}
	c.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
	_, err = s.ClosePeriod(ctx, "2026-03", "chief")
	must(t, err)
	must(t, errors.Join(s.CatchUp(ctx), s.Tidy(ctx)))
	must(t, store.Close())
}

func ledgerIn(t *testing.T, dir string, c clock.Clock) (*Service, *docstore.Store) {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	must(t, err)
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: c, Keys: docstoretest.Keys(t)})
	must(t, err)
	return open(t, store, c, Config{SealBatch: 50, Alone: true, Key: signer()}), store
}

// digits finds, in the bytes of the file, the amounts of the postings of entries: where an amount stands, and the text
// of the entry around it.
func digits(file []byte) (at []int) {
	for from := 0; ; {
		i := bytes.Index(file[from:], []byte("\npost "))
		if i < 0 {
			return at
		}
		from += i + len("\npost ")
		end := from + bytes.IndexByte(file[from:], '\n')
		words := bytes.Fields(file[from:end])
		if len(words) < 2 || end-from > 200 {
			continue
		}
		amount := from + bytes.IndexByte(file[from:end], ' ') + 1
		if file[amount] == '-' {
			amount++
		}
		if file[amount] >= '0' && file[amount] <= '9' {
			at = append(at, amount)
		}
	}
}

func TestOneByteChangedOnDiskIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	monthOnDisk(t, dir)
	path := filepath.Join(dir, "guanxi.db")
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		t.Fatalf("the log still holds %d bytes", info.Size())
	}
	c := clock.NewManual(time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC))
	s, store := ledgerIn(t, dir, c)
	clean := verified(t, s)
	sums := map[string]string{}
	must(t, s.book.Entries.Each(t.Context(), docstore.All(), func(d *book.EntryDoc) error { sums[d.ID] = d.Text; return nil }))
	must(t, store.Close())
	good, err := os.ReadFile(path)
	must(t, err)
	places := digits(good)
	if int64(len(places)) < clean.Entries {
		t.Fatalf("%d postings found in %d bytes, %d entries", len(places), len(good), clean.Entries)
	}
	named, refused, unread := 0, 0, 0
	for named+refused < 12 && unread < 100 {
		at := places[rand.IntN(len(places))]
		bad := bytes.Clone(good)
		bad[at] = '0' + (bad[at]-'0'+1+byte(rand.IntN(9)))%10
		changed := filepath.Join(t.TempDir(), "ledger")
		must(t, os.Mkdir(changed, 0o700))
		must(t, os.WriteFile(filepath.Join(changed, "guanxi.db"), bad, 0o600))
		s, store := ledgerIn(t, changed, c)
		victim := changedEntry(t, s, sums)
		report, err := s.Verify(t.Context(), nil)
		switch {
		case err != nil: // then it must say what cannot be read
			refused++
			if !strings.Contains(err.Error(), victim) || victim == "" {
				t.Errorf("byte %d, entry %s: %v", at, victim, err)
			}
		case victim == "": // room that is free again: nobody reads it
			unread++
			if !report.Good() {
				t.Errorf("byte %d of a posting changed no entry, found %+v", at, report.Differences)
			}
		case !slices.ContainsFunc(report.Differences, func(d Difference) bool { return d.Rule == "entry" && d.Subject == victim }):
			t.Fatalf("byte %d: %s was changed, found %+v", at, victim, report.Differences)
		default:
			named++
		}
		must(t, store.Close())
	}
	if named+refused < 12 {
		t.Errorf("only %d changed bytes were looked at", named+refused)
	}
	t.Logf("%d entries in %d bytes: %d changed bytes were named, %d refused, %d unread", clean.Entries, len(good), named, refused, unread)
}

// changedEntry finds the entry whose stored text is not what it was.
func changedEntry(t *testing.T, s *Service, was map[string]string) (id string) {
	t.Helper()
	must(t, s.book.Entries.Each(t.Context(), docstore.All(), func(d *book.EntryDoc) error {
		if d.Text != was[d.ID] {
			id = d.ID
		}
		return nil
	}))
	return id
}
