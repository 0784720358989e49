package distribution

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

func drawPolicy(rt *rapid.T) Policy {
	p := Policy{Version: "drawn", SelfPurchase: SelfCredited, SecondLevel: rapid.Bool().Draw(rt, "second")}
	p.Mode = rapid.SampledFrom([]Mode{FirstTouch, LastTouch, Permanent}).Draw(rt, "mode")
	if p.Mode != Permanent {
		p.ValidityDays = rapid.IntRange(1, 10).Draw(rt, "valid")
	}
	if p.Mode == LastTouch {
		p.ProtectionDays = rapid.IntRange(0, p.ValidityDays).Draw(rt, "protect")
	}
	return p
}

func drawFacts(rt *rapid.T, most int) []Fact {
	facts := make([]Fact, rapid.IntRange(1, most).Draw(rt, "facts"))
	for i := range facts {
		facts[i] = Fact{
			ID: fmt.Sprintf("f%03d", i), By: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(rt, "by"),
			At: start.Add(time.Duration(rapid.IntRange(0, 40*12).Draw(rt, "hour")) * time.Hour), // often the same moment
		}
		if rapid.IntRange(0, 9).Draw(rt, "staff") == 0 {
			facts[i].Staff = "staff-1"
		}
	}
	return facts
}

// The same facts give the same bond, whatever order they arrive in.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		first, second := drawPolicy(rt), drawPolicy(rt)
		second.Version, second.From = "second", start.Add(days(15))
		rules := rulebook{first, second}
		facts := drawFacts(rt, MaxFacts)
		arrive := func(order []Fact) Bond {
			var b Bond
			for _, f := range order {
				if !b.knows(f) {
					b.take(b.with(f), rules)
				}
			}
			return b
		}
		a, b := arrive(facts), arrive(rapid.Permutation(facts).Draw(rt, "order"))
		if diff := cmp.Diff(a, b, cmpopts.IgnoreTypes(docstore.Doc{})); diff != "" {
			rt.Fatal(diff)
		}
		if diff := cmp.Diff(a.decisions(rules), b.decisions(rules)); diff != "" {
			rt.Fatal(diff)
		}
		at := start.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(rt, "at")) * time.Hour)
		if diff := cmp.Diff(a.At(at, rules), b.At(at, rules)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// Settling old facts changes nothing that can be asked about what is now.
func TestSettlingChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rules := rulebook{drawPolicy(rt)}
		facts := drawFacts(rt, 3*MaxFacts)
		slices.SortStableFunc(facts, func(a, b Fact) int { return a.At.Compare(b.At) })
		var b Bond
		for _, f := range facts {
			b.take(b.with(f), rules)
			b.take(slices.Clone(b.Facts), rules) // repeating is harmless
		}
		whole, _ := decide(nil, (&Bond{Facts: facts[1:]}).with(facts[0]), rules)
		if diff := cmp.Diff(whole, b.Current); diff != "" {
			rt.Fatal(diff)
		}
		if len(b.Facts) > MaxFacts || len(b.Past) > MaxPast {
			rt.Fatalf("%d facts, %d past decisions", len(b.Facts), len(b.Past))
		}
	})
}

// A protected bond is never lost to a touch, and a bond never lasts longer than its validity after its last touch.
func TestARivalNeverBreaksProtection(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPolicy(rt)
		var stood *Standing
		facts := (&Bond{Facts: drawFacts(rt, 20)}).with(Fact{ID: "z", By: "A", At: start})
		for _, f := range facts {
			before := stood
			stood, _ = judge(stood, f, p)
			if f.Staff == "" && before.In(f.At) && f.At.Before(before.ProtectedUntil) && stood.By != before.By {
				rt.Fatalf("%v lost a protected bond", before)
			}
			if p.Mode != Permanent && stood.Until.After(f.At.Add(days(p.ValidityDays))) {
				rt.Fatalf("%v lasts longer than the policy allows after %v", stood, f.At)
			}
		}
	})
}

// circles lists members whose chain of bonds in force comes back to them.
func (h house) circles(ctx context.Context, t testing.TB, members []string) (found []string) {
	t.Helper()
	for _, m := range members {
		_, circle, _, err := h.chain(ctx, m, m, maxCircle, h.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if circle {
			found = append(found, m)
		}
	}
	return found
}

func TestNoCircleEverAndNobodyIsNamedTwice(t *testing.T) {
	t.Parallel()
	h, run := open(t, DefaultPolicy()), 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		s, err := New(ctx, Deps{Store: h.store, Clock: h.clock, Config: Config{Policy: drawPolicy(rt)}})
		if err != nil {
			rt.Fatal(err)
		}
		h := house{s, h.clock, h.store}
		people := make([]string, 5)
		for i := range people {
			people[i] = fmt.Sprintf("m%d-%d", run, i)
		}
		run++
		who := rapid.SampledFrom(people)
		var late []string
		for n := range rapid.IntRange(1, 14).Draw(rt, "steps") {
			a, b := who.Draw(rt, "a"), who.Draw(rt, "b")
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				_, _ = h.Rebind(ctx, RebindInput{Member: a, To: b, By: "staff-1", Reason: "x", Key: fmt.Sprint(n)})
			case 1:
				h.clock.Advance(time.Duration(rapid.IntRange(1, 100).Draw(rt, "hours")) * time.Hour)
			case 2: // the process dies between touch and bond; the event comes later, if at all
				share, err := h.Share(ctx, ShareInput{Sharer: b, Kind: KindProduct, Target: fmt.Sprint("p", n)})
				if err != nil {
					rt.Fatal(err)
				}
				touch, _, err := h.record(ctx, share, OpenInput{Share: share.ID, Visitor: a}, h.clock.Now())
				if err != nil {
					rt.Fatal(err)
				}
				late = append(late, touch.ID)
			case 3:
				if len(late) > 0 {
					if err := h.Consider(ctx, rapid.SampledFrom(late).Draw(rt, "late")); err != nil {
						rt.Fatal(err)
					}
				}
			default:
				h.opens(t, a, b, fmt.Sprint(n))
			}
			if found := h.circles(ctx, t, people); len(found) > 0 {
				rt.Fatalf("circle through %v", found)
			}
			r, err := h.Attribute(ctx, a, b, "", h.clock.Now())
			if err != nil || r.Direct == "" || r.Upline == a || r.Upline == r.Direct || r.Direct == a && (a != b || r.Why != WhySelf) {
				rt.Fatalf("%s buys from %s: %+v %v", a, b, r, err)
			}
		}
	})
}

// Rings of two, three and five people open each other's shares at the same moment.
func TestARingMadeAtOnceIsTakenApart(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 3, 5} {
		for round := range 8 {
			h := open(t, Policy{Version: "p", Mode: Permanent, SelfPurchase: SelfCredited, SecondLevel: true})
			people := make([]string, size)
			for i := range people {
				people[i] = fmt.Sprint("m", i)
			}
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for i, m := range people {
				link := h.link(t, people[(i+1)%size], "")
				wg.Go(func() {
					<-begin
					if _, err := h.Open(t.Context(), OpenInput{Share: link, Visitor: m}); err != nil {
						t.Error(err)
					}
				})
			}
			close(begin)
			wg.Wait()
			if found := h.circles(t.Context(), t, people); len(found) > 0 {
				t.Fatalf("size %d, round %d: circle through %v", size, round, found)
			}
		}
	}
}

// Both wrote, both died before looking again: the event of either touch takes the circle apart, at its youngest link.
func TestACircleLeftByACrashIsTakenApartByTheEvent(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"ann", "bob"} {
		h := open(t, DefaultPolicy())
		ctx := t.Context()
		touches := map[string]string{}
		rules, err := h.rulebook(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range [][2]string{{"ann", "bob"}, {"bob", "ann"}} {
			share, err := h.GetShare(ctx, h.link(t, pair[1], ""))
			if err != nil {
				t.Fatal(err)
			}
			touch, _, err := h.record(ctx, share, OpenInput{Share: share.ID, Visitor: pair[0]}, h.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			touches[pair[0]] = touch.ID
			if _, err := h.bonds.Upsert(ctx, pair[0], func(b *Bond) error { b.take(b.with(touch.fact()), rules); return nil }); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Second)
		}
		if r, err := h.Attribute(ctx, "ann", "H", "", h.clock.Now()); err != nil || r.Direct != "bob" || r.Upline != "" {
			t.Fatal("even then nobody is named twice", r, err)
		}
		if err := h.Consider(ctx, touches[first]); err != nil {
			t.Fatal(err)
		}
		ann, err1 := h.BondOf(ctx, "ann")
		bob, err2 := h.BondOf(ctx, "bob")
		if err1 != nil || err2 != nil || ann == nil || ann.By != "bob" || bob != nil {
			t.Fatal("the youngest link goes", ann, bob, err1, err2)
		}
	}
}

func TestManyOpeningsOfOneVisitorAtOnceAreOneBond(t *testing.T) {
	t.Parallel()
	h := open(t, Policy{Version: "p", Mode: LastTouch, ValidityDays: 30, SelfPurchase: SelfCredited})
	var wg sync.WaitGroup
	for i := range MaxFacts {
		link := h.link(t, fmt.Sprint("sharer", i%20), fmt.Sprint(i))
		wg.Go(func() {
			if _, err := h.Open(t.Context(), OpenInput{Share: link, Visitor: "ann"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := h.bonds.Get(t.Context(), "ann")
	if err != nil || b.Current == nil {
		t.Fatal(b, err)
	}
	count := len(b.Facts) + len(b.Past)
	if n, err := h.touches.Count(t.Context(), docstore.By("visitor", "ann"), 0); err != nil || n != count {
		t.Fatalf("%d touches, %d facts, %v", n, count, err)
	}
}
