package commission

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Reading millions of entries takes shortcuts: memory that is used again, moments read by hand, sums in place of texts.
// Here every one of them is held against the long way.

// plainly reads a text the long way.
func plainly(id, text string) (*Entry, error) {
	head, rest, _ := strings.Cut(text, "\n")
	words, ok := strings.CutPrefix(head, book.TextMagic)
	kind, mark, both := strings.Cut(words, " ")
	if !ok || !both {
		return nil, book.ErrText
	}
	e := &Entry{ID: id, Kind: Kind(kind), Book: mark}
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if err := plainLine(e, line); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func plainLine(e *Entry, line string) (err error) {
	key, value, ok := strings.Cut(line, " ")
	if !ok {
		return book.ErrText
	}
	words, next := strings.Split(value, " "), 0
	bare := func() string {
		if next++; next > len(words) {
			return ""
		}
		return words[next-1]
	}
	take := func(key string) string {
		k, v, ok := strings.Cut(bare(), "=")
		if !ok || k != key {
			err = book.ErrText
		}
		return v
	}
	word := func(key string) string {
		s, bad := book.Unescape(take(key))
		if bad != nil {
			err = bad
		}
		return s
	}
	integer := func(s string) int64 {
		n, bad := strconv.ParseInt(s, 10, 64)
		if bad != nil {
			err = book.ErrText
		}
		return n
	}
	fen := func(key string) money.Fen { return money.Fen(integer(take(key))) }
	more := func() bool { return next < len(words) && (next < len(words)-1 || words[next] != "") }
	switch key {
	case "post":
		p := Posting{Account: Account(bare()), Amount: money.Fen(integer(bare()))}
		for more() && err == nil {
			switch k, _, _ := strings.Cut(words[next], "="); k {
			case "line":
				p.Line = int(fen(k))
			case "role":
				p.Role = Role(word(k))
			case "rule":
				p.Rule = word(k)
			case "full":
				p.Full = fen(k)
			default:
				err = book.ErrText
			}
		}
		e.Postings = append(e.Postings, p)
	case "at":
		e.At, err = time.Parse(book.TextTime, value)
	case "order":
		e.Order = value
	case "refund":
		e.Refund = value
	case "number":
		e.Number = value
	case "policy":
		e.Policy = int(integer(bare()))
	case "cap":
		e.Capped, e.Cap = true, money.Fen(integer(bare()))
	case "note":
		k, _, _ := strings.Cut(value, "=")
		if strings.Contains(k, " ") {
			return book.ErrText
		}
		e.Notes = append(e.Notes, Note{Key: k, Value: word(k)})
	case "sale":
		e.Campaign, e.Host, e.Pickup = word("campaign"), word("host"), word("pickup")
		fields := map[string]*string{"buyer": &e.Buyer, "community": &e.Community, "grade": &e.Grade, "help": &e.HelpSeller, "staff": &e.Staff}
		for more() && err == nil {
			k, _, _ := strings.Cut(words[next], "=")
			if fields[k] == nil || *fields[k] != "" {
				return book.ErrText
			}
			*fields[k] = word(k)
		}
	case "referral":
		e.Referral.Why, e.Referral.Direct, e.Referral.Upline = word("why"), word("direct"), word("upline")
		e.Referral.Policy, e.Referral.Share, e.Referral.Touch = word("policy"), word("share"), word("touch")
	case "line":
		e.Lines = append(e.Lines, SaleLine{
			Line: int(integer(bare())), SKU: word("sku"), Product: word("product"), Category: word("category"),
			Units: integer(take("units")), Paid: fen("paid"), Cost: fen("cost"),
		})
	case "refunded":
		e.Refunded = append(e.Refunded, RefundedLine{
			Line: int(integer(bare())), From: fen("from"), To: fen("to"), Paid: fen("paid"), Settled: word("settled") == "true",
		})
	default:
		err = book.ErrText
	}
	return err
}

// monthOfEntries is a month of business: entries of nearly all kinds, as they are stored.
func monthOfEntries(t *testing.T) (docs []*book.EntryDoc) {
	t.Helper()
	dir := t.TempDir()
	monthOnDisk(t, dir)
	s, store := ledgerIn(t, dir, clock.NewManual(start))
	must(t, s.book.Entries.Each(t.Context(), docstore.All(), func(d *book.EntryDoc) error { docs = append(docs, d); return nil }))
	must(t, store.Close())
	return docs
}

func TestAnEntryReadIntoAUsedOneIsTheEntryReadTheLongWay(t *testing.T) {
	t.Parallel()
	docs := monthOfEntries(t)
	used, good, bad := &Entry{}, 0, 0
	same := func(t rapid.TB, doc *book.EntryDoc) {
		want, wantErr := plainly(doc.ID, doc.Text)
		err := used.Read(doc)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, the long way %v:\n%s", err, wantErr, doc.Text)
		}
		if err != nil {
			bad++
			return
		}
		good++
		copy(want.Hash[:], doc.Hash)
		want.Seal, want.Unsealed, want.Rooted = doc.Seal, doc.Unsealed, doc.Rooted
		if diff := cmp.Diff(want, used, cmpopts.EquateEmpty(), cmp.AllowUnexported(Entry{})); diff != "" {
			t.Fatalf("%s\n%s", diff, doc.Text)
		}
	}
	for _, doc := range docs {
		same(t, doc)
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := *docs[rapid.IntRange(0, len(docs)-1).Draw(t, "entry")]
		text := []byte(doc.Text)
		for range rapid.IntRange(1, 3).Draw(t, "damages") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			to := rapid.IntRange(at, min(len(text), at+40)).Draw(t, "to")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				text = slices.Delete(text, at, to)
			case 1:
				text = slices.Insert(text, at, text[at:to]...)
			default:
				text[at] = rapid.SampledFrom([]byte(" =\n-%0123456789azAZ:,.\x00")).Draw(t, "character")
			}
			if len(text) == 0 {
				return
			}
		}
		doc.Text = string(text)
		same(t, &doc)
	})
	if good <= len(docs) || bad == 0 {
		t.Errorf("%d read, %d refused", good, bad)
	}
}

func TestAnAccountIsRecognisedWithoutBeingMade(t *testing.T) {
	t.Parallel()
	words := rapid.SliceOfN(rapid.SampledFrom([]string{"member:", "staff:", "m1", "m12", ":", "pending", "available", "brand", ""}), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		member, pot := strings.Join(words.Draw(t, "member"), ""), rapid.SampledFrom(append(slices.Clone(book.Pots), "")).Draw(t, "pot")
		for _, a := range []Account{Account(strings.Join(words.Draw(t, "account"), "")), pot.Of(member)} {
			if a.Is(pot, member) != (a == pot.Of(member)) {
				t.Fatalf("%q is %q of %q: %v", a, pot, member, a.Is(pot, member))
			}
		}
	})
}

func TestSalesWorkedOutInUsedMemoryComeOutTheSame(t *testing.T) {
	t.Parallel()
	used, before, counted := policy.Reckoner{}, []Posting(nil), 0
	rapid.Check(t, func(t *rapid.T) {
		p, s := anyPolicy(t), anySale(t)
		if p.Check() != nil {
			return
		}
		want := policy.Compute(&p, s)
		e := *want
		switch rapid.IntRange(0, 3).Draw(t, "like") {
		case 0:
			e.Postings = before
		case 1:
			e.Postings = slices.Clone(e.Postings)
			slices.Reverse(e.Postings)
		case 2:
			e.Postings = nil
		}
		used.Book = policy.NewRulebook(&p)
		is, capped, limit := used.Postings(&e)
		if !slices.Equal(is, want.Postings) || capped != want.Capped || limit != want.Cap {
			t.Fatalf("%+v, %v %d instead of %+v", is, capped, limit, want)
		}
		before = want.Postings
		if len(is) > 0 {
			counted++
		}
	})
	if counted == 0 {
		t.Error("nobody was paid anything")
	}
}

// The sums verification keeps of a seal are those of the texts and postings a purse is made of.
func TestASealsSumsAreThoseOfItsLines(t *testing.T) {
	t.Parallel()
	docs := monthOfEntries(t)
	v := &verification{key: newLineKey(), Service: &Service{}}
	c, all := v.newSealCheck(1), []*Entry(nil)
	for _, doc := range docs {
		must(t, c.entry.Read(doc))
		c.move(c.entry)
		e, err := book.ParseEntry(doc)
		must(t, err)
		all = append(all, e)
	}
	texts, balances, brand := map[string]string{}, map[string]Balance{}, map[Account]money.Fen{}
	for _, e := range all {
		seen := map[string]bool{}
		for _, p := range e.Postings {
			member, _, ok := p.Account.Member()
			if !ok {
				brand[p.Account] += p.Amount
			}
			if !ok || seen[member] {
				continue
			}
			seen[member] = true
			line, b := e.LineOf(member), balances[member]
			b.Add(line.Change)
			balances[member], texts[member] = b, texts[member]+string(book.AppendShare(book.AppendSubject(nil, e), line.Change, line.Roles))
		}
	}
	moves := book.Movements(all)
	if len(c.moves) != len(texts) || len(moves) != len(texts) || len(texts) < 5 {
		t.Fatalf("%d and %d members, %d must be", len(c.moves), len(moves), len(texts))
	}
	for member, text := range texts {
		sum, power := uint64(0), uint64(1)
		for line := range strings.Lines(text) {
			sum, power = sum*v.key.base+maphash.String(v.key.seed, line), power*v.key.base
		}
		want := hashed{int64(strings.Count(text, "\n")), sum, power}
		if is := c.moves[member]; is.hashed != want || is.change != balances[member] {
			t.Errorf("%s: %+v instead of %+v", member, is, want)
		}
		if is := moves[member]; string(is.Text) != text || int64(is.Lines) != want.lines || is.Change != balances[member] {
			t.Errorf("%s: other lines", member)
		}
	}
	is := map[Account]money.Fen{}
	for _, one := range c.brand {
		is[one.account] += one.amount
	}
	if diff := cmp.Diff(brand, is); diff != "" {
		t.Error(diff)
	}
}

// However a statement is cut into pieces, joining them is hashing it as a whole.
func TestAStatementHashedInPiecesIsTheStatement(t *testing.T) {
	t.Parallel()
	key := newLineKey()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.SampledFrom([]string{"a\n", "bc\n", "\n", "accrue/o1 x\n"})).Draw(t, "lines")
		whole, joined := hashed{power: 1}, hashed{power: 1}
		whole.add(&key, strings.Join(lines, ""))
		for rest := lines; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			piece := hashed{power: 1}
			piece.add(&key, strings.Join(rest[:n], ""))
			joined.join(&piece)
			rest = rest[n:]
		}
		if whole != joined || whole.lines != int64(len(lines)) {
			t.Fatalf("%+v and %+v", whole, joined)
		}
	})
}

func TestASealThatHoldsAnEntryTwiceIsSeen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.StringN(0, 2, 4), 0, 12).Draw(t, "ids")
		before := slices.Clone(ids)
		want := len(firsts(ids, func(id string) string { return id })) < len(ids)
		if repeats(ids) != want || !slices.Equal(ids, before) {
			t.Fatalf("%q: %v", ids, !want)
		}
	})
}

func TestASealsDigestIsWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &Seal{Book: "main", Number: rapid.Int64().Draw(t, "number"), At: start, Prev: sha256.Sum256([]byte("before"))}
		for n := range rapid.IntRange(0, 400).Draw(t, "entries") {
			s.Entries = append(s.Entries, fmt.Sprint("accrue/", strings.Repeat("x", n%90), n))
			s.Hashes = append(s.Hashes, sha256.Sum256([]byte(s.Entries[n])))
		}
		var text bytes.Buffer
		fmt.Fprintf(&text, "guanxi-seal 1 main %d %s\n%s", s.Number, s.At.Format(book.TextTime), s.Prev[:])
		for i, id := range s.Entries {
			fmt.Fprintf(&text, "%s\n%s", id, s.Hashes[i][:])
		}
		if s.Digest() != sha256.Sum256(text.Bytes()) {
			t.Fatal("another digest")
		}
	})
}
