// Package withdrawal carries commission from a member's purse to the member's wallet, and never loses a fen on the way.
//
// # What it promises
//
//   - One request is one document, one number and one transfer, for ever: the number is derived from the member and the
//     idempotency key, and it is the only number ever sent to the platform for this request.
//   - The document is the state machine (the table in moves.go), the ledger is the truth about money. A document's
//     change comes first, then the entry that follows from it, then a mark that it was posted; whoever repeats a step
//     changes nothing.
//   - The sending is written down before it is done. From then on only the platform's final word ends the transfer: an
//     unknown outcome is asked for with the same number for as long as it takes, and sent again with the same number and
//     content only when the platform says it never heard of it.
//   - What did not arrive goes back to the purse, whole, tax included, and the member is told why.
//   - Tax is computed once, when the transfer is made ready, from the table in force at the approval and the person's
//     year so far; it never changes after the sending. Statements carry the ids of the ledger entries.
//   - More money than a machine may decide about waits for people: one reviewer, or two different ones.
//
// # What it never does
//
// It never fails a transfer because of a silence or a local clock. It never changes a purse except through the ledger. It
// never writes a name, an identity number or an openid anywhere but into encrypted fields.
//
// # How it works
//
//	Ask      document asked; desk (limits); ledger.Reserve; held or approved
//	send     tax; document sent, with everything the transfer needs; rail.Send
//	Settle   the platform's word, by notification or query: waiting, paid, failed, expired, cancelled
//	post     ledger entry, person's tax year, desk; then the mark and the event
//	Tend     every half-done step again, every silent transfer queried
//
// A process that reserves money holds the document for a minute (its NextAt): nobody else acts on a request whose
// reservation may be on its way.
//
//	w, err := withdrawals.Ask(ctx, withdrawal.AskInput{Key: key, Member: member, Amount: 5000})
//	// w.State == waiting: the mini-program calls wx.requestMerchantTransfer with w.Package
package withdrawal
