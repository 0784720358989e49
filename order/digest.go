package order

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Digest stands for everything about a paid order that never changes again: who bought what from whom, at which prices, what
// was paid by which transaction, who is credited. The ledger keeps it with the sale, so that an order that was changed past
// the program shows.
func (o *Order) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "guanxi-order 1 %s %q %q %q %q %q %s %d\n", o.ID, o.Member, o.Campaign, o.Host, o.Community, o.Grade,
		stamp(o.PlacedAt), int64(o.Amount))
	r := &o.Referral
	fmt.Fprintf(h, "referral %q %q %q %q %q %q %q\n", r.Policy, r.Direct, r.Upline, r.Why, r.Share, r.Touch, o.Share)
	if o.Pickup != nil {
		fmt.Fprintf(h, "pickup %q %q\n", o.Pickup.Point, o.Pickup.Keeper)
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		fmt.Fprintf(h, "line %q %q %q %q %d %d %d %d\n", l.SKU, l.Product, l.Name, l.Category, l.Units, int64(l.Price), int64(l.Cost), int64(l.Paid))
	}
	if o.Payment != nil {
		fmt.Fprintf(h, "payment %q %s\n", o.Payment.TransactionID, stamp(o.Payment.PaidAt))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }
