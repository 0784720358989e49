package commission

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Kind is what an entry does.
type Kind string

// The kinds of entries.
const (
	Accrue   Kind = "accrue"   // a confirmed sale: brand's expense → members' pending
	Settle   Kind = "settle"   // the window is over: pending → available
	ClawBack Kind = "clawback" // a refund: back to the brand, from pending or (after settlement) from available
)

// Account is a named account of a book. The brand's are fixed; a member has one per Pot.
type Account string

// CommissionExpense is what the brand spends on commission.
const CommissionExpense Account = "brand:commission-expense"

// Pot is one of a member's accounts.
type Pot string

// The pots of a member.
const (
	Pending     Pot = "pending"     // earned, waiting for the after-sale window
	Available   Pot = "available"   // can be withdrawn; negative after a late refund, later earnings fill it first
	Withdrawing Pot = "withdrawing" // on its way out
	Withdrawn   Pot = "withdrawn"   // paid out
)

// Of names a member's account.
func (p Pot) Of(member string) Account { return Account("member:" + member + ":" + string(p)) }

// Member splits a member's account; ok is false for the brand's.
func (a Account) Member() (member string, pot Pot, ok bool) {
	rest, ok := strings.CutPrefix(string(a), "member:")
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 1 {
		return "", "", false
	}
	return rest[:i], Pot(rest[i+1:]), true
}

// Posting is one line of an entry. Amount is signed; the amounts of an entry sum to zero.
type Posting struct {
	Account Account
	Amount  money.Fen
	Line    int       // the sale's line it belongs to; 0 for the brand's side
	Role    Role      // in which capacity the member is paid; "" for the brand's side
	Rule    string    // Rule.Name that decided, on accruals
	Full    money.Fen // what it would have been without the sale's cap; 0 when the cap did not bite
}

// Entry is one immutable, balanced document of the ledger. Its Text is the entry: canonical, readable, hashed.
type Entry struct {
	ID       string // accrue/<order>, settle/<order>[/<line>], clawback/<order>/<refund>
	Book     string
	Kind     Kind
	Order    string
	At       time.Time
	Policy   int // version of the policy; accruals only
	Postings []Posting

	// Facts of an accrual: enough to compute it again.
	Campaign, Host, Pickup string
	Referral               Referral
	Lines                  []SaleLine
	Cap                    money.Fen // the most the sale could pay; 0 with Capped false when it did not bite
	Capped                 bool

	Refund   string         // number of the refund; claw-backs only
	Refunded []RefundedLine // claw-backs only

	Hash [sha256.Size]byte // over ID and Text
	Seal int64             // number of its seal once the sealer has marked it; 0 before
}

// RefundedLine is how far a claw-back moved a line: from one cumulative refund to the next.
type RefundedLine struct {
	Line     int
	From, To money.Fen
	Paid     money.Fen
	Settled  bool // the line was settled before: taken from available
}

// entryDoc is the stored form of an Entry.
type entryDoc struct {
	docstore.Doc `bson:",inline"`
	Text         string `bson:"text"`
	Hash         []byte `bson:"hash"`
	Unsealed     string `bson:"unsealed,omitempty"` // <book>/<milliseconds>; gone once sealed
	Seal         int64  `bson:"seal,omitempty"`
}

// ID builders: the same fact, the same entry.
func accrueID(order string) string           { return string(Accrue) + "/" + order }
func clawBackID(order, refund string) string { return string(ClawBack) + "/" + order + "/" + refund }
func settleID(order string, line int) string { // line 0: the whole order at once
	if line == 0 {
		return string(Settle) + "/" + order
	}
	return string(Settle) + "/" + order + "/" + strconv.Itoa(line)
}

func hashOf(id, text string) [sha256.Size]byte {
	b := make([]byte, 0, len(id)+1+len(text))
	b = append(append(append(b, id...), '\n'), text...)
	return sha256.Sum256(b)
}

// Balanced tells whether the postings sum to zero.
func (e *Entry) Balanced() bool {
	sum := money.Fen(0)
	for _, p := range e.Postings {
		sum += p.Amount
	}
	return sum == 0
}
