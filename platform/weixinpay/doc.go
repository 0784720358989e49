// Package weixinpay is order.Payments and withdrawal.Rail over WeChat Pay v3, by the official SDK; it shares profits and
// reads bills beside.
//
// It promises: every request is signed with the merchant's key; an answer counts only when its status is 2xx and
// its signature verifies, so money never moves on an error reply; a notification is verified before it is parsed;
// no error holds an address, a header, a body, an openid or a key; nothing panics on anything that is received;
// everything ends within the timeout.
//
// What the platform says becomes one of two errors: order.ErrPaymentRefused when its no is final, order.ErrPaymentsAway
// when the outcome is unknown or the platform is away: network trouble, 5xx, 429, 202, an answer that does not verify,
// 401 (our configuration, not the order's fault) and NOT_ENOUGH (top up, then repeat the same number).
//
// Withdrawals (Transfers) are stricter, because a wrong no would pay twice: a *withdrawal.Refusal is given only for a code
// that is known to mean that nothing was created, and only after a query of the same number has found nothing; a new
// code, a signature on an error reply that does not hold, trouble of any kind, all mean "unknown". The platform's
// sentences are read to doubt, never to believe. Cancelling never refuses: it tells the present state.
//
// Profit sharing (Sharing) is refused here before the platform is asked: above the ceiling, within 30 seconds of the
// payment, before after-sale is over. Bills (TradeBill, FundFlowBill) are checked against the signed hash and their own
// summary, within bounds of size, before the first line is passed on.
//
// It never retries by itself, never makes up numbers, and never downloads platform certificates: it runs in
// public-key mode. Further keys, for the time of a migration, are configured.
//
//	pay, err := weixinpay.New(weixinpay.Config{AppID: …, MchID: …, …, NotifyURL: "https://shop.example/v1/notify/weixinpay"})
//	params, err := pay.Prepay(ctx, order.Prepayment{…})
//	notice, err := pay.ParseNotification(ctx, r.Header, body)
//	outcome, err := pay.Transfers().Send(ctx, withdrawal.Transfer{…})
//	err = pay.FundFlowBill(ctx, weixinpay.AccountBasic, "2026-11-22", func(l weixinpay.FundLine) error { … })
package weixinpay
