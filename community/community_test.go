package community_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"guanxi/community"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

var start = time.Date(2025, 3, 1, 2, 0, 0, 0, time.UTC)

type house struct {
	*community.Service
	clock *clock.Manual
	store *docstore.Store
}

func open(t testing.TB) house {
	t.Helper()
	c := clock.NewManual(start)
	store := docstoretest.NewStore(t, c)
	s, err := community.New(t.Context(), community.Deps{Store: store, Clock: c, Hosting: approving{}})
	if err != nil {
		t.Fatal(err)
	}
	return house{s, c, store}
}

// approving is a brand that lets everybody host but those it names.
type approving map[string]error

func (a approving) MayStart(_ context.Context, member string) error { return a[member] }
func (a approving) MayRun(_ context.Context, member string) error   { return a[member] }

func (h house) create(t testing.TB, host string) *community.Community {
	t.Helper()
	c, err := h.Create(t.Context(), community.CreateInput{Host: host, Key: "k", Name: host + "的团"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func want(t *testing.T, err, fault error) {
	t.Helper()
	if !errors.Is(err, fault) {
		t.Fatalf("got error %v, want %v", err, fault)
	}
}

func TestCreatingTwiceWithOneKeyIsCreatingOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	in := community.CreateInput{Host: "lin", Key: "k1", Name: " 阳光花园 ", Words: "邻里\n互助"}
	first, err := h.Create(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Edit(t.Context(), community.EditInput{Host: "lin", Community: first.ID, Name: new("新名"), Notice: new("周六不送")}); err != nil {
		t.Fatal(err)
	}
	again, err := h.Create(t.Context(), in)
	if err != nil || again.ID != first.ID || again.Name != "新名" || again.Notice != "周六不送" {
		t.Fatal(again, err)
	}
	in.Name = "别的"
	_, err = h.Create(t.Context(), in)
	want(t, err, community.ErrKeyReused)
	page, err := h.ByHost(t.Context(), "lin", community.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(len(page.Items), err)
	}
	if ok, err := h.IsMember(t.Context(), first.ID, "lin"); err != nil || !ok {
		t.Fatal("the host belongs to the community", ok, err)
	}
}

func TestBadContentIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	long := strings.Repeat("字", 501)
	for _, in := range []community.CreateInput{
		{Host: "lin", Key: "x"},
		{Host: "lin", Key: "x", Name: strings.Repeat("字", 31)},
		{Host: "lin", Key: "x", Name: "a\tb"},
		{Host: "lin", Name: "无键"},
		{Host: "", Key: "x", Name: "无主"},
		{Host: "lin", Key: "x", Name: "好", Words: long},
		{Host: "lin", Key: "x", Name: "a\u202eb"},
		{Host: "l i n", Key: "x", Name: "好"},
	} {
		_, err := h.Create(t.Context(), in)
		want(t, err, community.ErrInvalid)
	}
	for _, in := range []community.PickupInput{
		{Key: "p", Name: "门岗"},
		{Key: "p", Address: "一号门"},
		{Name: "门岗", Address: "一号门"},
		{Key: "p", Name: "门岗", Address: "一号门", Phone: "call me"},
		{Key: "p", Name: "门岗", Address: "一号门", Hours: long},
	} {
		_, err := h.AddPickupPoint(t.Context(), "lin", c.ID, in)
		want(t, err, community.ErrInvalid)
	}
	for _, in := range []community.PickInput{
		{}, {Product: "p 1"}, {Product: "p1", Rank: new(-1)}, {Product: "p1", Rank: new(1_000_001)}, {Product: "p1", Reason: new(long)},
	} {
		_, err := h.Pick(t.Context(), "lin", c.ID, in)
		want(t, err, community.ErrInvalid)
	}
	_, err := h.Join(t.Context(), community.JoinInput{Community: c.ID, Member: "b a d"})
	want(t, err, community.ErrInvalid)
	for _, p := range []community.Paging{{First: -1}, {First: 201}, {After: "nonsense"}, {After: strings.Repeat("x", 2000)}} {
		_, err := h.Shelf(t.Context(), c.ID, p)
		want(t, err, community.ErrPageInvalid)
	}
}

func TestOnlyTheHostChangesACommunity(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	ctx := t.Context()
	attempts := func(who, where string) []error {
		_, edit := h.Edit(ctx, community.EditInput{Host: who, Community: where, Name: new("x")})
		_, point := h.AddPickupPoint(ctx, who, where, community.PickupInput{Key: "p", Name: "门岗", Address: "一号门"})
		_, pick := h.Pick(ctx, who, where, community.PickInput{Product: "p1"})
		_, members := h.Members(ctx, who, where, community.Paging{})
		return []error{
			edit, point, pick, members, h.Unpick(ctx, who, where, "p1"), h.ClosePickupPoint(ctx, who, where, "p"),
			h.Remove(ctx, who, where, "ann"), h.Readmit(ctx, who, where, "ann"), h.RequireHost(ctx, where, who),
		}
	}
	for _, who := range []string{"ann", ""} {
		for _, err := range attempts(who, c.ID) {
			want(t, err, community.ErrNotHost)
		}
	}
	for _, err := range attempts("lin", "nowhere") {
		want(t, err, community.ErrNotFound)
	}
	after, err := h.Get(ctx, c.ID)
	if diff := cmp.Diff(c, after, cmpopts.IgnoreTypes(docstore.Doc{})); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}

func TestAHundredJoinsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := h.Join(t.Context(), community.JoinInput{Community: c.ID, Member: "ann", Via: "share1"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, err := h.Membership(t.Context(), c.ID, "ann")
	if err != nil {
		t.Fatal(err)
	}
	wantMove := []community.Move{{Step: community.StepJoin, Via: "share1", At: start}}
	if diff := cmp.Diff(wantMove, m.History); diff != "" || len(m.Outbox) != 1 {
		t.Fatal(diff, len(m.Outbox))
	}
	if n, err := h.MemberCount(t.Context(), c.ID); err != nil || n != 2 {
		t.Fatal(n, err)
	}
}

func TestLeavingAndComingBackKeepsTheHistory(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	ctx := t.Context()
	join := func(via string) error {
		_, err := h.Join(ctx, community.JoinInput{Community: c.ID, Member: "ann", Via: via})
		return err
	}
	day := 24 * time.Hour
	for i, do := range []func() error{
		func() error { return join("s1") },
		func() error { return h.Leave(ctx, c.ID, "ann") },
		func() error { return h.Leave(ctx, c.ID, "ann") },
		func() error { return join("s2") },
		func() error { return h.Remove(ctx, "lin", c.ID, "ann") },
	} {
		if err := do(); err != nil {
			t.Fatal(i, err)
		}
		h.clock.Advance(day)
	}
	want(t, join("s3"), community.ErrRemoved)
	want(t, h.Leave(ctx, c.ID, "ann"), community.ErrNotMember)
	if err := h.Readmit(ctx, "lin", c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	m, err := h.Membership(ctx, c.ID, "ann")
	wantMember := &community.Membership{
		Community: c.ID, Member: "ann", State: community.Active, JoinedAt: start.Add(5 * day), FirstAt: start,
		History: []community.Move{
			{Step: community.StepJoin, Via: "s1", At: start},
			{Step: community.StepLeave, At: start.Add(day)},
			{Step: community.StepJoin, Via: "s2", At: start.Add(3 * day)},
			{Step: community.StepRemove, At: start.Add(4 * day)},
			{Step: community.StepReadmit, At: start.Add(5 * day)},
		},
	}
	if diff := cmp.Diff(wantMember, m, cmpopts.IgnoreTypes(docstore.Doc{})); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	want(t, h.Leave(ctx, c.ID, "lin"), community.ErrHostStays)
	want(t, h.Remove(ctx, "lin", c.ID, "lin"), community.ErrHostStays)
	want(t, h.Leave(ctx, c.ID, "bob"), community.ErrNotMember)
	want(t, h.Remove(ctx, "lin", c.ID, "bob"), community.ErrNotMember)
	_, err = h.Join(ctx, community.JoinInput{Community: "nowhere", Member: "ann"})
	want(t, err, community.ErrNotFound)
}

func TestPickupPoints(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	ctx := t.Context()
	in := community.PickupInput{Key: "p1", Name: "南门便利店", Address: "阳光路 1 号", Phone: "13800000013", Hours: "8:00-22:00"}
	first, err := h.AddPickupPoint(ctx, "lin", c.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.AddPickupPoint(ctx, "lin", c.ID, in)
	if err != nil || again != first {
		t.Fatal(again, err)
	}
	in.Name = "北门"
	_, err = h.AddPickupPoint(ctx, "lin", c.ID, in)
	want(t, err, community.ErrKeyReused)
	if p, err := h.PickupPoint(ctx, c.ID, first.ID); err != nil || p.Name != "南门便利店" {
		t.Fatal(p, err)
	}
	for range 2 {
		if err := h.ClosePickupPoint(ctx, "lin", c.ID, first.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.PickupPoint(ctx, c.ID, first.ID)
	want(t, err, community.ErrPointNotFound)
	for i := 1; i < community.MaxPoints; i++ {
		if _, err := h.AddPickupPoint(ctx, "lin", c.ID, community.PickupInput{Key: fmt.Sprint("k", i), Name: "点", Address: "址"}); err != nil {
			t.Fatal(i, err)
		}
	}
	_, err = h.AddPickupPoint(ctx, "lin", c.ID, community.PickupInput{Key: "more", Name: "点", Address: "址"})
	want(t, err, community.ErrPointsFull)
	got, err := h.Get(ctx, c.ID)
	if err != nil || got.Points[0].Phone.Reveal() != "13800000013" {
		t.Fatal("the keeper's phone is kept", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "1380000") {
		t.Fatal("the keeper's phone is printed")
	}
}

func TestTheShelfIsOrderedByRank(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	ctx := t.Context()
	for i, product := range []string{"egg", "milk", "rice", "tea"} {
		if _, err := h.Pick(ctx, "lin", c.ID, community.PickInput{Product: product, Reason: new("因为好"), Rank: new(40 - 10*i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(h.Unpick(ctx, "lin", c.ID, "rice"), h.Unpick(ctx, "lin", c.ID, "rice"), h.Unpick(ctx, "lin", c.ID, "never")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Pick(ctx, "lin", c.ID, community.PickInput{Product: "egg", Rank: new(1)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	p := community.Paging{First: 2}
	for range 5 {
		page, err := h.Shelf(ctx, c.ID, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, pick := range page.Items {
			got = append(got, pick.Product)
		}
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"egg", "tea", "milk"}, got); diff != "" {
		t.Fatal(diff)
	}
}

// Random steps against a model: the table decides, the count never lies.
func TestMembershipsAreWhatTheStepsMadeThem(t *testing.T) {
	t.Parallel()
	h := open(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		ctx := context.Background()
		c, err := h.Create(ctx, community.CreateInput{Host: "lin", Key: fmt.Sprint("run", run), Name: "团"})
		if err != nil {
			rt.Fatal(err)
		}
		model := map[string]community.State{}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			who := rapid.SampledFrom([]string{"ann", "bob", "cat"}).Draw(rt, "who")
			step := rapid.SampledFrom([]string{"join", "leave", "remove", "readmit"}).Draw(rt, "step")
			var err error
			switch step {
			case "join":
				_, err = h.Join(ctx, community.JoinInput{Community: c.ID, Member: who})
			case "leave":
				err = h.Leave(ctx, c.ID, who)
			case "remove":
				err = h.Remove(ctx, "lin", c.ID, who)
			case "readmit":
				err = h.Readmit(ctx, "lin", c.ID, who)
			}
			next, ok := map[string]community.State{
				"/join": "active", "active/join": "active", "active/leave": "left", "active/remove": "removed", "active/readmit": "active",
				"left/join": "active", "left/leave": "left", "left/remove": "removed", "removed/remove": "removed", "removed/readmit": "active",
			}[string(model[who])+"/"+step]
			if ok != (err == nil) {
				rt.Fatalf("%s %s from %q: %v", who, step, model[who], err)
			}
			if ok {
				model[who] = next
			}
			active := 1
			for _, state := range model {
				if state == community.Active {
					active++
				}
			}
			if n, err := h.MemberCount(ctx, c.ID); err != nil || n != active {
				rt.Fatalf("counted %d, want %d (%v)", n, active, err)
			}
		}
	})
}

func BenchmarkJoinAgain(b *testing.B) {
	h := open(b)
	c := h.create(b, "lin")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Join(b.Context(), community.JoinInput{Community: c.ID, Member: "ann"}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAMembershipKeepsItsFirstAndItsLatestMoves(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	for n := range community.MaxMoves {
		if _, err := h.Join(t.Context(), community.JoinInput{Community: c.ID, Member: "ann", Via: fmt.Sprint("s", n)}); err != nil {
			t.Fatal(err)
		}
		if err := h.Leave(t.Context(), c.ID, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	m, err := h.Membership(t.Context(), c.ID, "ann")
	if err != nil || len(m.History) != community.MaxMoves || m.History[0].Via != "s0" ||
		m.History[len(m.History)-2].Via != fmt.Sprint("s", community.MaxMoves-1) {
		t.Fatal(len(m.History), err)
	}
}
