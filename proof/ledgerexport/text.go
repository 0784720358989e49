package ledgerexport

import (
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// syntax is how a plain-text accounting tool writes things. Every function appends whole lines.
type syntax interface {
	head(b []byte, title string) []byte
	comment(b []byte, words string) []byte
	open(b []byte, day, account string) []byte
	transaction(b []byte, day, code, words string) []byte
	fact(b []byte, indent, key, value string) []byte // of a transaction or of the posting before it
	posting(b []byte, account string, amount money.Fen) []byte
	assert(b []byte, day, account string, amount money.Fen) []byte // at the end of the day
}

// text writes plain-text accounting.
type text struct {
	out    io.Writer
	syntax syntax
	opened map[string]bool
	last   string // day of the last transaction
	b      []byte
}

func (t *text) begin(o *Options, opening *books) error {
	t.opened, t.last = map[string]bool{}, clock.Day(o.From)
	t.b = t.syntax.head(t.b[:0], "guanxi "+o.Book+span(o))
	for _, a := range opening.sorted() {
		amount := opening.accounts[a].before
		if amount == 0 {
			continue
		}
		t.b = append(t.b, '\n')
		t.open(t.last, Name(a))
		t.open(t.last, openingName)
		t.b = t.syntax.transaction(t.b, t.last, "", "期初余额")
		t.b = t.syntax.posting(t.b, Name(a), amount)
		t.b = t.syntax.posting(t.b, openingName, -amount)
		if err := t.flush(); err != nil {
			return err
		}
	}
	return t.flush()
}

// span says which days an export covers.
func span(o *Options) string {
	s := ""
	if !o.From.IsZero() {
		s += " from " + clock.Day(o.From)
	}
	if !o.To.IsZero() {
		s += " to " + clock.Day(o.To.Add(-time.Millisecond))
	}
	if o.Member != "" {
		s += " for " + o.Member
	}
	return s
}

func (t *text) flush() error {
	_, err := t.out.Write(t.b)
	t.b = t.b[:0]
	return err
}

func (t *text) open(day, account string) {
	if !t.opened[account] {
		t.opened[account] = true
		t.b = t.syntax.open(t.b, day, account)
	}
}

func (t *text) entry(r *record) error {
	e, day := r.entry, r.day()
	t.last = day
	if len(r.lines) == 0 {
		t.b = t.syntax.comment(t.b, day+" "+e.ID+" "+kindWords(e.Kind)+"：金额为零")
		return t.flush()
	}
	t.b = append(t.b, '\n')
	for i := range r.lines {
		t.open(day, Name(r.lines[i].Account))
	}
	code := e.Order
	if code == "" {
		code = e.Number
	}
	t.b = t.syntax.transaction(t.b, day, code, kindWords(e.Kind))
	t.facts(r)
	for i := range r.lines {
		l := &r.lines[i]
		t.b = t.syntax.posting(t.b, Name(l.Account), l.usual)
		if l.Line != 0 {
			t.b = t.syntax.fact(t.b, "    ", "line", strconv.Itoa(l.Line))
		}
		for _, f := range [][2]string{{"role", string(l.Role)}, {"rule", l.Rule}} {
			if f[1] != "" {
				t.b = t.syntax.fact(t.b, "    ", f[0], f[1])
			}
		}
	}
	return t.flush()
}

// facts writes what makes the entry findable. A note that stands more than once is numbered.
func (t *text) facts(r *record) {
	e := r.entry
	for _, f := range [][2]string{
		{"entry", e.ID},
		{"kind", string(e.Kind)},
		{"order", e.Order},
		{"number", e.Number},
		{"refund", e.Refund},
		{"at", e.At.UTC().Format("2006-01-02T15:04:05.000Z")},
		{"seal", strconv.FormatInt(r.seal.Number, 10)},
		{"hash", hex.EncodeToString(e.Hash[:])},
	} {
		if f[1] != "" {
			t.b = t.syntax.fact(t.b, "  ", f[0], f[1])
		}
	}
	seen := map[string]int{}
	for _, n := range e.Notes {
		key := "note-" + n.Key
		if seen[n.Key]++; seen[n.Key] > 1 {
			key += "-" + strconv.Itoa(seen[n.Key])
		}
		t.b = t.syntax.fact(t.b, "  ", key, n.Value)
	}
}

// end asserts every account's balance, so that who reads the file proves it.
func (t *text) end(closing *books, _ []*commission.Period) error {
	if len(t.opened) == 0 {
		return t.flush()
	}
	t.b = append(t.b, '\n')
	t.b = t.syntax.comment(t.b, "期末余额核对")
	for _, a := range closing.sorted() {
		if name := Name(a); t.opened[name] {
			t.b = t.syntax.assert(t.b, t.last, name, closing.accounts[a].balance())
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

// pad appends at least two spaces, up to a column.
func pad(b []byte, from, column int) []byte {
	for n := max(2, column-from); n > 0; n-- {
		b = append(b, ' ')
	}
	return b
}

// figure appends an amount with its currency, its digits ending at a column.
func figure(b []byte, account string, amount money.Fen) []byte {
	const column = 60
	yuan := amount.Yuan()
	b = pad(b, len(account), column-len(yuan))
	return append(append(b, yuan...), " CNY"...)
}
