package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/id"
	"guanxi/member"
	"guanxi/order"
	"guanxi/platform/weixinpay"
	"guanxi/reconcile"
)

// payees tells withdrawal what member knows.
type payees struct{ members *member.Service }

func (p payees) OpenID(ctx context.Context, who string) (string, error) {
	return p.members.OpenID(ctx, who)
}

func (p payees) MemberSince(ctx context.Context, who string) (time.Time, error) {
	people, err := p.members.Profiles(ctx, []string{who})
	if err != nil {
		return time.Time{}, err
	}
	return people[who].JoinedAt, nil
}

// bills gives the platform's bills in reconcile's words. The adapter has already proved that the lines add up to the bill's
// own summary, so the sums are those of the lines.
type bills struct{ pay *weixinpay.Payments }

func (b bills) Trade(ctx context.Context, day string, each func(reconcile.TradeLine) error) (totals reconcile.Totals, err error) {
	err = b.pay.TradeBill(ctx, day, func(l weixinpay.TradeLine) error {
		line := reconcile.TradeLine{
			At: l.At, App: l.AppID, State: l.State, Number: l.Number, TransactionID: l.TransactionID, RefundNumber: l.RefundNumber,
			RefundID: l.RefundID, RefundState: l.RefundState, Amount: l.Total, Settled: l.Settled, Coupon: l.Coupon, Fee: l.Fee,
		}
		into := &totals.In
		if l.State == "REFUND" || l.State == "REVOKED" {
			line.Amount, line.Settled, into = l.Asked, l.Refund, &totals.Out
		}
		if line.Amount == 0 { // the older form has one amount only
			line.Amount = line.Settled
		}
		*into += line.Amount
		totals.Lines, totals.Fee = totals.Lines+1, totals.Fee+line.Fee
		return each(line)
	})
	return totals, billError(err)
}

// accounts are the platform's names of the statements of funds.
var accounts = map[reconcile.Statement]weixinpay.Account{
	reconcile.Funds: weixinpay.AccountBasic, reconcile.Operation: weixinpay.AccountOperation, reconcile.Fees: weixinpay.AccountFees,
}

func (b bills) Funds(
	ctx context.Context, account reconcile.Statement, day string, each func(reconcile.FundLine) error,
) (totals reconcile.Totals, err error) {
	err = b.pay.FundFlowBill(ctx, accounts[account], day, func(l weixinpay.FundLine) error {
		if totals.Lines++; l.In {
			totals.In += l.Amount
		} else {
			totals.Out += l.Amount
		}
		return each(reconcile.FundLine{
			At: l.At, Platform: l.Business, Flow: l.Flow, Name: l.Name, Type: l.Kind, In: l.In, Amount: l.Amount, Number: l.Voucher,
			Note: l.Note,
		})
	})
	return totals, billError(err)
}

func billError(err error) error {
	switch {
	case errors.Is(err, weixinpay.ErrNoStatement):
		return reconcile.ErrNoStatement
	case errors.Is(err, weixinpay.ErrStatementCreating):
		return reconcile.ErrNotYet
	}
	var broken *weixinpay.BrokenBill
	if errors.As(err, &broken) {
		words := broken.Why
		if broken.Line > 0 {
			words = fmt.Sprintf("第 %d 行：%s", broken.Line, broken.Why)
		}
		return &reconcile.Unreadable{Words: words, Err: err}
	}
	var answer *weixinpay.Answer
	if errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 && answer.Status != http.StatusTooManyRequests {
		return &reconcile.Unreadable{Words: "平台拒绝提供账单：" + answer.Code, Err: err}
	}
	return err
}

// ours are our own books: payments and refunds of the orders, transfers of the withdrawals and of the sharings.
type ours struct {
	orders      *order.Service
	withdrawals *withdrawal.Service
	sharings    *sharing.Archive
}

func (o ours) Lookup(ctx context.Context, of reconcile.Movement, numbers []string) (map[string]reconcile.Fact, error) {
	found := make(map[string]reconcile.Fact, len(numbers))
	if of == reconcile.Transfer {
		for _, number := range numbers {
			w, err := o.withdrawals.Get(ctx, number)
			if errors.Is(err, withdrawal.ErrNotFound) {
				f, ok, err := o.shared(ctx, number)
				if err != nil {
					return nil, err
				}
				if ok {
					found[number] = f
				}
				continue
			}
			if err != nil {
				return nil, err
			}
			found[number] = transferFact(w)
		}
		return found, nil
	}
	ids := make([]string, len(numbers))
	for i, number := range numbers {
		ids[i] = number[:min(len(number), id.Length)]
	}
	orders, err := o.orders.Archive().Many(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, number := range numbers {
		sold := orders[ids[i]]
		if sold == nil {
			continue
		}
		if of == reconcile.Payment && number == sold.ID {
			found[number] = paymentFact(sold)
		}
		for j := range sold.Refunds {
			if of == reconcile.Refund && sold.Refunds[j].Number == number {
				found[number] = refundFact(sold, &sold.Refunds[j])
			}
		}
	}
	return found, nil
}

// Each reads by day: orders by the moment of their payment, refunds by the marks of their days, transfers by their final word.
func (o ours) Each(ctx context.Context, of []reconcile.Movement, from, to time.Time, each func(reconcile.Fact) error) error {
	give := func(f reconcile.Fact) error {
		if f.State != reconcile.FactDone || f.At.Before(from) || !f.At.Before(to) {
			return nil
		}
		return each(f)
	}
	for _, move := range of {
		var err error
		switch move {
		case reconcile.Payment:
			err = o.orders.Archive().PaidBetween(ctx, from, to, func(sold *order.Order) error { return give(paymentFact(sold)) })
		case reconcile.Refund:
			err = o.refunds(ctx, from, to, give)
		case reconcile.Transfer:
			err = o.withdrawals.EndedBetween(ctx, from, to, func(w *withdrawal.Withdrawal) error { return give(transferFact(w)) })
			if err == nil {
				err = o.eachShared(ctx, from, to, give)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refunds gives the refunds of the days of [from, to), each once.
func (o ours) refunds(ctx context.Context, from, to time.Time, give func(reconcile.Fact) error) error {
	for at := from; at.Before(to); at = at.AddDate(0, 0, 1) {
		given := map[string]bool{} // of one day: ids only
		err := o.orders.Archive().RefundedOn(ctx, clock.Day(at), func(sold *order.Order) error {
			if given[sold.ID] {
				return nil
			}
			given[sold.ID] = true
			for i := range sold.Refunds {
				if err := give(refundFact(sold, &sold.Refunds[i])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func paymentFact(o *order.Order) reconcile.Fact {
	f := reconcile.Fact{Move: reconcile.Payment, Number: o.ID, Order: o.ID, Amount: o.Amount, State: reconcile.FactOpen}
	switch {
	case o.Payment != nil:
		f.State, f.Platform, f.At = reconcile.FactDone, o.Payment.TransactionID, o.Payment.PaidAt
	case o.State == order.StateClosed:
		f.State = reconcile.FactFailed
	}
	return f
}

func refundFact(o *order.Order, r *order.Refund) reconcile.Fact {
	f := reconcile.Fact{
		Move: reconcile.Refund, Number: r.Number, Platform: r.RefundID, Order: o.ID, Amount: r.Amount, State: reconcile.FactOpen,
	}
	switch r.Stage {
	case order.StageDone:
		f.State, f.At = reconcile.FactDone, r.DoneAt
	case order.StageAbnormal:
		f.State = reconcile.FactStuck
	case order.StageClosed, order.StageRefused:
		f.State = reconcile.FactFailed
	}
	return f
}

func transferFact(w *withdrawal.Withdrawal) reconcile.Fact {
	f := reconcile.Fact{Move: reconcile.Transfer, Number: w.Number(), Platform: w.Bill, Amount: w.Net, State: reconcile.FactOpen}
	switch {
	case w.State == withdrawal.Paid || w.State == withdrawal.Returned:
		f.State, f.At = reconcile.FactDone, w.EndedAt
	case w.State.Ended():
		f.State = reconcile.FactFailed
	}
	return f
}
