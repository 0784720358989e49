package policy

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// Policy is one version of the rules that turn a sale into commission. It is dated, and never changes once it is
// published.
type Policy struct {
	docstore.Doc `bson:",inline"`
	Version      int       `bson:"number"`       // 1, 2, 3 …; given by PublishPolicy
	From         time.Time `bson:"from"`         // it rules sales confirmed from here until the next version's From
	PublishedAt  time.Time `bson:"published_at"` // given by PublishPolicy
	By           string    `bson:"by,omitempty"` // who published it
	Note         string    `bson:"note,omitempty"`
	Recalled     *Recall   `bson:"recalled,omitempty"` // taken back before it took effect: it rules nothing

	// SecondLevel allows rules to pay Upline. Off by default.
	SecondLevel bool `bson:"second_level"`
	// Cap bounds all commission of one sale, in basis points of what the buyer paid for it. 0 is no commission.
	Cap money.BasisPoints `bson:"cap"`
	// MarginFloor is what the brand keeps at least of a sale, in basis points of what the buyer paid, after the
	// goods' cost. 0 means that commission may eat the margin but not the cost.
	MarginFloor money.BasisPoints `bson:"margin_floor"`
	// HasMarginFloor turns MarginFloor on.
	HasMarginFloor bool `bson:"has_margin_floor"`
	// NoSelfPurchase pays a buyer nothing for what he bought himself, whichever role he stands in, and nobody as the
	// upline of the buyer.
	NoSelfPurchase bool `bson:"no_self_purchase,omitempty"`
	// Edition is how the policy is read; given by PublishPolicy. In those published before there were editions (0)
	// NoSelfPurchase covers Direct and Upline only: what they paid is never reckoned anew.
	Edition int `bson:"edition,omitempty"`
	// Rail is how members get their money: RailWithdrawal or RailProfitSharing.
	Rail  string `bson:"rail,omitempty"`
	Rules []Rule `bson:"rules"`
}

// Recall is how two people took back a version that had not taken effect.
type Recall struct {
	At      time.Time `bson:"at"`
	Maker   string    `bson:"maker"`
	Checker string    `bson:"checker"`
	Why     string    `bson:"why"`
}

// Rule says what one kind of line pays. At most one of its subjects is set; none of them makes the default rule.
type Rule struct {
	SKU       string `bson:"sku,omitempty"`
	Product   string `bson:"product,omitempty"`
	Campaign  string `bson:"campaign,omitempty"`
	Category  string `bson:"category,omitempty"`
	Community string `bson:"community,omitempty"`
	Grade     string `bson:"grade,omitempty"` // of the host, when the sale was made
	Pays      []Pay  `bson:"pays"`
}

// Pay is what one role gets: either a rate of the line's base, or a fixed amount per unit.
type Pay struct {
	Role  book.Role         `bson:"role"`
	Rate  money.BasisPoints `bson:"rate,omitempty"`
	Fixed money.Fen         `bson:"fixed,omitempty"`
}

// precedence is the one table that says which rule counts for a line: the first kind that has a rule for it. The
// whole line follows that one rule; what it does not pay is not paid.
var precedence = []struct {
	kind string
	rule func(Rule) string
	line func(*book.Sale, *book.SaleLine) string
	fits func(string) bool // what such a subject may look like
}{
	{"sku", func(r Rule) string { return r.SKU }, func(_ *book.Sale, l *book.SaleLine) string { return l.SKU }, readable},
	{"product", func(r Rule) string { return r.Product }, func(_ *book.Sale, l *book.SaleLine) string { return l.Product }, readable},
	{"campaign", func(r Rule) string { return r.Campaign }, func(s *book.Sale, _ *book.SaleLine) string { return s.Campaign }, readable},
	{"category", func(r Rule) string { return r.Category }, func(_ *book.Sale, l *book.SaleLine) string { return l.Category }, readable},
	{"community", func(r Rule) string { return r.Community }, func(s *book.Sale, _ *book.SaleLine) string { return s.Community }, readable},
	{"grade", func(r Rule) string { return r.Grade }, func(s *book.Sale, _ *book.SaleLine) string { return s.Grade }, graded},
}

// readable tells whether people can read a subject in full: a rule nobody can see is a rule nobody can check.
func readable(subject string) bool {
	if len(subject) > book.MaxName || !utf8.ValidString(subject) {
		return false
	}
	for _, r := range subject {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// graded tells whether a subject can be a host's grade.
func graded(subject string) bool {
	for i := range len(subject) {
		if c := subject[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return len(subject) <= 20
}

// Default is the kind of a rule that names nothing.
const Default = "default"

// Kinds lists the kinds of rules in the order of precedence.
func Kinds() []string {
	kinds := make([]string, 0, len(precedence)+1)
	for _, level := range precedence {
		kinds = append(kinds, level.kind)
	}
	return append(kinds, Default)
}

// Name is what the rule is about: "sku:a1", "category:水果", "default".
func (r Rule) Name() string {
	kind, subject := r.subject()
	if kind == len(precedence) {
		return Default
	}
	return precedence[kind].kind + ":" + subject
}

// subject is what the rule is about, and the place of its kind in the precedence table; the default rule stands behind
// its end.
func (r Rule) subject() (kind int, subject string) {
	for i := range precedence {
		if subject = precedence[i].rule(r); subject != "" {
			return i, subject
		}
	}
	return len(precedence), ""
}

// RuleFor gives the rule that counts for a line; ok is false when none does.
func (p *Policy) RuleFor(s book.Sale, l book.SaleLine) (r Rule, ok bool) {
	best := len(precedence) + 1
	for _, rule := range p.Rules {
		if rank := rule.rank(&s, &l); rank < best {
			best, r, ok = rank, rule, true
		}
	}
	return r, ok
}

// find is RuleFor with the rule's name; nil when none counts.
func (p *Policy) find(s *book.Sale, l *book.SaleLine) *namedRule {
	rule, ok := p.RuleFor(*s, *l)
	if !ok {
		return nil
	}
	return &namedRule{rule.Name(), rule.Pays}
}

// rank is the rule's place in the precedence table for this line, or beyond its end when it does not match.
func (r Rule) rank(s *book.Sale, l *book.SaleLine) int {
	kind, subject := r.subject()
	if kind < len(precedence) && subject != precedence[kind].line(s, l) {
		return len(precedence) + 1
	}
	return kind
}

// Edition is that of the policies published now.
const Edition = 1

// The limits of a policy.
const (
	maxRules = 5000
	maxNote  = 240 // characters: staff's 160 and the draft it was published from
	maxPays  = 8
	MaxFixed = money.Fen(100_000_000) // per unit; times MaxUnits it still fits
	whole    = money.BasisPoints(10_000)
)

// Check tells what is wrong with what a policy says; Service.CheckPolicy tells also whether it can be published. Codes: COM_POLICY_INVALID, _AMBIGUOUS, _DEPTH,
// _RECRUITING, _SECOND_LEVEL_OFF.
func (p *Policy) Check() error {
	f := ErrPolicyInvalid
	if p.Cap < 0 || p.Cap > whole {
		f = f.With("cap", "总上限须在 0 到 10000 基点之间 / 0 to 10000 basis points")
	}
	if p.MarginFloor < 0 || p.MarginFloor > whole {
		f = f.With("margin_floor", "毛利下限须在 0 到 10000 基点之间 / 0 to 10000 basis points")
	}
	if len(p.Rules) == 0 || len(p.Rules) > maxRules {
		f = f.With("rules", "规则须有 1 到 5000 条 / 1 to 5000 rules")
	}
	if utf8.RuneCountInString(p.Note) > maxNote || len(p.By) > 64 || !utf8.ValidString(p.Note+p.By) {
		f = f.With("note", "说明过长 / the note is too long")
	}
	if p.Rail != RailWithdrawal && p.Rail != RailProfitSharing {
		f = f.With("rail", "付款方式未知 / not a rail")
	}
	if len(f.Fields) > 0 {
		return f
	}
	seen := map[string]bool{}
	for i, rule := range p.Rules {
		at := "rules[" + strconv.Itoa(i) + "]"
		if err := p.checkRule(at, rule); err != nil {
			return err
		}
		if seen[rule.Name()] {
			return ErrPolicyAmbiguous.With(at, "与前面的规则对象相同 / names the same thing as an earlier rule")
		}
		seen[rule.Name()] = true
	}
	return nil
}

func (p *Policy) checkRule(at string, rule Rule) error {
	subjects := 0
	for _, level := range precedence {
		if value := level.rule(rule); value != "" {
			subjects++
			if !level.fits(value) {
				return ErrPolicyInvalid.With(at+"."+level.kind, "名称过长或含有不可用的字符 / too long, or with characters that cannot be used")
			}
		}
	}
	if subjects > 1 {
		return ErrPolicyInvalid.With(at, "一条规则只能指定一个对象 / a rule names one thing only")
	}
	if len(rule.Pays) > maxPays {
		return ErrPolicyInvalid.With(at+".pays", "受益人过多 / too many beneficiaries")
	}
	seen := map[book.Role]bool{}
	for j, pay := range rule.Pays {
		where := at + ".pays[" + strconv.Itoa(j) + "]"
		if err := p.checkPay(where, pay); err != nil {
			return err
		}
		if seen[pay.Role] {
			return ErrPolicyAmbiguous.With(where, "同一角色重复 / the same role twice")
		}
		seen[pay.Role] = true
	}
	return nil
}

func (p *Policy) checkPay(where string, pay Pay) error {
	if f := forbidden(pay.Role); f != nil {
		return f.With(where+".role", f.ZH)
	}
	switch pay.Role {
	case book.Direct, book.Host, book.Pickup, book.HelpSell, book.StaffRole:
	case book.Upline:
		if !p.SecondLevel {
			return ErrPolicySecondLevel.With(where+".role", "第二级未开启 / the second level is off")
		}
	default:
		return ErrPolicyInvalid.With(where+".role", "未知的角色 / not a role")
	}
	switch {
	case pay.Rate < 0 || pay.Rate > whole:
		return ErrPolicyInvalid.With(where+".rate", "比例须在 0 到 10000 基点之间 / 0 to 10000 basis points")
	case pay.Fixed < 0 || pay.Fixed > MaxFixed:
		return ErrPolicyInvalid.With(where+".fixed", "定额不正确 / the fixed amount is not valid")
	case (pay.Rate == 0) == (pay.Fixed == 0):
		return ErrPolicyInvalid.With(where, "比例与定额须且只须填一个 / either a rate or a fixed amount")
	}
	return nil
}

// forbidden recognises the roles people try to write although the law forbids them, to answer with the reason.
func forbidden(role book.Role) *fault.Fault {
	name := strings.ToLower(string(role))
	for _, word := range []string{"recruit", "invite", "headcount", "head-count", "join", "entry-fee", "拉人", "人头", "入门"} {
		if strings.Contains(name, word) {
			return ErrPolicyRecruiting
		}
	}
	for _, word := range []string{"third", "level3", "level-3", "upline2", "upline3", "grand", "team", "三级", "团队"} {
		if strings.Contains(name, word) {
			return ErrPolicyDepth
		}
	}
	return nil
}

// The rails a policy can pay on.
const (
	RailWithdrawal    = ""               // members withdraw what is available
	RailProfitSharing = "profit-sharing" // paid out of the order's own payment, once everything of it has settled
)

// Pay finds what the named rule says for a role.
func (p *Policy) Pay(rule string, role book.Role) Pay {
	for _, r := range p.Rules {
		if r.Name() != rule {
			continue
		}
		for _, pay := range r.Pays {
			if pay.Role == role {
				return pay
			}
		}
	}
	return Pay{Role: role}
}
