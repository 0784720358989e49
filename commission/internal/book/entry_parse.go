package book

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"guanxi/internal/money"
)

// ErrText says that a stored text is not one this package writes.
var ErrText = errors.New("commission: the text of the document is not readable")

// ParseEntry reads a stored entry.
func ParseEntry(doc *EntryDoc) (*Entry, error) {
	e := &Entry{}
	if err := e.Read(doc); err != nil {
		return nil, err
	}
	return e, nil
}

// Read makes e the stored entry. What e was before is lost, but for the memory of its lists: who reads millions of entries
// reads them all into one.
func (e *Entry) Read(doc *EntryDoc) error {
	*e = Entry{
		ID: doc.ID, Seal: doc.Seal, Unsealed: doc.Unsealed, Rooted: doc.Rooted,
		Postings: e.Postings[:0], Lines: e.Lines[:0], Notes: e.Notes[:0], Refunded: e.Refunded[:0],
	}
	copy(e.Hash[:], doc.Hash)
	if err := e.Parse(doc.Text); err != nil {
		return fmt.Errorf("entry %s: %w", doc.ID, err)
	}
	return nil
}

// Parse adds what a text says to an empty entry.
func (e *Entry) Parse(text string) error {
	head, rest, _ := strings.Cut(text, "\n")
	kindBook, ok := strings.CutPrefix(head, TextMagic)
	if !ok {
		return ErrText
	}
	kind, book, ok := strings.Cut(kindBook, " ")
	if !ok {
		return ErrText
	}
	e.Kind, e.Book = Kind(kind), book
	if e.Postings == nil {
		e.Postings = make([]Posting, 0, strings.Count(rest, "\npost "))
	}
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if err := e.parseLine(line); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) parseLine(line string) (err error) {
	key, value, ok := strings.Cut(line, " ")
	if !ok {
		return ErrText
	}
	r := reader{rest: value}
	switch key {
	case "post":
		e.Postings = append(e.Postings, r.posting())
	case "at":
		if e.At, err = parseTime(value); err != nil {
			return ErrText
		}
	case "order":
		e.Order = value
	case "refund":
		e.Refund = value
	case "policy":
		e.Policy = int(r.number(""))
	case "cap":
		e.Capped, e.Cap = true, money.Fen(r.number(""))
	case "number":
		e.Number = value
	case "note":
		key, _, _ := strings.Cut(value, "=")
		e.Notes = append(e.Notes, Note{key, r.word(key)})
	case "sale":
		e.Campaign, e.Host, e.Pickup = r.word("campaign"), r.word("host"), r.word("pickup")
		e.optional(&r)
	case "referral":
		e.Referral = Referral{
			Why: r.word("why"), Direct: r.word("direct"), Upline: r.word("upline"),
			Policy: r.word("policy"), Share: r.word("share"), Touch: r.word("touch"),
		}
	case "line":
		e.Lines = append(e.Lines, SaleLine{
			Line: int(r.number("")), SKU: r.word("sku"), Product: r.word("product"), Category: r.word("category"),
			Units: r.number("units"), Paid: money.Fen(r.number("paid")), Cost: money.Fen(r.number("cost")),
		})
	case "refunded":
		e.Refunded = append(e.Refunded, RefundedLine{
			Line: int(r.number("")), From: money.Fen(r.number("from")), To: money.Fen(r.number("to")),
			Paid: money.Fen(r.number("paid")), Settled: r.word("settled") == "true",
		})
	default:
		return ErrText
	}
	return r.err
}

// reader takes the words of one line from left to right; the first mistake sticks.
type reader struct {
	rest string
	err  error
}

// take gives the next word, which must carry the given key; "" is a word without one.
func (r *reader) take(key string) string {
	var field string
	field, r.rest, _ = strings.Cut(r.rest, " ")
	if key == "" {
		return field
	}
	value, ok := strings.CutPrefix(field, key)
	if !ok || len(value) == 0 || value[0] != '=' {
		r.err = ErrText
		return ""
	}
	return value[1:]
}

func (r *reader) word(key string) string {
	s, err := Unescape(r.take(key))
	if err != nil {
		r.err = err
	}
	return s
}

// optional takes the words about the sale that may follow, each once at most.
func (e *Entry) optional(r *reader) {
	for r.rest != "" && r.err == nil {
		key, _, _ := strings.Cut(r.rest, "=")
		var field *string
		switch key {
		case "buyer":
			field = &e.Buyer
		case "community":
			field = &e.Community
		case "grade":
			field = &e.Grade
		case "help":
			field = &e.HelpSeller
		case "staff":
			field = &e.Staff
		}
		if field == nil || *field != "" {
			r.err = ErrText
			return
		}
		*field = r.word(key)
	}
}

func (r *reader) number(key string) int64 {
	n, err := strconv.ParseInt(r.take(key), 10, 64)
	if err != nil {
		r.err = ErrText
	}
	return n
}

// posting reads the account, the amount and then whichever of the optional words are there.
func (r *reader) posting() Posting {
	p := Posting{Account: Account(r.take("")), Amount: money.Fen(r.number(""))}
	for r.rest != "" && r.err == nil {
		key, _, _ := strings.Cut(r.rest, "=")
		switch key {
		case "line":
			p.Line = int(r.number(key))
		case "role":
			p.Role = Role(r.word(key))
		case "rule":
			p.Rule = r.word(key)
		case "full":
			p.Full = money.Fen(r.number(key))
		default:
			r.err = ErrText
		}
	}
	return p
}

// Unescape reads what appendWord wrote.
func Unescape(s string) (string, error) {
	if s == "-" {
		return "", nil
	}
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", ErrText
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", ErrText
		}
		b, i = append(b, byte(n)), i+2
	}
	return string(b), nil
}
