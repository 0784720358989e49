package crosscheck

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

type fakeSharings map[string]*sharing.Sharing

func (f fakeSharings) Each(_ context.Context, visit func(*sharing.Sharing) error) error {
	for _, key := range sorted(f) {
		if err := visit(f[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f fakeSharings) Get(_ context.Context, order string) (*sharing.Sharing, error) {
	if f[order] == nil {
		return nil, fmt.Errorf("get: %w", sharing.ErrNotFound)
	}
	return f[order], nil
}

func (f fakeSharings) Find(_ context.Context, number string) (*sharing.Sharing, *sharing.Part, error) {
	for _, d := range f {
		for i := range d.Parts {
			if d.Parts[i].Number == number {
				return d, &d.Parts[i], nil
			}
		}
	}
	return nil, nil, sharing.ErrNotFound
}

// sharedShop has one sharing with a part in every state, and the entries that follow.
func sharedShop(t *testing.T) (*shop, fakeSharings) {
	t.Helper()
	s := busyShop(t)
	d := &sharing.Sharing{Doc: docstore.Doc{ID: "b"}, State: sharing.Sent}
	states := []sharing.PartState{
		sharing.PartPlanned, sharing.PartReserved, sharing.PartSent, sharing.PartPaid, sharing.PartClosed, sharing.PartLeft, sharing.PartLeft,
	}
	p := func(pot commission.Pot, f money.Fen) commission.Posting {
		return commission.Posting{Account: pot.Of("ann"), Amount: f}
	}
	for i, state := range states {
		part := sharing.Part{Number: sharing.PartNumber("b", i), Member: "ann", Amount: money.Fen(10 + i), State: state}
		if state.Ended() {
			part.EndedAt, part.Posted = start, true
		}
		d.Parts = append(d.Parts, part)
		if state == sharing.PartPlanned || i == 5 { // the last one was reserved by a late hand
			continue
		}
		entry := func(id string, kind commission.Kind, postings ...commission.Posting) {
			s.ledger.entries = append(s.ledger.entries, &commission.Entry{ID: id + "/" + part.Number, Kind: kind, Number: part.Number, Postings: postings})
		}
		entry("withdraw", commission.Withdraw, p(commission.Available, -part.Amount), p(commission.Withdrawing, part.Amount))
		switch state {
		case sharing.PartPaid:
			entry("outcome", commission.Confirm, p(commission.Withdrawing, -part.Amount), p(commission.Withdrawn, part.Amount))
		case sharing.PartClosed, sharing.PartLeft:
			entry("outcome", commission.Fail, p(commission.Withdrawing, -part.Amount), p(commission.Available, part.Amount))
		}
	}
	return s, fakeSharings{"b": d}
}

func TestEveryDamageOfASharingIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		damage string
		do     func(*testing.T, *shop, fakeSharings)
		want   string
	}{
		{"nothing", func(*testing.T, *shop, fakeSharings) {}, ""},
		{"a reservation is gone", func(_ *testing.T, s *shop, _ fakeSharings) { s.ledger.drop("withdraw/bS01") }, "sharing bS01"},
		{"an outcome is gone", func(_ *testing.T, s *shop, _ fakeSharings) { s.ledger.drop("outcome/bS03") }, "sharing bS03"},
		{"what was left was not given back", func(_ *testing.T, s *shop, _ fakeSharings) { s.ledger.drop("outcome/bS06") }, "sharing bS06"},
		{"a fen more was paid", func(t *testing.T, s *shop, _ fakeSharings) { s.ledger.find(t, "outcome/bS03").Postings[1].Amount++ }, "sharing bS03"},
		{
			"paid although it was closed", func(t *testing.T, s *shop, _ fakeSharings) {
				s.ledger.find(t, "outcome/bS04").Kind = commission.Confirm
			},
			"sharing outcome/bS04; sharing bS04",
		},
		{
			"the sharing is gone", func(_ *testing.T, _ *shop, f fakeSharings) { f["b"].Parts = f["b"].Parts[:6] },
			"withdrawal withdraw/bS06; withdrawal outcome/bS06",
		},
		{
			"tax was withheld", func(_ *testing.T, s *shop, _ fakeSharings) {
				s.ledger.entries = append(s.ledger.entries, &commission.Entry{ID: "tax/bS03", Kind: commission.TaxWithheld, Number: "bS03"})
			}, "sharing tax/bS03; sharing bS03",
		},
		{"the platform contradicts us", func(_ *testing.T, _ *shop, f fakeSharings) { f["b"].Trouble = "another amount" }, "transfer b"},
		{"just ended", func(_ *testing.T, s *shop, f fakeSharings) {
			s.ledger.drop("outcome/bS03")
			f["b"].Parts[3].Posted, f["b"].Parts[3].EndedAt = false, s.clock.Now()
		}, ""},
	} {
		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			s, sharings := sharedShop(t)
			c.do(t, s, sharings)
			s.clock.Advance(time.Minute)
			r, err := Run(t.Context(), Deps{
				Orders: s.orders, Ledger: s.ledger, Withdrawals: s.withdrawals, Sharings: sharings, Clock: s.clock,
			}, nil)
			must(t, err)
			got := make([]string, len(r.Differences))
			for i, d := range r.Differences {
				got[i] = d.Rule + " " + d.Subject
				t.Log(d.Text)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}
