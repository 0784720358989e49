package weixinpay

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
)

var _ order.Payments = (*Payments)(nil)

// Prepay asks WeChat Pay to expect a payment and signs the parameters for wx.requestPayment. Asking again with
// the same content gives the same prepay id. Errors: order.ErrPaymentsAway, order.ErrPaymentRefused.
func (p *Payments) Prepay(ctx context.Context, in order.Prepayment) (order.PayParams, error) {
	request := jsapi.PrepayRequest{
		Appid: &p.cfg.AppID, Mchid: &p.cfg.MchID, Description: &in.Description, OutTradeNo: &in.Number,
		NotifyUrl: &p.cfg.NotifyURL,
		Amount:    &jsapi.Amount{Total: core.Int64(int64(in.Total)), Currency: core.String("CNY")},
		Payer:     &jsapi.Payer{Openid: &in.OpenID},
	}
	if !in.ExpiresAt.IsZero() { // whole seconds in Shanghai's offset, as the documents show it
		request.TimeExpire = core.Time(in.ExpiresAt.In(clock.Shanghai()).Truncate(time.Second))
	}
	if p.cfg.ShareProfit {
		request.SettleInfo = &jsapi.SettleInfo{ProfitSharing: core.Bool(true)}
	}
	if in.Attach != "" {
		request.Attach = &in.Attach
	}
	var answer *jsapi.PrepayResponse
	err := p.call("prepay", func() (result *core.APIResult, err error) {
		answer, result, err = p.orders.Prepay(ctx, request)
		return result, err
	})
	if err != nil {
		return order.PayParams{}, err
	}
	if answer == nil || text(answer.PrepayId) == "" {
		return order.PayParams{}, unreadable("prepay")
	}
	return p.Sign(ctx, *answer.PrepayId)
}

// Sign makes the parameters for wx.requestPayment from a prepay id.
func (p *Payments) Sign(ctx context.Context, prepayID string) (order.PayParams, error) {
	nonce, err := utils.GenerateNonce()
	if err != nil {
		return order.PayParams{}, fmt.Errorf("weixinpay: sign: nonce: %w", err)
	}
	params := order.PayParams{
		PrepayID: prepayID, TimeStamp: strconv.FormatInt(p.clock.Now().Unix(), 10), NonceStr: nonce,
		Package: "prepay_id=" + prepayID, SignType: "RSA",
	}
	message := p.cfg.AppID + "\n" + params.TimeStamp + "\n" + params.NonceStr + "\n" + params.Package + "\n"
	signed, err := p.signer.Sign(ctx, message)
	if err != nil {
		return order.PayParams{}, fmt.Errorf("weixinpay: sign: %w", err)
	}
	params.PaySign = signed.Signature
	return params, nil
}

// Query asks what became of an order number. A number the platform has never heard of is PaymentUnknown, not
// an error. Errors: order.ErrPaymentsAway, order.ErrPaymentRefused.
func (p *Payments) Query(ctx context.Context, number string) (order.Payment, error) {
	var answer *payments.Transaction
	err := p.call("query", func() (result *core.APIResult, err error) {
		answer, result, err = p.orders.QueryOrderByOutTradeNo(ctx, jsapi.QueryOrderByOutTradeNoRequest{
			OutTradeNo: &number, Mchid: &p.cfg.MchID,
		})
		return result, err
	})
	if notFound(err, "ORDER_NOT_EXIST", "ORDERNOTEXIST") {
		return order.Payment{Number: number, State: order.PaymentUnknown}, nil
	}
	if err != nil {
		return order.Payment{}, err
	}
	payment, ok := readTransaction(answer)
	if !ok || payment.Number != number {
		return order.Payment{}, unreadable("query")
	}
	return payment, nil
}

// Close makes sure that the number can no longer be paid; closing twice is fine. A number that was paid, or was
// never heard of, is refused: query it. Errors: order.ErrPaymentsAway, order.ErrPaymentRefused.
func (p *Payments) Close(ctx context.Context, number string) error {
	return p.call("close", func() (*core.APIResult, error) {
		return p.orders.CloseOrder(ctx, jsapi.CloseOrderRequest{OutTradeNo: &number, Mchid: &p.cfg.MchID})
	})
}

// readTransaction takes the platform's record apart; it fails on a record that says paid without saying what.
func readTransaction(t *payments.Transaction) (order.Payment, bool) {
	if t == nil {
		return order.Payment{}, false
	}
	payment := order.Payment{
		Number: text(t.OutTradeNo), TransactionID: text(t.TransactionId), AppID: text(t.Appid), MchID: text(t.Mchid),
		State: stateOf(text(t.TradeState)),
	}
	if t.Payer != nil {
		payment.OpenID = text(t.Payer.Openid)
	}
	if t.Amount != nil {
		payment.Currency = text(t.Amount.Currency)
		if t.Amount.Total != nil {
			payment.Total = money.Fen(*t.Amount.Total)
		}
	}
	if when := text(t.SuccessTime); when != "" {
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			return payment, false
		}
		payment.PaidAt = clock.Milli(at)
	}
	paid := payment.State == order.PaymentDone || payment.State == order.PaymentRefund
	switch {
	case payment.Number == "" || payment.State == "":
		return payment, false
	case paid && (payment.TransactionID == "" || payment.PaidAt.IsZero() || payment.Total <= 0):
		return payment, false
	}
	return payment, true
}

// stateOf keeps the states JSAPI knows. USERPAYING and the like are still open; an unknown word is no state.
func stateOf(word string) order.PaymentState {
	switch s := order.PaymentState(word); s {
	case order.PaymentOpen, order.PaymentDone, order.PaymentRefund, order.PaymentClosed:
		return s
	}
	switch word {
	case "USERPAYING", "ACCEPT", "PAYERROR":
		return order.PaymentOpen
	case "REVOKED":
		return order.PaymentClosed
	}
	return ""
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
