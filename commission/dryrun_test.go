package commission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// ledgerBook is two months of sales, some refunded, all sealed, some not cleared.
type ledgerBook struct {
	*world
	sales    []Sale
	refunds  []Refund
	accrued  map[string]time.Time
	refunded map[string]time.Time
	middle   time.Time
}

func newBook(t testing.TB, sales int) *ledgerBook {
	t.Helper()
	b := &ledgerBook{world: newWorld(t, Config{SealBatch: 7}), accrued: map[string]time.Time{}, refunded: map[string]time.Time{}}
	b.publish(t)
	r := rand.New(rand.NewPCG(5, 5))
	who := func() string { return fmt.Sprintf("m%d", r.IntN(9)) }
	for n := range sales {
		if n == sales/2 {
			must(t, b.CatchUp(t.Context()))
			must(t, b.Tidy(t.Context()))
			b.clock.Advance(time.Hour)
			b.middle = b.clock.Now()
		}
		s := sale(fmt.Sprintf("o%d", n), money.Fen(r.IntN(20_000)), money.Fen(100+r.IntN(300)))
		s.Host, s.Pickup, s.At = who(), who(), b.clock.Now()
		s.Referral.Direct, s.Referral.Upline = who(), who()
		if n%3 > 0 {
			s.Community, s.Grade = fmt.Sprint("lane", n%2), "gold"
		}
		b.sales = append(b.sales, s)
		must(t, b.Accrue(t.Context(), s))
		b.accrued[s.Order] = s.At
		if of := b.sales[r.IntN(len(b.sales))]; n%4 == 0 {
			refund := Refund{Order: of.Order, Number: fmt.Sprintf("r%d", n), At: b.clock.Now()}
			refund.Lines = append(refund.Lines, RefundLine{2, money.Fen(1 + r.Int64N(int64(of.Lines[1].Paid))), of.Lines[1].Paid})
			must(t, b.ClawBack(t.Context(), refund))
			b.refunds, b.refunded[refund.Number] = append(b.refunds, refund), refund.At
		}
		if n%11 == 0 {
			must(t, b.CatchUp(t.Context()))
		}
		b.clock.Advance(time.Minute)
	}
	must(t, b.CatchUp(t.Context()))
	b.clock.Advance(time.Second)
	return b
}

// byHand compares sale by sale, without the ledger: what everybody gets for the sales of a period, less what their
// refunds of that period take.
func (b *ledgerBook) byHand(t testing.TB, old, draft *policy.Policy, from, to time.Time) (total Compared, people map[string]Compared) {
	t.Helper()
	people = map[string]Compared{}
	in := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	for _, s := range b.sales {
		if !in(b.accrued[s.Order]) {
			continue
		}
		last := map[int]money.Fen{}
		for _, r := range b.refunds {
			if r.Order == s.Order && in(b.refunded[r.Number]) {
				for _, l := range r.Lines {
					last[l.Line] = max(last[l.Line], l.Refunded)
				}
			}
		}
		for isNew, p := range []*policy.Policy{old, draft} {
			for _, posting := range policy.Compute(p, s).Postings {
				member, _, ok := posting.Account.Member()
				if !ok {
					continue
				}
				left := book.Kept(posting.Amount, last[posting.Line], s.Lines[posting.Line-1].Paid)
				c := people[member]
				if isNew == 1 {
					c.New, total.New = c.New+left, total.New+left
				} else {
					c.Old, total.Old = c.Old+left, total.Old+left
				}
				people[member] = c
			}
		}
	}
	return total, people
}

func TestADryRunAgreesWithTheSumByHand(t *testing.T) {
	t.Parallel()
	b := newBook(t, 120)
	draft := policy.Policy{Cap: 1200, SecondLevel: true, Rules: []policy.Rule{
		{Pays: []policy.Pay{{Role: Direct, Rate: 500}, {Role: Host, Rate: 400}, {Role: Pickup, Fixed: 30}}},
		{Product: "p2", Pays: []policy.Pay{{Role: Upline, Rate: 900}}},
		{Community: "lane1", Pays: []policy.Pay{{Role: Host, Rate: 1000}}},
	}}
	old := testPolicy()
	end := b.clock.Now()
	for name, span := range map[string][2]time.Time{
		"everything": {start, end}, "the first half": {start, b.middle}, "the second half": {b.middle, end}, "beyond now": {b.middle, end.Add(day)},
	} {
		var done, of int64
		run, err := b.DryRun(t.Context(), draft, span[0], span[1], func(d, n int64) { done, of = d, n })
		must(t, err)
		total, people := b.byHand(t, &old, &draft, span[0], span[1])
		if run.Total.Old != total.Old || run.Total.New != total.New || run.Total.Change() == 0 || done != of || of == 0 {
			t.Errorf("%s: total %+v, by hand %+v; %d of %d", name, run.Total, total, done, of)
		}
		is := map[string]Compared{}
		for _, row := range run.Beneficiaries.Rows {
			is[row.Name] = Compared{Old: row.Old, New: row.New}
			roles := Compared{}
			for _, r := range row.Roles {
				roles.add(r.Compared)
			}
			if roles.Old != row.Old || roles.New != row.New {
				t.Error(name, row.Name, "the roles are not the whole")
			}
		}
		if diff := cmp.Diff(people, is); diff != "" {
			t.Error(name, diff)
		}
		for what, c := range map[string]Comparison{"products": run.Products, "rules": run.Rules} {
			sum := c.Others
			for _, row := range c.Rows {
				sum.add(row.Compared)
			}
			if sum.Old != total.Old || sum.New != total.New || c.Rough {
				t.Error(name, what, "are not the whole:", sum)
			}
		}
	}
}

func TestADryRunCountsWhatItSees(t *testing.T) {
	t.Parallel()
	b := newBook(t, 60)
	run, err := b.DryRun(t.Context(), testPolicy(), b.middle, b.clock.Now(), nil)
	must(t, err)
	wanted := DryRun{From: b.middle, To: b.clock.Now()}
	for _, s := range b.sales {
		if at := b.accrued[s.Order]; !at.Before(b.middle) {
			wanted.Sales++
			wanted.Lines += int64(len(s.Lines))
			for _, l := range s.Lines {
				wanted.Paid += l.Paid
			}
			if s.Community == "" {
				wanted.WithoutCommunity++
				wanted.WithoutGrade++
			}
		}
	}
	for _, r := range b.refunds {
		e, err := b.book.Entry(t.Context(), book.ClawBackID(r.Order, r.Number))
		must(t, err)
		switch {
		case e == nil: // less than a fen for anybody
		case b.refunded[r.Number].Before(b.middle):
		case b.accrued[r.Order].Before(b.middle):
			wanted.Earlier++
		default:
			wanted.Refunds++
		}
	}
	if diff := cmp.Diff(&wanted, run, cmpopts.IgnoreFields(DryRun{}, "Total", "Beneficiaries", "Products", "Rules")); diff != "" || wanted.Earlier == 0 || wanted.Refunds == 0 {
		t.Error(wanted.Earlier, wanted.Refunds, diff)
	}
	if run.Total.Change() != 0 || run.Changed != 0 || run.Total.Old <= 0 || run.Total.Sales != wanted.Sales {
		t.Errorf("the same rules change something: %+v, %d changed", run.Total, run.Changed)
	}
	if diff := cmp.Diff([]ComparedRow{{Name: "default", Compared: run.Total}}, run.Rules.Rows); diff != "" {
		t.Error(diff)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t, 20)
	before := b.everything(t)
	_, err := b.DryRun(t.Context(), policy.Policy{Cap: 1, Rules: []policy.Rule{{}}}, start, b.clock.Now(), nil)
	must(t, err)
	if diff := cmp.Diff(before, b.everything(t)); diff != "" {
		t.Error(diff)
	}
}

// everything lists every document of the ledger with its version.
func (b *ledgerBook) everything(t *testing.T) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	must(t, errors.Join(
		b.book.Entries.Each(t.Context(), docstore.All(), func(d *book.EntryDoc) error { all["entry "+d.ID] = d.Version; return nil }),
		b.book.Seals.Each(t.Context(), docstore.All(), func(d *book.SealDoc) error { all["seal "+d.ID] = d.Version; return nil }),
		b.book.Books.Each(t.Context(), docstore.All(), func(d *book.Bookmark) error { all["book "+d.ID] = d.Version; return nil }),
		b.book.Purses.Each(t.Context(), docstore.All(), func(d *book.PurseDoc) error { all["purse "+d.ID] = d.Version; return nil }),
		b.settlements.Each(t.Context(), docstore.All(), func(d *Settlement) error { all["settlement "+d.ID] = d.Version; return nil }),
	))
	for _, d := range must1(b.Policies.List(t.Context())) {
		all["policy "+d.ID] = d.Doc.Version
	}
	return all
}

func TestADryRunThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	ctx := t.Context()
	ok := testPolicy()
	for name, c := range map[string]struct {
		draft    policy.Policy
		from, to time.Time
		want     error
	}{
		"a third level":    {policy.Policy{Rules: []policy.Rule{{Pays: []policy.Pay{{Role: "third", Rate: 1}}}}}, start.Add(-day), start, policy.ErrPolicyDepth},
		"no beginning":     {ok, time.Time{}, start, ErrPeriodInvalid},
		"backwards":        {ok, start, start.Add(-day), ErrPeriodInvalid},
		"nothing":          {ok, start, start, ErrPeriodInvalid},
		"in the future":    {ok, start.Add(day), start.Add(2 * day), ErrPeriodInvalid},
		"an empty past":    {ok, start.Add(-2 * day), start.Add(-day), nil},
		"an empty present": {ok, start.Add(-2 * day), start.Add(day), nil},
	} {
		run, err := w.DryRun(ctx, c.draft, c.from, c.to, func(_, _ int64) { t.Error(name, "made progress") })
		if !errors.Is(err, c.want) || (err == nil && run.Sales+run.Total.Sales != 0) {
			t.Error(name, run, err)
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	b := newBook(t, 10)
	if _, err := b.DryRun(canceled, ok, start, b.clock.Now(), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRowsBeyondTheLimitAreSummedAndTheTotalStaysExact(t *testing.T) {
	t.Parallel()
	p := testPolicy()
	all := newTallies(maxComparedRows * 4)
	want := Compared{}
	for part := range 10 {
		one := newTallies(maxComparedRows * 4)
		for n := range 1000 {
			s := sale(fmt.Sprintf("o%d", n), 10_000)
			s.Host, s.Referral.Direct, s.Referral.Upline = fmt.Sprintf("h%d", part*1000+n), "", ""
			was := policy.Compute(&p, s)
			would := policy.Compute(&policy.Policy{Cap: 2000, Rules: []policy.Rule{{Pays: []policy.Pay{{Role: Host, Fixed: money.Fen(1 + n)}}}}}, s)
			one.sale(was, would.Postings)
			want.add(Compared{Old: was.Postings[1].Amount, New: would.Postings[1].Amount, Sales: 1})
		}
		all.merge(one)
	}
	c := all.result().Beneficiaries
	sum := c.Others
	for _, row := range c.Rows {
		sum.add(row.Compared)
	}
	if len(c.Rows) != maxComparedRows || c.Rest != 9000 || !c.Rough || sum != want || all.Total != want {
		t.Error(len(c.Rows), c.Rest, c.Rough, sum, all.Total, want)
	}
	for i := 1; i < len(c.Rows); i++ {
		if abs(c.Rows[i].Change()) > abs(c.Rows[i-1].Change()) {
			t.Fatal("rows are not in the order of their change")
		}
	}
}

// BenchmarkDryRun runs a draft of many rules over 200,000 past lines.
func BenchmarkDryRun(b *testing.B) {
	const entries = 200_000
	s := filled(b, entries)
	draft := testPolicy()
	for n := range 1000 {
		draft.Rules = append(draft.Rules, policy.Rule{SKU: fmt.Sprintf("sku-%d", n), Pays: []policy.Pay{{Role: Host, Rate: 100}}})
	}
	b.ResetTimer()
	for range b.N {
		run, err := s.DryRun(b.Context(), draft, time.Now().Add(-day), time.Now(), nil)
		must(b, err)
		if run.Lines != entries {
			b.Fatal(run.Lines)
		}
	}
	b.ReportMetric(entries*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
