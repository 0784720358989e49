package commission

import (
	"context"
	"errors"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

func TestWhatAPolicyMayNotSay(t *testing.T) {
	t.Parallel()
	pays := func(p ...policy.Pay) policy.Policy { return policy.Policy{Cap: 2000, Rules: []policy.Rule{{Pays: p}}} }
	for name, c := range map[string]struct {
		policy policy.Policy
		want   *fault.Fault
	}{
		"a third level":                   {pays(policy.Pay{Role: "third", Rate: 100}), policy.ErrPolicyDepth},
		"team pay":                        {pays(policy.Pay{Role: "团队奖", Rate: 100}), policy.ErrPolicyDepth},
		"pay for recruits":                {pays(policy.Pay{Role: "recruiter", Fixed: 1000}), policy.ErrPolicyRecruiting},
		"an entry fee":                    {pays(policy.Pay{Role: "entry-fee", Fixed: 1000}), policy.ErrPolicyRecruiting},
		"an unknown role":                 {pays(policy.Pay{Role: "friend", Rate: 100}), policy.ErrPolicyInvalid},
		"the second level while off":      {pays(policy.Pay{Role: Upline, Rate: 100}), policy.ErrPolicySecondLevel},
		"a rate and a fixed amount":       {pays(policy.Pay{Role: Direct, Rate: 100, Fixed: 1}), policy.ErrPolicyInvalid},
		"neither":                         {pays(policy.Pay{Role: Direct}), policy.ErrPolicyInvalid},
		"a negative rate":                 {pays(policy.Pay{Role: Direct, Rate: -1}), policy.ErrPolicyInvalid},
		"more than everything":            {pays(policy.Pay{Role: Direct, Rate: 10001}), policy.ErrPolicyInvalid},
		"a role twice":                    {pays(policy.Pay{Role: Direct, Rate: 1}, policy.Pay{Role: Direct, Rate: 2}), policy.ErrPolicyAmbiguous},
		"two default rules":               {policy.Policy{Rules: []policy.Rule{{}, {}}}, policy.ErrPolicyAmbiguous},
		"two rules for one SKU":           {policy.Policy{Rules: []policy.Rule{{SKU: "a"}, {SKU: "a"}}}, policy.ErrPolicyAmbiguous},
		"a rule for two things":           {policy.Policy{Rules: []policy.Rule{{SKU: "a", Product: "b"}}}, policy.ErrPolicyInvalid},
		"no rules":                        {policy.Policy{}, policy.ErrPolicyInvalid},
		"a cap above everything":          {policy.Policy{Cap: 10001, Rules: []policy.Rule{{}}}, policy.ErrPolicyInvalid},
		"a margin floor below nothing":    {policy.Policy{MarginFloor: -1, Rules: []policy.Rule{{}}}, policy.ErrPolicyInvalid},
		"a fixed amount beyond all sense": {pays(policy.Pay{Role: Direct, Fixed: 1 << 60}), policy.ErrPolicyInvalid},
	} {
		if err := c.policy.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPolicyRulesFromItsDateAndIsNeverRewritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PolicyLead: time.Hour})
	ctx := t.Context()
	first := w.publish(t)
	again, err := w.Policies.Publish(ctx, testPolicy())
	must(t, err)
	if again.Version != 1 {
		t.Error("the same rules made version", again.Version)
	}
	second := testPolicy()
	second.Cap, second.From = 500, start.Add(59*time.Minute)
	if _, err := w.Policies.Publish(ctx, second); !errors.Is(err, policy.ErrPolicyPast) {
		t.Error("too early:", err)
	}
	second.From = start.Add(24 * time.Hour)
	other := open(t, w.store, w.clock, Config{PolicyLead: time.Hour}) // has its own cache
	if _, err := other.Policies.At(ctx, start); err != nil {
		t.Fatal(err)
	}
	published, err := w.Policies.Publish(ctx, second)
	must(t, err)
	third := testPolicy()
	third.Cap = 400
	third.From = start.Add(2 * time.Hour)
	if _, err := w.Policies.Publish(ctx, third); !errors.Is(err, policy.ErrPolicyPast) {
		t.Error("before the newest version:", err)
	}
	w.clock.Set(published.From)
	for _, s := range []*Service{w.Service, other} {
		for at, want := range map[time.Time]int{
			first.From: 1, published.From.Add(-time.Millisecond): 1, published.From: 2, published.From.Add(time.Minute): 2,
		} {
			p, err := s.Policies.At(ctx, at)
			must(t, err)
			if p.Version != want {
				t.Errorf("at %v rules version %d, want %d", at, p.Version, want)
			}
		}
	}
	if _, err := w.Policies.At(ctx, first.From.Add(-time.Millisecond)); !errors.Is(err, policy.ErrPolicyMissing) {
		t.Error(err)
	}
}

// Dates have a horizon, what is ahead can be taken back by two people, and then it stands in nobody's way.
func TestAFutureVersionIsBoundedAndCanBeRecalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PolicyLead: time.Hour, PolicyHorizon: 30 * day})
	ctx := t.Context()
	w.publish(t)
	with := func(cap money.BasisPoints, from time.Time) policy.Policy {
		p := testPolicy()
		p.Cap, p.From = cap, from
		return p
	}
	refused := func(p policy.Policy, want *fault.Fault) {
		t.Helper()
		_, checked := w.Policies.Check(ctx, p)
		_, published := w.Policies.Publish(ctx, p)
		if !errors.Is(checked, want) || !errors.Is(published, want) {
			t.Errorf("check says %v, publishing %v, want %v", checked, published, want)
		}
	}
	for _, far := range []time.Time{
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), w.clock.Now().Add(30*day + time.Millisecond), time.Unix(1<<40, 0),
	} {
		refused(with(500, far), policy.ErrPolicyFar)
	}
	refused(with(500, w.clock.Now().Add(-day)), policy.ErrPolicyPast)
	second := must1(w.Policies.Publish(ctx, with(500, w.clock.Now().Add(30*day))))
	refused(with(600, w.clock.Now().Add(29*day)), policy.ErrPolicyPast) // the one ahead stands in its way

	other := open(t, w.store, w.clock, Config{PolicyLead: time.Hour})
	must1(other.Policies.At(ctx, w.clock.Now()))
	for _, people := range []policy.Recall{{Maker: "a", Checker: "a", Why: "x"}, {Maker: "a", Why: "x"}, {Checker: "a", Why: "x"}} {
		if _, err := w.Policies.Recall(ctx, second.Version, people); !errors.Is(err, policy.ErrPolicyOwn) {
			t.Errorf("%+v: %v", people, err)
		}
	}
	two := policy.Recall{Maker: "a", Checker: "b", Why: "日期写错"}
	if _, err := w.Policies.Recall(ctx, 1, two); !errors.Is(err, policy.ErrPolicyInForce) {
		t.Error("in force:", err)
	}
	if _, err := w.Policies.Recall(ctx, 9, two); !errors.Is(err, policy.ErrPolicyMissing) {
		t.Error("unknown:", err)
	}
	for range 2 {
		if p := must1(w.Policies.Recall(ctx, second.Version, two)); p.Recalled == nil || p.Recalled.Checker != "b" {
			t.Errorf("recalled: %+v", p)
		}
	}
	third := must1(w.Policies.Publish(ctx, with(500, w.clock.Now().Add(2*time.Hour)))) // the same rules are not the recalled version
	if third.Version != 3 {
		t.Error("published as", third.Version)
	}
	w.clock.Advance(31 * day)
	for _, s := range []*Service{w.Service, other} {
		if p := must1(s.Policies.At(ctx, w.clock.Now())); p.Version != 3 {
			t.Error("in force:", p.Version)
		}
	}
	if all := must1(w.Policies.List(ctx)); len(all) != 3 {
		t.Error("a recalled version is not in the list", len(all))
	}
	if _, err := w.Policies.Recall(ctx, 3, two); !errors.Is(err, policy.ErrPolicyInForce) {
		t.Error(err)
	}
}

// A version about to take effect may be counted with by another process already.
func TestAVersionAboutToTakeEffectStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PolicyLead: time.Hour})
	w.publish(t)
	p := testPolicy()
	p.Cap, p.From = 500, w.clock.Now().Add(2*time.Hour)
	second := must1(w.Policies.Publish(t.Context(), p))
	w.clock.Advance(time.Hour + time.Millisecond)
	_, err := w.Policies.Recall(t.Context(), second.Version, policy.Recall{Maker: "a", Checker: "b", Why: "x"})
	if !errors.Is(err, policy.ErrPolicyInForce) || !errors.Is(w.Policies.CheckRecall(t.Context(), second.Version), policy.ErrPolicyInForce) {
		t.Error(err)
	}
}

func TestNothingIsPublishedThatPaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Carried: func(_ context.Context, at time.Time) ([]Role, error) {
		if at.After(start.Add(day)) {
			return []Role{Direct, Upline, Host, Pickup}, nil
		}
		return []Role{Direct, Host, Pickup}, nil
	}})
	one := func(cap money.BasisPoints, pays ...policy.Pay) policy.Policy {
		return policy.Policy{Cap: cap, SecondLevel: true, Rules: []policy.Rule{{Pays: pays}, {SKU: "gift"}}}
	}
	floor := one(1000, policy.Pay{Role: Direct, Rate: 100})
	floor.HasMarginFloor, floor.MarginFloor = true, 10_000
	later := one(1000, policy.Pay{Role: Upline, Rate: 100})
	later.From = start.Add(2 * day)
	for name, c := range map[string]struct {
		policy policy.Policy
		want   *fault.Fault
		field  string
	}{
		"help-sell":                    {one(1000, policy.Pay{Role: Direct, Rate: 1}, policy.Pay{Role: HelpSell, Rate: 100}), policy.ErrPolicyRole, "rules[0].pays[1].role"},
		"staff":                        {one(1000, policy.Pay{Role: StaffRole, Fixed: 100}), policy.ErrPolicyRole, "rules[0].pays[0].role"},
		"an upline nobody names":       {one(1000, policy.Pay{Role: Upline, Rate: 100}), policy.ErrPolicyRole, "rules[0].pays[0].role"},
		"pays under a cap of nothing":  {one(0, policy.Pay{Role: Direct, Rate: 100}), policy.ErrPolicyNobody, ""},
		"a floor that leaves nothing":  {floor, policy.ErrPolicyNobody, ""},
		"a cap and no beneficiary":     {one(1000), policy.ErrPolicyNobody, ""},
		"an upline named by that time": {later, nil, ""},
		"an open stop of commission":   {one(0), nil, ""},
	} {
		_, checked := w.Policies.Check(t.Context(), c.policy)
		if c.want == nil {
			if checked != nil {
				t.Errorf("%s: %v", name, checked)
			}
			continue
		}
		_, published := w.Policies.Publish(t.Context(), c.policy)
		f := fault.Of(published)
		if !errors.Is(checked, c.want) || !errors.Is(published, c.want) || c.field != "" && (f == nil || f.Fields[0].Name != c.field) {
			t.Errorf("%s: check says %v, publishing %v", name, checked, published)
		}
	}
}

func TestALateAccrualIsTheSameUnderAnyLaterPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	must(t, w.Accrue(t.Context(), sale("o1", 10000)))
	second := testPolicy()
	second.Cap, second.From = 100, time.Time{}
	_, err := w.Policies.Publish(t.Context(), second)
	must(t, err)
	w.clock.Advance(day)
	must(t, w.Accrue(t.Context(), sale("o1", 10000)))
	late := sale("o2", 10000)
	late.At = w.clock.Now()
	must(t, w.Accrue(t.Context(), late))
	if is := balance(t, w.Service, "alice"); is.Pending >= 1600 {
		t.Error("the newer cap was not applied:", is)
	}
	// Accrued by a process that did not know the second version yet: what is in the ledger counts.
	late.Order = "o3"
	first := policy.Compute(must1(w.Policies.Version(t.Context(), 1)), late)
	must(t, w.post(t.Context(), first))
	must(t, w.Accrue(t.Context(), late))
	late.Lines[0].Paid++
	if err := w.Accrue(t.Context(), late); !errors.Is(err, ErrEntryConflict) {
		t.Error(err)
	}
}

func TestAnAccrualOfAnOlderReleaseIsTheSameWithFactsItDidNotTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	ctx := t.Context()
	s := sale("o1", 10000)
	must(t, w.Accrue(ctx, s))
	s.Community, s.Grade = "lane", "gold"
	must(t, w.Accrue(ctx, s))
	s.Pickup = "keeper"
	if err := w.Accrue(ctx, s); !errors.Is(err, ErrEntryConflict) {
		t.Error("another keeper is another sale:", err)
	}
	s = sale("o2", 10000)
	s.Community, s.Grade = "lane", "gold"
	must(t, w.Accrue(ctx, s))
	s.Grade = "silver"
	if err := w.Accrue(ctx, s); !errors.Is(err, ErrEntryConflict) {
		t.Error("another grade is another sale:", err)
	}
	if e, err := w.book.Entry(ctx, book.AccrueID("o2")); err != nil || e.Community != "lane" || e.Grade != "gold" {
		t.Error(e, err)
	}
}

func TestAWindowShorterThanTheAfterSaleWindowIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	for name, config := range map[string]Config{
		"for all":        {Window: Window{AfterSale: 7 * day, Settle: 6 * day}},
		"for a category": {Categories: map[string]Window{"生鲜": {AfterSale: 2 * day, Settle: day}}},
	} {
		if _, err := New(t.Context(), Deps{Store: w.store, Clock: w.clock, IDs: w.ids, Config: config}); err == nil {
			t.Error(name)
		}
	}
}

func TestFaultCodesAreUniqueAndSpeakBothLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Code] || f.ZH == "" || f.EN == "" || len(f.Code) < 5 || f.Code[:4] != "COM_" {
			t.Error(f.Code)
		}
		seen[f.Code] = true
	}
}
