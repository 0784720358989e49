package commission

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/docstore"
)

// rules gives what Verify says, as "rule subject".
func findings(t *testing.T, s *Service) []string {
	t.Helper()
	report, err := s.Verify(t.Context(), nil)
	must(t, err)
	var all []string
	for _, d := range report.Differences {
		all = append(all, d.Rule+" "+d.Subject)
	}
	return all
}

func TestVerifyNamesWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	edit := func(id string, change func(*book.EntryDoc)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			_, err := w.book.Entries.Update(t.Context(), id, func(d *book.EntryDoc) error { change(d); return nil })
			must(t, err)
		}
	}
	richer := func(d *book.EntryDoc) { d.Text = strings.Replace(d.Text, "pending 800", "pending 900", 1) }
	rehashed := func(d *book.EntryDoc) {
		h := book.HashOf(d.ID, d.Text)
		d.Hash = h[:]
	}
	for name, c := range map[string]struct {
		tamper func(*testing.T, *world)
		want   []string
	}{
		"one amount": {edit("accrue/o003", richer), []string{
			"entry accrue/o003", "balance accrue/o003", "accrual accrue/o003", "purse alice",
		}},
		"one amount and its hash": {edit("accrue/o003", func(d *book.EntryDoc) { richer(d); rehashed(d) }), []string{
			"balance accrue/o003", "accrual accrue/o003", "seal accrue/o003", "purse alice",
		}},
		"balanced, with its hash": {edit("accrue/o003", func(d *book.EntryDoc) {
			richer(d)
			d.Text = strings.Replace(d.Text, "host1:pending 300", "host1:pending 200", 1)
			rehashed(d)
		}), []string{"accrual accrue/o003", "seal accrue/o003", "purse alice", "purse host1"}},
		"another beneficiary": {edit("accrue/o003", func(d *book.EntryDoc) {
			d.Text = strings.ReplaceAll(d.Text, "alice", "mallory")
			rehashed(d)
		}), []string{"seal accrue/o003", "purse alice", "purse alice", "purse mallory"}},
		"an entry deleted": {func(t *testing.T, w *world) {
			must(t, w.book.Entries.Delete(t.Context(), "accrue/o003", nil))
		}, []string{"entry accrue/o003", "purse alice", "purse alice", "purse bob", "purse bob", "purse host1", "purse host1"}},
		"an entry slipped in": {func(t *testing.T, w *world) {
			e := policy.Compute(must1(w.Policies.Version(t.Context(), 1)), sale("forged", 10000))
			e.Book = "main"
			d := e.Doc("")
			d.Seal = 1
			must(t, w.book.Entries.Insert(t.Context(), d))
		}, []string{"once accrue/forged"}},
		"a settlement nobody asked for": {func(t *testing.T, w *world) {
			accrual, err := w.book.Entry(t.Context(), "accrue/o003")
			must(t, err)
			must(t, w.post(t.Context(), settleEntry(accrual, &settleStep{At: start, Whole: true, Lines: []settledLine{{1, 0}}})))
			must(t, w.CatchUp(t.Context()))
		}, []string{"settlement settle/o003"}},
		"a claw-back lost": {func(t *testing.T, w *world) {
			_, err := w.settlements.Upsert(t.Context(), "o003", func(d *Settlement) error {
				return d.refund(Refund{Order: "o003", Number: "r1", At: start, Lines: []RefundLine{{1, 10000, 10000}}}, nil)
			})
			must(t, err)
		}, []string{"claw-back clawback/o003/r1"}},
		"the order of a seal": {func(t *testing.T, w *world) {
			_, err := w.Service.book.Seals.Update(t.Context(), book.SealID("main", 2), func(d *book.SealDoc) error {
				ids := strings.Split(d.Entries, "\n")
				ids[0], ids[1] = ids[1], ids[0]
				d.Entries = strings.Join(ids, "\n")
				return nil
			})
			must(t, err)
		}, []string{"seal main/0000000002", "seal accrue/o011", "seal accrue/o010"}},
		"a seal with a new hash": {func(t *testing.T, w *world) {
			doc, err := w.Service.book.Seals.Get(t.Context(), book.SealID("main", 2))
			must(t, err)
			seal, err := book.ParseSeal(doc)
			must(t, err)
			seal.At = seal.At.Add(day)
			seal.Hash = seal.Digest()
			_, err = w.Service.book.Seals.Update(t.Context(), book.SealID("main", 2), func(d *book.SealDoc) error {
				d.At, d.Hash = seal.At, seal.Hash[:]
				return nil
			})
			must(t, err)
		}, []string{"chain main/0000000003"}},
		"a seal deleted": {func(t *testing.T, w *world) {
			must(t, w.Service.book.Seals.Delete(t.Context(), book.SealID("main", 2), nil))
		}, []string{"chain main/0000000002", "chain main/0000000003", "purse alice"}},
		"a purse": {func(t *testing.T, w *world) {
			_, err := w.Service.book.Purses.Update(t.Context(), "bob", func(p *book.PurseDoc) error { p.Available += 1; return nil })
			must(t, err)
		}, []string{"purse bob"}},
		"a purse invented": {func(t *testing.T, w *world) {
			_, err := w.Service.book.Purses.Upsert(t.Context(), "mallory", func(p *book.PurseDoc) error { p.Available = 1; return nil })
			must(t, err)
		}, []string{"purse mallory"}},
		"a purse deleted": {func(t *testing.T, w *world) {
			must(t, w.Service.book.Purses.Delete(t.Context(), "bob", nil))
		}, []string{"purse bob"}},
		"a line of a statement": {func(t *testing.T, w *world) {
			_, err := w.Service.book.Purses.Update(t.Context(), "bob", func(p *book.PurseDoc) error {
				p.Tail = strings.Replace(p.Tail, "pending=200", "pending=250", 1)
				return nil
			})
			must(t, err)
		}, []string{"statement bob"}},
		"a reason moved between entries": {func(t *testing.T, w *world) {
			_, err := w.Service.book.Purses.Update(t.Context(), "bob", func(p *book.PurseDoc) error {
				p.Tail = strings.Replace(p.Tail, "accrue/o028", "accrue/o008", 1)
				return nil
			})
			must(t, err)
		}, []string{"statement bob"}},
		"a page of a statement deleted": {func(t *testing.T, w *world) {
			must(t, work(t, w.Service, 30, 60))
			must(t, w.book.Pages.Delete(t.Context(), "alice/0", nil))
		}, []string{"statement alice/0"}},
		"a voucher nobody approved": {func(t *testing.T, w *world) {
			v := Voucher{
				Doc: docstore.Doc{ID: "v1"}, Kind: Adjust, From: Adjustment, To: Available.Of("bob"), Amount: 100, CheckedAt: start,
			}
			must(t, w.post(t.Context(), v.entry()))
			must(t, w.CatchUp(t.Context()))
		}, []string{"voucher adjust/v1"}},
		"a payout nobody asked for": {func(t *testing.T, w *world) {
			p := Payout{Member: "bob", Number: "W1", Amount: 100, At: start}
			must(t, w.post(t.Context(), p.entry(Confirm, []Posting{
				{Account: Withdrawing.Of("bob"), Amount: -100}, {Account: Withdrawn.Of("bob"), Amount: 100},
			})))
			must(t, w.CatchUp(t.Context()))
		}, []string{"payout W1"}},
		"an unsealed entry": {func(t *testing.T, w *world) {
			must(t, w.Accrue(t.Context(), sale("o100", 10000)))
			edit("accrue/o100", richer)(t, w)
		}, []string{"entry accrue/o100", "balance accrue/o100", "accrual accrue/o100"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{SealBatch: 10})
			w.publish(t)
			must(t, work(t, w.Service, 0, 30))
			verified(t, w.Service)
			c.tamper(t, w)
			is := findings(t, w.Service)
			slices.Sort(is)
			slices.Sort(c.want)
			for _, want := range c.want {
				if !slices.Contains(is, want) {
					t.Errorf("not found: %s", want)
				}
			}
			for _, found := range is {
				if !slices.Contains(c.want, found) && !strings.HasPrefix(found, "purse ") && !strings.HasPrefix(found, "once ") &&
					!strings.HasPrefix(found, "statement ") {
					t.Errorf("wrongly found: %s", found)
				}
			}
		})
	}
}

func TestVerifyTellsTheFirstHundredDifferencesAndCountsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	must(t, work(t, w.Service, 0, 150))
	for n := range 150 {
		_, err := w.book.Entries.Update(t.Context(), fmt.Sprintf("accrue/o%03d", n), func(d *book.EntryDoc) error { d.Hash[0]++; return nil })
		must(t, err)
	}
	report, err := w.Verify(t.Context(), nil)
	must(t, err)
	if len(report.Differences) != 100 || report.More != 200 {
		t.Errorf("%d differences and %d more", len(report.Differences), report.More)
	}
}

func TestARebuildRepairsPurses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 10})
	w.publish(t)
	must(t, work(t, w.Service, 0, 100))
	before, err := w.Statement(t.Context(), "alice", Page{Size: 100})
	must(t, err)
	_, err = w.Service.book.Purses.Update(t.Context(), "alice", func(p *book.PurseDoc) error { p.Available, p.Tail = 99, ""; return nil })
	must(t, err)
	_, err = w.Service.book.Purses.Upsert(t.Context(), "mallory", func(p *book.PurseDoc) error { p.Available = 1; return nil })
	must(t, err)
	_, err = w.book.Pages.Update(t.Context(), "alice/0", func(p *book.PageDoc) error { p.Lines = ""; return nil })
	must(t, err)
	must(t, w.Rebuild(t.Context()))
	verified(t, w.Service)
	after, err := w.Statement(t.Context(), "alice", Page{Size: 100})
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
