package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/money"
)

// bookMembers is how many members are paid, whatever the size: how many purses an entry's seal touches must not depend
// on it. One of them, the host, is paid by every sale.
const (
	bookMembers = 10_000
	bookHost    = "host"
)

// book is a ledger with so many accruals, and how far the parts have used them up.
type book struct {
	*ledger
	place    *place
	size     int
	accrued  int      // sales 0 to accrued-1 are in the ledger
	refunded int      // of them, 0 to refunded-1 have been refunded in half
	due      int      // size to due-1 have been received, so that they settle
	settled  int      // so many SettleDue has told of
	paid     int      // withdrawals
	payees   []string // who has something to withdraw
	readers  []string // whose purses are looked at, popular ones more often
}

func bookSizes(largest int) []int {
	var sizes []int
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		if n < largest {
			sizes = append(sizes, n)
		}
	}
	return append(sizes, largest)
}

// runLedger keeps ledgers of all sizes open side by side; what the machine does besides hits them alike. Parts that only
// read come first: they see exactly so many entries.
func runLedger(ctx context.Context, o Options, emit func(Row)) (err error) {
	var books []*book
	defer func() {
		for _, b := range books {
			err = errors.Join(err, b.close())
		}
	}()
	for _, size := range bookSizes(o.size(1_000_000)) {
		b, err := openBook(ctx, o, size)
		if err != nil {
			return err
		}
		books = append(books, b)
	}
	for _, p := range bookParts() {
		if err := p.run(ctx, o, books, emit); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, b := range books {
		row, err := b.check(ctx, o)
		if err != nil {
			return err
		}
		emit(row)
	}
	return nil
}

func openBook(ctx context.Context, o Options, size int) (_ *book, err error) {
	b := &book{size: size, due: size}
	if b.place, err = openPlace(ctx, o); err != nil {
		return nil, err
	}
	if b.ledger, err = openLedger(ctx, b.place, bookMembers, o.Mongo == ""); err != nil {
		b.place.close()
		return nil, err
	}
	b.host = bookHost
	if err := b.accrueTo(ctx, o, size); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.chooseReaders()
	return b, nil
}

// chooseReaders leaves away members whose purses do not show as many lines as a purse can: in a small ledger there are
// more of them, and that would make its readings cheaper.
func (b *book) chooseReaders() {
	const full = 32
	lines := map[string]int{}
	for n := range b.size {
		sale := b.sale(n)
		lines[sale.Referral.Direct]++
		lines[sale.Referral.Upline]++
	}
	for _, member := range b.members {
		if lines[member] >= full {
			b.readers = append(b.readers, member)
		}
	}
	if len(b.readers) == 0 {
		b.readers = b.members
	}
}

func (b *book) close() error {
	err := b.ledger.close()
	b.place.close()
	return err
}

// accrueTo makes sure that so many sales have been accrued.
func (b *book) accrueTo(ctx context.Context, o Options, n int) error {
	first := b.accrued
	if n <= first {
		return nil
	}
	what := fmt.Sprintf("ledger: fill %d", b.size)
	if err := each(ctx, o, what, 256, n-first, func(ctx context.Context, i int) error { return b.Accrue(ctx, b.sale(first+i)) }); err != nil {
		return err
	}
	b.accrued = n
	return b.rest(ctx)
}

// rest ends when nothing is left to do for what has been posted: sealed, in the purses, marked.
func (b *book) rest(ctx context.Context) error {
	return errors.Join(b.CatchUp(ctx), b.Tidy(ctx))
}

// part is something that is done to ledgers.
type part struct {
	name    string
	callers int
	most    func(smallest, turns int) int                              // operations of a lap; nil = only time ends it
	ready   func(ctx context.Context, o Options, b *book, n int) error // makes n operations possible; nil = they are
	first   func(b *book) int                                          // number of the lap's first operation
	do      func(ctx context.Context, b *book, n int) (ops int, err error)
	done    func(b *book, next, ops int) // takes note; nil = nothing changed
	goals   func(r *Row)
}

// run lets the part's laps take turns over the ledgers.
func (p *part) run(ctx context.Context, o Options, books []*book, emit func(Row)) error {
	callers, turns, until := p.callers, o.Laps+1, o.lap()
	if callers > 1 {
		callers = o.callers(callers)[0]
	}
	if p.most != nil {
		until.ops = max(1, p.most(books[0].size, turns))
		if o.Ops > 0 {
			until.ops = min(until.ops, o.Ops)
		}
	}
	measured, growths := make([]laps, len(books)), make([][]float64, len(books))
	for turn := range turns { // the first one warms up
		o.Progress("ledger: "+p.name, turn, turns)
		cost := make([]float64, len(books))
		for at, b := range books {
			one, err := p.lap(ctx, o, b, callers, until)
			if err != nil {
				return err
			}
			if turn == 0 {
				continue
			}
			measured[at].ours = append(measured[at].ours, one)
			cost[at] = one.cpu.Seconds() / float64(max(one.ops, 1))
			growths[at] = append(growths[at], cost[at]/cost[0])
		}
	}
	for at, b := range books {
		row := measured[at].row("ledger", p.name, callers, b.size)
		row.Growth = median(growths[at])
		if p.goals != nil {
			p.goals(&row)
		}
		if at > 0 && at == len(books)-1 {
			row.atMost("growth", row.Growth, growthLimit)
		}
		emit(row)
	}
	return nil
}

// lap is one turn. Its time is the callers'; its cost is all that follows from it, too: sealing, purses, marking.
func (p *part) lap(ctx context.Context, o Options, b *book, callers int, until limit) (lap, error) {
	if p.ready != nil {
		if err := errors.Join(p.ready(ctx, o, b, until.ops), b.rest(ctx)); err != nil {
			return lap{}, err
		}
	}
	first, ops := 0, atomic.Int64{}
	if p.first != nil {
		first = p.first(b)
	}
	end := first + until.ops
	l, next, err := drive(ctx, callers, first, until, func(ctx context.Context, _, n int) error {
		if p.most != nil && n >= end {
			return errStop
		}
		did, err := p.do(ctx, b, n)
		ops.Add(int64(did))
		return err
	})
	if err != nil {
		return lap{}, err
	}
	l.ops = int(ops.Load())
	if p.most != nil {
		next = min(next, end)
	}
	if p.done == nil {
		return l, nil
	}
	p.done(b, next, l.ops)
	cpu := processCPU()
	err = b.rest(ctx)
	l.cpu += processCPU() - cpu
	return l, err
}

// check proves that everything that was acknowledged is there, once.
func (b *book) check(ctx context.Context, o Options) (Row, error) {
	o.Progress(fmt.Sprintf("ledger: check %d", b.size), 0, 0)
	if err := b.rest(ctx); err != nil {
		return Row{}, err
	}
	var report *commission.Report
	one, _, err := drive(ctx, 1, 0, limit{ops: 1}, func(ctx context.Context, _, _ int) (err error) {
		report, err = b.Verify(ctx, nil)
		return err
	})
	if err != nil {
		return Row{}, err
	}
	one.ops = int(report.Entries)
	all := laps{ours: []lap{one}}
	row := all.row("ledger", "check", 1, b.size)
	count := func(is, must int64) {
		row.Lost += max(must-is, 0)
		row.Doubled += max(is-must, 0)
	}
	count(report.Entries, int64(b.accrued+b.due-b.size+b.refunded+2*b.paid))
	count(int64(b.settled), int64(b.due-b.size))
	purse, err := b.Purse(ctx, bookHost)
	if err != nil {
		return Row{}, err
	}
	count(purse.Lines, int64(b.accrued+b.due-b.size+b.refunded))
	count(int64(purse.Pending+purse.Available), int64(b.earned()))
	row.Lost += int64(len(report.Differences)) + report.More + report.Unsealed + report.Moving
	row.nothingWrong()
	return row, nil
}

// earned is what the host must have.
func (b *book) earned() (sum money.Fen) {
	for n := range b.accrued {
		sale := b.sale(n)
		paid, left := sale.Lines[0].Paid, money.Fen(0)
		if n < b.refunded {
			left = half(paid)
		}
		e := policy.Compute(b.policy, sale)
		for i := range e.Postings {
			if member, _, ok := e.Postings[i].Account.Member(); ok && member == bookHost {
				sum += e.Postings[i].Amount - e.Postings[i].Amount.Share(left, paid)
			}
		}
	}
	return sum
}

func half(f money.Fen) money.Fen { return f / 2 }

// received is when every order was received: its window is over.
func (b *book) received() time.Time { return b.at.Add(-time.Second) }
