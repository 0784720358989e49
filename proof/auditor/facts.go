package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
	"guanxi/internal/event"
)

// The documents this package reads, with no more of them than it needs. Nothing is ever written here, but a relay on the
// same store may pick our collection to take a message out of an outbox: Rest keeps what we do not know of a document.
type (
	rest = map[string]bson.RawValue

	past struct { // an event every consumer has taken, or one that is parked
		docstore.Doc `bson:",inline"`
		Rest         rest     `bson:",inline"`
		Event        string   `bson:"event"`
		Name         string   `bson:"name"`
		Document     string   `bson:"document"`
		Body         bson.Raw `bson:"body"`
		Taken        []string `bson:"done,omitempty"` // of a parked one
	}
	envelope struct { // an order, for its outbox
		docstore.Doc `bson:",inline"`
		Rest         rest `bson:",inline"`
	}
	settlement struct { // lines and steps stay in Rest
		docstore.Doc `bson:",inline"`
		Rest         rest `bson:",inline"`
	}
	purse struct {
		docstore.Doc `bson:",inline"`
		Rest         rest `bson:",inline"`
		Balance      `bson:",inline"`
	}
	entry struct {
		docstore.Doc `bson:",inline"`
		Rest         rest   `bson:",inline"`
		Text         string `bson:"text"`
		Unsealed     string `bson:"unsealed,omitempty"`
	}
	seal struct {
		docstore.Doc `bson:",inline"`
		Rest         rest   `bson:",inline"`
		Entries      string `bson:"entries"`
	}
	book struct {
		docstore.Doc `bson:",inline"`
		Rest         rest  `bson:",inline"`
		Folded       int64 `bson:"folded"`
		Cleared      int64 `bson:"cleared"`
		Target       int64 `bson:"target"`
	}
	withdrawal struct {
		docstore.Doc `bson:",inline"`
		Rest         rest      `bson:",inline"`
		Member       string    `bson:"member"`
		State        string    `bson:"state"`
		Posted       string    `bson:"posted"`
		Gross        int64     `bson:"gross"`
		Tax          int64     `bson:"tax"`
		AskedAt      time.Time `bson:"asked_at"`
	}
	sharing struct { // parts stay in Rest
		docstore.Doc `bson:",inline"`
		Rest         rest      `bson:",inline"`
		CompletedAt  time.Time `bson:"completed_at"`
	}
	voucher struct {
		docstore.Doc `bson:",inline"`
		Rest         rest      `bson:",inline"`
		Kind         string    `bson:"kind"`
		From         string    `bson:"from"`
		To           string    `bson:"to"`
		Amount       int64     `bson:"amount"`
		State        string    `bson:"state"`
		Unposted     string    `bson:"unposted"`
		CheckedAt    time.Time `bson:"checked_at"`
	}
)

// What a settlement holds.
type (
	settledLine struct {
		Line    int  `bson:"line"`
		Settled bool `bson:"settled"`
	}
	settledStep struct {
		At    time.Time `bson:"at"`
		Lines []struct {
			Line int `bson:"line"`
		} `bson:"lines"`
	}
)

// sharedPart is one member's of what is paid out of an order's payment.
type sharedPart struct {
	Number string `bson:"number"`
	Member string `bson:"member"`
	State  string `bson:"state"`
	Amount int64  `bson:"amount"`
	Posted bool   `bson:"posted"`
}

// part decodes a field that stayed in Rest; a missing one is left alone.
func part(from rest, key string, into any) error {
	value, there := from[key]
	if !there || value.Type == bson.TypeNull {
		return nil
	}
	if err := value.Unmarshal(into); err != nil {
		return fmt.Errorf("field %s: %w", key, err)
	}
	return nil
}

// The payloads of the events.
type (
	confirmed struct {
		Order     string `bson:"order"`
		Member    string `bson:"member"`
		Campaign  string `bson:"campaign"`
		Community string `bson:"community"`
		Host      string `bson:"host"`
		Grade     string `bson:"grade"`
		Keeper    string `bson:"keeper"`
		Lines     []sold `bson:"lines"`
		Referral  struct {
			Direct string `bson:"direct"`
			Upline string `bson:"upline"`
			Why    string `bson:"why"`
		} `bson:"referral"`
		At time.Time `bson:"confirmed_at"`
	}
	sold struct {
		Line     int    `bson:"line"`
		SKU      string `bson:"sku"`
		Product  string `bson:"product"`
		Category string `bson:"category"`
		Units    int64  `bson:"units"`
		Cost     int64  `bson:"cost"`
		Paid     int64  `bson:"paid"`
	}
	received struct {
		WindowEnds time.Time `bson:"window_ends"`
	}
	refunded struct {
		Lines []struct {
			Line  int   `bson:"line"`
			Total int64 `bson:"total_amount"`
		} `bson:"lines"`
	}
)

// What the events are called, and which consumer turns them into commission.
const (
	orders         = "orders"
	orderConfirmed = "order.Confirmed"
	orderReceived  = "order.Received"
	orderRefunded  = "order.Refunded"
	accruer        = "commission.accrue"
	clawer         = "commission.clawBack"
)

// archive is the opened collections. They declare the indexes their owners declare: a store drops what nobody asks for.
type archive struct {
	store       *docstore.Store
	history     *docstore.Collection[past]
	parked      *docstore.Collection[past]
	orders      *docstore.Collection[envelope]
	policies    *docstore.Collection[policy]
	settlements *docstore.Collection[settlement]
	purses      *docstore.Collection[purse]
	entries     *docstore.Collection[entry]
	seals       *docstore.Collection[seal]
	books       *docstore.Collection[book]
	withdrawals *docstore.Collection[withdrawal]
	sharings    *docstore.Collection[sharing]
	vouchers    *docstore.Collection[voucher]
}

func openArchive(ctx context.Context, store *docstore.Store) (*archive, error) {
	a, errs := &archive{store: store}, [12]error{}
	index := func(name string, fields ...string) docstore.Index { return docstore.Index{Name: name, Fields: fields} }
	sparse := func(name string, fields ...string) docstore.Index {
		return docstore.Index{Name: name, Fields: fields, Sparse: true}
	}
	spec := func(name string, indexes ...docstore.Index) docstore.Spec {
		return docstore.Spec{Name: name, Indexes: indexes}
	}
	emits := func(spec docstore.Spec) docstore.Spec { spec.Emits = true; return spec }
	chained := func(name string, indexes ...docstore.Index) docstore.Spec {
		return docstore.Spec{Name: name, Indexes: indexes, Chained: true}
	}
	a.history, errs[0] = docstore.Open[past](ctx, store, spec(event.HistoryCollection, index("name_at", "name", "at"), index("at", "at")))
	a.parked, errs[1] = docstore.Open[past](ctx, store, spec(event.ParkedCollection, index("parked_at", "parked_at")))
	a.orders, errs[2] = docstore.Open[envelope](ctx, store, emits(spec(orders, index("member", "member", "placed_at"),
		index("campaign", "campaign", "state", "placed_at"), sparse("next", "next_at"), sparse("incident", "incident_at"),
		sparse("paid", "payment.paid_at"), index("host", "host", "placed_at"), sparse("brand", "brand_at"))))
	a.policies, errs[3] = docstore.Open[policy](ctx, store, chained("policies"))
	a.settlements, errs[4] = docstore.Open[settlement](ctx, store, spec("settlements", sparse("due", "due")))
	a.purses, errs[5] = docstore.Open[purse](ctx, store, spec("purses"))
	a.entries, errs[6] = docstore.Open[entry](ctx, store, spec("entries", sparse("unsealed", "unsealed")))
	a.seals, errs[7] = docstore.Open[seal](ctx, store, spec("seals"))
	a.books, errs[8] = docstore.Open[book](ctx, store, spec("books"))
	a.withdrawals, errs[9] = docstore.Open[withdrawal](ctx, store, emits(chained("withdrawals", index("member", "member", "asked_at"),
		index("state", "state", "asked_at"), sparse("next", "next_at"), sparse("incident", "incident_at"),
		sparse("ended", "ended_at"))))
	a.vouchers, errs[10] = docstore.Open[voucher](ctx, store, chained("vouchers", index("state", "state", "made_at"), sparse("unposted", "unposted")))
	a.sharings, errs[11] = docstore.Open[sharing](ctx, store, emits(spec("sharings", sparse("next", "next_at"), sparse("trouble", "trouble_at"), sparse("paid", "paid_last"))))
	return a, errors.Join(errs[:]...)
}
