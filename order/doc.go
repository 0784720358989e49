// Package order holds what was agreed, what was paid and what went back: one document per purchase.
//
// It promises:
//
//   - Placing is idempotent. The order's id is derived from the member and the idempotency key and is also the
//     payment platform's order number; price, referral, stock and limits are locked when it exists.
//   - The platform is asked, never believed by silence. What was held is given back only after the platform has
//     said that the order cannot be paid; money that comes all the same goes back by itself.
//   - A payment that does not fit (merchant, app, currency, amount, transaction) changes nothing and is visible as an
//     incident on the order.
//   - A host's word reaches as far as the policy in room authority says; beyond it, for a host's own order, and where she is
//     silent, the request waits for the brand. Nobody decides about their own order in any role.
//   - The settlement clock starts when the buyer confirms, when the collection code is shown at the pickup point, or by
//     itself the platform's days after shipping; an open case of the buyer stops it. Until a carrier with a number has the
//     goods, or they are received, the buyer's refund needs nobody's word.
//   - Refunds are inside the order and priced by cumulative shares, so that they never exceed the payment and the
//     last unit returns the last fen. A refund keeps its number until its outcome is known.
//   - States move only as the table in moves.go says.
//
// It never knows how a campaign fills, how much stock there is, or who earns from a sale: it asks the ports in
// ports.go during a request and tells the rest in events.go.
//
//	o, err := orders.Place(ctx, order.PlaceInput{
//		Key: key, Member: member, Campaign: campaign, Lines: []order.Wish{{SKU: "tea-250g", Units: 2}},
//	})
//	params, err := orders.Prepay(ctx, member, o.ID)      // the mini-program pays with these
//	outcome, err := orders.Settle(ctx, payment)          // the notification, or Heal when none comes
package order
