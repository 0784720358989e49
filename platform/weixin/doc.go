// Package weixin is the mini-program's side of WeChat: member.Platform (login and phone), code images, subscribe
// messages, text checks and shipping information, over github.com/silenceper/wechat/v2.
//
// It promises: one access token per app, fetched through stable_token, shared between processes by a cache and a lock
// when they are given, replaced once when the platform calls it bad or expired; every call ends within the timeout and
// when its context does; no error holds an address, a token, a secret, a code, an openid or a number; several clients
// for several apps or sandboxes live in one process.
//
// It never retries beyond that one new token, never sends a subscribe message twice, and never trusts HTTP 200: success
// is errcode 0.
//
// The SDK keeps its HTTP client in a package variable. useOurRoad replaces it once per process by one that
// finds its way by the request's context, so clients do not disturb each other; that is the only global thing touched.
// The SDK's calls that take no context are not used; their request types are.
//
//	wx, err := weixin.New(weixin.Config{AppID: …, AppSecret: …})
//	who, err := wx.CodeToSession(ctx, code)
package weixin
