package outreach

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
)

func TestAThingIsToldOnceHoweverOftenItIsPlannedAndLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.start(), w.start()
	a.accepts("ann", "key1", "key2")
	a.plans(w.waiting("ann", "w1"))
	b.plans(w.waiting("ann", "w1"))
	for range 2 {
		a.tends()
		b.tends()
		w.clock.Advance(time.Minute)
	}
	b.plans(w.waiting("ann", "w1"))
	b.tends()
	w.is(WithdrawalWaiting, "w1", "sent; arrived 1; left 1 free 1")
	want := []Message{{
		OpenID: "open-ann", Template: template, Page: "pages/purse?number=w1",
		Fields: []Field{{"amount2", "12.30元"}, {"thing1", "提现待确认收款"}, {"time3", "2026年3月3日 09:00"}},
	}}
	if diff := cmp.Diff(want, w.arrived); diff != "" {
		t.Error(diff)
	}
	if s := a.Stats(); s.Sent+b.Stats().Sent != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestWhatBecomesOfANotice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mood string
		play       func(w *world, p *process)
		want       string
	}{
		{"nobody accepted", "", func(_ *world, p *process) { p.tends() }, "unsent no-credit; arrived 0"},
		{"rejected", "", func(_ *world, p *process) {
			if _, err := p.Report(t.Context(), ReportInput{Key: "key1", Member: "ann", Answers: []TemplateAnswer{{template, Reject}}}); err != nil {
				t.Error(err)
			}
			p.tends()
		}, "unsent no-credit; arrived 0; left 0 free 0"},
		{"the platform has no credit", "no-credit 43101", func(_ *world, p *process) {
			p.accepts("ann", "key1", "key2", "key3")
			p.tends()
		}, "unsent no-credit 43101; arrived 0; left 0 free 0"},
		{"the content is refused", "refused 47003", func(_ *world, p *process) {
			p.accepts("ann", "key1")
			p.tends()
		}, "unsent refused 47003; arrived 0; left 1 free 1"},
		{"there is no such template", "no-template 40037", func(_ *world, p *process) {
			p.accepts("ann", "key1")
			p.tends()
		}, "unsent no-template 40037; arrived 0; left 1 free 1"},
		{"the answer is lost", "unheard", func(w *world, p *process) {
			p.accepts("ann", "key1", "key2")
			for range 5 {
				p.tends()
				w.clock.Advance(time.Hour)
			}
		}, "unsent unknown; arrived 1; left 1 free 1"},
		{"the message is lost", "lost", func(w *world, p *process) {
			p.accepts("ann", "key1", "key2")
			for range 5 {
				p.tends()
				w.clock.Advance(time.Hour)
			}
		}, "unsent unknown; arrived 0; left 1 free 1"},
		{"a limit, then it goes", "busy", func(w *world, p *process) {
			p.accepts("ann", "key1")
			p.tends()
			w.is(WithdrawalWaiting, "w1", "planned; arrived 0; left 1 free 0")
			p.tends() // not yet
			w.mood = ""
			p.tends()
			w.is(WithdrawalWaiting, "w1", "planned; arrived 0; left 1 free 0")
			w.clock.Advance(10 * time.Second)
			p.tends()
		}, "sent; arrived 1; left 0 free 0"},
		{"a limit for longer than it is worth telling", "busy", func(w *world, p *process) {
			p.accepts("ann", "key1")
			for range 40 {
				p.tends()
				w.clock.Advance(time.Hour)
			}
			w.mood = ""
			p.tends()
		}, "unsent too-late; arrived 0; left 1 free 1"},
		{"too late already", "", func(w *world, p *process) {
			p.accepts("ann", "key1")
			w.clock.Advance(24 * time.Hour)
			p.tends()
		}, "unsent too-late; arrived 0; left 1 free 1"},
		{"the member is gone", "", func(w *world, p *process) {
			p.accepts("ann", "key1")
			w.gone["ann"] = true
			p.tends()
		}, "unsent gone; arrived 0; left 1 free 1"},
		{"the member did it", "", func(w *world, p *process) {
			p.accepts("ann", "key1")
			own := w.waiting("ann", "w2")
			own.Quiet = true
			p.plans(own)
			p.tends()
			w.is(WithdrawalWaiting, "w2", "unsent quiet; arrived 0; left 0 free 0")
		}, "sent; arrived 1; left 0 free 0"},
		{"what follows was known first", "", func(w *world, p *process) {
			p.accepts("ann", "key1", "key2")
			told := w.waiting("ann", "w1")
			told.Topic = WithdrawalPaid
			p.plans(told)
			p.tends()
			p.tends()
		}, "unsent overtaken; arrived 0; left 1 free 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.start()
			w.mood = c.mood
			p.plans(w.waiting("ann", "w1"))
			c.play(w, p)
			w.is(WithdrawalWaiting, "w1", c.want)
			before := w.arrived
			for range 3 { // nothing more ever happens
				w.clock.Advance(24 * time.Hour)
				if moved, err := p.Tend(t.Context()); moved != 0 || err != nil {
					t.Errorf("there was still something to do: %d, %v", moved, err)
				}
			}
			if len(w.arrived) != len(before) {
				t.Error("it was sent once more")
			}
		})
	}
}

// TestWhatWasAcceptedAfterARefusalStays: 43101 answers for the moment of the sending only.
func TestWhatWasAcceptedAfterARefusalStays(t *testing.T) {
	t.Parallel()
	c := &Credit{}
	for _, key := range []string{"key1", "key2"} {
		if err := c.grant(key, Accept, start); err != nil {
			t.Fatal(err)
		}
	}
	if !c.take("n1", start) || !c.take("n2", start) || c.take("n3", start) {
		t.Fatal("two credits are two messages")
	}
	if err := c.grant("key3", Accept, start); err != nil {
		t.Fatal(err)
	}
	c.settle("n1", emptied)
	if c.Left != 1 || c.Free() != 0 {
		t.Errorf("left %d, free %d", c.Left, c.Free())
	}
	c.settle("n2", released)
	c.settle("n2", spent) // settled is settled
	if c.Left != 1 || c.Free() != 1 || c.take("n2", start) {
		t.Errorf("left %d, free %d, or a credit for what is settled", c.Left, c.Free())
	}
}

func TestReportsCountOnceAndAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start()
	ctx := t.Context()
	report := func(key string, answers ...TemplateAnswer) ([]Subscription, error) {
		return p.Report(ctx, ReportInput{Key: key, Member: "ann", Answers: answers})
	}
	for range 3 {
		subs, err := report("key1", TemplateAnswer{template, Accept}, TemplateAnswer{"an-older-one", Accept})
		want := []Subscription{
			{WithdrawalWaiting, "提现待确认收款", template, 1, Accept}, {WithdrawalPaid, "提现已到账", template, 1, Accept},
		}
		if diff := cmp.Diff(want, subs); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	if _, err := report("key1", TemplateAnswer{template, Ban}); !errors.Is(err, ErrKeyReused) {
		t.Errorf("the key with another answer: %v", err)
	}
	for _, bad := range []ReportInput{
		{Member: "ann", Answers: []TemplateAnswer{{template, Accept}}},
		{Key: "key2", Answers: []TemplateAnswer{{template, Accept}}},
		{Key: "key2", Member: "a/b", Answers: []TemplateAnswer{{template, Accept}}},
		{Key: "key2", Member: "ann"},
		{Key: "key2", Member: "ann", Answers: []TemplateAnswer{{template, "perhaps"}}},
		{Key: "key2", Member: "ann", Answers: []TemplateAnswer{{"", Accept}}},
		{Key: "key2", Member: "ann", Answers: []TemplateAnswer{{template, Accept}, {template, Reject}}},
		{Key: "key2", Member: "ann", Answers: make([]TemplateAnswer, 11)},
	} {
		if _, err := p.Report(ctx, bad); !errors.Is(err, ErrBadInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for i := range 3 * maxCredits {
		p.accepts("ann", fmt.Sprint("more", i))
	}
	c, err := p.credits.Get(ctx, creditID("ann", template))
	if err != nil || c.Left != maxCredits || len(c.Reports) != maxReports {
		t.Errorf("left %d, %d keys, %v", c.Left, len(c.Reports), err)
	}
	if found, err := p.credits.Count(ctx, docstore.All(), 0); err != nil || found != 1 {
		t.Errorf("%d documents, %v", found, err)
	}
}

func TestATopicThatIsOffCostsNothingAndABadThingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start()
	told := w.waiting("ann", "w1")
	told.Topic = SharingDone
	p.plans(told)
	w.is(SharingDone, "w1", "nothing")
	for _, spoil := range []func(*Told){
		func(t *Told) { t.Topic = "weather" },
		func(t *Told) { t.Number = "" },
		func(t *Told) { t.Number = "a/b" },
		func(t *Told) { t.Member = "" },
		func(t *Told) { t.At = time.Time{} },
		func(t *Told) { t.Until = time.Time{} },
		func(t *Told) { t.Text = "" },
	} {
		bad := w.waiting("ann", "w1")
		spoil(&bad)
		if err := p.Plan(t.Context(), bad); !errors.Is(err, ErrBadInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	page, err := p.Mine(t.Context(), "ann", docstore.Paging{})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%d notices, %v", len(page.Items), err)
	}
}

func TestNoticesAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start()
	for i := range 5 {
		p.plans(w.waiting("ann", fmt.Sprint("w", i)))
		p.plans(w.waiting("ben", fmt.Sprint("b", i)))
		w.clock.Advance(time.Second)
	}
	var got []string
	for after := ""; ; {
		page, err := p.Mine(t.Context(), "ann", docstore.Paging{First: 2, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.Items {
			got = append(got, n.Number)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"w4", "w3", "w2", "w1", "w0"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSixtyFourOnOneCredit: several processes, 64 things to tell, one acceptance, and a platform that would take them all.
func TestSixtyFourOnOneCredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.Workers = 16
	first := w.start()
	first.accepts("ann", "key1")
	const callers = 64
	processes := []*process{first, w.start(), w.start(), w.start()}
	var all sync.WaitGroup
	for i := range callers {
		p := processes[i%len(processes)]
		all.Go(func() {
			if err := p.Plan(context.Background(), w.waiting("ann", fmt.Sprint("w", i))); err != nil {
				t.Error(err)
			}
			if _, err := p.Tend(context.Background()); err != nil && !errors.Is(err, docstore.ErrContended) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 3 {
		w.clock.Advance(3 * time.Minute)
		if _, err := first.Tend(t.Context()); err != nil {
			t.Error(err)
		}
	}
	states := map[string]int{}
	for i := range callers {
		n, err := first.notices.Get(t.Context(), NoticeID(WithdrawalWaiting, fmt.Sprint("w", i)))
		if err != nil {
			t.Fatal(err)
		}
		states[string(n.State)+" "+string(n.Reason)]++
	}
	if diff := cmp.Diff(map[string]int{"sent ": 1, "unsent no-credit": callers - 1}, states); diff != "" || len(w.arrived) != 1 {
		t.Errorf("%d arrived; %s", len(w.arrived), diff)
	}
}

// TestSixtyFourOnOneThing: many credits, one thing, everybody at once.
func TestSixtyFourOnOneThing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	processes := []*process{w.start(), w.start(), w.start(), w.start()}
	processes[0].accepts("ann", "key1", "key2", "key3", "key4", "key5")
	var all sync.WaitGroup
	for i := range 64 {
		p := processes[i%len(processes)]
		all.Go(func() {
			if err := p.Plan(context.Background(), w.waiting("ann", "w1")); err != nil {
				t.Error(err)
			}
			p.tends()
		})
	}
	all.Wait()
	for range 2 {
		w.clock.Advance(3 * time.Minute)
		processes[1].tends()
	}
	w.is(WithdrawalWaiting, "w1", "sent; arrived 1; left 4 free 4")
}
