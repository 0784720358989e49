// Package catalog keeps what the brand sells and how much of it is left.
//
// It promises:
//   - A SKU id means the same variant for ever; products are edited, variants are retired, neither is deleted.
//   - No unit is sold twice, and none is lost: in every bucket free + held + sold = received + restocked, and
//     what would break that is not stored.
//   - Hold takes all lines of an order or none. "Sold out" is said only after a reading of every bucket that
//     began after the question.
//   - Hold, Commit, Release, Restock and Receive may come twice, late and in any order; attempts at one order share what
//     it holds, and Undo takes nothing that another attempt counts on (see package claim).
//   - A paid order is served even if its hold has lapsed, as long as there are units; otherwise it is told so
//     for good (CAT_OVERSOLD_REFUSED) and must be refunded.
//
// It never decides who may buy, at which price a campaign sells, or what happens to money.
//
// The stock of a SKU lies in buckets (see docs/adr/0003-stock-buckets-with-holds.md). The hot path is
//
//	Hold    one update of the order's home bucket, shared by everybody who holds there at the moment
//	Commit  one insert of the order's Move, shared with nobody
//
// and everything else (looking at all buckets, giving back, folding sold holds into a number) is off that path.
//
//	err := goods.Receive(ctx, catalog.StockIn{Ref: "delivery-7", SKU: sku, Units: 200})
//	err = goods.Hold(ctx, claim.New(order), now.Add(15*time.Minute), []catalog.Units{{SKU: sku, Units: 2}})
//	err = goods.Commit(ctx, order, []catalog.Units{{SKU: sku, Units: 2}})
package catalog
