package weixinpay

import (
	"context"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"

	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
)

// Refund asks for money back. The same number with the same content is safe to repeat and tells the state. It is
// NOT_ENOUGH, an away, while the merchant's balance is too low: top up and repeat the number.
// Errors: order.ErrPaymentsAway, order.ErrPaymentRefused.
func (p *Payments) Refund(ctx context.Context, in order.RefundOrder) (order.RefundReceipt, error) {
	request := refunddomestic.CreateRequest{
		OutRefundNo: &in.Number, NotifyUrl: &p.cfg.NotifyURL, // without it a portal address would get v2 XML
		Amount: &refunddomestic.AmountReq{
			Refund: core.Int64(int64(in.Refund)), Total: core.Int64(int64(in.Total)), Currency: core.String("CNY"),
		},
	}
	if in.TransactionID != "" {
		request.TransactionId = &in.TransactionID
	} else {
		request.OutTradeNo = &in.OrderNumber
	}
	if in.Reason != "" {
		request.Reason = &in.Reason
	}
	var answer *refunddomestic.Refund
	err := p.call("refund", func() (result *core.APIResult, err error) {
		answer, result, err = p.refunds.Create(ctx, request)
		return result, err
	})
	if err != nil {
		return order.RefundReceipt{}, err
	}
	return readRefund("refund", in.Number, answer)
}

// QueryRefund asks what became of a refund number. A number the platform has never heard of is RefundUnknown.
// Errors: order.ErrPaymentsAway, order.ErrPaymentRefused.
func (p *Payments) QueryRefund(ctx context.Context, number string) (order.RefundReceipt, error) {
	var answer *refunddomestic.Refund
	err := p.call("query refund", func() (result *core.APIResult, err error) {
		answer, result, err = p.refunds.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: &number})
		return result, err
	})
	if notFound(err, "RESOURCE_NOT_EXISTS") {
		return order.RefundReceipt{Number: number, State: order.RefundUnknown}, nil
	}
	if err != nil {
		return order.RefundReceipt{}, err
	}
	return readRefund("query refund", number, answer)
}

func readRefund(op, number string, r *refunddomestic.Refund) (order.RefundReceipt, error) {
	if r == nil || r.Status == nil || r.Amount == nil || r.Amount.Refund == nil || text(r.OutRefundNo) != number {
		return order.RefundReceipt{}, unreadable(op)
	}
	receipt := order.RefundReceipt{
		Number: number, OrderNumber: text(r.OutTradeNo), RefundID: text(r.RefundId),
		State: refundStateOf(string(*r.Status)), Refund: money.Fen(*r.Amount.Refund),
	}
	if r.SuccessTime != nil {
		receipt.DoneAt = clock.Milli(*r.SuccessTime)
	}
	if receipt.State == "" {
		return order.RefundReceipt{}, unreadable(op)
	}
	return receipt, nil
}

func refundStateOf(word string) order.RefundState {
	switch s := order.RefundState(word); s {
	case order.RefundProcessing, order.RefundDone, order.RefundClosed, order.RefundAbnormal:
		return s
	}
	return ""
}
