package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/commission/sharing"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/platform/weixinpay"
	"guanxi/reconcile"
)

func (a *App) joinSharing(ctx context.Context, c Config) (err error) {
	a.Sharings, err = sharing.New(ctx, sharing.Deps{
		Store: c.Store, Clock: c.Clock, Ledger: a.Commission, Shares: c.Shares, Orders: paidOrders{a.Orders.Archive()},
		Payees: payees{a.Members}, Taxes: withholding{a.Taxes, a.Withdrawals}, Config: c.Sharing,
	})
	return err
}

// shares is the platform's profit sharing in the words of package sharing: persons only, one to a request.
type shares struct {
	pay      *weixinpay.Sharing
	relation string
}

func (s shares) AddReceiver(ctx context.Context, openID string) error {
	return shareError(s.pay.AddReceiver(ctx, weixinpay.Receiver{
		Kind: weixinpay.ReceiverPerson, Account: openID, Relation: s.relation,
	}))
}

func (s shares) Share(ctx context.Context, r sharing.Request) (sharing.Answer, error) {
	state, err := s.pay.Share(ctx, weixinpay.ShareOrder{
		Number: r.Number, TransactionID: r.TransactionID, Total: r.Total, Shared: r.Shared, PaidAt: r.PaidAt,
		AfterSaleOver: r.AfterSaleOver, Parts: []weixinpay.SharePart{{
			Kind: weixinpay.ReceiverPerson, Account: r.OpenID, Amount: r.Amount, Note: r.Note,
		}},
	})
	return shareAnswer(state), shareError(err)
}

func (s shares) QueryShare(ctx context.Context, number, transactionID string) (sharing.Answer, error) {
	state, err := s.pay.QueryShare(ctx, number, transactionID)
	return shareAnswer(state), shareError(err)
}

func (s shares) Unfreeze(ctx context.Context, number, transactionID string) (sharing.Answer, error) {
	state, err := s.pay.Unfreeze(ctx, number, transactionID, "分账完结")
	return shareAnswer(state), shareError(err)
}

// shareAnswer takes the one person's part; of an unfreezing there is none.
func shareAnswer(state weixinpay.ShareState) sharing.Answer {
	a := sharing.Answer{Number: state.Number, Finished: state.Finished}
	for _, p := range state.Parts {
		if p.Kind == weixinpay.ReceiverPerson {
			a.OpenID, a.Amount, a.Reason, a.At = p.Account, p.Amount, p.Reason, p.DoneAt
			a.Closed, a.Finished = p.Result == weixinpay.ShareClosed, a.Finished && p.Result != weixinpay.SharePending
		}
	}
	return a
}

func shareError(err error) error {
	var answer *weixinpay.Answer
	switch {
	case errors.Is(err, weixinpay.ErrShareUnknown):
		return fmt.Errorf("%w: %w", sharing.ErrUnknownNumber, err)
	case errors.Is(err, weixinpay.ErrShareTooMuch):
		return &sharing.Refusal{Code: string(sharing.OverLimit)}
	case errors.Is(err, weixinpay.ErrShareInvalid):
		return &sharing.Refusal{Code: "INVALID"}
	case errors.Is(err, order.ErrPaymentRefused) && errors.As(err, &answer):
		return &sharing.Refusal{Code: answer.Code}
	}
	return err
}

// paidOrders tells sharing what an order was paid with.
type paidOrders struct{ orders *order.Archive }

func (p paidOrders) Order(ctx context.Context, number string) (sharing.Order, error) {
	found, err := p.orders.Many(ctx, []string{number})
	if err != nil {
		return sharing.Order{}, err
	}
	o := found[number]
	if o == nil {
		return sharing.Order{}, order.ErrNotFound
	}
	out := sharing.Order{Paid: o.Amount, AfterSaleOver: o.WindowEnds}
	if o.Payment != nil {
		out.TransactionID, out.PaidAt = o.Payment.TransactionID, o.Payment.PaidAt
	}
	for _, r := range o.Refunds {
		if r.Stage != order.StageRefused && r.Stage != order.StageClosed {
			out.Refunded += r.Amount
		}
	}
	return out, nil
}

// withholding tells sharing whom the tax table in force takes from.
type withholding struct {
	taxes  *tax.Book
	people *withdrawal.Service
}

func (w withholding) Withholds(ctx context.Context, who string, at time.Time) (bool, error) {
	table, err := w.taxes.At(ctx, at)
	if err != nil {
		return false, err
	}
	payee, err := w.people.Payee(ctx, who)
	if err != nil {
		return false, err
	}
	return table.Rule(payee.Kind).Mode != tax.Off, nil
}

// sharedFact is a part in reconcile's words: a 分账 line of the platform's bill carries its number.
func sharedFact(p *sharing.Part) reconcile.Fact {
	f := reconcile.Fact{Move: reconcile.Transfer, Number: p.Number, Amount: p.Amount, State: reconcile.FactOpen}
	switch {
	case p.State == sharing.PartPaid:
		f.State, f.At = reconcile.FactDone, p.EndedAt
	case p.State.Ended():
		f.State = reconcile.FactFailed
	}
	return f
}

// shared looks a number up among the parts; ok is false when there is none.
func (o ours) shared(ctx context.Context, number string) (f reconcile.Fact, ok bool, err error) {
	if o.sharings == nil {
		return f, false, nil
	}
	_, part, err := o.sharings.Find(ctx, number)
	switch {
	case errors.Is(err, sharing.ErrNotFound):
		return f, false, nil
	case err != nil:
		return f, false, err
	}
	return sharedFact(part), true, nil
}

func (o ours) eachShared(ctx context.Context, from, to time.Time, give func(reconcile.Fact) error) error {
	if o.sharings == nil {
		return nil
	}
	return o.sharings.PaidBetween(ctx, from, to, func(d *sharing.Sharing) error {
		for i := range d.Parts {
			if err := give(sharedFact(&d.Parts[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// sharingSettings are those of paying commission out of the orders' payments.
func sharingSettings() []Setting {
	return []Setting{
		{Name: "GUANXI_PROFIT_SHARING", Default: "false", Words: "true: payments are made to be shared (分账), and policies with the rail profit-sharing are paid that way; the merchant must have been granted it"},
		{Name: "GUANXI_SHARING_CEILING", Default: "3000", Words: "basis points of a payment that may go to others; more than 3000 on application to WeChat Pay"},
		{Name: "GUANXI_SHARING_RELATION", Default: "DISTRIBUTOR", Words: "relation_type members are made known with: DISTRIBUTOR, PARTNER, STAFF, USER, SUPPLIER …"},
	}
}

// sharing is the configuration of profit sharing.
func (v Values) sharing() (c sharing.Config, relation string, err error) {
	switch v["GUANXI_PROFIT_SHARING"] {
	case "true":
		c.On = true
	case "false":
	default:
		return c, "", errors.New("GUANXI_PROFIT_SHARING: must be true or false")
	}
	n, err := strconv.Atoi(v["GUANXI_SHARING_CEILING"])
	if err != nil || n < 1 || n > 10_000 {
		return c, "", errors.New("GUANXI_SHARING_CEILING: must be 1 to 10000 basis points")
	}
	c.Ceiling, relation = money.BasisPoints(n), v["GUANXI_SHARING_RELATION"]
	switch relation {
	case "SERVICE_PROVIDER", "STORE", "STAFF", "STORE_OWNER", "PARTNER", "HEADQUARTER", "BRAND", "DISTRIBUTOR", "USER", "SUPPLIER":
	default:
		return c, "", errors.New("GUANXI_SHARING_RELATION: not a relation_type of WeChat Pay")
	}
	return c, relation, nil
}
