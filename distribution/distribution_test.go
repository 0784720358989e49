package distribution

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/docstore"
)

func TestSharingTwiceIsOneLinkThatFitsAScene(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	in := ShareInput{Sharer: "lin", Kind: KindCampaign, Target: "c1", Community: "comm", Host: "lin", Key: "k"}
	first, err := h.Share(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Hour)
	again, err := h.Share(t.Context(), in)
	if diff := cmp.Diff(first, again, cmpopts.IgnoreTypes(docstore.Doc{})); err != nil || diff != "" || again.ID != first.ID {
		t.Fatal(err, diff)
	}
	if len(first.ID) > 32 || strings.ContainsFunc(first.ID, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyz", r) }) {
		t.Fatal(first.ID)
	}
	in.Target = "c2"
	_, err = h.Share(t.Context(), in)
	want(t, err, ErrKeyReused)
	for _, bad := range []ShareInput{
		{},
		{Sharer: "lin", Kind: "other", Target: "c"},
		{Sharer: "lin", Kind: KindProduct},
		{Sharer: "l n", Kind: KindProduct, Target: "c"},
		{Sharer: "lin", Kind: KindProduct, Target: "c", Key: strings.Repeat("x", 101)},
		{Sharer: "lin", Kind: KindProduct, Target: "c", Host: "?"},
	} {
		_, err := h.Share(t.Context(), bad)
		want(t, err, ErrInvalid)
	}
	_, err = h.GetShare(t.Context(), "unknown")
	want(t, err, ErrShareNotFound)
}

func TestOpeningAgainTheSameDayChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	first := h.opens(t, "ann", "lin", "")
	if first.Again || first.Bond == nil || first.Bond.By != "lin" || len(first.Touch.Outbox) != 1 {
		t.Fatalf("%+v", first)
	}
	var event TouchRecorded
	if err := h.store.Unmarshal(first.Touch.Outbox[0].Body, &event); err != nil {
		t.Fatal(err)
	}
	wantEvent := TouchRecorded{
		Touch: first.Touch.ID, Share: first.Share.ID, Sharer: "lin", Visitor: "ann", Community: "comm", Fresh: true, At: start,
	}
	if diff := cmp.Diff(wantEvent, event); diff != "" {
		t.Fatal(diff)
	}
	before, err := h.bonds.Get(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Set(time.Date(2025, 3, 1, 15, 59, 59, 0, time.UTC)) // the last second of the day in Shanghai
	again := h.opens(t, "ann", "lin", "")
	after, err := h.bonds.Get(t.Context(), "ann")
	if err != nil || !again.Again || again.Touch.ID != first.Touch.ID || after.Version != before.Version {
		t.Fatal(again, err)
	}
	wantShare := Share{Sharer: "lin", Kind: KindCampaign, Target: "campaign", Community: "comm", Host: "lin"}
	if diff := cmp.Diff(wantShare, again.Share, cmpopts.IgnoreTypes(docstore.Doc{})); diff != "" || again.Share.ID != first.Share.ID {
		t.Fatal(diff)
	}
	h.clock.Advance(time.Second)
	next := h.opens(t, "ann", "lin", "")
	if next.Again || next.Touch.ID == first.Touch.ID {
		t.Fatal("a new business day is a new touch")
	}
	for in, fault := range map[OpenInput]error{
		{Share: "unknown", Visitor: "ann"}:                  ErrShareNotFound,
		{Share: "bad id!", Visitor: "ann"}:                  ErrShareNotFound,
		{Share: first.Share.ID}:                             ErrInvalid,
		{Share: first.Share.ID, Visitor: "ann", Scene: -1}:  ErrInvalid,
		{Share: first.Share.ID, Visitor: "ann", Scene: 1e6}: ErrInvalid,
	} {
		_, err := h.Open(t.Context(), in)
		want(t, err, fault)
	}
}

func TestATouchWhoseBondWasLostIsHealedByItsEvent(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	share, err := h.GetShare(ctx, h.link(t, "lin", ""))
	if err != nil {
		t.Fatal(err)
	}
	touch, _, err := h.record(ctx, share, OpenInput{Share: share.ID, Visitor: "ann"}, h.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Hour)
	h.opens(t, "ann", "wang", "") // would hold the bond, had the first touch been lost
	for range 2 {
		if err := h.Consider(ctx, touch.ID); err != nil {
			t.Fatal(err)
		}
	}
	r, err := h.Attribute(ctx, "ann", "H", "comm", h.clock.Now())
	wantReferral := Referral{Policy: "default", Direct: "lin", Why: "last-touch", Share: share.ID, Touch: touch.ID}
	if diff := cmp.Diff(wantReferral, r); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	want(t, h.Consider(ctx, "unknown"), ErrTouchNotFound)
}

func TestALateOlderTouchDoesNotOverturnStaff(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	share, _ := h.GetShare(ctx, h.link(t, "lin", ""))
	touch, _, err := h.record(ctx, share, OpenInput{Share: share.ID, Visitor: "ann"}, h.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Hour)
	if _, err := h.Rebind(ctx, RebindInput{Member: "ann", To: "wang", By: "staff-1", Reason: "老客户"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Consider(ctx, touch.ID); err != nil {
		t.Fatal(err)
	}
	if stood, err := h.BondOf(ctx, "ann"); err != nil || stood.By != "wang" || stood.Why != WhyStaff {
		t.Fatal(stood, err)
	}
}

func TestRebindIsAuditedAndIdempotent(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	h.opens(t, "ann", "lin", "")
	in := RebindInput{Member: "ann", To: "wang", By: "staff-1", Reason: "客户要求", Key: "k1"}
	var versions []int64
	for range 2 {
		h.clock.Advance(time.Minute)
		if stood, err := h.Rebind(ctx, in); err != nil || stood.By != "wang" || !stood.Since.Equal(start.Add(time.Minute)) {
			t.Fatal(stood, err)
		}
		b, err := h.bonds.Get(ctx, "ann")
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, b.Version)
	}
	if versions[0] != versions[1] {
		t.Fatal("repeating a decision wrote the bond again")
	}
	audits, err := h.rebinds.Find(ctx, docstore.By("member", "ann"))
	wantAudit := []*rebind{{Member: "ann", From: "lin", To: "wang", By: "staff-1", Reason: "客户要求", At: start.Add(time.Minute)}}
	if diff := cmp.Diff(wantAudit, audits.Items, cmpopts.IgnoreTypes(docstore.Doc{})); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	in.To = "zhao"
	_, err = h.Rebind(ctx, in)
	want(t, err, ErrKeyReused)
	for _, bad := range []RebindInput{
		{Member: "ann", To: "x", By: "staff-1"},
		{Member: "ann", To: "x", Reason: "r"},
		{To: "x", By: "s", Reason: "r"},
		{Member: "ann", To: "x", By: "system", Reason: "r"},
		{Member: "ann", To: "x", By: "s", Reason: strings.Repeat("字", 201)},
	} {
		_, err := h.Rebind(ctx, bad)
		want(t, err, ErrInvalid)
	}
}

func TestARefusedRebindLeavesNoTrace(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	h.opens(t, "ann", "lin", "")
	_, err := h.Rebind(ctx, RebindInput{Member: "lin", To: "ann", By: "staff-1", Reason: "r"})
	want(t, err, ErrLoop)
	if n, err := h.rebinds.Count(ctx, docstore.By("member", "lin"), 0); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	why, err := h.Why(ctx, "lin")
	if err != nil || len(why.Lines) != 0 {
		t.Fatal(why, err)
	}
}

func TestPoliciesAreDatedAndNeverChanged(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	p := Policy{Version: "2025-04", From: start.Add(days(10)), Mode: FirstTouch, ValidityDays: 60, SelfPurchase: SelfNobody}
	for range 2 {
		if got, err := h.PublishPolicy(ctx, p); err != nil || got != p {
			t.Fatal(got, err)
		}
	}
	soon, err := h.PublishPolicy(ctx, Policy{Version: "now", Mode: Permanent, SelfPurchase: SelfUpline})
	if err != nil || !soon.From.Equal(start.Add(time.Minute)) {
		t.Fatal(soon, err)
	}
	for at, version := range map[time.Duration]string{
		-time.Hour: "default", 0: "default", time.Minute: "now", days(10) - 1: "now", days(10): "2025-04", days(1000): "2025-04",
	} {
		if got, err := h.PolicyAt(ctx, start.Add(at)); err != nil || got.Version != version {
			t.Errorf("after %v: %v %v, want %s", at, got, err, version)
		}
	}
	other := p
	other.ValidityDays = 61
	sameStart := p
	sameStart.Version = "other"
	past := p
	past.Version, past.From = "past", start.Add(time.Minute-1)
	taken := p
	taken.Version = "default"
	for _, c := range []struct {
		p     Policy
		fault error
	}{
		{other, ErrPolicyExists},
		{sameStart, ErrPolicyExists},
		{taken, ErrPolicyExists},
		{past, ErrPolicyTooSoon},
		{Policy{}, ErrPolicyInvalid},
		{Policy{Version: "v", Mode: Permanent, ValidityDays: 1, SelfPurchase: SelfNobody}, ErrPolicyInvalid},
		{Policy{Version: "v", Mode: LastTouch, ValidityDays: 3, ProtectionDays: 4, SelfPurchase: SelfNobody}, ErrPolicyInvalid},
		{Policy{Version: "v", Mode: FirstTouch, ValidityDays: 3, ProtectionDays: 1, SelfPurchase: SelfNobody}, ErrPolicyInvalid},
		{Policy{Version: "v v", Mode: FirstTouch, ValidityDays: 3, SelfPurchase: SelfNobody}, ErrPolicyInvalid},
		{Policy{Version: "v", Mode: FirstTouch, ValidityDays: 3, SelfPurchase: "?"}, ErrPolicyInvalid},
	} {
		_, err := h.PublishPolicy(ctx, c.p)
		want(t, err, c.fault)
	}
}

func TestAnotherProcessKnowsAPolicyBeforeItStarts(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	other, err := New(t.Context(), Deps{Store: h.store, Clock: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.PublishPolicy(t.Context(), Policy{Version: "v2", Mode: Permanent, SelfPurchase: SelfNobody})
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Set(p.From)
	if got, err := other.Policy(t.Context()); err != nil || got.Version != "v2" {
		t.Fatal(got, err)
	}
}

func TestABondKeepsThePolicyItWasMadeUnder(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	h.opens(t, "ann", "lin", "")
	if _, err := h.PublishPolicy(ctx, Policy{Version: "short", Mode: LastTouch, ValidityDays: 1, SelfPurchase: SelfCredited}); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(days(20))
	r, err := h.Attribute(ctx, "ann", "H", "comm", h.clock.Now())
	stood, err2 := h.BondOf(ctx, "ann")
	if err != nil || err2 != nil || r.Direct != "lin" || r.Policy != "short" || stood.Policy != "default" {
		t.Fatal(r, stood, err, err2)
	}
}

func TestWhyTellsTheWholeStoryInWords(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	h.opens(t, "ann", "lin", "")
	h.clock.Advance(days(2))
	h.opens(t, "ann", "wang", "")
	h.clock.Advance(time.Hour)
	h.opens(t, "ann", "ann", "")
	h.clock.Advance(days(6))
	h.opens(t, "ann", "wang", "")
	h.clock.Advance(time.Hour)
	if _, err := h.Rebind(t.Context(), RebindInput{Member: "ann", To: "zhao", By: "staff-1", Reason: "团长交接"}); err != nil {
		t.Fatal(err)
	}
	why, err := h.Why(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range why.Lines {
		got = append(got, moment(l.At)+" "+l.By+" "+l.Text)
	}
	wantLines := []string{
		"2025-03-01 10:00 lin 打开了分享（群聊），当时没有有效的归属，归属于这位分享人，有效至 2025-03-31 10:00。",
		"2025-03-03 10:00 wang 打开了分享（群聊），原归属仍在保护期内，不变更，有效至 2025-03-31 10:00。",
		"2025-03-03 11:00 ann 打开了自己的分享（群聊），只记录，不影响归属。",
		"2025-03-09 11:00 wang 打开了分享（群聊），原归属已过保护期，改归这位分享人，有效至 2025-04-08 11:00。",
		"2025-03-09 12:00 zhao 工作人员调整归属（原因：团长交接），改为新的归属，有效至 2025-04-08 12:00。",
	}
	if diff := cmp.Diff(wantLines, got); diff != "" {
		t.Error(diff)
	}
	wantSummary := "目前归属自 2025-03-09 12:00 起，依据：工作人员调整（规则版本 default）；有效至 2025-04-08 12:00，保护期至 2025-03-16 12:00。"
	if why.Summary != wantSummary || why.Current.By != "zhao" {
		t.Error(why.Summary)
	}
	h.clock.Advance(days(40))
	if why, err = h.Why(t.Context(), "ann"); err != nil || why.Current != nil || why.Summary != "目前没有有效的归属；下单时归活动团长。" {
		t.Error(why.Summary, err)
	}
}

func TestBroughtListsForWhomAMemberIsCredited(t *testing.T) {
	t.Parallel()
	h := open(t, Policy{Version: "p", Mode: LastTouch, ValidityDays: 3, SelfPurchase: SelfCredited})
	for i := range 5 {
		h.opens(t, fmt.Sprint("m", i), "lin", "")
		h.clock.Advance(days(1))
	}
	h.opens(t, "m4", "wang", "")
	var got []string
	p := Paging{First: 2}
	for range 4 {
		page, err := h.Brought(t.Context(), "lin", p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Items {
			got = append(got, fmt.Sprint(f.Member, f.InForce))
		}
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"m3true", "m2false", "m1false", "m0false"}, got); diff != "" {
		t.Fatal(diff)
	}
	_, err := h.Brought(t.Context(), "lin", Paging{First: 1000})
	want(t, err, ErrPageInvalid)
}

func TestAttributeAtAnEarlierMomentTellsWhatStoodThen(t *testing.T) {
	t.Parallel()
	h := open(t, Policy{Version: "p", Mode: LastTouch, ValidityDays: 30, SelfPurchase: SelfCredited})
	h.opens(t, "ann", "lin", "")
	h.clock.Advance(days(3))
	h.opens(t, "ann", "wang", "")
	for at, who := range map[time.Duration]string{-1: "H", 0: "lin", days(2): "lin", days(3): "wang", days(40): "H"} {
		if r, err := h.Attribute(t.Context(), "ann", "H", "comm", start.Add(at)); err != nil || r.Direct != who {
			t.Errorf("after %v: %+v %v, want %s", at, r, err, who)
		}
	}
	for _, bad := range [][3]string{{"", "H", "c"}, {"a b", "H", "c"}, {"ann", "H H", "c"}, {"ann", "H", "c c"}} {
		_, err := h.Attribute(t.Context(), bad[0], bad[1], bad[2], start)
		want(t, err, ErrInvalid)
	}
}

func TestAVeryLongChainIsRefusedNotWalkedForEver(t *testing.T) {
	t.Parallel()
	h := open(t, Policy{Version: "p", Mode: Permanent, SelfPurchase: SelfCredited})
	for i := range MaxChain + 1 {
		h.opens(t, fmt.Sprint("m", i+1), fmt.Sprint("m", i), "")
		h.clock.Advance(time.Second)
	}
	top, err := h.BondOf(t.Context(), fmt.Sprint("m", MaxChain+1))
	if err != nil || top != nil {
		t.Fatal("a chain longer than MaxChain was built", top, err)
	}
	// whether it is a circle is not known, and nobody is told that it were
	_, err = h.Rebind(t.Context(), RebindInput{Member: "x", To: fmt.Sprint("m", MaxChain), By: "staff-1", Reason: "r"})
	want(t, err, ErrChainLong)
	if _, err := h.Rebind(t.Context(), RebindInput{Member: "x", To: "m65", By: "staff-1", Reason: "r"}); err != nil {
		t.Error("a line of sixty-six honest people:", err)
	}
}

func TestFaultsAreListedOnceEach(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, f := range Faults() {
		if !strings.HasPrefix(f.Code, "DIST_") || f.ZH == "" || f.EN == "" {
			t.Error(f)
		}
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	if len(slices.Compact(codes)) != len(Faults()) {
		t.Error(codes)
	}
}

func BenchmarkOpen(b *testing.B) {
	b.Run("again", func(b *testing.B) {
		h := open(b, DefaultPolicy())
		link := h.link(b, "lin", "")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.Open(b.Context(), OpenInput{Share: link, Visitor: "ann"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new visitor", func(b *testing.B) {
		h := open(b, DefaultPolicy())
		link := h.link(b, "lin", "")
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if _, err := h.Open(b.Context(), OpenInput{Share: link, Visitor: fmt.Sprint("m", n)}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAttribute(b *testing.B) {
	h := open(b, DefaultPolicy())
	for i := range MaxFacts {
		h.opens(b, "ann", fmt.Sprint("s", i%3), fmt.Sprint(i))
		h.clock.Advance(time.Hour)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Attribute(b.Context(), "ann", "H", "comm", h.clock.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// Dates have a horizon, what is ahead can be taken back by two people, and then it rules nothing.
func TestAFuturePolicyIsBoundedAndCanBeRecalled(t *testing.T) {
	t.Parallel()
	h := open(t, DefaultPolicy())
	ctx := t.Context()
	at := func(version string, from time.Time) Policy {
		return Policy{Version: version, From: from, Mode: Permanent, SelfPurchase: SelfNobody}
	}
	for _, far := range []time.Time{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), h.clock.Now().Add(days(366) + time.Millisecond)} {
		_, checked := h.CheckPolicy(ctx, at("far", far))
		_, published := h.PublishPolicy(ctx, at("far", far))
		if !errors.Is(checked, ErrPolicyFar) || !errors.Is(published, ErrPolicyFar) {
			t.Errorf("check says %v, publishing %v", checked, published)
		}
	}
	start := h.clock.Now().Add(days(30))
	if _, err := h.PublishPolicy(ctx, at("ahead", start)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CheckPolicy(ctx, at("same-moment", start)); !errors.Is(err, ErrPolicyExists) {
		t.Error(err)
	}
	two := Recall{Maker: "a", Checker: "b", Why: "日期写错"}
	for _, c := range []struct {
		version string
		people  Recall
		want    error
	}{
		{"ahead", Recall{Maker: "a", Checker: "a", Why: "x"}, ErrPolicyOwn},
		{"ahead", Recall{Checker: "a", Why: "x"}, ErrPolicyOwn},
		{"ahead", Recall{Maker: "a", Checker: "b"}, ErrPolicyInvalid},
		{"none", two, ErrPolicyMissing},
		{"", two, ErrPolicyMissing},
		{"default", two, ErrPolicyMissing},
		{"ahead", two, nil},
		{"ahead", two, nil},
	} {
		if err := h.RecallPolicy(ctx, c.version, c.people); !errors.Is(err, c.want) {
			t.Errorf("%q by %+v: %v", c.version, c.people, err)
		}
	}
	if _, err := h.PublishPolicy(ctx, at("ahead", start)); !errors.Is(err, ErrPolicyExists) {
		t.Error("a recalled policy was published again:", err)
	}
	if _, err := h.PublishPolicy(ctx, at("near", h.clock.Now().Add(days(1)))); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(days(40))
	if p, err := h.Policy(ctx); err != nil || p.Version != "near" {
		t.Error(p, err)
	}
	if err := h.RecallPolicy(ctx, "near", two); !errors.Is(err, ErrPolicyInForce) {
		t.Error(err)
	}
}
