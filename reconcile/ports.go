package reconcile

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/money"
)

// What reconcile needs from others. Each interface is joined in app.

// Bills downloads the platform's statements of a business day (2006-01-02, Shanghai). Each is called once per line, in the bill's order;
// its error ends the download and is returned. The totals are those the bill itself states, not a sum over the
// lines. A bill that cannot be read to its end, or whose checksum is wrong, is an error, never a shorter bill.
// Errors: ErrNoStatement (nothing happened that day), ErrNotYet (still being made), anything else = try again later.
type Bills interface {
	Trade(ctx context.Context, day string, each func(TradeLine) error) (Totals, error)
	// Funds gives the bill of one account: Funds, Operation or Fees.
	Funds(ctx context.Context, account Statement, day string, each func(FundLine) error) (Totals, error)
}

// The two answers of a platform that are not failures.
var (
	// ErrNoStatement: there is no bill because nothing happened that day.
	ErrNoStatement = errors.New("reconcile: no statement exists for this day")
	// ErrNotYet: the bill is still being made.
	ErrNotYet = errors.New("reconcile: the statement is not ready yet")
)

// Unreadable says that a bill is there and cannot be used, or will not be given: people must look. Unlike a silence, it is told
// at once.
type Unreadable struct {
	Words string // for staff, in Chinese: a line and a column, or the platform's code; never what stood there
	Err   error
}

func (u *Unreadable) Error() string { return "reconcile: " + u.Words }

// Unwrap gives what lies behind it.
func (u *Unreadable) Unwrap() error { return u.Err }

// Ours are our own books: orders for payments and refunds, withdrawals for transfers.
type Ours interface {
	// Lookup finds what we know under the platform-side numbers of one kind of movement, whatever its day and state.
	// Unknown numbers are absent. At most LookupBatch numbers are asked for at once.
	Lookup(ctx context.Context, of Movement, numbers []string) (map[string]Fact, error)
	// Each streams, in any order, the movements of the given kinds that are done and whose At is in [from, to).
	// What else it gives (other days, open ones) is passed over.
	Each(ctx context.Context, of []Movement, from, to time.Time, each func(Fact) error) error
}

// LookupBatch is the most numbers asked for at once.
const LookupBatch = 500

// FactState is how far one of our movements is.
type FactState string

// The states of a fact.
const (
	FactOpen   FactState = "open"   // expected or under way; no money has moved as far as we know
	FactDone   FactState = "done"   // our books say that the money moved
	FactFailed FactState = "failed" // our books say that it never will
	FactStuck  FactState = "stuck"  // the platform could not, and people must act
)

// Fact is one movement as our books have it.
type Fact struct {
	Move     Movement  `bson:"move"`
	Number   string    `bson:"number"`             // the number we gave it: order, refund or withdrawal
	Platform string    `bson:"platform,omitempty"` // the platform's own number, when we know it
	Order    string    `bson:"order,omitempty"`    // what to open in the console
	Amount   money.Fen `bson:"amount"`             // never negative; the movement says the direction
	State    FactState `bson:"state"`
	At       time.Time `bson:"at,omitempty"` // when the money moved, by the platform's clock; zero unless done
}
