package groupbuy

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

// limited opens a campaign whose tea has a total.
func (m *market) limited(t testing.TB, total int64) *Campaign {
	t.Helper()
	return m.open(t, func(in *DraftInput) { in.Key, in.Items[0].Total = fmt.Sprint("total", total), total })
}

func (m *market) left(t testing.TB, c *Campaign) int64 {
	t.Helper()
	left, err := m.remaining(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return left["tea-1"]
}

// A total in many shares is given away to the last unit, whatever the sizes of the orders, and never beyond.
func TestATotalInManySharesIsGivenAwayToTheLastUnit(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	other := m.second(t)
	c := m.limited(t, 1000)
	if n := c.item("tea-1").buckets(); n != 4 {
		t.Fatalf("%d allotments", n)
	}
	var crowd sync.WaitGroup
	var given atomic.Int64
	for i := range 450 {
		crowd.Go(func() {
			s := m.Service
			if i%2 == 0 {
				s = other
			}
			units := int64(1 + i%7)
			if _, err := s.Admit(t.Context(), m.admission(c, fmt.Sprint("m", i), fmt.Sprint("o", i), units)); err == nil {
				given.Add(units)
			}
		})
	}
	crowd.Wait()
	for i := range 100 { // somebody refused in the crush, whose undo was on its way, may take the crumbs now
		if _, err := m.Admit(t.Context(), m.admission(c, fmt.Sprint("late", i), fmt.Sprint("late", i), 1)); err == nil {
			given.Add(1)
		}
	}
	if left := m.left(t, c); given.Load() != 1000-left || left > 0 {
		t.Errorf("%d given away, %d left of 1000", given.Load(), left)
	}
	_, err := m.Admit(t.Context(), m.admission(c, "x", "x", 1))
	expectFault(t, err, ErrTotal)
}

// An order that lies in several allotments is seated, left and withdrawn as one.
func TestAnOrderAcrossSharesIsOneOrder(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.limited(t, 1000)
	steps := []struct {
		what string
		do   func() error
		left int64
	}{
		{"admit", func() error { _, err := m.Admit(t.Context(), m.admission(c, "a", "big", 700)); return err }, 300},
		{"again", func() error { _, err := m.Admit(t.Context(), m.admission(c, "a", "big", 700)); return err }, 300},
		{"too much", func() error {
			_, err := m.Admit(t.Context(), m.admission(c, "b", "more", 301))
			expectFault(t, err, ErrTotal)
			return nil
		}, 300},
		{"seat", func() error { _, err := m.TakeSeat(t.Context(), m.paid(c, "a", "big", 700)); return err }, 300},
		{"seat again", func() error { _, err := m.TakeSeat(t.Context(), m.paid(c, "a", "big", 700)); return err }, 300},
		{"withdraw what is paid", func() error { return m.Withdraw(t.Context(), c.ID, "a", "big") }, 300},
		{"another", func() error { _, err := m.Admit(t.Context(), m.admission(c, "b", "rest", 300)); return err }, 0},
		{"withdraw", func() error { return m.Withdraw(t.Context(), c.ID, "b", "rest") }, 300},
		{"leave", func() error { return m.Leave(t.Context(), c.ID, "big") }, 1000},
		{"leave again", func() error { return m.Leave(t.Context(), c.ID, "big") }, 1000},
		{"a late repetition of the seat", func() error { _, err := m.TakeSeat(t.Context(), m.paid(c, "a", "big", 700)); return err }, 1000},
		{"paid without a claim", func() error { _, err := m.TakeSeat(t.Context(), m.paid(c, "c", "gone", 600)); return err }, 400},
		{"and again", func() error { _, err := m.TakeSeat(t.Context(), m.paid(c, "c", "gone", 600)); return err }, 400},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := m.left(t, c); got != step.left {
			t.Errorf("%s: %d left, want %d", step.what, got, step.left)
		}
	}
}

// At the bound of an allotment the answer is "busy", never "limit reached"; when claims lapse there is room again.
func TestAFullAllotmentIsBusy(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.limited(t, 250)
	it := *c.item("tea-1")
	full := make([]claim.Claim, claim.MaxOpen)
	for i := range full {
		full[i] = claim.Claim{Order: fmt.Sprint("o", i), Units: 1, Until: m.clock.Now().Add(time.Minute), By: "x"}
	}
	doc := &Allotment{Doc: docstore.Doc{ID: allotmentID(c.ID, &it, 0)}, Open: claim.Write(full), Due: m.clock.Now().Add(time.Minute)}
	if err := m.allotments.Insert(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	it.Total = 1_000_000 // an item published before there were buckets
	w := want{claim.New("late"), nil, m.clock.Now().Add(time.Hour)}
	expectFault(t, m.claimTotal(t.Context(), c, &it, w, 1), ErrBusy)
	m.clock.Advance(time.Minute + m.config.Grace + time.Millisecond)
	if err := m.claimTotal(t.Context(), c, &it, w, 1); err != nil {
		t.Error(err)
	}
}

// The largest total has shares below the bound: its allotments are never full.
func TestSharesStayBelowTheBound(t *testing.T) {
	t.Parallel()
	for _, total := range []int64{1, 256, 257, 100_000, maxLimit} {
		n := bucketsOf(total)
		if share := claim.Share(total, n-1, n); share > claim.MaxOpen || n > maxBuckets || n < 1 {
			t.Errorf("a total of %d lies in %d allotments of %d units", total, n, share)
		}
	}
}

// One member's quota in one campaign is bounded too, and says so.
func TestAQuotaIsBounded(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	for i := range maxClaims {
		if _, err := m.Admit(t.Context(), m.admission(c, "ann", fmt.Sprint("o", i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := m.Admit(t.Context(), m.admission(c, "ann", "more", 1))
	expectFault(t, err, ErrTooMany)
	if err := m.Withdraw(t.Context(), c.ID, "ann", "o7"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Admit(t.Context(), m.admission(c, "ann", "more", 1)); err != nil {
		t.Error(err)
	}
}

// Undo takes what the attempt alone holds, and a second instance's attempt goes on from there.
func TestUndoLeavesWhatAnotherAttemptCountsOn(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	other := m.second(t)
	c := m.limited(t, 2)
	first, second := m.admission(c, "ann", "o", 2), m.admission(c, "ann", "o", 2)
	first.Attempt, second.Attempt = "a1", "a2"
	must[Offer](t)(m.Admit(t.Context(), first))
	must[Offer](t)(other.Admit(t.Context(), second))
	if err := m.Undo(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_, err := m.Admit(t.Context(), m.admission(c, "bob", "p", 1))
	expectFault(t, err, ErrTotal)
	for range 2 {
		if err := other.Undo(t.Context(), second); err != nil {
			t.Fatal(err)
		}
	}
	must[Offer](t)(m.Admit(t.Context(), m.admission(c, "bob", "p", 2)))
}
