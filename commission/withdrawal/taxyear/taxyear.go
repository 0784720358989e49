// Package taxyear keeps what one person was paid in one business year, and as what: the withholding of the next payment, the
// statements and the declarations are made of it.
//
// # What it promises
//
//   - What a payee was when a payment was sent decides, for ever: the kind and the regime stand on every item.
//   - The next tax of a kind looks at payments of the same kind and regime, and at the opening position two people
//     confirmed; never at what was paid to the same person as something else, or while nothing was withheld.
//   - Everything but the openings follows from the withdrawals: package crosscheck computes it again.
package taxyear

import (
	"context"
	"slices"
	"strconv"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Year is everything one person was paid in one business year, by number, so that repeating a step changes nothing. Id =
// <member>/<year>.
type Year struct {
	docstore.Doc `bson:",inline"`
	Member       string    `bson:"member"`
	Year         int       `bson:"year"`
	Items        []Item    `bson:"items"`
	Openings     []Opening `bson:"openings,omitempty"` // the newest of a kind counts
}

// Item is one withdrawal in a tax year.
type Item struct {
	Number  string      `bson:"number"`
	State   State       `bson:"state"`
	Kind    tax.Kind    `bson:"kind,omitempty"`   // when it was sent; earlier releases may not say
	Regime  tax.Mode    `bson:"regime,omitempty"` // likewise; earlier releases say only the table
	At      time.Time   `bson:"at"`               // approved; once paid, when it was paid
	Gross   money.Fen   `bson:"gross,omitempty"`
	Tax     money.Fen   `bson:"tax,omitempty"`
	Carried money.Fen   `bson:"carried,omitempty"` // due, but more than the payment: left to the next
	Table   int         `bson:"table,omitempty"`
	Before  tax.History `bson:"before,omitempty"` // what the tax was computed after

	ReturnedAt time.Time `bson:"returned_at,omitempty"`
}

// Most is how many items a year may hold.
const Most = 8000

// Room makes place for one more item, and reports whether there is any: at Most, items that came to nothing longer ago than
// any late hand acts (keeps) are forgotten.
func (y *Year) Room(now time.Time, keeps time.Duration) bool {
	if len(y.Items) >= Most {
		y.Items = slices.DeleteFunc(y.Items, func(i Item) bool { return i.State == Void && i.At.Before(now.Add(-keeps)) })
	}
	return len(y.Items) < Most
}

// State is what an item counts as.
type State string

// The states.
const (
	Open State = "open" // approved: counts for the tax of the next, not for statements
	Paid State = "paid"
	Void State = "void" // came to nothing, or was paid in another year
)

// Opening is an opening position: what was paid and withheld elsewhere in the year, as two people say.
type Opening struct {
	tax.Opening `bson:",inline"`
	Maker       string    `bson:"maker"`
	Checker     string    `bson:"checker"`
	Why         string    `bson:"why"`
	At          time.Time `bson:"at"`
	Draft       string    `bson:"draft"` // what it was made of: the same again changes nothing
}

const indexYear = "year" // those of one year

// Collection opens the tax years.
func Collection(ctx context.Context, store *docstore.Store) (*docstore.Collection[Year], error) {
	return docstore.Open[Year](ctx, store, docstore.Spec{
		Name:     "tax_years",
		Indexes:  []docstore.Index{{Name: indexYear, Fields: []string{"year", "member"}}},
		ShardKey: "_id",
		Chained:  true,
	})
}

// In finds those of one year, by member.
func In(year int) docstore.Query { return docstore.By(indexYear, year) }

// ID is the id of a person's year.
func ID(member string, year int) string { return member + "/" + strconv.Itoa(year) }

// Of is the business year.
func Of(t time.Time) int { return t.In(clock.Shanghai()).Year() }

// Find gives the item of a number, or nil.
func (y *Year) Find(number string) *Item {
	for i := range y.Items {
		if y.Items[i].Number == number {
			return &y.Items[i]
		}
	}
	return nil
}

// Put stores an item under its number.
func (y *Year) Put(item Item) {
	if old := y.Find(item.Number); old != nil {
		*old = item
		return
	}
	y.Items = append(y.Items, item)
}

// Opening is the opening position of a kind that counts, or nil.
func (y *Year) Opening(k tax.Kind) *Opening {
	for i := len(y.Openings) - 1; i >= 0; i-- {
		if y.Openings[i].Kind == k {
			return &y.Openings[i]
		}
	}
	return nil
}

// Counting are the opening positions that count.
func (y *Year) Counting() []tax.Opening {
	var list []tax.Opening
	for _, k := range []tax.Kind{tax.Resident, tax.Business, tax.Foreign} {
		if o := y.Opening(k); o != nil {
			list = append(list, o.Opening)
		}
	}
	return list
}

// Before is what the next tax of a kind under a regime is computed after. Approved payments that are not paid yet count as
// if they were, so that two at the same time never bear too little.
func (y *Year) Before(k tax.Kind, regime tax.Mode, at time.Time) tax.History {
	var counted []tax.Payment
	for i := range y.Items {
		if y.Items[i].State != Void {
			counted = append(counted, y.Items[i].payment())
		}
	}
	h := tax.HistoryOf(counted, k, regime, at)
	if o := y.Opening(k); o != nil && regime == tax.Cumulative {
		h.Begin(o.Opening)
	}
	return h
}

// Payments are the payments of the statements.
func (y *Year) Payments() []tax.Payment {
	var list []tax.Payment
	for i := range y.Items {
		if y.Items[i].State == Paid {
			list = append(list, y.Items[i].payment())
		}
	}
	return list
}

func (i *Item) payment() tax.Payment {
	p := tax.Payment{
		Number: i.Number, Kind: i.Kind, Regime: i.Regime, At: i.At, Gross: i.Gross, Tax: i.Tax, Carried: i.Carried,
		Table: i.Table, ReturnedAt: i.ReturnedAt, Entries: []string{"withdraw/" + i.Number, "outcome/" + i.Number},
	}
	if i.Tax > 0 {
		p.Entries = append(p.Entries, "tax/"+i.Number)
	}
	if !i.ReturnedAt.IsZero() {
		p.ReturnEntries = []string{"return/" + i.Number}
	}
	return p
}
