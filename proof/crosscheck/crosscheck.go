package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
)

// Orders is what is read of the orders (order.Service).
type Orders interface {
	Each(ctx context.Context, visit func(*order.Order) error) error
	Many(ctx context.Context, orders []string) (map[string]*order.Order, error)
}

// Ledger is what is read of the ledger (commission.Service).
type Ledger interface {
	// StreamEntries gives the sealed entries in chain order; to 0 is the newest seal.
	StreamEntries(ctx context.Context, from, to int64, visit func(*commission.Seal, []*commission.Entry) error) error
	// Entries loads the entries that exist by id, sealed or not; maxEntries at most are asked for at once.
	Entries(ctx context.Context, ids []string) (map[string]*commission.Entry, error)
}

// Campaigns is what is read of the campaigns (groupbuy.Archive).
type Campaigns interface {
	// Doomed tells which campaigns will never take place, and since when.
	Doomed(ctx context.Context, campaigns []string) (map[string]time.Time, error)
}

// Withdrawals is what is read of the withdrawals (withdrawal.Service).
type Withdrawals interface {
	Each(ctx context.Context, visit func(*withdrawal.Withdrawal) error) error
	// Get answers withdrawal.ErrNotFound for a number nobody has.
	Get(ctx context.Context, number string) (*withdrawal.Withdrawal, error)
}

// Deps is what Run works with. Campaigns, Withdrawals, Years, TaxTables and Sharings may be nil: then they are not looked at.
type Deps struct {
	Orders      Orders
	Ledger      Ledger
	Campaigns   Campaigns
	Withdrawals Withdrawals
	Years       TaxYears  // looked at together with Withdrawals
	TaxTables   TaxTables // without them no tax is computed again
	Sharings    Sharings
	Clock       clock.Clock
	Config      Config
}

// Config are the bounds. Zero values mean the defaults.
type Config struct {
	// Grace is how long the answer of one domain to another may be under way. Default 10 min.
	Grace time.Duration
	// Batch is how many orders or withdrawals are compared at once. Default 500, at most 5,000.
	Batch int
	// Differences bounds the differences that are named; all are counted. Default 100.
	Differences int
}

// Report is what Run found.
type Report struct {
	Orders      int64 // confirmed orders that were compared
	Refunds     int64 // their refunds that are done
	Entries     int64 // sealed entries that were compared
	Withdrawals int64
	TaxYears    int64
	Sharings    int64
	Before      int64        // orders whose accrual holds no digest of them: an earlier release accrued it
	Young       int64        // passed over, because the answer may still be under way
	Differences []Difference // the first ones, in the order they were found
	More        int64        // differences beyond those
}

// Good tells whether nothing differs.
func (r *Report) Good() bool { return len(r.Differences) == 0 }

// Difference is one thing that is not as it must be.
type Difference struct {
	Rule    string // order, accrual, claw-back, settle, owed, withdrawal, tax year, sharing or transfer
	Subject string // id of the order, withdrawal, part or entry
	Text    string
}

// Progress is told after every batch.
type Progress struct {
	Stage string // orders, ledger, withdrawals, tax years, sharings
	Done  int64  // of that stage, so far
}

type run struct {
	Deps
	report   Report
	progress func(Progress)
	before   time.Time // what happened before is old enough
}

// Run compares everything. Progress may be nil. An error means that it could not be finished; what was found until then
// stands in the report.
func Run(ctx context.Context, d Deps, progress func(Progress)) (*Report, error) {
	if d.Orders == nil || d.Ledger == nil || d.Clock == nil {
		return nil, errors.New("crosscheck: orders, ledger and clock are required")
	}
	if d.Config.Grace == 0 {
		d.Config.Grace = 10 * time.Minute
	}
	if d.Config.Batch == 0 {
		d.Config.Batch = 500
	}
	if d.Config.Differences == 0 {
		d.Config.Differences = 100
	}
	if d.Config.Grace < 0 || d.Config.Batch < 0 || d.Config.Batch > 5000 || d.Config.Differences < 0 {
		return nil, errors.New("crosscheck: bounds must be positive, Batch at most 5,000")
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &run{Deps: d, progress: progress, before: d.Clock.Now().Add(-d.Config.Grace)}
	for _, stage := range []struct {
		name string
		do   func(context.Context) error
	}{{"orders", r.orders}, {"ledger", r.ledger}, {"withdrawals", r.withdrawals}, {"tax years", r.taxYears}, {"sharings", r.sharings}} {
		if err := stage.do(ctx); err != nil {
			return &r.report, fmt.Errorf("crosscheck %s: %w", stage.name, err)
		}
	}
	return &r.report, nil
}

const maxEntries = 5000

// entries loads entries by id, any number of them.
func (r *run) entries(ctx context.Context, ids []string) (map[string]*commission.Entry, error) {
	all := make(map[string]*commission.Entry, len(ids))
	for part := range slices.Chunk(ids, maxEntries) {
		found, err := r.Ledger.Entries(ctx, part)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// young tells whether something happened so lately that its answer may still be under way.
func (r *run) young(at time.Time) bool { return at.After(r.before) }

func (r *run) tell(all []Difference) {
	for _, d := range all {
		if len(r.report.Differences) >= r.Config.Differences {
			r.report.More++
			continue
		}
		r.report.Differences = append(r.report.Differences, d)
	}
}

func differ(rule, subject, format string, args ...any) Difference {
	return Difference{Rule: rule, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

// moved sums what an entry moves on an account.
func moved(e *commission.Entry, account commission.Account) money.Fen {
	sum := money.Fen(0)
	for i := range e.Postings {
		if e.Postings[i].Account == account {
			sum += e.Postings[i].Amount
		}
	}
	return sum
}
