// Package claim is how something scarce is reserved for a document that does not exist yet: units of stock, a person's
// limit, an item's total; later coupons, places in a team, somebody else's campaign. It is pure: whoever keeps the
// scarce thing stores what is here inside its own document and writes it with the version check of the store.
//
// The protocol, whatever is claimed (see docs/adr/0018-one-reservation-protocol.md):
//
//   - The document that the claims are for (the order) is the only decision. Its id is derived from the request's key, so
//     that every attempt at the request claims under the same name. It names the attempt that wrote it.
//   - Every attempt draws a Try. A claim lists the attempts that count on it (Holders). Whoever finds the claim of another
//     attempt at the same request joins it, in the claim's own document, before counting on it.
//   - An attempt that fails before it has tried to write the order leaves its claims. A claim goes only when its last
//     holder leaves. An attempt that has tried to write the order leaves nothing, unless the order turns out to be
//     another attempt's.
//   - A claim without an order lapses: Until, plus a grace that is longer than clocks differ. Nobody joins a claim whose
//     Until has passed.
//   - What happens to the order later (closed, paid, refunded) acts on all claims of the order, whoever holds them.
//
// So the claims of an order that exists are never undone by an attempt: its writer is among the holders of each of them
// and never leaves.
package claim
