// Package miniprogramapi is the HTTP edge for shoppers and hosts: what the mini-program calls.
//
// An operation is declared once, in declare…, with its Go types; from them come validation, the OpenAPI 3.1
// document at /openapi.json and the offline docs page at /docs. A handler parses, calls one use case and renders.
// Every write takes an Idempotency-Key; errors are RFC 9457 problems with a stable code (see problem.go); whose things
// a member may see or change is decided in the use case, and what is not yours does not exist (404).
package miniprogramapi
