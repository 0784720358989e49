// Package edge is what every HTTP edge of the house has in common: the mini-program's and the console's.
//
// An edge declares operations on it with Register; validation, the description (OpenAPI 3.1), problem documents (RFC
// 9457), sessions, rate limits, recorded answers under an Idempotency-Key, ETags, request ids, metrics and log lines
// are then the same for all of them, so that a handler is only parse → use case → render.
//
// It promises: no error body repeats a value that was sent; a panic is a coded 500; every request ends within its
// patience; the same key with the same request gives the same answer for KeepAnswers. It never decides who somebody
// is or what they may do: the edge that uses it says so (Config.Authenticate).
//
//	e, err := edge.New(ctx, edge.Config{Name: "miniprogram-api", …})
//	edge.Register(e, edge.Operation{ID: "me", Method: "GET", Path: "/v1/me", Tag: "我", Summary: "我的资料"}, handle)
//	err = e.Describe("/openapi.json", "/docs")
package edge
