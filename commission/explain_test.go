package commission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/goldentest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestEveryFenIsExplainedToItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := testPolicy()
	p.Cap = 1000
	_, err := w.Policies.Publish(t.Context(), p)
	must(t, err)
	ctx := t.Context()
	s := sale("o1", 9900, 101)
	s.Lines = append(s.Lines, SaleLine{Line: 3, SKU: "g", Product: "p-gift", Category: "礼盒", Units: 2, Paid: 5000})
	var out strings.Builder
	tell := func(title string, members ...string) {
		for _, member := range members {
			must(t, w.CatchUp(ctx))
			statement, err := w.Statement(ctx, member, Page{Size: 1})
			must(t, err)
			x, err := w.Explain(ctx, member, statement.Lines[0].Entry)
			must(t, err)
			if x.Sentence != statement.Lines[0].Reason {
				t.Error("the statement and the explanation disagree")
			}
			fmt.Fprintf(&out, "## %s: %s\n\n%s。\n\n- %s\n", title, member, x.Sentence, strings.Join(x.Steps, "\n- "))
			if x.NotYet != "" {
				fmt.Fprintf(&out, "\n%s。\n", x.NotYet)
			}
			out.WriteString("\n")
		}
	}
	must(t, w.Accrue(ctx, s))
	tell("accrued", "alice", "host1")
	must(t, w.ClawBack(ctx, Refund{Order: "o1", Number: "r1", At: start.Add(day), Lines: []RefundLine{{1, 3300, 9900}}}))
	tell("a third of line 1 refunded", "alice")
	must(t, w.StartWindow(ctx, "o1", start.Add(2*day), start.Add(9*day)))
	w.clock.Advance(2 * day)
	must(t, w.Accrue(ctx, sale("o2", 100)))
	x, err := w.Explain(ctx, "alice", "accrue/o1")
	must(t, err)
	fmt.Fprintf(&out, "## received\n\n%s。\n\n", x.NotYet)
	w.clock.Advance(8 * day)
	_, err = w.SettleDue(ctx)
	must(t, err)
	tell("settled", "alice")
	must(t, w.ClawBack(ctx, Refund{Order: "o1", Number: "r2", At: w.clock.Now(), Lines: []RefundLine{{1, 9900, 9900}}}))
	tell("all of line 1 refunded after that", "alice")
	goldentest.Golden(t, "testdata/explained.md", out.String())
	for member, entry := range map[string]string{"carol": "accrue/o1", "alice": "accrue/o9"} {
		if _, err := w.Explain(ctx, member, entry); !errors.Is(err, ErrEntryMissing) {
			t.Error("another one's entry:", err)
		}
	}
}

func TestAnEntryReadsLikeThis(t *testing.T) {
	t.Parallel()
	p := testPolicy()
	p.Version = 3
	s := sale("o1", 9900, 101)
	s.Lines[1].Category = "水果 50% 干-果\n"
	accrual := policy.Compute(&p, s)
	accrual.Book = "main"
	d := &Settlement{}
	must(t, d.refund(Refund{Order: "o1", Number: "r1", At: start, Lines: []RefundLine{{1, 3300, 9900}}}, accrual))
	d.receive(start, start)
	must(t, d.adopt(accrual, &Config{Window: Window{Settle: day}}))
	d.settle(start.Add(day))
	var out strings.Builder
	for _, e := range append([]*Entry{accrual}, d.entries(accrual)...) {
		fmt.Fprintf(&out, "# %s\n%s\n", e.ID, e.Text())
		back, err := book.ParseEntry(&book.EntryDoc{Doc: e.Doc("").Doc, Text: e.Text(), Hash: e.Hash[:]})
		must(t, err)
		if diff := cmp.Diff(e, back, cmpopts.IgnoreUnexported(Entry{})); diff != "" {
			t.Error(diff)
		}
	}
	goldentest.Golden(t, "testdata/entries.txt", out.String())
}

func TestAnyEntryCanBeReadBackFromItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "name")
		p := testPolicy()
		s := sale("o1", 100)
		s.Lines[0].SKU, s.Lines[0].Category = text, rapid.String().Draw(t, "category")
		s.Referral.Why = rapid.String().Draw(t, "why")
		p.Rules = append(p.Rules, policy.Rule{SKU: "x" + text, Pays: []policy.Pay{{Role: Direct, Rate: 100}}})
		e := policy.Compute(&p, s)
		e.Book = "main"
		doc := e.Doc("")
		back, err := book.ParseEntry(doc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, back, cmpopts.IgnoreUnexported(Entry{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAStatementPagesFromTheNewestToTheFirstLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 7})
	w.publish(t)
	must(t, work(t, w.Service, 0, 200))
	for _, size := range []int{1, 20, 31, 32, 33, 200} {
		var orders []string
		for page := (Page{Size: size}); ; {
			s, err := w.Statement(t.Context(), "alice", page)
			must(t, err)
			for _, l := range s.Lines {
				if l.No != int64(200-len(orders)) {
					t.Fatalf("line %d at place %d", l.No, len(orders))
				}
				orders = append(orders, l.Order)
			}
			if page.After = s.Next; s.Next == "" {
				break
			}
		}
		if len(orders) != 200 || orders[0] != "o199" || orders[199] != "o000" {
			t.Errorf("size %d: %d lines", size, len(orders))
		}
	}
	p, err := w.Purse(t.Context(), "alice")
	must(t, err)
	if len(p.Newest) != 32 || p.Lines != 200 || p.Newest[0].No != 200 {
		t.Errorf("%d newest lines of %d", len(p.Newest), p.Lines)
	}
	for _, page := range []Page{{Size: -1}, {Size: 201}, {After: "x"}, {After: "0"}} {
		if _, err := w.Statement(t.Context(), "alice", page); !errors.Is(err, ErrPageInvalid) {
			t.Errorf("%+v: %v", page, err)
		}
	}
	empty, err := w.Purse(t.Context(), "nobody")
	must(t, err)
	if diff := cmp.Diff(&Purse{Member: "nobody", Newest: []Line{}}, empty); diff != "" {
		t.Error(diff)
	}
}
