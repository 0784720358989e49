package tax

import (
	"strconv"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// Kind is what a payee is to the tax office.
type Kind string

// The kinds of payees.
const (
	Resident Kind = "resident" // a resident individual: remuneration for labour services (劳务报酬)
	Business Kind = "business" // a small business or company: files for itself, nothing is withheld
	Foreign  Kind = "foreign"  // a non-resident individual
)

// Valid tells whether k is one of the kinds.
func (k Kind) Valid() bool { return k == Resident || k == Business || k == Foreign }

// Mode is the way tax is computed.
type Mode string

// The modes.
const (
	Off        Mode = "off"         // nothing is withheld
	PerPayment Mode = "per-payment" // each payment, or each month's payments together, by itself
	Cumulative Mode = "cumulative"  // over the year so far, less what was withheld already
)

// Once is what counts as one payment in the per-payment mode.
type Once string

// What counts as one payment.
const (
	OncePerPayment Once = "payment" // each payment by itself
	OncePerMonth   Once = "month"   // a calendar month's payments together: continuous income of one kind
)

// Months is how the months of the monthly deduction are counted in the cumulative mode.
type Months string

// How months are counted.
const (
	SinceFirst   Months = "since-first"   // from the first month of the year with a payment to this one
	SinceJanuary Months = "since-january" // from January
	WithPayment  Months = "with-payment"  // only months with a payment
)

// Bracket is one step of a progressive table: tax = taxable × Rate - Quick.
type Bracket struct {
	UpTo  money.Fen         `bson:"up_to"` // inclusive; 0 = without limit (the last one)
	Rate  money.BasisPoints `bson:"rate"`
	Quick money.Fen         `bson:"quick"` // quick deduction
}

// Rule is what a table says of one kind of payee.
type Rule struct {
	Kind   Kind   `bson:"kind"`
	Mode   Mode   `bson:"mode"`
	Source string `bson:"source"` // the official document, for the statement

	// ExpenseRate is the flat deduction for expenses.
	ExpenseRate money.BasisPoints `bson:"expense_rate,omitempty"`
	Brackets    []Bracket         `bson:"brackets,omitempty"`

	// Per payment: up to SmallUpTo (inclusive) the fixed SmallDeduction takes the place of ExpenseRate.
	Once           Once      `bson:"once,omitempty"`
	SmallUpTo      money.Fen `bson:"small_up_to,omitempty"`
	SmallDeduction money.Fen `bson:"small_deduction,omitempty"`

	// Cumulative: the basic deduction per counted month.
	MonthlyDeduction money.Fen `bson:"monthly_deduction,omitempty"`
	Months           Months    `bson:"months,omitempty"`
}

// Table is one published version. It is never changed.
type Table struct {
	docstore.Doc `bson:",inline"`
	Number       int       `bson:"number"` // from 1; 0 = not published
	Name         string    `bson:"name"`
	From         time.Time `bson:"from"` // payments approved at or after it
	PublishedAt  time.Time `bson:"published_at"`
	By           string    `bson:"by,omitempty"`       // the staff member who published it
	Draft        string    `bson:"draft,omitempty"`    // what it was made of, for whoever must not publish that twice
	Rules        []Rule    `bson:"rules"`              // a kind without a rule bears no withholding
	Recalled     *Recall   `bson:"recalled,omitempty"` // taken back before it took effect: it rules nothing
}

// Recall is how two people took back a table that had not taken effect.
type Recall struct {
	At      time.Time `bson:"at"`
	Maker   string    `bson:"maker"`
	Checker string    `bson:"checker"`
	Why     string    `bson:"why"`
}

const (
	maxName     = 60
	maxSource   = 200
	maxBrackets = 20
	whole       = money.BasisPoints(10_000)
)

// Rule finds what the table says of a kind of payee; a kind it does not name is off.
func (t *Table) Rule(k Kind) Rule {
	for _, r := range t.Rules {
		if r.Kind == k {
			return r
		}
	}
	return Rule{Kind: k, Mode: Off}
}

// Check tells whether a table makes sense (Book.Check tells also whether it can be published): known words, rising rates below 100 %, and quick deductions that make the
// tax continuous from bracket to bracket. Error: ErrBadTable with the fields that are wrong.
func (t *Table) Check() error {
	bad := ErrBadTable
	if t.Name == "" || len([]rune(t.Name)) > maxName {
		bad = bad.With("name", "名称必填且不超过 60 字 / the name is required, at most 60 characters")
	}
	if len(t.Rules) > 3 {
		bad = bad.With("rules", "规则太多 / too many rules")
	} else {
		seen := map[Kind]bool{}
		for i := range t.Rules {
			field := "rules[" + strconv.Itoa(i) + "]"
			if seen[t.Rules[i].Kind] {
				bad = bad.With(field+".kind", "重复 / repeated")
			}
			seen[t.Rules[i].Kind] = true
			bad = t.Rules[i].check(field, bad)
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

func (r *Rule) check(field string, bad *fault.Fault) *fault.Fault {
	wrong := func(name, why string) { bad = bad.With(field+"."+name, why) }
	if !r.Kind.Valid() {
		wrong("kind", "未知的收款人类型 / unknown kind of payee")
	}
	if len([]rune(r.Source)) > maxSource || r.Source == "" && r.Mode != Off {
		wrong("source", "依据必填且不超过 200 字 / the source is required, at most 200 characters")
	}
	if r.ExpenseRate < 0 || r.ExpenseRate > whole {
		wrong("expense_rate", "费用比例应在 0 到 100% 之间 / must be between 0 and 100 %")
	}
	switch r.Mode {
	case Off:
		return bad
	case PerPayment:
		if r.Once != OncePerPayment && r.Once != OncePerMonth {
			wrong("once", "应为 payment 或 month / must be payment or month")
		}
		// With equal deductions at the threshold the tax does not jump there.
		if r.SmallUpTo < 0 || r.SmallDeduction < 0 || r.SmallUpTo.Portion(r.ExpenseRate) != r.SmallDeduction {
			wrong("small_deduction", "在分界点上应与按比例费用相等 / must equal the flat expenses at the threshold")
		}
	case Cumulative:
		if r.Months != SinceFirst && r.Months != SinceJanuary && r.Months != WithPayment {
			wrong("months", "未知的月份计算方式 / unknown way to count months")
		}
		if r.MonthlyDeduction < 0 || r.MonthlyDeduction > money.Max {
			wrong("monthly_deduction", "减除费用超出范围 / out of range")
		}
	default:
		wrong("mode", "未知的计税方式 / unknown mode")
	}
	return checkBrackets(r.Brackets, field, bad)
}

func checkBrackets(brackets []Bracket, field string, bad *fault.Fault) *fault.Fault {
	if len(brackets) == 0 || len(brackets) > maxBrackets {
		return bad.With(field+".brackets", "税率级距数量不正确 / the number of brackets is not valid")
	}
	before := Bracket{}
	for i, b := range brackets {
		at := field + ".brackets[" + strconv.Itoa(i) + "]"
		last := i == len(brackets)-1
		switch {
		case b.Rate < before.Rate || b.Rate < 0 || b.Rate >= whole:
			bad = bad.With(at+".rate", "税率应递增且低于 100% / rates must rise and stay below 100 %")
		case last != (b.UpTo == 0) || !last && (b.UpTo <= before.UpTo || b.UpTo > money.Max):
			bad = bad.With(at+".up_to", "级距应递增，最后一级不设上限 / limits must rise, the last has none")
		case b.Quick != before.Quick+before.UpTo.Portion(b.Rate-before.Rate):
			bad = bad.With(at+".quick", "速算扣除数与级距不衔接 / the quick deduction does not fit the brackets")
		}
		before = b
	}
	return bad
}
