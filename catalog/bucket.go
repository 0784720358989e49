package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Units is a number of units of a SKU.
type Units struct {
	SKU   string
	Units int64
}

// Stock says how many buckets a SKU's units lie in. The number only grows.
type Stock struct {
	docstore.Doc `bson:",inline"`
	Buckets      int `bson:"buckets"`
}

// Bucket is a part of a SKU's stock: units nobody has, and who holds the others. In = Free + held + Sold,
// always; whatever would break that is not stored.
type Bucket struct {
	docstore.Doc `bson:",inline"`
	SKU          string     `bson:"sku"`
	Number       int        `bson:"number"`
	Free         int64      `bson:"free"`
	Sold         int64      `bson:"sold"`              // committed and folded; committed ones still among Holds are not in it
	In           int64      `bson:"in"`                // ever received or restocked
	Holds        claim.Open `bson:"holds,omitempty"`   // a hold leaves only after its order's Move has decided about its mark
	Due          time.Time  `bson:"due,omitempty"`     // the earliest Until among Holds
	Intakes      []string   `bson:"intakes,omitempty"` // ids of intakes applied and not yet known to be done long ago
}

func bucketID(sku string, n int) string { return sku + "/" + strconv.Itoa(n) }

// take moves up to units from free into a hold and tells how many. A bucket that is full of holds gives none.
func (b *Bucket) take(t claim.Try, units int64, until time.Time, mark int64) int64 {
	units = min(units, b.Free)
	if units <= 0 || b.Holds.Full() {
		return 0
	}
	b.Free -= units
	b.Holds = b.Holds.Add(claim.Claim{Order: t.Order, Units: units, Until: until, Mark: mark, By: claim.HeldBy(t)})
	if b.Due.IsZero() || until.Before(b.Due) {
		b.Due = until
	}
	return units
}

// join makes an attempt a holder of what its order holds here, at least until the given time. Holds that everybody has
// left stay as they are: their units are on the way back.
func (b *Bucket) join(t claim.Try, until time.Time) {
	b.Holds = b.Holds.Change(t.Order, func(c *claim.Claim) bool {
		if !c.By.Nobody() {
			c.By = c.By.Join(t)
			if c.Until.Before(until) {
				c.Until = until
			}
		}
		return true
	})
	b.Due = b.Holds.Due()
}

// leave takes an attempt off the holders and tells which holds nobody holds now.
func (b *Bucket) leave(t claim.Try) (alone []Part) {
	b.Holds = b.Holds.Change(t.Order, func(c *claim.Claim) bool {
		if c.By = c.By.Leave(t); c.By.Nobody() {
			alone = append(alone, Part{Bucket: b.Number, Units: c.Units, Mark: c.Mark})
		}
		return true
	})
	return alone
}

// decision is what becomes of one hold: sold units leave the house, the rest is free again.
type decision struct{ sold int64 }

// resolve removes the decided holds.
func (b *Bucket) resolve(decided map[int64]decision) {
	b.Holds = claim.Write(slices.DeleteFunc(b.Holds.List(), func(h claim.Claim) bool {
		d, ok := decided[h.Mark]
		if ok {
			sold := min(d.sold, h.Units)
			b.Sold += sold
			b.Free += h.Units - sold
		}
		return ok
	}))
	b.Due = b.Holds.Due()
}

// admit applies an intake once. Errors: ErrBusy when too many came in within the last hour.
func (b *Bucket) admit(intake string, units int64) error {
	if slices.Contains(b.Intakes, intake) {
		return nil
	}
	if len(b.Intakes) >= maxIntakes {
		return ErrBusy
	}
	b.Intakes = append(b.Intakes, intake)
	b.Free += units
	b.In += units
	return nil
}

// sound is checked before every write.
func (b *Bucket) sound() error {
	if held := b.Holds.Units(); b.Free < 0 || b.Sold < 0 || b.Free+held+b.Sold != b.In {
		return fmt.Errorf("catalog: bucket %s does not add up: free %d, held %d, sold %d, in %d",
			b.ID, b.Free, held, b.Sold, b.In)
	}
	return nil
}

// Limits of one stock movement.
const (
	maxLines = 100
	maxUnits = 1_000_000
)

// tidyLines checks lines and merges those of one SKU, in SKU order.
func tidyLines(lines []Units) ([]Units, error) {
	if len(lines) < 1 || len(lines) > maxLines {
		return nil, ErrStockInvalid.With("lines", "须有 1 至 100 行 (1 to 100 lines)")
	}
	merged := make([]Units, 0, len(lines))
	for i, line := range lines {
		field := "lines[" + strconv.Itoa(i) + "]."
		if !validName(line.SKU) {
			return nil, ErrStockInvalid.With(field+"sku", "规格编号有误 (not a variant)")
		}
		if line.Units < 1 || line.Units > maxUnits {
			return nil, ErrStockInvalid.With(field+"units", "数量超出范围 (units out of range)")
		}
		merged = append(merged, line)
	}
	slices.SortStableFunc(merged, func(a, b Units) int {
		switch {
		case a.SKU < b.SKU:
			return -1
		case a.SKU > b.SKU:
			return 1
		}
		return 0
	})
	out := merged[:0]
	for _, line := range merged {
		if n := len(out); n > 0 && out[n-1].SKU == line.SKU {
			out[n-1].Units += line.Units
			continue
		}
		out = append(out, line)
	}
	return out, nil
}

// validName accepts what can be part of a document id.
func validName(s string) bool { return len(s) <= 90 && id.Valid(s) }

// worthTidying says whether a bucket has collected so many holds that it pays to ask which of them are sold; one
// hold in 32, drawn by its mark, does so, and the price is shared by many.
func (b *Bucket) worthTidying(mark int64) bool { return b.Holds.Len() >= 64 && mark%32 == 0 }
