package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
)

// The parts of the ledger's scenario: those that only read come first. An operation of rebuild and verify is an entry,
// one of dry-run a line of a sale, one of settle an order.
func bookParts() []part { return append(readingParts(), postingParts()...) }

func one(err error) (int, error) { return 1, err }

func readingParts() []part {
	return []part{
		{
			name: "purse", callers: 32,
			do: func(ctx context.Context, b *book, n int) (int, error) {
				_, err := b.Purse(ctx, b.reader(n))
				return one(err)
			},
			goals: atLeast(20_000),
		},
		{
			name: "purse-page", callers: 1, do: pursePage,
			goals: func(r *Row) { r.atMost("p99 ms", r.P99, 20) },
		},
		{
			name: "rebuild", callers: 1,
			do: func(ctx context.Context, b *book, _ int) (int, error) {
				return b.accrued, b.Rebuild(ctx)
			},
			goals: atLeast(100_000),
		},
		{name: "verify", callers: 1, do: verifyBook, goals: atLeast(100_000)},
		{
			name: "dry-run", callers: 1, do: dryRunBook,
			goals: func(r *Row) { // p50 is a whole run
				if r.Size >= 1_000_000 {
					r.atMost("seconds for all", r.P50/1000, 20)
				}
			},
		},
	}
}

func postingParts() []part {
	half := func(smallest, _ int) int { return smallest / 2 }
	return []part{
		{
			name: "accrue", callers: 32, most: half,
			first: func(b *book) int { return b.accrued },
			do: func(ctx context.Context, b *book, n int) (int, error) {
				return one(b.Accrue(ctx, b.sale(n)))
			},
			done:  func(b *book, next, _ int) { b.accrued = next },
			goals: atLeast(8000),
		},
		{
			// One caller is how it is meant to be used: it works on several pages at a time by itself.
			name: "settle", callers: 1, most: half, ready: receive, do: settleDue,
			done:  func(b *book, _, ops int) { b.settled += ops },
			goals: atLeast(8000),
		},
		{
			name: "claw-back", callers: 32,
			most:  func(smallest, turns int) int { return smallest / turns },
			first: func(b *book) int { return b.refunded },
			do: func(ctx context.Context, b *book, n int) (int, error) {
				return one(b.ClawBack(ctx, b.refund(n)))
			},
			done:  func(b *book, next, _ int) { b.refunded = next },
			goals: atLeast(4000),
		},
		{
			name: "withdraw", callers: 8, most: func(smallest, _ int) int { return smallest / 10 },
			ready: findPayees,
			first: func(b *book) int { return b.paid },
			do:    func(ctx context.Context, b *book, n int) (int, error) { return one(b.withdraw(ctx, n)) },
			done:  func(b *book, next, _ int) { b.paid = next },
		},
	}
}

func atLeast(perSecond float64) func(*Row) {
	return func(r *Row) { r.atLeast("per second", r.PerSecond, perSecond) }
}

// reader n looks at the host's purse every eighth time, otherwise at a member's, popular ones more often.
func (b *book) reader(n int) string {
	x := (uint64(n) + 1) * 0x9e3779b97f4a7c15
	if n%8 == 0 {
		return bookHost
	}
	return b.readers[(x>>40)%uint64(len(b.readers))]
}

// pursePage is what the host sees: the purse, and a page from anywhere in the statement; as many places are looked at
// in a long statement as in a short one.
func pursePage(ctx context.Context, b *book, n int) (int, error) {
	purse, err := b.Purse(ctx, bookHost)
	if err != nil {
		return 0, err
	}
	if purse.Lines != int64(b.accrued) {
		return 0, fmt.Errorf("the host has %d lines of %d", purse.Lines, b.accrued)
	}
	after := 2 + int(uint64(n%active)*2654435761%uint64(max(b.accrued-1, 1)))
	page, err := b.Statement(ctx, bookHost, commission.Page{Size: 32, After: strconv.Itoa(after)})
	if err == nil && len(page.Lines) == 0 {
		err = errors.New("the page is empty")
	}
	return 1, err
}

func verifyBook(ctx context.Context, b *book, _ int) (int, error) {
	report, err := b.Verify(ctx, nil)
	if err == nil && !report.Good() {
		err = fmt.Errorf("%d differences, the first: %v", len(report.Differences), report.Differences[0])
	}
	if err != nil {
		return 0, err
	}
	return int(report.Entries), nil
}

// dryRunBook asks what all sales would have paid under other rates.
func dryRunBook(ctx context.Context, b *book, _ int) (int, error) {
	draft := policy.Policy{Cap: 3000, SecondLevel: true, Rules: []policy.Rule{
		{Category: "水果", Pays: []policy.Pay{{Role: commission.Direct, Rate: 800}, {Role: commission.Host, Rate: 700}}},
		{Pays: []policy.Pay{{Role: commission.Direct, Rate: 1000}}},
	}}
	run, err := b.DryRun(ctx, draft, b.at.Add(-time.Hour), b.at.Add(day), nil)
	if err == nil && run.Lines != int64(b.accrued) {
		err = fmt.Errorf("it saw %d lines of %d", run.Lines, b.accrued)
	}
	return b.accrued, err
}

const day = 24 * time.Hour

// receive lets the buyers of so many orders that wait say that they have their goods, long enough ago.
func receive(ctx context.Context, o Options, b *book, n int) error {
	first := b.due
	if err := b.accrueTo(ctx, o, first+n); err != nil {
		return err
	}
	b.due += n
	return each(ctx, o, fmt.Sprintf("ledger: receipts %d", b.size), 256, n, func(ctx context.Context, i int) error {
		return b.StartWindow(ctx, b.sale(first+i).Order, b.received(), b.received())
	})
}

func settleDue(ctx context.Context, b *book, _ int) (int, error) {
	n, err := b.SettleDue(ctx)
	if err == nil && n == 0 {
		err = errStop
	}
	return n, err
}

// refund n gives half of sale n back.
func (b *book) refund(n int) commission.Refund {
	sale := b.sale(n)
	paid := sale.Lines[0].Paid
	return commission.Refund{
		Order: sale.Order, Number: "r" + strconv.Itoa(n), At: b.at,
		Lines: []commission.RefundLine{{Line: 1, Refunded: half(paid), Paid: paid}},
	}
}

// findPayees looks once who of those whose orders have settled has money: all but the host.
func findPayees(ctx context.Context, _ Options, b *book, _ int) error {
	seen := map[string]bool{}
	for n := b.size; n < b.due && b.paid == 0; n++ {
		member := b.sale(n).Referral.Direct
		if seen[member] {
			continue
		}
		seen[member] = true
		has, err := b.Spendable(ctx, member)
		if err != nil {
			return err
		}
		if has.Free >= 100 {
			b.payees = append(b.payees, member)
		}
	}
	if len(b.payees) == 0 {
		return errors.New("nobody has anything to withdraw")
	}
	return nil
}

// withdraw n asks for one fen and is paid.
func (b *book) withdraw(ctx context.Context, n int) error {
	member, number := b.payees[n%len(b.payees)], "w"+strconv.Itoa(n)
	err := b.Reserve(ctx, commission.Hold{Member: member, Number: number, Amount: 1, At: b.at})
	if err != nil {
		return err
	}
	return b.ConfirmPayout(ctx, commission.Payout{Member: member, Number: number, Amount: 1, At: b.at})
}
