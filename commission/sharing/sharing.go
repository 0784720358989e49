package sharing

import (
	"errors"
	"fmt"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Sharing is what is paid out of one order's payment; id = order.
type Sharing struct {
	docstore.Doc `bson:",inline"`
	State        State     `bson:"state"`
	CompletedAt  time.Time `bson:"completed_at"` // the order: its after-sale window is over

	// Fixed by the planning.
	Policy        int       `bson:"policy,omitempty"` // version
	TransactionID string    `bson:"transaction,omitempty"`
	Paid          money.Fen `bson:"paid,omitempty"`     // by the buyer
	Refunded      money.Fen `bson:"refunded,omitempty"` // of it, by then
	PaidAt        time.Time `bson:"paid_at,omitempty"`
	PlannedAt     time.Time `bson:"planned_at,omitempty"`
	Parts         []Part    `bson:"parts,omitempty"` // in the order of their numbers

	FreeingAt time.Time `bson:"freeing_at,omitempty"` // about to be set free
	FreeCode  string    `bson:"free_code,omitempty"`  // the platform's, when there was nothing to set free
	EndedAt   time.Time `bson:"ended_at,omitempty"`

	PaidLast  time.Time `bson:"paid_last,omitempty"` // when the newest part was paid
	StateAt   time.Time `bson:"state_at,omitempty"`  // when it came into its state
	Overdue   string    `bson:"overdue,omitempty"`   // the stay that people have been told of
	Trouble   string    `bson:"trouble,omitempty"`   // an answer that cannot be: a person must look
	TroubleAt time.Time `bson:"trouble_at,omitempty"`
	Tries     int       `bson:"tries,omitempty"`   // in this state
	NextAt    time.Time `bson:"next_at,omitempty"` // when to look again
}

// Part is one member's. Its number is the only one it ever has, towards the ledger and the platform.
type Part struct {
	Number  string             `bson:"number"`
	Member  string             `bson:"member"`
	Amount  money.Fen          `bson:"amount"` // gross, and net: nothing is withheld
	State   PartState          `bson:"state"`
	OpenID  docstore.Encrypted `bson:"open_id,omitempty"`
	Code    Code               `bson:"code,omitempty"` // why it was left or closed; the platform's code when it said so
	SentAt  time.Time          `bson:"sent_at,omitempty"`
	EndedAt time.Time          `bson:"ended_at,omitempty"` // the final word; the entry's time
	Posted  bool               `bson:"posted,omitempty"`   // all that follows from the end is written
}

// Code says why a part was not paid like this.
type Code string

// The reasons of ours; others are the platform's.
const (
	NoWallet   Code = "NO_WALLET"
	Withheld   Code = "TAX"
	TooSmall   Code = "TOO_SMALL"
	OverLimit  Code = "CEILING"
	PurseShort Code = "PURSE_SHORT"
	Changed    Code = "REFUNDED"
	TooLate    Code = "TOO_LATE"
)

// Words says it for the member, in Chinese.
func (c Code) Words() string {
	switch c {
	case NoWallet:
		return "没有可收款的微信账户"
	case Withheld:
		return "需要代扣个人所得税，分账不能代扣"
	case TooSmall:
		return "金额低于分账的最低金额"
	case OverLimit:
		return "超过本单可分账的上限"
	case PurseShort:
		return "可提现余额不足，先补足欠款"
	case Changed:
		return "分账前本单又有退款"
	case TooLate:
		return "超过可分账的期限"
	case "NO_RELATION":
		return "尚未成为商户的分账接收方"
	case "RECEIVER_REAL_NAME_NOT_VERIFIED":
		return "微信支付账户尚未实名"
	case "RECEIVER_HIGH_RISK", "ACCOUNT_ABNORMAL":
		return "微信支付账户暂时不能收款"
	}
	return "微信支付未能完成分账"
}

// freezeDays is how long the platform keeps a payment frozen; then the rest of it is the merchant's by itself.
const freezeDays = 180

// maxParts is what the platform allows of one order (50 requests), less one to set the rest free.
const maxParts = 49

// PartNumber is the number of an order's n-th part, counted from 0.
func PartNumber(order string, n int) string { return fmt.Sprintf("%sS%02d", order, n) }

func freeNumber(order string) string { return order + "U" }

// maxOrder leaves room for the part's place in the 32 characters a number may have.
const maxOrder = 32 - 3

func orderID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= maxOrder
}

// errWrongState ends a change whose sharing has moved on meanwhile.
var errWrongState = errors.New("sharing: the state does not allow this")

// stays is how long a sharing may stay in a state before people are told.
var stays = map[State]time.Duration{
	Waiting:  60 * 24 * time.Hour, // the window of its commission, and after-sale
	Planned:  6 * time.Hour,
	Reserved: 6 * time.Hour,
	Sent:     24 * time.Hour,
	Finished: 24 * time.Hour, // the rest is not free
}

// Stays lists the longest stays, for the documentation.
func Stays() map[State]time.Duration { return stays }

// StayDetail names the stay in the present state, when it is too long; "" when it is not.
func (d *Sharing) StayDetail(now time.Time) string {
	since := d.StateAt
	if since.IsZero() {
		since = d.CompletedAt
		for _, t := range []time.Time{d.PlannedAt, d.FreeingAt} {
			if t.After(since) {
				since = t
			}
		}
	}
	if stay := stays[d.State]; stay == 0 || now.Before(since.Add(stay)) {
		return ""
	}
	return string(d.State) + " since " + since.UTC().Format(time.RFC3339)
}

// any tells whether some part is in one of the states.
func (d *Sharing) any(states ...PartState) bool {
	for i := range d.Parts {
		for _, s := range states {
			if d.Parts[i].State == s {
				return true
			}
		}
	}
	return false
}

// end gives a part its end.
func (p *Part) end(to PartState, code Code, at time.Time) error {
	if err := p.move(to); err != nil {
		return err
	}
	p.Code, p.EndedAt = code, at
	return nil
}

// notes stand in every entry of a part.
func (d *Sharing) notes(more ...commission.Note) []commission.Note {
	return append([]commission.Note{{Key: "rail", Value: policy.RailProfitSharing}, {Key: "order", Value: d.ID}}, more...)
}

// outgoing sums what is on its way to others, or there.
func (d *Sharing) outgoing() money.Fen {
	sum := money.Fen(0)
	for i := range d.Parts {
		if p := &d.Parts[i]; p.State != PartLeft && p.State != PartClosed {
			sum += p.Amount
		}
	}
	return sum
}

// before sums what goes to others under the numbers before a part's.
func (d *Sharing) before(n int) money.Fen {
	head := Sharing{Parts: d.Parts[:n]}
	return head.outgoing()
}
