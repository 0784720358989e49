package tax

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// TestStatementsAgreeWithThePencil plays testdata/statements.txt.
func TestStatementsAgreeWithThePencil(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(text), "\ncase ")[1:]
	if len(cases) < 10 {
		t.Fatal("the file lost its cases")
	}
	for _, c := range cases {
		name, body, _ := strings.Cut(c, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scribe{t: t}
			for line := range strings.Lines(body) {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' {
					continue
				}
				command, want, _ := strings.Cut(line, "=>")
				got := s.play(strings.Fields(command))
				if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" {
					t.Errorf("%s (-pencil +program):\n%s", command, diff)
				}
			}
		})
	}
}

type scribe struct {
	t        *testing.T
	table    Table
	kind     Kind
	payments []Payment
	openings []Opening
}

func (s *scribe) play(words []string) string {
	switch words[0] {
	case "table":
		s.setTable(words[1:])
	case "person":
		s.kind = Kind(words[1])
	case "opening":
		since, err := strconv.Atoi(words[4])
		if err != nil {
			s.t.Fatal(err)
		}
		s.openings = append(s.openings, Opening{Kind(words[1]), s.fen(words[2]), s.fen(words[3]), since})
	case "pay":
		return s.pay(words[1], s.noon(words[2]), s.fen(words[3]))
	case "return":
		for i := range s.payments {
			if p := &s.payments[i]; p.Number == words[1] {
				p.ReturnedAt, p.ReturnEntries = s.noon(words[2]), []string{"return/" + p.Number}
			}
		}
	case "month", "year":
		st := s.statement(words[1])
		text := fmt.Sprintf("%s %s %s", st.Gross.Yuan(), st.Tax.Yuan(), st.Net.Yuan())
		if st.Earlier.Gross != 0 {
			text += fmt.Sprintf(" earlier %s %s", st.Earlier.Gross.Yuan(), st.Earlier.Tax.Yuan())
		}
		s.sums(st)
		return text
	case "entries":
		return strings.Join(s.statement(words[1]).Entries, " ")
	case "filing":
		at := s.parse("2006-01", words[1])
		rows := Filing(Person{Member: "m"}, s.payments, s.openings, at.Year(), int(at.Month()))
		if len(rows) == 0 {
			return "nothing"
		}
		text := make([]string, len(rows))
		for i, row := range rows {
			text[i] = fmt.Sprintf("%s %s %s %s", row.Income.Yuan(), row.Tax.Yuan(), row.YearIncome.Yuan(), row.YearTax.Yuan())
			if len(words) > 2 { // filing <month> kinds
				text[i] = fmt.Sprintf("%s/%s %s %s", row.Kind, row.Regime, row.Item, text[i])
			}
			if row.Opening > 0 {
				text[i] += fmt.Sprintf(" opening %s %s", row.Opening.Yuan(), row.OpeningTax.Yuan())
			}
		}
		return strings.Join(text, "；")
	case "kinds":
		text := []string{}
		for _, k := range s.statement(words[1]).Kinds {
			text = append(text, fmt.Sprintf("%s/%s %s %s %s", k.Kind, k.Regime, k.Gross.Yuan(), k.Tax.Yuan(), k.Net.Yuan()))
		}
		return strings.Join(text, "；")
	default:
		s.t.Fatalf("unknown command %q", words[0])
	}
	return ""
}

func (s *scribe) setTable(words []string) {
	s.table = map[string]func() Table{"cumulative": CumulativeTable, "per-payment": PerPaymentTable, "off": OffTable}[words[0]]()
	s.table.Number = 1
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		for i := range s.table.Rules {
			switch r := &s.table.Rules[i]; {
			case key == "once" && r.Mode == PerPayment:
				r.Once = Once(value)
			case key == "months" && r.Mode == Cumulative:
				r.Months = Months(value)
			}
		}
	}
	if err := s.table.Check(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scribe) pay(number string, at time.Time, gross money.Fen) string {
	h := HistoryOf(s.payments, s.kind, s.table.Rule(s.kind).Mode, at)
	for _, o := range s.openings {
		if o.Kind == s.kind {
			h.Begin(o)
		}
	}
	w, err := Withhold(&s.table, s.kind, h, at, gross)
	if err != nil {
		s.t.Fatal(err)
	}
	p := Payment{
		Number: number, Kind: s.kind, Regime: w.Mode, At: at, Gross: gross, Tax: w.Tax, Carried: w.Carried, Table: w.Table,
		Entries: []string{"withdraw/" + number, "outcome/" + number},
	}
	if w.Tax > 0 {
		p.Entries = append(p.Entries, "tax/"+number)
	}
	s.payments = append(s.payments, p)
	if w.Carried > 0 {
		return w.Tax.Yuan() + " carried " + w.Carried.Yuan()
	}
	return w.Tax.Yuan()
}

func (s *scribe) statement(period string) Statement {
	if len(period) == 4 {
		return YearStatement("m", s.payments, s.openings, s.parse("2006", period).Year())
	}
	at := s.parse("2006-01", period)
	return MonthStatement("m", s.payments, at.Year(), int(at.Month()))
}

// sums: a statement's sums are the sums of its lines and of its months.
func (s *scribe) sums(st Statement) {
	lines, months := money.Fen(0), money.Fen(0)
	for _, l := range st.Lines {
		lines += l.Gross*1_000_000 + l.Tax
		if l.Net != l.Gross-l.Tax || len(l.Entries) == 0 {
			s.t.Errorf("line %+v", l)
		}
	}
	kinds := money.Fen(0)
	for _, k := range st.Kinds {
		kinds += k.Gross*1_000_000 + k.Tax
	}
	if kinds != st.Gross*1_000_000+st.Tax {
		s.t.Errorf("%s: kinds do not add up", st.Period)
	}
	for _, m := range st.Months {
		months += m.Gross*1_000_000 + m.Tax
	}
	if want := (st.Gross+st.Earlier.Gross)*1_000_000 + st.Tax + st.Earlier.Tax; lines != want {
		s.t.Errorf("%s: lines do not add up", st.Period)
	}
	if len(st.Period) == 4 && months != st.Gross*1_000_000+st.Tax {
		s.t.Errorf("%s: months do not add up", st.Period)
	}
}

func (s *scribe) parse(layout, text string) time.Time {
	at, err := time.ParseInLocation(layout, text, clock.Shanghai())
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// noon is a moment of that day in China which is still the day before in London.
func (s *scribe) noon(text string) time.Time {
	return s.parse(time.DateOnly, text).Add(time.Hour).UTC()
}

func (s *scribe) fen(text string) money.Fen {
	f, err := money.ParseYuan(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestTheDerivationSaysEveryStep(t *testing.T) {
	t.Parallel()
	table := CumulativeTable()
	table.Number = 3
	h := History{Year: Total{11_000_00, 42_00}, Earned: 0b11}
	w, err := Withhold(&table, Resident, h, day(2026, 4, 15), 60_000_00)
	if err != nil {
		t.Fatal(err)
	}
	want := Withholding{
		Tax: 1118_00, Table: 3, Mode: Cumulative, Taxable: "36800.00", Rate: 1000, Quick: 2520_00,
		Steps: []string{
			"第 3 版税表「劳务报酬累计预扣」：累计预扣法，依据" + table.Rules[0].Source,
			"2026 年累计收入 71000.00 元 = 此前 11000.00 元 + 本次 60000.00 元",
			"累计费用 20%（14200.00 元）",
			"累计减除费用 20000.00 元 = 5000.00 元 × 4 个月",
			"应纳税所得额 36800.00 元，预扣率 10%，速算扣除数 2520.00 元，应预扣 1160.00 元（四舍五入到分）",
			"减去此前已预扣 42.00 元，本次预扣 1118.00 元",
		},
	}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Error(diff)
	}
}
