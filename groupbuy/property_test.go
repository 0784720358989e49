package groupbuy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

func TestSpansAreASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var s spans
		set := map[int64]bool{}
		for _, n := range rapid.SliceOf(rapid.Int64Range(1, 40)).Draw(r, "numbers") {
			if s.add(n) == set[n] {
				r.Fatalf("adding %d to %v", n, s)
			}
			set[n] = true
			for i := 1; i < len(s); i++ { // ascending, and neighbours are merged
				if s[i] < s[i-1] || i%2 == 0 && s[i] <= s[i-1]+1 {
					r.Fatalf("%v", s)
				}
			}
		}
		upto := int64(0)
		for set[upto+1] {
			upto++
		}
		for n := range int64(42) {
			if s.has(n) != set[n] {
				r.Fatalf("%v has %d: %v", s, n, s.has(n))
			}
		}
		if s.upto() != upto {
			r.Fatalf("%v is gapless up to %d, not %d", s, upto, s.upto())
		}
	})
}

// fair is the auditor of one campaign.
type fair struct {
	*market
	other    *Service
	campaign *Campaign
	orders   []string
	member   map[string]string
	lines    map[string][]Wish
	mu       sync.Mutex
	seated   map[string]int64     // number each order was told
	until    map[string]time.Time // of the latest admission
	gone     map[string]bool      // withdrawn at some time
	exempt   map[string]bool      // members who paid for what they had no claim to any more
}

func (f *fair) draw(r *rapid.T) func(ctx context.Context) error {
	s := f.Service
	if rapid.Bool().Draw(r, "other process") {
		s = f.other
	}
	order := rapid.SampledFrom(f.orders).Draw(r, "order")
	until := f.clock.Now().Add(time.Duration(rapid.IntRange(1, 20).Draw(r, "minutes")) * time.Minute)
	c, member, lines := f.campaign.ID, f.member[order], f.lines[order]
	what := rapid.SampledFrom([]string{
		"admit", "admit", "admit", "seat", "seat", "withdraw", "leave", "tick", "close", "cancel",
	}).Draw(r, "what")
	if (what == "close" || what == "cancel") && rapid.IntRange(0, 4).Draw(r, "really") > 0 {
		what = "tick"
	}
	switch what {
	case "admit":
		return func(ctx context.Context) error {
			_, err := s.Admit(ctx, Admission{Order: order, Campaign: c, Member: member, Lines: lines, Until: until})
			f.mu.Lock()
			defer f.mu.Unlock()
			if err == nil && until.After(f.until[order]) {
				f.until[order] = until
			}
			return err
		}
	case "seat":
		return func(ctx context.Context) error {
			f.mu.Lock()
			until, known := f.until[order]
			if f.gone[order] || f.clock.Now().After(until.Add(f.config.Grace)) {
				f.exempt[member] = true
			}
			f.mu.Unlock()
			if !known { // nobody pays an order that was never admitted
				return nil
			}
			seat, err := s.TakeSeat(ctx, SeatInput{
				Order: order, Campaign: c, Member: member, Lines: lines, Amount: 100, PaidAt: f.clock.Now(),
			})
			if err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if old, ok := f.seated[order]; ok && old != seat.Number {
				return fmt.Errorf("order %s was told %d and %d", order, old, seat.Number)
			}
			f.seated[order] = seat.Number
			return nil
		}
	case "withdraw":
		f.mu.Lock()
		f.gone[order] = true
		f.mu.Unlock()
		return func(ctx context.Context) error { return s.Withdraw(ctx, c, member, order) }
	case "leave":
		return func(ctx context.Context) error { return s.Leave(ctx, c, order) }
	case "close":
		return func(ctx context.Context) error { _, err := s.CloseEarly(ctx, "li", c); return err }
	case "cancel":
		return func(ctx context.Context) error { _, err := s.Cancel(ctx, "li", c, "x"); return err }
	}
	return func(ctx context.Context) error { _, err := s.Tick(ctx); return err }
}

func (f *fair) audit(r *rapid.T) {
	ctx, id := context.Background(), f.campaign.ID
	page, err := f.Seats(ctx, id, Paging{Limit: 100})
	if err != nil {
		r.Fatal(err)
	}
	orders, want := map[string]bool{}, &Tally{}
	for i, seat := range page.Items {
		if seat.Number != int64(i+1) || orders[seat.Order] || f.seated[seat.Order] != seat.Number {
			r.Fatalf("seat %d of %s stands at %d; it was told %d", seat.Number, seat.Order, i+1, f.seated[seat.Order])
		}
		orders[seat.Order] = true
		want.count(seat)
	}
	if len(page.Items) != len(f.seated) {
		r.Fatalf("%d seats, %d were told one", len(page.Items), len(f.seated))
	}
	f.auditTally(r, want)
	f.auditQuotas(r)
}

func (f *fair) auditTally(r *rapid.T, want *Tally) {
	got, err := f.recount(context.Background(), f.campaign.ID)
	if err != nil {
		r.Fatal(err)
	}
	if got.Seats != want.Seats || got.Units != want.Units || got.Amount != want.Amount || got.Left != want.Left ||
		got.LeftUnits != want.LeftUnits || !slices.Equal(got.Counted, want.Counted) {
		r.Fatalf("tally %+v, seats say %+v", got, want)
	}
	c, err := f.Get(context.Background(), f.campaign.ID)
	if err != nil {
		r.Fatal(err)
	}
	formed, ended := 0, 0
	for _, message := range c.Outbox {
		switch message.Name {
		case EventFormed:
			formed++
		case EventFailed, EventSettled:
			ended++
		}
	}
	if formed > 1 || (formed == 1) != c.Formed() || ended > 1 {
		r.Fatalf("formed at %s, told %d times; ended %d times", c.FormedAt, formed, ended)
	}
	count, err := f.turnout(context.Background(), c, got)
	if err != nil {
		r.Fatal(err)
	}
	f.auditPage(r, c)
	if !c.Dead() && c.State != Settled && !c.Formed() && c.reached(count) {
		r.Fatalf("minimum reached, not formed: %+v", got)
	}
	if c.State == Settled && !c.Formed() && c.MinSeats+c.MinUnits > 0 {
		r.Fatalf("settled without its minimum")
	}
}

// auditPage: what the page says follows from the seats as they are now.
func (f *fair) auditPage(r *rapid.T, c *Campaign) {
	seats, err := f.Seats(context.Background(), c.ID, Paging{Limit: 100})
	if err != nil {
		r.Fatal(err)
	}
	want, people, units := Progress{}, map[string]bool{}, int64(0)
	for _, seat := range seats.Items {
		if !seat.Left {
			want.Seats, units = want.Seats+1, units+seat.Units
			if !seat.Stranded && seat.Member != c.Host {
				people[seat.Member] = true
			}
		}
	}
	want.Missing = max(c.MinSeats-int64(len(people)), 0)
	want.Formed = want.Seats > 0 && want.Missing == 0 && units >= c.MinUnits
	is, err := f.Progress(context.Background(), c.ID)
	if errors.Is(err, ErrNotFound) {
		return // a draft
	}
	if err != nil {
		r.Fatal(err)
	}
	if is.Seats != want.Seats || is.Missing != want.Missing || is.Formed != want.Formed {
		r.Fatalf("the page says %+v, the seats %+v", is, want)
	}
}

// auditQuotas: limits hold for live and paid claims. An order that is paid after its claim was withdrawn or has
// lapsed is honoured beyond them, so whoever did that is not looked at.
func (f *fair) auditQuotas(r *rapid.T) {
	deadline, exempt := f.clock.Now().Add(-f.config.Grace), false
	for _, member := range []string{"ann", "bob"} {
		q, err := f.quotas.Get(context.Background(), quotaID(f.campaign.ID, member))
		if errors.Is(err, docstore.ErrNotFound) {
			continue
		}
		if err != nil {
			r.Fatal(err)
		}
		live := int64(0)
		for _, claim := range q.Claims {
			if claim.Kept || !claim.Until.Before(deadline) {
				live += total(claim.Lines)
			}
		}
		if live > f.campaign.PerPerson && !f.exempt[member] {
			r.Fatalf("%s has %d units: %+v", member, live, q.Claims)
		}
		exempt = exempt || f.exempt[member]
	}
	a, err := f.allotments.Get(context.Background(), allotmentID(f.campaign.ID, f.campaign.item("pear-1"), 0))
	if errors.Is(err, docstore.ErrNotFound) || exempt {
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	a.forget(deadline)
	units := a.used()
	if units > 4 {
		r.Fatalf("%d pears of 4: %+v", units, a)
	}
}

func TestSeatsAndLimitsHoldWhateverHappensInWhateverOrder(t *testing.T) {
	t.Parallel()
	now, faults := clock.NewManual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), &docstoretest.Trouble{}
	m := newMarketOn(t, now, faults.Store(t, now))
	other := m.second(t)
	runs := atomic.Int64{}
	rapid.Check(t, func(r *rapid.T) {
		run := runs.Add(1)
		f := &fair{
			market: m, other: other, member: map[string]string{}, lines: map[string][]Wish{}, seated: map[string]int64{},
			until: map[string]time.Time{}, gone: map[string]bool{}, exempt: map[string]bool{},
		}
		f.campaign = m.open(t, func(in *DraftInput) {
			in.Key, in.PerPerson = fmt.Sprint("run", run), 5
			in.MinSeats = rapid.Int64Range(0, 4).Draw(r, "min seats")
			in.Items[1].Total = 4
		})
		for i := range 10 {
			order := fmt.Sprintf("run%d-%d", run, i)
			f.orders = append(f.orders, order)
			f.member[order] = []string{"ann", "bob"}[i%2]
			f.lines[order] = []Wish{{[]string{"pear-1", "tea-1"}[i%3%2], int64(1 + i%3)}}
		}
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			var deeds []func(context.Context) error
			for range rapid.IntRange(1, 5).Draw(r, "at once") {
				deeds = append(deeds, f.draw(r))
			}
			if err := faults.AtOnce(t.Context(), deeds); err != nil {
				r.Fatal(err)
			}
			m.clock.Advance(time.Duration(rapid.IntRange(0, 12).Draw(r, "minutes pass")) * time.Minute)
			f.audit(r)
		}
	})
}
