package tax

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Sum is an amount triple with the ledger entries it comes from. Net = Gross - Tax.
type Sum struct {
	Gross, Tax, Net money.Fen
	Entries         []string // ids, in order of time
}

// What a line of a statement is.
const (
	LinePayment = "payment" // money paid, tax withheld
	LineReturn  = "return"  // a payment came back: the negative of it
)

// Line is one payment or one return. Amounts of a return are negative.
type Line struct {
	Sum
	At      time.Time
	Number  string // of the withdrawal
	What    string
	PaidAt  time.Time // of the payment a return undoes; At for a payment
	Kind    Kind      // what the payee was when paid; "" = unknown
	Regime  Mode      // the way the tax was computed
	Carried money.Fen // what was due beyond the payment and was left to the next
	Table   int
}

// MonthSum is one month of a yearly statement.
type MonthSum struct {
	Sum
	Month string // 2006-01
}

// KindSum is what was paid to a person as one kind of payee under one regime.
type KindSum struct {
	Sum
	Kind   Kind
	Regime Mode
}

// Statement is what one person was paid and what was withheld in a period of the business calendar.
type Statement struct {
	Member string
	Period string // 2006 or 2006-01
	Lines  []Line // in order of time
	Months []MonthSum
	Kinds  []KindSum // Sum by kind and regime, in order of their names
	// Openings are what the year's cumulative withholding went on from; they are not in Sum. Of a year only.
	Openings []Opening
	Sum      // of the payments and of the returns of payments of the same year
	// Earlier are returns, in this period, of payments of an earlier year: they are reported as corrections of
	// that year's declaration and are not in Sum.
	Earlier Sum
}

// MonthStatement is the statement of one month. It is a pure function; the order of payments does not matter.
func MonthStatement(member string, payments []Payment, year, month int) Statement {
	return statement(member, fmt.Sprintf("%04d-%02d", year, month), payments, func(t time.Time) bool {
		y, m := businessMonth(t)
		return y == year && m == month
	})
}

// YearStatement is the statement of one year with a sum per month that had any movement.
func YearStatement(member string, payments []Payment, openings []Opening, year int) Statement {
	s := statement(member, fmt.Sprintf("%04d", year), payments, func(t time.Time) bool {
		y, _ := businessMonth(t)
		return y == year
	})
	s.Openings = openings
	return s
}

func statement(member, period string, payments []Payment, inside func(time.Time) bool) Statement {
	s := Statement{Member: member, Period: period}
	for i := range payments {
		p := &payments[i]
		if inside(p.At) {
			s.Lines = append(s.Lines, Line{
				Sum: Sum{p.Gross, p.Tax, p.Gross - p.Tax, p.Entries},
				At:  p.At, Number: p.Number, What: LinePayment, PaidAt: p.At, Table: p.Table, Kind: p.Kind, Regime: p.Regime,
				Carried: p.Carried,
			})
		}
		if !p.ReturnedAt.IsZero() && inside(p.ReturnedAt) {
			s.Lines = append(s.Lines, Line{
				Sum: Sum{-p.Gross, -p.Tax, p.Tax - p.Gross, p.ReturnEntries},
				At:  p.ReturnedAt, Number: p.Number, What: LineReturn, PaidAt: p.At, Table: p.Table, Kind: p.Kind, Regime: p.Regime,
			})
		}
	}
	slices.SortStableFunc(s.Lines, func(a, b Line) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Number, b.Number), cmp.Compare(a.What, b.What))
	})
	for i := range s.Lines {
		s.take(&s.Lines[i])
	}
	return s
}

func (s *Statement) take(l *Line) {
	year, _ := businessMonth(l.At)
	if paid, _ := businessMonth(l.PaidAt); paid != year {
		s.Earlier.add(l.Sum)
		return
	}
	s.Sum.add(l.Sum)
	i, known := slices.BinarySearchFunc(s.Kinds, l, func(k KindSum, l *Line) int {
		return cmp.Or(cmp.Compare(k.Kind, l.Kind), cmp.Compare(k.Regime, l.Regime))
	})
	if !known {
		s.Kinds = slices.Insert(s.Kinds, i, KindSum{Kind: l.Kind, Regime: l.Regime})
	}
	s.Kinds[i].add(l.Sum)
	if len(s.Period) > len("2006") {
		return
	}
	month := l.At.In(clock.Shanghai()).Format("2006-01")
	if n := len(s.Months); n == 0 || s.Months[n-1].Month != month {
		s.Months = append(s.Months, MonthSum{Month: month})
	}
	s.Months[len(s.Months)-1].add(l.Sum)
}

func (s *Sum) add(o Sum) {
	s.Gross, s.Tax, s.Net = s.Gross+o.Gross, s.Tax+o.Tax, s.Net+o.Net
	s.Entries = append(s.Entries, o.Entries...)
}

// Person is who a filing row is about.
type Person struct {
	Member   string
	RealName docstore.Encrypted
	IDNumber docstore.Encrypted
}

// FilingRow is one person's month for the declaration (扣缴申报), as one kind of payee under one regime: income of the month,
// the year so far, and the ledger entries behind them. Personal data stays masked until the writer reveals it.
type FilingRow struct {
	Person
	Kind              Kind      // what the person was when paid; "" = unknown
	Regime            Mode      // the way the tax was computed
	Period            string    // 2006-01
	Item              string    // the income item in the tax office's words
	Income            money.Fen // of the month, returns of the same year deducted
	Tax               money.Fen // withheld in the month, likewise
	YearIncome        money.Fen // January to this month
	YearTax           money.Fen
	Opening           money.Fen // income of the opening position; not in YearIncome
	OpeningTax        money.Fen
	Corrections       money.Fen // returned income of earlier years: correct that year's declaration
	CorrectionsTax    money.Fen
	Entries           []string // of the month's numbers
	CorrectionEntries []string
}

// Filing gives the rows of one person and month, one per kind and regime with anything to declare: what somebody was when
// paid decides, not what they became.
func Filing(who Person, payments []Payment, openings []Opening, year, month int) []FilingRow {
	type as struct {
		kind   Kind
		regime Mode
	}
	parts := map[as][]Payment{}
	for _, p := range payments {
		parts[as{p.Kind, p.Regime}] = append(parts[as{p.Kind, p.Regime}], p)
	}
	var rows []FilingRow
	for k, part := range parts {
		row, ok := filing(who, part, year, month)
		if !ok {
			continue
		}
		row.Kind, row.Regime, row.Item = k.kind, k.regime, item(k.kind)
		for _, o := range openings {
			if o.Kind == k.kind && k.regime == Cumulative {
				row.Opening, row.OpeningTax = o.Gross, o.Tax
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b FilingRow) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Regime, b.Regime))
	})
	return rows
}

func filing(who Person, payments []Payment, year, month int) (row FilingRow, ok bool) {
	s := MonthStatement(who.Member, payments, year, month)
	if len(s.Lines) == 0 {
		return FilingRow{}, false
	}
	row = FilingRow{
		Person: who, Period: s.Period, Income: s.Gross, Tax: s.Tax,
		Corrections: s.Earlier.Gross, CorrectionsTax: s.Earlier.Tax,
		Entries: s.Entries, CorrectionEntries: s.Earlier.Entries,
	}
	for _, m := range YearStatement(who.Member, payments, nil, year).Months {
		if m.Month <= s.Period {
			row.YearIncome, row.YearTax = row.YearIncome+m.Gross, row.YearTax+m.Tax
		}
	}
	return row, true
}

func item(k Kind) string {
	switch k {
	case Resident:
		return "劳务报酬所得"
	case Foreign:
		return "非居民个人劳务报酬所得"
	case Business:
		return "经营所得（自行申报）"
	}
	return "付款时的收款人类型不明，须人工核实"
}
