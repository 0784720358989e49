// Package guanxi is the map of the house; it holds no code.
//
//	floor 4  cmd/guanxi             the one binary and its subcommands; joins everything
//	floor 3  miniprogram-api        HTTP for shoppers and hosts
//	         console                HTTP for the brand's staff
//	         internal/edge          what both of them do alike
//	         internal/sandbox       WeChat, WeChat Pay and WeCom imitated on the wire
//	floor 2  flow                   which domain reacts to which event, as one table
//	         internal/weixin …      adapters to the outside, one per platform
//	         internal/docstore/…    the store's drivers: sqlite (default), mongo (production)
//	         internal/redisx        the accelerator that may vanish
//	         internal/crosscheck    the domains held against the ledger; internal/auditor: every purse a second time
//	         internal/ledgerexport  the ledger for finance: csv, xlsx, beancount, hledger
//	floor 1  member community (with the room hosting) catalog groupbuy order distribution outreach reconcile staff
//	         commission             the ledger, with the rooms withdrawal, sharing and tax
//	floor 0  internal/docstore internal/event internal/lease internal/claim internal/money internal/fault internal/id internal/clock
//
// A floor imports only floors below it; domains (floor 1) never import each other. house_test.go checks it.
// How a sale walks through the floors stands in docs/architecture.md; which event is taken by whom in
// docs/flow.md; decisions with a rejected alternative in docs/adr.
package guanxi
