// Package console is HTTP for the brand's staff, under /console.
//
// It works like the mini-program's edge, on the same machinery (internal/edge): strict JSON, problem documents, an
// Idempotency-Key on every write, request ids, OpenAPI 3.1 at /console/openapi.json. A session is a bearer token.
//
// It promises: every operation names the permission it needs where it is declared, and one without is refused at the
// start; nobody whose password somebody else made can do anything but choose an own one; every write of an operator is
// in the audit log, its beginning before anything happens and its outcome before the answer (package staff). That maker
// and checker differ is decided by the domains, which are given the operator's id; the console never trusts a name that
// was sent.
//
// docs/console.md lists every operation with its permission; it is printed by a test.
package console
