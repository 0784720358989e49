// Package guanxi is the map of the house; it holds no code.
//
//	floor 5  cmd/guanxi       the one binary and its subcommands
//	floor 4  app              the program as a struct: joins, adapters, settings, loops
//	         app/harness      the program and the sandbox, joined on loopback
//	         app/keeping      copies, backups, restorations of whole stores
//	         app/demo …       the demo, the bench, hostile walks
//	floor 3  miniprogram-api  HTTP for shoppers and hosts
//	         console          HTTP for the brand's staff
//	floor 2  flow             which domain reacts to which event, as one table
//	         platform         adapters to the outside, one per platform; platform/sandbox imitates them on the wire
//	         proof            crosscheck: the domains held against the ledger; auditor: every purse a second time;
//	                          ledgerexport: the ledger for finance (csv, xlsx, beancount, hledger)
//	floor 1  member community (with the room hosting) catalog groupbuy order distribution outreach reconcile staff
//	         commission       the ledger, with the rooms withdrawal, sharing and tax
//	floor 0  internal         knows no domain: docstore (with its drivers sqlite and mongo), event, lease, claim, notary, edge, redisx,
//	                          money, fault, id, clock …
//
// A floor imports only floors below it; domains (floor 1) never import each other. architecture_test.go checks it.
// How a sale walks through the floors stands in docs/architecture.md; which event is taken by whom in
// docs/flow.md; decisions with a rejected alternative in docs/adr.
package guanxi
