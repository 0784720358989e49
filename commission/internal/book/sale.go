package book

import (
	"strconv"
	"time"

	"guanxi/internal/money"
)

// The limits of one sale and one refund. They keep every document far below the store's limit.
const (
	MaxLines   = 100       // lines of one sale
	MaxRefunds = 500       // refunds of one order
	MaxUnits   = 1_000_000 // units of one line
	MaxName    = 100       // bytes of a category, SKU or product name
	MaxLine    = 10_000    // number of a line
)

// Sale is a confirmed order, as commission needs to know it.
type Sale struct {
	Order    string
	At       time.Time // when the order was confirmed; it picks the policy
	Buyer    string    // who bought; "" when nobody told
	Campaign string    // "" for a sale outside a campaign
	Host     string    // the campaign's host; "" pays no host
	Pickup   string    // the member who keeps the pickup point; "" pays nobody
	// Community is where it was sold, Grade the host's grade at that moment; rules may name either.
	Community, Grade string
	HelpSeller       string // the host who sold somebody else's campaign; "" pays nobody
	Staff            string // the person of the brand's staff who looks after the buyer; "" pays nobody
	Referral         Referral
	Lines            []SaleLine
	Digest           string // of the order as it was confirmed, for whoever compares the two; "" is not told
}

// WhySelf is the Referral.Why of a sale the credited member made to himself.
const WhySelf = "self"

// NoteDigest names the note of an accrual that holds Sale.Digest.
const NoteDigest = "order"

// SaleLine is one line of the order. Paid is what the buyer really paid for it: after coupons, without shipping;
// it is the base of every rate.
type SaleLine struct {
	Line     int // number inside the order, from 1; the refund names it again
	SKU      string
	Product  string
	Category string
	Units    int64
	Paid     money.Fen
	Cost     money.Fen // per unit; 0 when unknown. Only the margin floor looks at it
}

// Referral is the snapshot of who is credited for the sale, taken when the order was placed.
type Referral struct {
	Policy string // version of the bond policy that decided
	Direct string // member credited; "" = nobody
	Upline string // member credited for Direct; paid only when the policy's second level is on
	Why    string // code of the bond's decision: first-touch, last-touch, permanent, campaign-host, self, none
	Share  string // the share link that won
	Touch  string // the touch that won
}

// Check tells what is wrong with a sale. Code: COM_SALE_INVALID.
func (s Sale) Check() error {
	f := ErrSaleInvalid
	if !Named(s.Order) {
		f = f.With("order", "订单号不正确 / not an order id")
	}
	if s.At.IsZero() {
		f = f.With("at", "缺少确认时间 / the confirmation time is missing")
	}
	for _, member := range []struct{ name, id string }{
		{"buyer", s.Buyer}, {"host", s.Host}, {"pickup", s.Pickup}, {"help_seller", s.HelpSeller}, {"staff", s.Staff}, {"referral.direct", s.Referral.Direct}, {"referral.upline", s.Referral.Upline},
	} {
		if member.id != "" && !Named(member.id) {
			f = f.With(member.name, "会员编号不正确 / not a member id")
		}
	}
	if len(s.Community) > MaxName || len(s.Grade) > MaxName || len(s.Digest) > MaxName {
		f = f.With("community", "社群或等级不正确 / the community or the grade is not valid")
	}
	if len(s.Lines) == 0 || len(s.Lines) > MaxLines {
		f = f.With("lines", "行数须在 1 到 100 之间 / 1 to 100 lines")
		return f
	}
	seen := map[int]bool{}
	for i, l := range s.Lines {
		if why := l.wrong(); why != "" || seen[l.Line] {
			f = f.With("lines["+strconv.Itoa(i)+"]", "行内容不正确 / the line is not valid: "+why)
		}
		seen[l.Line] = true
	}
	if len(f.Fields) > 0 {
		return f
	}
	return nil
}

func (l SaleLine) wrong() string {
	switch {
	case l.Line < 1 || l.Line > MaxLine:
		return "line"
	case len(l.SKU) > MaxName, len(l.Product) > MaxName, len(l.Category) > MaxName:
		return "name"
	case l.Units < 1 || l.Units > MaxUnits:
		return "units"
	case l.Paid < 0 || l.Paid > money.Max:
		return "paid"
	case l.Cost < 0 || l.Cost > money.Max/money.Fen(l.Units):
		return "cost"
	}
	return ""
}

// Role is in which capacity a member is paid.
type Role string

// Everybody a policy can pay. There is no role for a third level and none for recruiting: what the law forbids
// cannot be written down.
const (
	Direct Role = "direct" // who is credited for the buyer: the first paid level
	Upline Role = "upline" // who is credited for Direct: the second and last paid level, off by default
	Host   Role = "host"   // who runs the campaign
	Pickup Role = "pickup" // who keeps the pickup point

	HelpSell  Role = "help-sell" // the host who sold another host's campaign to an own community
	StaffRole Role = "staff"     // the person of the brand's staff who looks after the buyer
)
