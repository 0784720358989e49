// Package sandbox imitates WeChat (api.weixin.qq.com), WeChat Pay v3 (api.mch.weixin.qq.com) and WeCom
// (qyapi.weixin.qq.com) on the wire, so that the real SDKs sign, encrypt, verify and parse against it.
//
// One http.Handler serves all three, told apart by the request's Host; a client gets there by a transport that
// swaps scheme and address and keeps Host. What people do with their phones (wx.login, tapping "pay",
// accepting a message template) are requests under /sandbox/, answered on every Host.
//
// It is as strict as the documents it imitates: it verifies signatures over the raw body and the raw request
// URI, lengths, character sets, states and repeated numbers. It misbehaves only on command (Rule, Inject, POST
// /sandbox/faults): it duplicates, delays, reorders, loses, rate-limits, expires, fails, and cuts the connection
// after having done the work.
//
// Money has one account: it begins with Config.StartBalance, takes what is paid and topped up, and gives what is
// refunded, transferred and shared. Transfers to people wait in PROCESSING while it is too low. What the fund-flow bill
// lists adds up to its balance.
//
// What it never does: touch the network by itself (it only posts notifications to the address the merchant gave),
// write to disk (Save and Load take a stream), keep more than the configured number of orders, or wait
// on a lock while it signs.
//
// Business time (expiry of codes, tokens and orders) is Config.Clock; the timestamps inside signatures are always
// the machine's, because the SDKs compare them with the machine's.
//
//	box, err := sandbox.New(sandbox.Config{AllowLoopbackHTTP: true})
//	server := httptest.NewServer(box)
//	c := box.Credentials() // what the adapters are configured with
package sandbox
