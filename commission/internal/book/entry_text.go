package book

import (
	"strconv"

	"guanxi/internal/docstore"
)

// The text of an entry is its canonical form: one fact per line, words parted by one space, values escaped so that
// they hold neither spaces nor line ends. What is hashed is what a person can read in the database:
//
//	guanxi-entry 1 accrue main
//	at 2026-11-22T07:09:35.000Z
//	order o1
//	policy 3
//	sale campaign=c1 host=h1 pickup=-
//	referral why=first-touch direct=m1 upline=- policy=2 share=s1 touch=t1
//	line 1 sku=a product=p category=水果 units=2 paid=1980 cost=500
//	cap 297
//	post brand:commission-expense -297
//	post member:m1:pending 297 line=1 role=direct rule=sku:a full=396
//
// Entries that belong to no order have a number and notes instead:
//
//	guanxi-entry 1 withdraw main
//	at 2026-11-22T07:09:35.000Z
//	number W1
//	note rail=weixin-transfer
//	post member:m1:available -297
//	post member:m1:withdrawing 297
const TextMagic = "guanxi-entry 1 "

// Text renders the entry. The same entry always gives the same bytes.
func (e *Entry) Text() string {
	b := make([]byte, 0, 256+128*len(e.Lines)+96*len(e.Postings))
	b = append(b, TextMagic...)
	b = append(append(append(append(b, e.Kind...), ' '), e.Book...), "\nat "...)
	b = appendTime(b, e.At)
	if e.Order != "" {
		b = append(append(b, "\norder "...), e.Order...)
	}
	if e.Number != "" {
		b = append(append(b, "\nnumber "...), e.Number...)
	}
	if e.Kind == Accrue {
		b = e.appendFacts(b)
	}
	for i := range e.Notes {
		b = appendWord(append(append(append(b, "\nnote "...), e.Notes[i].Key...), '='), "", e.Notes[i].Value)
	}
	if e.Refund != "" {
		b = append(append(b, "\nrefund "...), e.Refund...)
	}
	for _, r := range e.Refunded {
		b = appendInt(b, "\nrefunded ", int64(r.Line))
		b = appendInt(b, " from=", int64(r.From))
		b = appendInt(b, " to=", int64(r.To))
		b = appendInt(b, " paid=", int64(r.Paid))
		b = append(b, " settled="...)
		b = strconv.AppendBool(b, r.Settled)
	}
	for i := range e.Postings {
		b = e.Postings[i].append(b)
	}
	return string(append(b, '\n'))
}

func (e *Entry) appendFacts(b []byte) []byte {
	b = appendInt(b, "\npolicy ", int64(e.Policy))
	b = appendWord(b, "\nsale campaign=", e.Campaign)
	b = appendWord(b, " host=", e.Host)
	b = appendWord(b, " pickup=", e.Pickup)
	for _, optional := range []struct{ key, value string }{
		{" buyer=", e.Buyer}, {" community=", e.Community}, {" grade=", e.Grade}, {" help=", e.HelpSeller}, {" staff=", e.Staff},
	} {
		if optional.value != "" {
			b = appendWord(b, optional.key, optional.value)
		}
	}
	r := &e.Referral
	b = appendWord(b, "\nreferral why=", r.Why)
	b = appendWord(b, " direct=", r.Direct)
	b = appendWord(b, " upline=", r.Upline)
	b = appendWord(b, " policy=", r.Policy)
	b = appendWord(b, " share=", r.Share)
	b = appendWord(b, " touch=", r.Touch)
	for i := range e.Lines {
		l := &e.Lines[i]
		b = appendInt(b, "\nline ", int64(l.Line))
		b = appendWord(b, " sku=", l.SKU)
		b = appendWord(b, " product=", l.Product)
		b = appendWord(b, " category=", l.Category)
		b = appendInt(b, " units=", l.Units)
		b = appendInt(b, " paid=", int64(l.Paid))
		b = appendInt(b, " cost=", int64(l.Cost))
	}
	if e.Capped {
		b = appendInt(b, "\ncap ", int64(e.Cap))
	}
	return b
}

func (p *Posting) append(b []byte) []byte {
	b = append(append(b, "\npost "...), p.Account...)
	b = appendInt(b, " ", int64(p.Amount))
	if p.Line != 0 {
		b = appendInt(b, " line=", int64(p.Line))
	}
	if p.Role != "" {
		b = appendWord(b, " role=", string(p.Role))
	}
	if p.Rule != "" {
		b = appendWord(b, " rule=", p.Rule)
	}
	if p.Full != 0 {
		b = appendInt(b, " full=", int64(p.Full))
	}
	return b
}

func appendInt(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(b, key...), n, 10)
}

// appendWord writes a value as one word: "-" when empty, control characters, spaces and percent signs escaped.
func appendWord(b []byte, key, value string) []byte {
	b = append(b, key...)
	if value == "" {
		return append(b, '-')
	}
	if value == "-" {
		return append(b, "%2D"...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		c := value[i]
		if c <= ' ' || c == '%' || c == 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}

// Doc is the entry as it is stored; it sets the hash.
func (e *Entry) Doc(unsealed string) *EntryDoc {
	text := e.Text()
	e.Hash = HashOf(e.ID, text)
	return &EntryDoc{Doc: docstore.Doc{ID: e.ID}, Text: text, Hash: e.Hash[:], Unsealed: unsealed, Rooted: e.Rooted}
}
