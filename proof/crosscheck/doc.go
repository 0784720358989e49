// Package crosscheck holds the domains' books against each other: what one says happened, the other must have
// answered.
//
//   - accrual: every confirmed order has its accrual, with the same lines, amounts and people; every accrual has its
//     order.
//   - claw-back: what was refunded of a line has taken back exactly that share of every posting of the line; every
//     claw-back has its refund.
//   - settle: nothing is settled that was not received.
//   - owed: what must go back to a buyer (the campaign died, the order goes back, it was paid after its close) is back or on its
//     way; a refund the platform refuses, and one under way for a week, is owed.
//   - withdrawal: every withdrawal has exactly the entries its state asks for, and every such entry its withdrawal.
//   - tax year: every withdrawal stands in its member's tax years with exactly its kind, regime, amounts, table and times, nothing
//     else stands there, and the tax is what that table makes of what was paid before.
//   - sharing: every part of an order that is paid out of its payment has exactly the entries its state asks for.
//   - transfer: what is paid in the ledger is what the payment platform called a success.
//
// It reads the services' public methods by the batch and keeps nothing between batches, so memory does not grow with the
// books. It may run while the shop is open: events take a moment to arrive, so what is younger than Config.Grace is
// passed over (and counted), and a difference is looked at twice before it is told. It never writes.
//
// The ledger's own arithmetic (chain, balance, purses) is commission.Verify's business, and the platform's bills are
// reconcile's.
//
//	report, err := crosscheck.Run(ctx, crosscheck.Deps{Orders: orders, Ledger: ledger, Withdrawals: withdrawals, Years: years,
//		TaxTables: tables, Sharings: sharings, Clock: clock}, nil)
//	if !report.Good() { … report.Differences[0] … }
package crosscheck
