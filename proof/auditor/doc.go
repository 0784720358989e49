// Package auditor computes every purse a second time, from the facts alone, and says whose purse differs.
//
// It is a witness and not a part of the ledger: it shares no code with commission or order. It reads what happened (the
// history of events, what still waits in outboxes, what is parked), what was published (policies), what people asked and
// decided (withdrawals, vouchers) and which lines have settled; it computes with fractions, slowly and plainly; and it
// compares the sums with the purses. It writes nothing.
//
// # What it takes as facts
//
//   - order.Confirmed: what was sold to whom, who is credited, and when; the policy in force then.
//   - order.Refunded: how much of each line has gone back so far. The largest sum counts.
//   - order.Received: when the after-sale window ends. No line may have settled before.
//   - settlements: that a line has settled. Only whether, not how much.
//   - withdrawals: gross, tax and state. sharings: member, amount and state of each part. vouchers: from, to and amount, once approved.
//
// # What it says
//
// A Difference names the member, both balances, and the first order, withdrawal or voucher where the ledger's entries
// and the facts part. When all entries agree with the facts it says so: then the purse itself is wrong, and a rebuild
// heals it. A difference carries a Doubt while something of the member's is still on its way: an event nobody has taken
// yet, an entry without its seal, a purse that moved while it was being read. Audit again when it has arrived.
//
// Memory grows with members, not with orders.
package auditor
