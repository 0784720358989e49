// Package weixinpay is order.Payments over WeChat Pay v3, by the official SDK.
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
// It never retries by itself, never makes up numbers, and never downloads platform certificates: it runs in
// public-key mode. Further keys, for the time of a migration, are configured.
//
//	pay, err := weixinpay.New(weixinpay.Config{AppID: …, MchID: …, …, NotifyURL: "https://shop.example/v1/notify/weixinpay"})
//	params, err := pay.Prepay(ctx, order.Prepayment{…})
//	notice, err := pay.ParseNotification(ctx, r.Header, body)
package weixinpay
