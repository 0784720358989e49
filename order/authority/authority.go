// Package authority says what a host may return on her own word, and what waits for the brand.
//
// It promises:
//
//   - The policy is data with documented defaults; a verdict names every reason why the brand decides.
//   - What a host has returned on her own word in the period lies side by side in one document (refund_desks / <host>), so
//     that the share of her turnover holds also for decisions made at the same moment by several processes. A word is put
//     there before the money goes; one that came to nothing counts until the period is over.
//   - Asking again about the same refund answers the same.
//
// It never moves an order, and never decides against a buyer: what exceeds a host's word waits, it is not refused.
package authority

import (
	"errors"
	"time"

	"guanxi/internal/money"
)

// Policy is how far a host's word reaches. Zero values mean the defaults.
type Policy struct {
	// Single is the most that goes back of one order on the host's word. Default 200 yuan.
	Single money.Fen
	// Age is how long after its payment an order is hers to decide about. Default 30 days.
	Age time.Duration
	// Share is the most that goes back on her word within Period, in basis points of what her orders of that period have
	// earned net of refunds, her own orders left out. Default 1,000 (10 %).
	Share int64
	// Free goes back within Period whatever the turnover was, so that a new host can put a first order right. Default 300 yuan.
	Free money.Fen
	// Period is what Share and Free count over. Default 30 days.
	Period time.Duration
	// Silence is how long a request waits for the host before the brand answers. Default 48 h.
	Silence time.Duration
	// BrandSingle is the most that goes back of one order on one operator's word; above it two of them must agree.
	// Default 2,000 yuan.
	BrandSingle money.Fen
}

const day = 24 * time.Hour

// WithDefaults fills and checks the policy.
func (p Policy) WithDefaults() (Policy, error) {
	for _, f := range []struct {
		value    *money.Fen
		standard money.Fen
	}{{&p.Single, 200_00}, {&p.Free, 300_00}, {&p.BrandSingle, 2000_00}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
		if *f.value < 0 || *f.value > money.Max {
			return p, errors.New("order: refund policy: amounts must be positive")
		}
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&p.Age, 30 * day}, {&p.Period, 30 * day}, {&p.Silence, 48 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
		if *d.value < 0 || *d.value > 365*day {
			return p, errors.New("order: refund policy: durations must be positive, at most a year")
		}
	}
	if p.Share == 0 {
		p.Share = 1000
	}
	if p.Share < 0 || p.Share > 10_000 {
		return p, errors.New("order: refund policy: Share is in basis points, at most 10,000")
	}
	return p, nil
}

// Why is a reason why the brand decides.
type Why string

// The reasons.
const (
	WhyOwn     Why = "own-order"   // the buyer is the host
	WhyPaused  Why = "host-paused" // the brand has taken her hosting back
	WhyAmount  Why = "amount"      // above Single
	WhyAge     Why = "age"         // paid longer ago than Age
	WhySettled Why = "settled"     // the after-sale window is over: the commission may be paid out
	WhyShare   Why = "share"       // above her share of the turnover
	WhySilence Why = "silence"     // the host did not answer in time
	WhyRefused Why = "refused"     // the host refused; the buyer asks again
	WhyLarge   Why = "large"       // above one operator's word: another one must agree
)

// Case is what a verdict looks at.
type Case struct {
	Own, Paused bool
	Amount      money.Fen // of the refund, with what went back of the order before on the host's word
	PaidAt      time.Time
	Settled     bool // the after-sale window is over, or the order is completed
}

// Reasons lists why the brand decides; none means that the host may, as far as the order tells.
func (p Policy) Reasons(c Case, now time.Time) []Why {
	var all []Why
	for _, one := range []struct {
		why  Why
		true bool
	}{
		{WhyOwn, c.Own},
		{WhyPaused, c.Paused},
		{WhyAmount, c.Amount > p.Single},
		{WhyAge, now.Sub(c.PaidAt) > p.Age},
		{WhySettled, c.Settled},
	} {
		if one.true {
			all = append(all, one.why)
		}
	}
	return all
}

// needed is the turnover that lets a host return so much within the period; 0 when Free covers it.
func (p Policy) needed(given money.Fen) money.Fen {
	if given <= p.Free {
		return 0
	}
	return money.Fen((int64(given)*10_000 + p.Share - 1) / p.Share)
}

// most is what a host may return within the period for a turnover.
func (p Policy) most(turnover money.Fen) money.Fen {
	return max(p.Free, money.Fen(int64(turnover)*p.Share/10_000))
}
