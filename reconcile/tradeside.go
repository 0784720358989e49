package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// tradeSide is what the trade bills round a day say of its fund bill that our books do not know: which numbers belong to
// another program of the merchant, what a payment with a coupon settled at, and which fee went back with a refund. It is
// read when a fund line first needs it.
type tradeSide struct {
	foreign []uint64            // fingerprints, sorted
	moves   map[uint64]settling // of lines that settle at another amount, or with a fee given back
}

type settling struct{ amount, fee money.Fen }

func (t *tradeSide) isForeign(fp uint64) bool {
	_, known := slices.BinarySearch(t.foreign, fp)
	return known
}

// neighbours are the days whose trade bill may have what a day's fund bill has: the two clocks cut days differently.
func neighbours(day string) []string {
	at, _, err := span(day)
	if err != nil {
		return nil
	}
	return []string{dayOf(at.AddDate(0, 0, -1)), day, dayOf(at.AddDate(0, 0, 1))}
}

// readTradeSide reads the kept trade bills, at most Config.Index numbers of either kind.
func (m *matching) readTradeSide(ctx context.Context) error {
	if m.trade != nil {
		return nil
	}
	t := &tradeSide{moves: map[uint64]settling{}}
	for _, day := range neighbours(m.run.Day) {
		r, err := m.s.runs.Get(ctx, runID(Trade, day))
		if errors.Is(err, docstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if r.Evidence == 0 {
			continue
		}
		if err := m.s.eachPage(ctx, r, func(lines []Line) error {
			for i := range lines {
				t.note(&lines[i], &m.s.config)
			}
			return m.beat(ctx)
		}); err != nil {
			return err
		}
	}
	slices.Sort(t.foreign)
	m.trade = t
	return nil
}

func (t *tradeSide) note(l *Line, c *Config) {
	if !l.Move.matched() || l.Number == "" {
		return
	}
	fp := fingerprint(l.Move, l.Number)
	switch {
	case c.foreign(l):
		if len(t.foreign) < c.Index {
			t.foreign = append(t.foreign, fp)
		}
	case l.Settled != 0 || l.Move == Refund && l.Fee != 0:
		if len(t.moves) < c.Index {
			t.moves[fp] = settling{l.settled(), l.Fee}
		}
	}
}

// reconsider asks the trade bills about a fund line that does not meet our books. "" is agreement after all; foreign, that it
// is none of ours.
func (m *matching) reconsider(ctx context.Context, l *Line, ours *Fact, kind Difference) (_ Difference, foreign bool, err error) {
	if m.run.Statement == Trade || l.Move == Transfer || kind != AmountWrong && kind != MissingOurs {
		return kind, false, nil
	}
	if err := m.readTradeSide(ctx); err != nil {
		return kind, false, err
	}
	fp := fingerprint(l.Move, l.Number)
	if kind == MissingOurs {
		return kind, m.trade.isForeign(fp), nil
	}
	want, known := m.trade.moves[fp]
	if !known {
		want.amount = ours.Amount
	}
	switch {
	case l.Amount == want.amount:
		return "", false, nil
	case l.Move == Refund && m.netOfFee(l, want):
		m.run.Seen.NetRefunds++
		return "", false, nil
	}
	return kind, false, nil
}

// netOfFee reports whether a refund's row is less the fee that went back with it, by the trade bill or by its own remark.
// Manuals do not say which of the two forms a merchant gets; both are taken.
func (m *matching) netOfFee(l *Line, want settling) bool {
	if want.fee < 0 && l.Amount == want.amount+want.fee {
		return true
	}
	return l.Fee > 0 && l.Settled == want.amount && l.Amount == l.Settled-l.Fee
}

// wakeFunds asks the fund runs that wait for this bill to go on, and those that differ round this day to look again: it may
// explain what they could not know.
func (m *matching) wakeFunds() {
	seen := &m.run.Seen
	switch {
	case m.run.Statement == Trade:
		explains := seen.Foreign > 0 || seen.Coupons > 0 || seen.Fees+seen.FeesBack > 0
		for _, day := range neighbours(m.run.Day) {
			for _, s := range m.s.config.Accounts {
				m.nudge[runID(s, day)] = explains
			}
		}
	case m.run.Statement != Funds:
		m.nudge[runID(Funds, m.run.Day)] = m.run.Matched > 0
	}
}

// errAfterOthers says that another bill of the day should be here first: what it says explains lines of this one.
var errAfterOthers = errors.New("reconcile: waits for the other bills of the day")

// others are a fund bill's: the trade bill and, for the basic account, the other accounts'.
func (m *matching) others() []string {
	if m.run.Statement == Trade {
		return nil
	}
	runs := []string{runID(Trade, m.run.Day)}
	if m.run.Statement == Funds {
		for _, s := range m.s.config.Accounts {
			if s != Funds {
				runs = append(runs, runID(s, m.run.Day))
			}
		}
	}
	return runs
}

// patience is how often a bill that cannot be had is waited for before the others go on without it.
const patience = 3

// awaitOthers answers errAfterOthers while a bill that this one leans on is still expected to come.
func (m *matching) awaitOthers(ctx context.Context) error {
	for _, id := range m.others() {
		r, err := m.s.runs.Get(ctx, id)
		if errors.Is(err, docstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if r.Evidence == 0 && r.State != Lost && r.Failures < patience && m.s.clock.Now().Sub(m.run.MadeAt) < othersWithin {
			return errAfterOthers
		}
	}
	return nil
}

// How long a fund bill waits for the others at most, and how often it looks.
const (
	othersWithin = 2 * time.Hour
	othersPause  = 2 * time.Minute
)
