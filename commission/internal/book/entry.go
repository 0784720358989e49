package book

import (
	"crypto/sha256"
	"slices"
	"strconv"
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

	Withdraw    Kind = "withdraw" // a withdrawal is asked for: available → withdrawing
	Confirm     Kind = "confirm"  // it is paid: withdrawing → withdrawn
	Fail        Kind = "fail"     // it is not: withdrawing → available
	TaxWithheld Kind = "tax"      // the part of it that goes to the tax office: withdrawing → brand's tax payable
	Return      Kind = "return"   // it was paid and came back: withdrawn and tax payable → available

	Adjust    Kind = "adjust"    // a correction two people stand for: brand's adjustments ↔ available
	Incentive Kind = "incentive" // staff's reward: brand's staff incentive → the staff member's available
	Transfer  Kind = "transfer"  // between accounts of the brand
)

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
	// ID is accrue/<order>, settle/<order>[/<line>], clawback/<order>/<refund>, withdraw/<number>, outcome/<number>
	// (confirm or fail: one id, so that both can never be), tax/<number>, return/<number>, and <kind>/<number> for
	// adjust, incentive and transfer.
	ID       string
	Book     string
	Kind     Kind
	Order    string
	At       time.Time
	Policy   int // version of the policy; accruals only
	Postings []Posting

	Number string // of the withdrawal or of the voucher; "" for sales
	Notes  []Note // what else a reader years later has to know, in the order it was written

	// Facts of an accrual: enough to compute it again.
	Campaign, Host, Pickup string
	Buyer                  string
	Community, Grade       string
	HelpSeller, Staff      string
	Referral               Referral
	Lines                  []SaleLine
	Cap                    money.Fen // the most the sale could pay; 0 with Capped false when it did not bite
	Capped                 bool

	Refund   string         // number of the refund; claw-backs only
	Refunded []RefundedLine // claw-backs only

	Hash [sha256.Size]byte // over ID and Text
	Seal int64             // number of its seal once the sealer has marked it; 0 before

	Unsealed string // its key in the unsealed index; "" once sealed
	Rooted   bool   // see entryDoc
}

// RefundedLine is how far a claw-back moved a line: from one cumulative refund to the next.
type RefundedLine struct {
	Line     int
	From, To money.Fen
	Paid     money.Fen
	Settled  bool // the line was settled before: taken from available
}

// Note is one named fact of an entry.
type Note struct {
	Key   string `bson:"key"` // [a-z-], at most 20
	Value string `bson:"value"`
}

// Note gives the value of a note; "" when there is none.
func (e *Entry) Note(key string) string {
	for _, n := range e.Notes {
		if n.Key == key {
			return n.Value
		}
	}
	return ""
}

// EntryDoc is the stored form of an Entry.
type EntryDoc struct {
	docstore.Doc `bson:",inline"`
	Text         string `bson:"text"`
	Hash         []byte `bson:"hash"`
	Unsealed     string `bson:"unsealed,omitempty"` // its place in its process's lane (package lane); gone once sealed
	Seal         int64  `bson:"seal,omitempty"`
	// Rooted says that what it follows from was sealed when it was posted, so that the sealer need not look. Gone once sealed.
	Rooted bool `bson:"rooted,omitempty"`
}

// ID builders: the same fact, the same entry.
func AccrueID(order string) string           { return string(Accrue) + "/" + order }
func ClawBackID(order, refund string) string { return string(ClawBack) + "/" + order + "/" + refund }
func SettleID(order string, line int) string { // line 0: the whole order at once
	if line == 0 {
		return string(Settle) + "/" + order
	}
	return string(Settle) + "/" + order + "/" + strconv.Itoa(line)
}

// NumberID is the id of every entry that has no order.
func NumberID(kind Kind, number string) string {
	if kind == Confirm || kind == Fail {
		return outcome + "/" + number
	}
	return string(kind) + "/" + number
}

// outcome is the id's first part of Confirm and Fail.
const outcome = "outcome"

// HashOf is the hash of an entry: over its id and its text.
func HashOf(id, text string) [sha256.Size]byte {
	var short [2048]byte
	b := append(append(append(short[:0], id...), '\n'), text...)
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

// Follows lists the entries that have to be sealed before this one, when they exist.
func (e *Entry) Follows() []string {
	switch e.Kind {
	case Settle, ClawBack:
		return []string{AccrueID(e.Order)}
	case Confirm, Fail:
		return []string{NumberID(Withdraw, e.Number)}
	case TaxWithheld:
		return []string{NumberID(Confirm, e.Number)}
	case Return:
		return []string{NumberID(Confirm, e.Number), NumberID(TaxWithheld, e.Number)}
	}
	return nil
}

// Moves tells whether the entry moves exactly this much on this account.
func (e *Entry) Moves(account Account, amount money.Fen) bool {
	return slices.ContainsFunc(e.Postings, func(p Posting) bool { return p.Account == account && p.Amount == amount })
}

// Kept is what remains of a posting when refunded of paid has been given back.
func Kept(amount, refunded, paid money.Fen) money.Fen {
	return amount - amount.Share(refunded, paid)
}
