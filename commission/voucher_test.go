package commission

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"guanxi/commission/voucher"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// give puts money into a purse by a voucher.
func give(t *testing.T, w *world, member string, amount money.Fen) {
	t.Helper()
	in := proposal("give-" + member)
	in.To, in.Amount = Available.Of(member), amount
	if member != "alice" && member != "bob" {
		in.Kind, in.From = Incentive, StaffIncentive
	}
	v, err := w.ProposeVoucher(t.Context(), in)
	must(t, err)
	_, err = w.ApproveVoucher(t.Context(), v.ID, "chief", "")
	must(t, err)
	must(t, w.CatchUp(t.Context()))
}

func TestALargeVoucherTakesTwoCheckers(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, Config{}), t.Context()
	in := proposal("large")
	in.Amount = 2_000_00
	v, err := w.ProposeVoucher(ctx, in)
	must(t, err)
	for range 2 {
		v, err = w.ApproveVoucher(ctx, v.ID, "chief", "看过")
		must(t, err)
		if v.State != VoucherProposed || len(v.Approvals) != 1 {
			t.Fatal(v)
		}
	}
	if _, err := w.ApproveVoucher(ctx, v.ID, "clerk", ""); !errors.Is(err, ErrVoucherOwn) {
		t.Error(err)
	}
	for range 2 { // the second checker, and the first one again
		if v, err = w.ApproveVoucher(ctx, v.ID, "boss", "同意"); err != nil || v.State != VoucherApproved || v.Checker != "boss" {
			t.Fatal(v, err)
		}
	}
	_, err = w.ApproveVoucher(ctx, v.ID, "chief", "看过")
	must(t, err)
	if _, err := w.ApproveVoucher(ctx, v.ID, "third", ""); !errors.Is(err, ErrVoucherDecided) {
		t.Error(err)
	}
	x, err := w.Explain(ctx, "alice", "adjust/"+v.ID)
	must(t, err)
	if got := fmt.Sprint(x.Steps[2:5]); got != "[经办人：clerk 复核人：chief 第二复核人：boss]" {
		t.Error(got)
	}
	verified(t, w.Service)
	v.Approvals = v.Approvals[:1] // as if one of them had never said so
	if v.proper() {
		t.Error("verify would not see that a checker is missing")
	}
}

func TestNobodyMakesOrChecksAVoucherForThemselves(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, Config{}), t.Context()
	in := proposal("mine")
	in.Kind, in.From, in.To = Incentive, StaffIncentive, Available.Of(Staff("chief"))
	v, err := w.ProposeVoucher(ctx, in)
	must(t, err)
	if _, err := w.ApproveVoucher(ctx, v.ID, "chief", ""); !errors.Is(err, ErrVoucherBenefit) {
		t.Error(err)
	}
	in.Key, in.Maker = "his", "chief"
	if _, err := w.ProposeVoucher(ctx, in); !errors.Is(err, ErrVoucherBenefit) {
		t.Error(err)
	}
}

func TestVouchersHaveCeilings(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, Config{Vouchers: voucher.Limits{Most: 100, MakerDay: 250, TransferMost: 1000}}), t.Context()
	propose := func(key, maker string, kind Kind, amount money.Fen) error {
		in := proposal(key)
		in.Maker, in.Amount = maker, amount
		if in.Kind = kind; kind == Transfer {
			in.From, in.To = Bank, MerchantBalance
		}
		_, err := w.ProposeVoucher(ctx, in)
		return err
	}
	for _, c := range []struct {
		key, maker string
		kind       Kind
		amount     money.Fen
		want       error
	}{
		{"a", "clerk", Adjust, 101, voucher.ErrCeiling},
		{"b", "clerk", Adjust, 100, nil},
		{"b", "clerk", Adjust, 100, nil}, // the same again counts once
		{"c", "clerk", Adjust, 100, nil},
		{"d", "clerk", Adjust, 51, voucher.ErrMakerDay},
		{"e", "clerk", Adjust, 50, nil},
		{"f", "clerk", Adjust, 1, voucher.ErrMakerDay},
		{"g", "other", Adjust, 100, nil},
		{"h", "clerk", Transfer, 1000, nil},
		{"i", "clerk", Transfer, 1001, voucher.ErrCeiling},
		{"j", "clerk", Adjust, money.Max, voucher.ErrCeiling},
	} {
		if err := propose(c.key, c.maker, c.kind, c.amount); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.key, err, c.want)
		}
	}
	w.clock.Advance(24 * time.Hour)
	must(t, propose("k", "clerk", Adjust, 100))
}

// Ten at once, each for half of what there is: two fit.
func TestNoMoreIsTakenBackThanWasPaid(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, Config{}), t.Context()
	give(t, w, "alice", 1000)
	take := func(key, corrects string, amount money.Fen) (*Voucher, error) {
		in := proposal(key)
		in.From, in.To, in.Amount, in.Corrects = in.To, in.From, amount, corrects
		return w.ProposeVoucher(ctx, in)
	}
	if _, err := take("much", "", 1001); !errors.Is(err, voucher.ErrTaken) {
		t.Error(err)
	}
	given, err := w.Vouchers(ctx, VoucherApproved, docstore.Paging{})
	must(t, err)
	if _, err := take("of entry", "adjust/"+given.Items[0].ID, 1001); !errors.Is(err, voucher.ErrTaken) {
		t.Error(err)
	}
	var vouchers []*Voucher
	for i := range 10 {
		v, err := take(fmt.Sprint("t", i), "", 500)
		must(t, err)
		vouchers = append(vouchers, v)
	}
	must(t, second(w.RejectVoucher(ctx, vouchers[9].ID, "chief", "")))
	var group sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for _, v := range vouchers[:9] {
		group.Go(func() {
			_, err := w.ApproveVoucher(context.WithoutCancel(ctx), v.ID, "chief", "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good++
			} else if !errors.Is(err, voucher.ErrTaken) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	must(t, w.CatchUp(ctx))
	if b := balance(t, w.Service, "alice"); good != 2 || b.Available != 0 {
		t.Errorf("%d were approved: %+v", good, b)
	}
	give2 := proposal("later")
	give2.Amount = 500
	v, err := w.ProposeVoucher(ctx, give2)
	must(t, err)
	must(t, second(w.ApproveVoucher(ctx, v.ID, "chief", "")))
	must(t, w.CatchUp(ctx))
	if _, err := take("again", "", 500); err != nil {
		t.Error(err)
	}
	verified(t, w.Service)
}

func second(_ *Voucher, err error) error { return err }
