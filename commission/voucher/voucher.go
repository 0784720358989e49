// Package voucher bounds what people may post by hand: how much a voucher may be, how much one maker may propose in a day,
// from which amount a second checker is needed, and that no more is taken back from a purse than was ever paid into it.
//
// The limits are rules without I/O. What must hold between vouchers stands in two documents, each changed by one
// conditional write, so that it holds for all processes: a maker's day and a purse's takings. A use is counted before what
// it is for happens and under its voucher's id: repeating it counts once, and whoever dies in between has counted too
// much, never too little.
package voucher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// Limits are the bounds; zero values take the defaults.
type Limits struct {
	Most         money.Fen // of one adjustment or incentive. Default 20,000 yuan
	MakerDay     money.Fen // of all adjustments and incentives that one maker proposes in a business day. Default 50,000 yuan
	TwoFrom      money.Fen // from here an adjustment or incentive takes two checkers. Default 2,000 yuan
	TransferMost money.Fen // of one transfer between the brand's own accounts. Default 1,000,000 yuan
	TransferTwo  money.Fen // from here a transfer takes two checkers. Default 100,000 yuan
}

// Complete fills in the defaults and checks.
func (l *Limits) Complete() error {
	for _, one := range []struct {
		field    *money.Fen
		standard money.Fen
	}{
		{&l.Most, 20_000_00}, {&l.MakerDay, 50_000_00}, {&l.TwoFrom, 2_000_00}, {&l.TransferMost, 1_000_000_00}, {&l.TransferTwo, 100_000_00},
	} {
		if *one.field == 0 {
			*one.field = one.standard
		}
		if *one.field < 1 || *one.field > money.Max {
			return errors.New("voucher: limits: an amount is out of range")
		}
	}
	return nil
}

// Ceiling is the most of one voucher.
func (l *Limits) Ceiling(transfer bool) money.Fen {
	if transfer {
		return l.TransferMost
	}
	return l.Most
}

// Needs is how many checkers a voucher takes beside its maker.
func (l *Limits) Needs(transfer bool, amount money.Fen) int {
	from := l.TwoFrom
	if transfer {
		from = l.TransferTwo
	}
	if amount >= from {
		return 2
	}
	return 1
}

// The ways to say no.
var (
	// ErrCeiling: more than one voucher of its kind may be.
	ErrCeiling = fault.Define("COM_VOUCHER_CEILING", fault.Denied, "超过单张凭证的金额上限。", "More than one voucher may be.")
	// ErrMakerDay: the maker has proposed as much today as one may, in money or in number.
	ErrMakerDay = fault.Define("COM_VOUCHER_DAY", fault.Denied, "您今天提交的凭证已达上限，请由其他同事提交。",
		"You have proposed as much today as one person may; ask a colleague.")
	// ErrTaken: more would be taken back than was paid.
	ErrTaken = fault.Define("COM_VOUCHER_TOO_MUCH", fault.Conflict, "扣回的金额超过已付给此人（或该笔分录已付）的金额。",
		"More would be taken back than was paid to this person, or by the corrected entry.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault { return []*fault.Fault{ErrCeiling, ErrMakerDay, ErrTaken} }

// use is one voucher's part of a document.
type use struct {
	Voucher string    `bson:"voucher"`
	Amount  money.Fen `bson:"amount"`
	At      time.Time `bson:"at"`
}

// makerDay is what one maker has proposed on a business day. Id = <maker>/<day>.
type makerDay struct {
	docstore.Doc `bson:",inline"`
	Sum          money.Fen `bson:"sum"`
	Vouchers     []string  `bson:"vouchers"` // at most MostADay
}

// takings is what is being taken back from a purse and may not be folded into it yet. Id = member.
type takings struct {
	docstore.Doc `bson:",inline"`
	Open         []use `bson:"open"` // at most mostOpen
}

const (
	// MostADay is how many vouchers one maker may propose on a business day.
	MostADay = 500
	mostOpen = 200
)

// Desk keeps the documents.
type Desk struct {
	days    *docstore.Collection[makerDay]
	takings *docstore.Collection[takings]
	clock   clock.Clock
	limits  Limits
}

// Open opens the collections. Limits are complete.
func Open(ctx context.Context, store *docstore.Store, c clock.Clock, l Limits) (*Desk, error) {
	days, err := docstore.Open[makerDay](ctx, store, docstore.Spec{Name: "voucher_days", ShardKey: "_id"})
	if err != nil {
		return nil, err
	}
	taken, err := docstore.Open[takings](ctx, store, docstore.Spec{Name: "voucher_takings", ShardKey: "_id"})
	if err != nil {
		return nil, err
	}
	return &Desk{days: days, takings: taken, clock: c, limits: l}, nil
}

// Propose counts a voucher against its maker's day; transfers between the brand's own accounts count by number only.
// Codes: COM_VOUCHER_CEILING, COM_VOUCHER_DAY.
func (d *Desk) Propose(ctx context.Context, maker, voucher string, transfer bool, amount money.Fen) error {
	if amount > d.limits.Ceiling(transfer) {
		return ErrCeiling
	}
	if transfer {
		amount = 0
	}
	_, err := d.days.Upsert(ctx, maker+"/"+clock.Day(d.clock.Now()), func(day *makerDay) error {
		switch {
		case slices.Contains(day.Vouchers, voucher):
			return nil
		case len(day.Vouchers) >= MostADay || day.Sum+amount > d.limits.MakerDay:
			return ErrMakerDay
		}
		day.Sum, day.Vouchers = day.Sum+amount, append(day.Vouchers, voucher)
		return nil
	})
	return wrap("propose", err)
}

// Open lists the vouchers whose takings a purse may not hold yet.
func (d *Desk) Open(ctx context.Context, member string) ([]string, error) {
	t, err := d.takings.Get(ctx, member)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("open", err)
	}
	ids := make([]string, len(t.Open))
	for i, u := range t.Open {
		ids[i] = u.Voucher
	}
	return ids, nil
}

// Taking is a voucher that takes money back.
type Taking struct {
	Member, Voucher string
	Amount          money.Fen
	Paid            money.Fen       // what the purse holds that was ever paid into it and is not back
	Folded          map[string]bool // vouchers of Open that Paid knows of already
}

// Take counts a voucher that takes money back. Codes: COM_VOUCHER_TOO_MUCH.
func (d *Desk) Take(ctx context.Context, in Taking) error {
	now := d.clock.Now()
	_, err := d.takings.Upsert(ctx, in.Member, func(t *takings) error {
		t.Open = slices.DeleteFunc(t.Open, func(u use) bool { return in.Folded[u.Voucher] })
		left := in.Paid
		for _, u := range t.Open {
			if u.Voucher == in.Voucher {
				return nil
			}
			left -= u.Amount
		}
		if in.Amount > left || len(t.Open) >= mostOpen {
			return ErrTaken
		}
		t.Open = append(t.Open, use{in.Voucher, in.Amount, now})
		return nil
	})
	return wrap("take", err)
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("voucher %s: %w", operation, err)
}
