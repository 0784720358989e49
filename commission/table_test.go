package commission

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"guanxi/commission/policy"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// tableCase is one "case" of a text table.
type tableCase struct {
	name  string
	lines []string
}

func readTable(t *testing.T, path string) []tableCase {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var cases []tableCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch name, is := strings.CutPrefix(line, "case "); {
		case is:
			cases = append(cases, tableCase{name: name})
		case line == "" || line[0] == '#':
		default:
			last := &cases[len(cases)-1]
			last.lines = append(last.lines, line)
		}
	}
	return cases
}

func options(words []string) map[string]string {
	all := map[string]string{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		all[key] = value
	}
	return all
}

func yuan(t *testing.T, s string) money.Fen {
	t.Helper()
	if s == "" {
		return 0
	}
	f, err := money.ParseYuan(s)
	must(t, err)
	return f
}

func rate(t *testing.T, s string) money.BasisPoints {
	t.Helper()
	d, err := decimal.NewFromString(strings.TrimSuffix(s, "%"))
	must(t, err)
	return money.BasisPoints(d.Shift(2).IntPart())
}

func TestAccrualTable(t *testing.T) {
	t.Parallel()
	for _, c := range readTable(t, "testdata/accrue.txt") {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, s := policy.Policy{}, Sale{Order: "o1", At: start}
			var want [][]string // what the accrual posts, then what each refund posts
			var refunds []Refund
			for _, line := range c.lines {
				words := strings.Fields(line)
				o := options(words[1:])
				switch words[0] {
				case "policy":
					p.Cap = rate(t, o["cap"])
					_, p.SecondLevel = o["second-level"]
					_, p.NoSelfPurchase = o["no-self-purchase"]
					if p.Edition = policy.Edition; o["edition"] != "" {
						p.Edition = 0
					}
					if floor, ok := o["floor"]; ok {
						p.HasMarginFloor, p.MarginFloor = true, rate(t, floor)
					}
				case "rule":
					p.Rules = append(p.Rules, tableRule(t, words))
				case "sale":
					s.Campaign, s.Host, s.Pickup, s.Buyer = o["campaign"], o["host"], o["pickup"], o["buyer"]
					s.Community, s.Grade, s.HelpSeller, s.Staff = o["community"], o["grade"], o["help"], o["staff"]
					s.Referral = Referral{Why: o["why"], Direct: o["direct"], Upline: o["upline"]}
				case "line":
					n, err := strconv.Atoi(words[1])
					must(t, err)
					units, err := strconv.ParseInt(o["units"], 10, 64)
					must(t, err)
					s.Lines = append(s.Lines, SaleLine{
						Line: n, SKU: o["sku"], Product: o["product"], Category: o["category"], Units: units,
						Paid: yuan(t, o["paid"]), Cost: yuan(t, o["cost"]),
					})
				case "refund":
					refunds = append(refunds, tableRefund(t, &s, words))
				case "=>":
					for len(want) <= len(refunds) {
						want = append(want, nil)
					}
					if line != "=> nothing" {
						want[len(refunds)] = append(want[len(refunds)], strings.Join(words[1:], " "))
					}
				default:
					t.Fatal("unknown word", words[0])
				}
			}
			must(t, p.Check())
			must(t, s.Check())
			e := policy.Compute(&p, s)
			is := [][]string{tablePostings(t, e)}
			if diff := cmp.Diff(e, policy.NewRulebook(&p).Compute(&s), cmpopts.IgnoreUnexported(Entry{})); diff != "" {
				t.Error("the rulebook finds other rules", diff)
			}
			d := &Settlement{}
			for i, r := range refunds {
				must(t, d.refund(r, e))
				is = append(is, tablePostings(t, clawBackEntry(e, &d.Refunds[i])))
			}
			if diff := cmp.Diff(want, is); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// tablePostings writes postings as the table does.
func tablePostings(t *testing.T, e *Entry) (all []string) {
	t.Helper()
	for _, p := range e.Postings {
		text := string(p.Account) + " " + p.Amount.Yuan()
		if p.Line > 0 {
			text += fmt.Sprintf(" line %d %s", p.Line, p.Role)
		}
		all = append(all, text)
	}
	if !e.Balanced() {
		t.Error("not balanced")
	}
	return all
}

// tableRefund reads "refund <number> line=cumulative ...".
func tableRefund(t *testing.T, s *Sale, words []string) Refund {
	t.Helper()
	r := Refund{Order: s.Order, Number: words[1], At: start}
	for _, word := range words[2:] {
		number, amount, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		must(t, err)
		l := RefundLine{Line: n, Refunded: yuan(t, amount), Paid: yuan(t, amount)}
		if n <= len(s.Lines) {
			l.Paid = s.Lines[n-1].Paid
		}
		r.Lines = append(r.Lines, l)
	}
	return r
}

func tableRule(t *testing.T, words []string) policy.Rule {
	t.Helper()
	var r policy.Rule
	switch kind, value, _ := strings.Cut(words[1], ":"); kind {
	case "sku":
		r.SKU = value
	case "product":
		r.Product = value
	case "campaign":
		r.Campaign = value
	case "category":
		r.Category = value
	case "community":
		r.Community = value
	case "grade":
		r.Grade = value
	case "default":
	default:
		t.Fatal("unknown subject", words[1])
	}
	for _, w := range words[2:] {
		role, value, _ := strings.Cut(w, "=")
		if strings.HasSuffix(value, "%") {
			r.Pays = append(r.Pays, policy.Pay{Role: Role(role), Rate: rate(t, value)})
		} else {
			r.Pays = append(r.Pays, policy.Pay{Role: Role(role), Fixed: yuan(t, value)})
		}
	}
	return r
}

func TestRefundTable(t *testing.T) {
	t.Parallel()
	for _, c := range readTable(t, "testdata/refunds.txt") {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			w.publish(t)
			var s Sale
			var last error
			for i, line := range c.lines {
				words := strings.Fields(line)
				if words[0] == "fails" {
					if f := fault.Of(last); f == nil || f.Code != words[1] {
						t.Fatalf("line %d: %v, want %s", i, last, words[1])
					}
					last = nil
					continue
				}
				must(t, last)
				last = w.tableStep(t, &s, words)
			}
			must(t, last)
			must(t, w.Tidy(t.Context()))
			report, err := w.Verify(t.Context(), nil)
			must(t, err)
			if !report.Good() {
				t.Error(report.Differences)
			}
		})
	}
}

func (w *world) tableStep(t *testing.T, s *Sale, words []string) error {
	t.Helper()
	ctx := t.Context()
	switch words[0] {
	case "sale":
		var paid []money.Fen
		for _, p := range words[1:] {
			paid = append(paid, yuan(t, p))
		}
		*s = sale("o1", paid...)
	case "accrue":
		return w.Accrue(ctx, *s)
	case "receive":
		ends := time.Time{}
		if len(words) == 3 { // receive window <days>
			n, err := strconv.Atoi(words[2])
			must(t, err)
			ends = w.clock.Now().Add(time.Duration(n) * day)
		}
		return w.StartWindow(ctx, "o1", w.clock.Now(), ends)
	case "hold":
		var lines []int
		for _, word := range words[2:] {
			n, err := strconv.Atoi(word)
			must(t, err)
			lines = append(lines, n)
		}
		return w.HoldLines(ctx, "o1", words[1], lines)
	case "release":
		return w.ReleaseLines(ctx, "o1", words[1])
	case "days":
		n, err := strconv.Atoi(words[1])
		must(t, err)
		w.clock.Advance(time.Duration(n) * day)
	case "settle":
		_, err := w.SettleDue(ctx)
		return err
	case "refund":
		r := tableRefund(t, s, words)
		r.At = w.clock.Now()
		return w.ClawBack(ctx, r)
	case "purse":
		want := Balance{Pending: yuan(t, words[2]), Available: yuan(t, words[3])}
		if diff := cmp.Diff(want, balance(t, w.Service, words[1])); diff != "" {
			t.Error(strings.Join(words, " "), diff)
		}
	default:
		return errors.New("unknown word " + words[0])
	}
	return nil
}
