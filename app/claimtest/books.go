package claimtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
	"guanxi/order"
)

// books are the documents of the domains, read as they are stored: the drill does not ask those whom it judges.
type books struct {
	buckets    *docstore.Collection[bucket]
	moves      *docstore.Collection[move]
	quotas     *docstore.Collection[quota]
	allotments *docstore.Collection[allotment]
}

type bucket struct {
	docstore.Doc `bson:",inline"`
	SKU          string     `bson:"sku"`
	Free         int64      `bson:"free"`
	Sold         int64      `bson:"sold"`
	In           int64      `bson:"in"`
	Holds        claim.Open `bson:"holds,omitempty"`
	Due          time.Time  `bson:"due,omitempty"`
}

type move struct {
	docstore.Doc `bson:",inline"`
	State        string  `bson:"state"`
	Units        int64   `bson:"units,omitempty"`
	Void         []int64 `bson:"void,omitempty"`
}

type quota struct {
	docstore.Doc `bson:",inline"`
	Claims       []struct {
		Order string        `bson:"o"`
		By    claim.Holders `bson:"b,omitempty"`
	} `bson:"claims,omitempty"`
	Unpaid *struct {
		In    string    `bson:"in"`
		Until time.Time `bson:"until"`
	} `bson:"unpaid,omitempty"`
}

type allotment struct {
	docstore.Doc `bson:",inline"`
	Open         claim.Open `bson:"open,omitempty"`
	Paid         claim.Open `bson:"paid,omitempty"`
}

func openBooks(t testing.TB, store *docstore.Store) (b books) {
	t.Helper()
	var errs [4]error
	b.buckets, errs[0] = docstore.Open[bucket](t.Context(), store, docstore.Spec{
		Name: "buckets", Indexes: []docstore.Index{{Name: "due", Fields: []string{"due"}, Sparse: true}},
	})
	b.moves, errs[1] = docstore.Open[move](t.Context(), store, docstore.Spec{Name: "stock_moves"})
	b.quotas, errs[2] = docstore.Open[quota](t.Context(), store, docstore.Spec{
		Name: "quotas", Indexes: []docstore.Index{{Name: "unpaid", Fields: []string{"unpaid.in", "unpaid.until"}, Sparse: true}},
	})
	b.allotments, errs[3] = docstore.Open[allotment](t.Context(), store, docstore.Spec{Name: "allotments"})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return b
}

// owns: a stored order holds its units, and its writer is among the holders of every claim.
func (b *books) owns(d *drill, o *order.Order) {
	t := claim.Try{Order: o.ID, Attempt: o.Attempt}
	q, err := b.quotas.Get(d.t.Context(), d.campaign+"/"+o.Member)
	if err != nil {
		d.t.Errorf("round %d: order %s: quota: %v", d.round, o.ID, err)
		return
	}
	claimed := false
	for _, c := range q.Claims {
		claimed = claimed || c.Order == o.ID && c.By.Has(t)
	}
	if !claimed {
		d.t.Errorf("round %d: order %s of attempt %s has no claim: %+v", d.round, o.ID, o.Attempt, q.Claims)
	}
	for _, l := range o.Lines {
		if l.SKU == d.skus[0] {
			a, err := b.allotments.Get(d.t.Context(), d.campaign+"/"+l.SKU)
			if err != nil || own(a.Open, t) < l.Units {
				d.t.Errorf("round %d: order %s has %d of %d units of the total: %+v %v", d.round, o.ID, own(a.Open, t), l.Units, a, err)
			}
		}
		held, m := int64(0), b.moves
		decided, err := m.Get(d.t.Context(), o.ID+"/"+l.SKU)
		if errors.Is(err, docstore.ErrNotFound) {
			decided, err = &move{}, nil
		}
		if err != nil {
			d.t.Fatal(err)
		}
		for _, bucket := range b.of(d, l.SKU) {
			for _, c := range bucket.Holds.Of(o.ID) {
				if c.By.Has(t) && !isVoid(decided, c.Mark) {
					held += c.Units
				}
			}
		}
		if held < l.Units {
			d.t.Errorf("round %d: order %s of attempt %s holds %d of %d units of %s; move %+v", d.round, o.ID, o.Attempt, held, l.Units, l.SKU, decided)
		}
	}
}

func isVoid(m *move, mark int64) bool {
	for _, one := range m.Void {
		if one == mark {
			return true
		}
	}
	return false
}

func own(open claim.Open, t claim.Try) (units int64) {
	for _, c := range open.Of(t.Order) {
		if c.By.Has(t) {
			units += c.Units
		}
	}
	return units
}

func (b *books) of(d *drill, sku string) []*bucket {
	var ids []string
	for n := range 8 {
		ids = append(ids, fmt.Sprintf("%s/%d", sku, n))
	}
	found, err := b.buckets.GetMany(d.t.Context(), ids)
	if err != nil {
		d.t.Fatal(err)
	}
	var list []*bucket
	for _, docID := range ids {
		if found[docID] != nil {
			list = append(list, found[docID])
		}
	}
	return list
}

// addUp: free, held and sold units are what came in, in every bucket.
func (b *books) addUp(d *drill, sku string) {
	in := int64(0)
	for _, one := range b.of(d, sku) {
		in += one.In
		if one.Free < 0 || one.Free+one.Sold+one.Holds.Units() != one.In {
			d.t.Errorf("round %d: bucket %s does not add up: %+v", d.round, one.ID, one)
		}
	}
	if in != d.in[sku] {
		d.t.Errorf("round %d: %d units of %s came in, the buckets say %d", d.round, d.in[sku], sku, in)
	}
}

// allBack: when everything has lapsed, no unit is held, and the sold ones are those of moves that are sold.
func (b *books) allBack(d *drill, sku string) {
	sold, want := int64(0), int64(0)
	for _, one := range b.of(d, sku) {
		if sold += one.Sold; one.Holds != "" {
			d.t.Errorf("round %d: bucket %s still has holds: %s", d.round, one.ID, one.Holds)
		}
	}
	err := b.moves.Each(d.t.Context(), docstore.All(), func(m *move) error {
		if m.State == "sold" && len(m.ID) > len(sku) && m.ID[len(m.ID)-len(sku):] == sku {
			want += m.Units
		}
		return nil
	})
	if err != nil || sold != want {
		d.t.Errorf("round %d: buckets say %d units of %s are sold, moves %d: %v", d.round, sold, sku, want, err)
	}
	b.addUp(d, sku)
}
