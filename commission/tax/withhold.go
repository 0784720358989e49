package tax

import (
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"guanxi/internal/money"
)

// Withholding is the tax on one payment and how it came about.
type Withholding struct {
	Tax     money.Fen
	Carried money.Fen // what is due beyond the payment itself: left to the next
	Table   int       // number of the table
	Mode    Mode      // of the rule
	Steps   []string  // the derivation, one Chinese sentence per step
	Taxable string    // taxable income in yuan, exact; of the span the rule looks at
	Rate    money.BasisPoints
	Quick   money.Fen
}

// Withhold computes the tax on a payment of gross to a payee of kind k, made at a moment, after the payments in h.
// 0 <= Tax <= gross. Error: ErrBadPayment.
func Withhold(t *Table, k Kind, h History, at time.Time, gross money.Fen) (Withholding, error) {
	if gross < 0 || gross > money.Max || !k.Valid() || at.IsZero() {
		return Withholding{}, ErrBadPayment
	}
	rule := t.Rule(k)
	w := Withholding{Table: t.Number, Mode: rule.Mode, Taxable: "0.00"}
	switch rule.Mode {
	case PerPayment:
		w.perPayment(t, &rule, h, gross)
	case Cumulative:
		w.cumulative(t, &rule, h, at, gross)
	default:
		w.say("%s：不代扣税款%s", t.title(), bracketed(rule.Source))
	}
	return w, nil
}

func (w *Withholding) perPayment(t *Table, r *Rule, h History, gross money.Fen) {
	income, before := gross, Total{}
	w.say("%s：%s，依据%s", t.title(), payeeWords(r), r.Source)
	if r.Once == OncePerMonth {
		before = h.Month
		income += before.Gross
		w.say("本月收入 %s 元 = 此前 %s 元 + 本次 %s 元", income.Yuan(), before.Gross.Yuan(), gross.Yuan())
	} else {
		w.say("本次收入 %s 元", gross.Yuan())
	}
	taxable := exact(income)
	if income <= r.SmallUpTo {
		taxable = taxable.Sub(exact(r.SmallDeduction))
		w.say("不超过 %s 元，减除费用 %s 元", r.SmallUpTo.Yuan(), r.SmallDeduction.Yuan())
	} else {
		expenses := portion(exact(income), r.ExpenseRate)
		taxable = taxable.Sub(expenses)
		w.say("减除费用 %s（%s 元）", percent(r.ExpenseRate), yuanText(expenses))
	}
	w.finish(r, taxable, before, gross)
}

func (w *Withholding) cumulative(t *Table, r *Rule, h History, at time.Time, gross money.Fen) {
	year, month := businessMonth(at)
	income, months := h.Year.Gross+gross, h.months(r.Months, month)
	expenses, basic := portion(exact(income), r.ExpenseRate), r.MonthlyDeduction*money.Fen(months)
	w.say("%s：累计预扣法，依据%s", t.title(), r.Source)
	w.say("%d 年累计收入 %s 元 = 此前 %s 元 + 本次 %s 元", year, income.Yuan(), h.Year.Gross.Yuan(), gross.Yuan())
	w.say("累计费用 %s（%s 元）", percent(r.ExpenseRate), yuanText(expenses))
	w.say("累计减除费用 %s 元 = %s 元 × %d 个月", basic.Yuan(), r.MonthlyDeduction.Yuan(), months)
	w.finish(r, exact(income).Sub(expenses).Sub(exact(basic)), h.Year, gross)
}

// finish goes from the taxable income to the tax on this payment.
func (w *Withholding) finish(r *Rule, taxable decimal.Decimal, before Total, gross money.Fen) {
	if taxable.IsNegative() {
		taxable = decimal.Zero
	}
	b := r.bracket(taxable)
	due := roundFen(portion(taxable, b.Rate).Sub(exact(b.Quick)))
	w.Taxable, w.Rate, w.Quick = yuanText(taxable), b.Rate, b.Quick
	w.say("应纳税所得额 %s 元，预扣率 %s，速算扣除数 %s 元，应预扣 %s 元（四舍五入到分）",
		w.Taxable, percent(b.Rate), b.Quick.Yuan(), due.Yuan())
	w.Tax = due - before.Tax
	switch {
	case w.Tax < 0:
		w.Tax = 0
		w.say("此前已预扣 %s 元，超过应预扣数，本次不预扣，差额留待以后抵减", before.Tax.Yuan())
	case w.Tax > gross:
		w.Tax, w.Carried = gross, w.Tax-gross
		w.say("此前已预扣 %s 元，本次预扣以付款额 %s 元为限，其余 %s 元留待以后付款时预扣",
			before.Tax.Yuan(), gross.Yuan(), w.Carried.Yuan())
	case before.Tax > 0:
		w.say("减去此前已预扣 %s 元，本次预扣 %s 元", before.Tax.Yuan(), w.Tax.Yuan())
	default:
		w.say("本次预扣 %s 元", w.Tax.Yuan())
	}
}

// bracket is the first whose limit is not exceeded.
func (r *Rule) bracket(taxable decimal.Decimal) Bracket {
	for _, b := range r.Brackets {
		if b.UpTo == 0 || !taxable.GreaterThan(exact(b.UpTo)) {
			return b
		}
	}
	return Bracket{}
}

func (w *Withholding) say(format string, args ...any) {
	w.Steps = append(w.Steps, fmt.Sprintf(format, args...))
}

func (t *Table) title() string {
	if t.Number == 0 {
		return "未发布税表"
	}
	return "第 " + strconv.Itoa(t.Number) + " 版税表「" + t.Name + "」"
}

func payeeWords(r *Rule) string {
	who := "居民个人"
	if r.Kind == Foreign {
		who = "非居民个人"
	}
	if r.Once == OncePerMonth {
		return who + "劳务报酬，以一个月的收入为一次"
	}
	return who + "劳务报酬，按次"
}

func bracketed(source string) string {
	if source == "" {
		return ""
	}
	return "（" + source + "）"
}

// exact is an amount in fen as a decimal.
func exact(f money.Fen) decimal.Decimal { return decimal.NewFromInt(int64(f)) }

func portion(d decimal.Decimal, rate money.BasisPoints) decimal.Decimal {
	return d.Mul(decimal.New(int64(rate), -4))
}

// roundFen rounds half up; amounts here are never negative.
func roundFen(d decimal.Decimal) money.Fen { return money.Fen(d.Round(0).IntPart()) }

// yuanText writes fen as yuan, with more than two decimals only when they are not zero.
func yuanText(fen decimal.Decimal) string {
	text := fen.Shift(-2)
	if text.Equal(text.Round(2)) {
		return text.StringFixed(2)
	}
	return text.String()
}

// percent writes 2000 as 20% and 350 as 3.5%.
func percent(bp money.BasisPoints) string { return decimal.New(int64(bp), -2).String() + "%" }
