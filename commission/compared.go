package commission

import (
	"cmp"
	"slices"
	"strings"

	"guanxi/commission/internal/book"
	"guanxi/internal/money"
)

// Compared sets what was paid against what the draft would pay.
type Compared struct {
	Old, New money.Fen
	Sales    int64 // that pay it, under either
}

// Change is New - Old.
func (c Compared) Change() money.Fen { return c.New - c.Old }

// Comparison lists the rows that change most; Others is the sum of all the rest, so that rows and rest make the total.
// Others.Sales counts a sale once per row it is in.
type Comparison struct {
	Rows   []ComparedRow
	Others Compared
	Rest   int64 // rows summed in Others
	// Rough says that there were so many rows that some were summed into Others before they were complete: a row may
	// show less than its own sum, the total stays exact.
	Rough bool
}

// ComparedRow is one beneficiary, product or rule.
type ComparedRow struct {
	Name string
	Compared
	Roles []ComparedRole // of beneficiaries only: those that were or would be paid
}

// ComparedRole is what a beneficiary gets in one role.
type ComparedRole struct {
	Role Role
	Compared
}

const maxComparedRows = 1000 // a Comparison lists

// compareRoles is the order in which a beneficiary's roles are listed.
var compareRoles = [...]Role{Direct, Upline, Host, HelpSell, Pickup, StaffRole}

// tallies counts a period, or a part of it.
type tallies struct {
	DryRun
	people, products, rules column
}

// column is one Comparison in the making.
type column struct {
	most   int // rows kept while counting; half of them are summed into others when there are more
	rows   map[string]*tally
	others Compared
	rest   int64
	rough  bool
}

type tally struct {
	counter
	roles *[len(compareRoles)]counter // of beneficiaries
}

// counter counts a sale once, however many of its postings it sees.
type counter struct {
	Compared
	last int64
}

func newTallies(most int) *tallies {
	t := &tallies{}
	for _, c := range []*column{&t.people, &t.products, &t.rules} {
		c.most, c.rows = most, map[string]*tally{}
	}
	return t
}

// sale takes one accrual as it was and what it would be.
func (t *tallies) sale(was *Entry, would []Posting) {
	t.Sales++
	t.Lines += int64(len(was.Lines))
	for i := range was.Lines {
		t.Paid += was.Lines[i].Paid
	}
	if was.Community == "" {
		t.WithoutCommunity++
	}
	if was.Grade == "" {
		t.WithoutGrade++
	}
	if !samePay(was.Postings, would) {
		t.Changed++
	}
	if len(was.Postings)+len(would) > 0 {
		t.Total.Sales++
	}
	for i := range was.Postings {
		p := &was.Postings[i]
		t.add(p, was, Compared{Old: p.Amount}, t.Sales)
	}
	for i := range would {
		p := &would[i]
		t.add(p, was, Compared{New: p.Amount}, t.Sales)
	}
}

// samePay tells whether the same people are paid the same for the same, by whatever rule.
func samePay(a, b []Posting) bool {
	return slices.EqualFunc(a, b, func(p, q Posting) bool {
		return p.Account == q.Account && p.Amount == q.Amount && p.Line == q.Line && p.Role == q.Role
	})
}

// refund takes one claw-back, in proportion to what the lines paid and would have paid.
func (t *tallies) refund(e, was *Entry, would []Posting) {
	t.Refunds++
	for i := range was.Postings {
		p := &was.Postings[i]
		t.add(p, was, Compared{Old: -takes(e, p)}, 0)
	}
	for i := range would {
		p := &would[i]
		t.add(p, was, Compared{New: -takes(e, p)}, 0)
	}
}

// takes is what a claw-back takes of a posting of the accrual.
func takes(e *Entry, p *Posting) (sum money.Fen) {
	for _, l := range e.Refunded {
		if l.Line == p.Line {
			sum += book.Kept(p.Amount, l.From, l.Paid) - book.Kept(p.Amount, l.To, l.Paid)
		}
	}
	return sum
}

// add counts one posting's amount; sale numbers the sale, 0 is none.
func (t *tallies) add(p *Posting, accrual *Entry, amount Compared, sale int64) {
	member, _, ok := p.Account.Member()
	if !ok {
		return
	}
	t.Total.add(amount)
	person := t.people.row(member)
	person.count(amount, sale)
	if person.roles == nil {
		person.roles = new([len(compareRoles)]counter)
	}
	if role := slices.Index(compareRoles[:], p.Role); role >= 0 {
		person.roles[role].count(amount, sale)
	}
	t.products.row(product(accrual, p.Line)).count(amount, sale)
	t.rules.row(p.Rule).count(amount, sale)
}

func product(e *Entry, line int) string {
	if line >= 1 && line <= len(e.Lines) && e.Lines[line-1].Line == line {
		return e.Lines[line-1].Product
	}
	for i := range e.Lines {
		if e.Lines[i].Line == line {
			return e.Lines[i].Product
		}
	}
	return ""
}

func (c *column) row(name string) *tally {
	t := c.rows[name]
	if t == nil {
		t = &tally{}
		c.rows[strings.Clone(name)] = t // what the name was cut from can go
	}
	return t
}

func (c *Compared) add(d Compared) {
	c.Old += d.Old
	c.New += d.New
	c.Sales += d.Sales
}

func (c *counter) count(amount Compared, sale int64) {
	if sale > 0 && c.last != sale {
		c.last, amount.Sales = sale, 1
	}
	c.add(amount)
}

// merge adds the part of one seal.
func (t *tallies) merge(part *tallies) {
	t.Sales, t.Lines, t.Paid, t.Changed = t.Sales+part.Sales, t.Lines+part.Lines, t.Paid+part.Paid, t.Changed+part.Changed
	t.Refunds, t.Earlier = t.Refunds+part.Refunds, t.Earlier+part.Earlier
	t.WithoutCommunity, t.WithoutGrade = t.WithoutCommunity+part.WithoutCommunity, t.WithoutGrade+part.WithoutGrade
	t.Total.add(part.Total)
	t.people.merge(&part.people)
	t.products.merge(&part.products)
	t.rules.merge(&part.rules)
}

func (c *column) merge(part *column) {
	for name, from := range part.rows {
		into := c.row(name)
		into.add(from.Compared)
		if from.roles == nil {
			continue
		}
		if into.roles == nil {
			into.roles = from.roles
			continue
		}
		for i := range from.roles {
			into.roles[i].add(from.roles[i].Compared)
		}
	}
	if len(c.rows) > c.most {
		c.rough = true
		c.keep(c.most / 2)
	}
}

// keep sums all but the n rows that change most into the others.
func (c *column) keep(n int) []string {
	names := make([]string, 0, len(c.rows))
	for name := range c.rows {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := c.rows[a], c.rows[b]
		return cmp.Or(
			cmp.Compare(abs(y.Change()), abs(x.Change())), cmp.Compare(abs(y.Old), abs(x.Old)), cmp.Compare(a, b),
		)
	})
	if len(names) <= n {
		return names
	}
	for _, name := range names[n:] {
		c.others.add(c.rows[name].Compared)
		c.rest++
		delete(c.rows, name)
	}
	return names[:n]
}

func abs(f money.Fen) money.Fen { return max(f, -f) }

func (c *column) comparison() Comparison {
	names := c.keep(maxComparedRows)
	result := Comparison{Rows: make([]ComparedRow, len(names)), Others: c.others, Rest: c.rest, Rough: c.rough}
	for i, name := range names {
		t := c.rows[name]
		row := ComparedRow{Name: name, Compared: t.Compared}
		if t.roles != nil {
			for at, role := range compareRoles {
				if t.roles[at].Compared != (Compared{}) {
					row.Roles = append(row.Roles, ComparedRole{role, t.roles[at].Compared})
				}
			}
		}
		result.Rows[i] = row
	}
	return result
}

func (t *tallies) result() *DryRun {
	result := t.DryRun
	result.Beneficiaries, result.Products, result.Rules = t.people.comparison(), t.products.comparison(), t.rules.comparison()
	return &result
}
