package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

const theDay, nextDay = "2026-03-01", "2026-03-02"

// line makes the bill's line of a fact.
func (p *platform) tradeLine(f Fact) TradeLine {
	if f.Move == Payment {
		return TradeLine{At: f.At, State: "SUCCESS", Number: f.Number, TransactionID: f.Platform, Amount: f.Amount}
	}
	return TradeLine{
		At: f.At, State: "REFUND", Number: f.Order, RefundNumber: f.Number, RefundID: f.Platform, RefundState: "SUCCESS",
		Amount: f.Amount,
	}
}

func fundLine(f Fact) FundLine {
	name := map[Movement]string{Payment: "交易", Refund: "退款", Transfer: "商家转账"}[f.Move]
	return FundLine{
		At: f.At, Name: name, Type: name, In: f.Move == Payment, Number: f.Number, Platform: f.Platform,
		Flow: "F" + f.Number, Amount: f.Amount,
	}
}

func (w *world) bill(s Statement, day string, f Fact) {
	d := w.bills.day(s, day)
	if s == Trade {
		d.trade = append(d.trade, w.bills.tradeLine(f))
	} else {
		d.funds = append(d.funds, fundLine(f))
	}
}

// drawFacts makes a day's movements, some of them in the last or first second.
func drawFacts(t *rapid.T, s Statement) []Fact {
	from, to, _ := span(theDay)
	n := rapid.IntRange(0, 12).Draw(t, "movements")
	facts := make([]Fact, n)
	for i := range facts {
		facts[i] = Fact{
			Move:   rapid.SampledFrom(s.moves()).Draw(t, "movement"),
			Number: fmt.Sprintf("N%d", i), Platform: fmt.Sprintf("P%d", i), Order: "O", State: FactDone,
			Amount: money.Fen(rapid.Int64Range(1, 1000).Draw(t, "amount")),
			At:     clock.Milli(from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from)-1)).Draw(t, "at")))),
		}
	}
	return facts
}

// TestEachDamageIsExactlyOneTask: both sides agree but for what was damaged on purpose, on either side; the tasks are exactly the
// damages, after any number of runs; and when the damage is undone, nothing stays open.
func TestEachDamageIsExactlyOneTask(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.SampledFrom([]Statement{Trade, Funds}).Draw(rt, "statement")
		w := newWorld(t, Config{Since: theDay, Index: rapid.IntRange(1, 20).Draw(rt, "index")})
		facts := drawFacts(rt, s)
		want := []string{}
		var undo []func()
		d := w.bills.day(s, theDay)
		for _, f := range facts {
			damage := rapid.SampledFrom([]string{
				"", "", "", "lost", "unbilled", "amount", "twice", "state", "number", "tomorrow", "both days",
			}).Draw(rt, "damage")
			w.ours.put(f)
			billed, mine := f, f
			about := fmt.Sprintf("/%s/%s", f.Move, f.Number)
			add := func(day string, kind Difference) { want = append(want, day+" "+string(kind)+about) }
			switch damage {
			case "lost":
				delete(w.ours.facts, factKey{f.Move, f.Number})
				add(theDay, MissingOurs)
			case "unbilled":
				add(theDay, MissingBill)
				undo = append(undo, func() { w.bill(s, theDay, f) })
				continue
			case "amount":
				billed.Amount++
				add(theDay, AmountWrong)
			case "number":
				billed.Platform += "x"
				add(theDay, NumberWrong)
			case "state":
				mine.State, mine.At = rapid.SampledFrom([]FactState{FactOpen, FactFailed}).Draw(rt, "state"), time.Time{}
				w.ours.put(mine)
				add(theDay, StateWrong)
			case "twice":
				w.bill(s, theDay, f)
				add(theDay, Doubled)
				undo = append(undo, func() { unbillOne(d, s, f.Number) })
			case "tomorrow":
				w.bill(s, nextDay, f)
				continue
			case "both days":
				w.bill(s, nextDay, f)
				add(nextDay, Doubled)
				undo = append(undo, func() { unbillOne(w.bills.day(s, nextDay), s, f.Number) })
			}
			w.bill(s, theDay, billed)
			if damage != "" && damage != "twice" && damage != "both days" {
				undo = append(undo, func() {
					unbillOne(d, s, f.Number)
					w.bill(s, theDay, f)
					w.ours.put(f)
				})
			}
		}
		w.clock.Set(at(t, "2026-03-03", "10:00:00")) // both days are ready
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			w.tend(t)
			w.checkOpen(t, rt, s, want)
			for _, day := range rapid.SampledFrom([][]string{{theDay}, {nextDay}, {nextDay, theDay}}).Draw(rt, "again") {
				if _, err := w.Again(t.Context(), s, day); err != nil {
					rt.Fatal(err)
				}
				w.tend(t)
			}
		}
		w.checkOpen(t, rt, s, want)
		for _, mend := range undo {
			mend()
		}
		for _, day := range []string{theDay, nextDay} {
			if _, err := w.Again(t.Context(), s, day); err != nil {
				rt.Fatal(err)
			}
		}
		w.tend(t)
		w.checkOpen(t, rt, s, []string{})
	})
}

func unbillOne(d *statement, s Statement, number string) {
	if s == Trade {
		i := slices.IndexFunc(d.trade, func(l TradeLine) bool { return l.line(0).Number == number })
		d.trade = slices.Delete(d.trade, i, i+1)
		return
	}
	i := slices.IndexFunc(d.funds, func(l FundLine) bool { return l.Number == number })
	d.funds = slices.Delete(d.funds, i, i+1)
}

// checkOpen holds the open tasks, and the states of the days, against the damages.
func (w *world) checkOpen(t *testing.T, rt *rapid.T, s Statement, want []string) {
	got := []string{}
	page, err := w.Tasks(t.Context(), TaskOpen, docstore.Paging{First: 200})
	if err != nil {
		rt.Fatal(err)
	}
	open := map[string]bool{}
	for _, task := range page.Items {
		if task.Statement != s {
			continue // the other bill knows of nothing here
		}
		got = append(got, fmt.Sprintf("%s %s/%s/%s", task.Day, task.Difference, task.Move, task.Number))
		open[task.Day] = true
	}
	slices.Sort(got)
	want = slices.Clone(want)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("open tasks: -want +got\n%s", diff)
	}
	for _, day := range []string{theDay, nextDay} {
		r, err := w.Get(t.Context(), s, day)
		if err != nil {
			rt.Fatal(err)
		}
		if (r.State == Differing) != open[day] || r.State == Waiting || r.State == Matching {
			rt.Fatalf("%s is %s, with open tasks: %v", day, r.State, open[day])
		}
		if r.Bill.Lines != r.Said.Lines {
			rt.Fatalf("%s: %+v", day, r)
		}
	}
}
