// Package sharing pays commission out of the order's own payment (分账): the rail of policies that say so, instead of
// members withdrawing.
//
// # What it promises
//
//   - An order is shared once: one document, whose parts are fixed before anything moves. A part is one member, one number
//     and one request to the platform, for ever; the number is the order's with the part's place behind it, so that every
//     line of the platform's bill leads back here.
//   - Nothing is shared before every line of the order has settled and its after-sale window is over, nor more than the
//     ceiling (30 % of what the buyer paid and did not get back). That is checked before the call, when the parts are fixed
//     and again when they are sent.
//   - The ledger comes first: a part is reserved in its member's purse before it is sent, and confirmed or given back by
//     the platform's final word. An unknown outcome is asked for under the same number for as long as it takes, and sent
//     again under it only when the platform says it never heard of it.
//   - What cannot be paid like this stays in the purse, with the reason, and can be withdrawn as ever.
//   - The rest of the payment is set free for the merchant in the end, whether anybody was paid or not.
//
// # What it never does
//
// It withholds no tax: profit sharing pays gross. A member from whom the tax table in force withholds is left to withdraw,
// where withholding is possible; and what was paid here stands in no tax year of the withdrawals. It knows none of the
// withdrawals' limits and risk checks. It never pays staff, and never takes money back from a person: a refund after the
// sharing is owed by the purse, like one after a withdrawal.
//
// # How it works
//
//	Begin     document waiting, when the order is completed
//	plan      everything settled: the parts, those that break a rule left in the purse
//	reserve   ledger.Reserve for each; a purse that is short leaves its part out
//	send      receivers made known; document sent; then the calls, or first the question when one may have happened
//	finish    every part has its final word: ledger entries, then the mark and the events
//	free      the rest is the merchant's: unfrozen
//
// Tend does all of that, one step after the other. A process at work on an order holds it for Config.Lease (its NextAt).
//
//	err := sharings.Begin(ctx, order, completedAt)
//	moved, err := sharings.Tend(ctx)
package sharing
