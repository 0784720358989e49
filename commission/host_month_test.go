package commission

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/policy"
	"guanxi/internal/fault"
)

// TestAMonthOfAHostTable plays testdata/host_month.txt, which a finance clerk can read and recompute by hand.
func TestAMonthOfAHostTable(t *testing.T) {
	t.Parallel()
	for _, c := range readTable(t, "testdata/host_month.txt") {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			_, err := w.Policies.Publish(t.Context(), policy.Policy{
				From: start.Add(-day), Cap: 2000, Rules: []policy.Rule{{Pays: []policy.Pay{{Role: Direct, Rate: 800}, {Role: Host, Rate: 300}}}},
			})
			must(t, err)
			h := &hostMonth{world: w, t: t}
			var last error
			for i, line := range c.lines {
				words := strings.Fields(line)
				if words[0] == "refused" {
					if f := fault.Of(last); f == nil || f.Code != words[1] {
						t.Fatalf("line %d: %v, want %s", i+1, last, words[1])
					}
					last = nil
					continue
				}
				if last != nil {
					t.Fatalf("before %q: %v", line, last)
				}
				if words[0] == "=>" {
					want := Balance{
						Pending: yuan(t, words[1]), Available: yuan(t, words[2]), Withdrawing: yuan(t, words[3]), Withdrawn: yuan(t, words[4]),
					}
					if diff := cmp.Diff(want, balance(t, w.Service, "mei")); diff != "" {
						t.Errorf("after line %d (%s): %s", i, c.lines[i-1], diff)
					}
					continue
				}
				last = h.step(line, words)
				must(t, w.CatchUp(t.Context())) // a second passes
			}
			must(t, last)
			must(t, w.CatchUp(t.Context()))
			must(t, w.Tidy(t.Context()))
			verified(t, w.Service)
			h.statementAddsUp()
		})
	}
}

type hostMonth struct {
	*world
	t      *testing.T
	serial int
}

func (h *hostMonth) step(line string, words []string) error {
	ctx, t := h.t.Context(), h.t
	now := h.clock.Now()
	pay := func() Payout {
		p := Payout{Member: "mei", Number: words[1], Amount: yuan(t, words[2]), At: start}
		if len(words) == 5 {
			p.Tax = yuan(t, words[4])
		}
		return p
	}
	h.serial++
	switch words[0] {
	case "sale":
		s := Sale{Order: words[1], At: now, Host: "mei", Referral: Referral{Why: "none"}, Lines: []SaleLine{{
			Line: 1, SKU: "a", Product: "p", Units: 1, Paid: yuan(t, words[2]),
		}}}
		if len(words) == 4 {
			s.Referral.Direct, s.Referral.Why = "mei", "first-touch"
		}
		return h.Accrue(ctx, s)
	case "received":
		return h.StartWindow(ctx, words[1], now, time.Time{})
	case "refund":
		return h.ClawBack(ctx, Refund{Order: words[1], Number: "r" + strconv.Itoa(h.serial), At: now, Lines: []RefundLine{
			{1, yuan(t, words[2]), yuan(t, words[4])},
		}})
	case "days":
		n, err := strconv.Atoi(words[1])
		must(t, err)
		h.clock.Advance(time.Duration(n) * day)
		return settleEverything(ctx, h.Service)
	case "withdraw":
		return h.Reserve(ctx, Hold{Member: "mei", Number: words[1], Amount: yuan(t, words[2]), At: now})
	case "paid":
		return h.ConfirmPayout(ctx, pay())
	case "failed":
		return h.FailPayout(ctx, pay())
	case "returned":
		return h.ReturnPayout(ctx, pay())
	case "correct":
		in := proposal(line)
		in.Amount, in.To = yuan(t, words[1]), Available.Of("mei")
		if in.Amount < 0 {
			in.Amount, in.From, in.To = -in.Amount, in.To, in.From
		}
		in.Reason = strings.Trim(words[2], `"`)
		v, err := h.ProposeVoucher(ctx, in)
		must(t, err)
		_, err = h.ApproveVoucher(ctx, v.ID, "chief", "")
		return err
	case "close":
		h.clock.Set(time.Date(2026, 4, 1, 1, 0, 0, 0, time.UTC))
		if _, err := h.ClosePeriod(ctx, words[1], "chief"); err != nil {
			return err
		}
		d, err := h.PeriodStatement(ctx, "mei", words[1])
		must(t, err)
		if is := balance(t, h.Service, "mei"); d.Closing != is {
			t.Errorf("the statement closes with %+v, the purse has %+v", d.Closing, is)
		}
		return nil
	}
	t.Fatalf("unknown word %s", words[0])
	return nil
}

// statementAddsUp reads all lines of the host's statement: together they are the purse, and each has its words.
func (h *hostMonth) statementAddsUp() {
	sum := Balance{}
	s, err := h.Statement(h.t.Context(), "mei", Page{Size: 200})
	must(h.t, err)
	for _, l := range s.Lines {
		sum.Add(l.Change)
		if l.Reason == "" {
			h.t.Errorf("%s says nothing", l.Entry)
		}
		if x, err := h.Explain(h.t.Context(), "mei", l.Entry); err != nil || x.Sentence == "" || len(x.Steps) == 0 {
			h.t.Errorf("%s is not explained: %v", l.Entry, err)
		}
	}
	if is := balance(h.t, h.Service, "mei"); sum != is {
		h.t.Errorf("the lines make %+v, the purse has %+v", sum, is)
	}
}
