// Package qywx is the little of WeCom (企业微信) that the first sale needs: a token, the callback, tags on customers and
// the welcome message.
//
// It promises: a callback is verified before it is decrypted and decrypted before it is parsed, and nothing that is
// received can make it panic; a request is sent again only once, with another token, and only when the platform
// called the old one bad (40014) or expired (42001), never on a bad secret (40001), which would get the address
// banned; no error holds an address, a token or a secret.
//
// It does not remember callbacks: they come up to three times and can get lost, so the caller keys its effects by
// Event.ID and reconciles. It is written by hand: the SDK's callback parser checks no signature and its requests carry
// empty attachments.
//
//	corp, err := qywx.New(qywx.Config{…})
//	event, err := corp.ParseCallback(r.URL.Query(), body) // answer 200 with an empty body within 5 s
package qywx
