package catalog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"guanxi/internal/claim"
)

func TestUndoLeavesWhatAnotherAttemptCountsOn(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{BucketUnits: 16})
	other := second(t, s.store, s.clock, Config{BucketUnits: 16})
	sku := s.stocked(t, 40)
	ctx, lines := t.Context(), []Units{{sku, 30}} // in several buckets
	first, then := claim.New("o"), claim.New("o")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(s.Hold(ctx, first, s.soon(), lines))
	ok(other.Hold(ctx, then, s.soon(), lines))
	ok(s.Undo(ctx, first, lines))
	s.expect(t, sku, count{Free: 10, Held: 30, In: 40})
	ok(s.Commit(ctx, "o", lines))
	ok(other.Undo(ctx, then, lines)) // too late, and nobody does it: what is sold stays sold
	s.expect(t, sku, count{Free: 10, Sold: 30, In: 40})

	lines = []Units{{sku, 10}}
	ok(s.Hold(ctx, claim.New("p"), s.soon(), lines))
	third := claim.New("p")
	ok(s.Hold(ctx, third, s.soon(), lines))
	ok(s.Undo(ctx, claim.New("p"), lines)) // a stranger to the hold
	ok(s.Undo(ctx, third, lines))
	s.expect(t, sku, count{Held: 10, Sold: 30, In: 40})
}

// A hold that everybody has left is on its way back: nobody joins it, whoever comes takes anew.
func TestNobodyJoinsAHoldOnItsWayBack(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 3)
	ctx, lines, try := t.Context(), []Units{{sku, 3}}, claim.New("o")
	if err := s.Hold(ctx, try, s.soon(), lines); err != nil {
		t.Fatal(err)
	}
	if _, err := s.buckets.Update(ctx, bucketID(sku, 0), func(b *Bucket) error { // and then the process died
		if alone := b.leave(try); len(alone) != 1 {
			t.Errorf("left alone: %+v", alone)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	again := claim.New("o")
	if err := s.Hold(ctx, again, s.soon(), lines); err != nil {
		t.Fatal(err)
	}
	snap, err := s.look(ctx, sku)
	if err != nil {
		t.Fatal(err)
	}
	if holds := snap.buckets[0].Holds.Of("o"); len(holds) != 1 || holds[0].By != claim.HeldBy(again) {
		t.Errorf("%+v", holds)
	}
	s.expect(t, sku, count{Held: 3, In: 3})
}

// At the bound of a bucket the answer is "busy", never "sold out"; paid holds make room at once, others when they lapse.
func TestAFullBucketIsBusy(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{MaxBuckets: 1})
	sku := s.stocked(t, claim.MaxOpen+10)
	until := s.soon()
	if _, err := s.buckets.Update(t.Context(), bucketID(sku, 0), func(b *Bucket) error {
		for i := range claim.MaxOpen {
			b.take(claim.Try{Order: fmt.Sprint("o", i), Attempt: "x"}, 1, until, int64(i+1))
		}
		return b.sound()
	}); err != nil {
		t.Fatal(err)
	}
	hold := func(order string) error {
		return s.Hold(t.Context(), claim.New(order), s.clock.Now().Add(time.Hour), []Units{{sku, 1}})
	}
	expectFault(t, hold("late"), ErrBusy)
	if err := s.Commit(t.Context(), "o77", []Units{{sku, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := hold("late"); err != nil {
		t.Errorf("after a hold was sold: %v", err)
	}
	expectFault(t, hold("later"), ErrBusy)
	s.clock.Advance(15*time.Minute + s.config.Grace + time.Millisecond)
	if err := hold("later"); err != nil {
		t.Errorf("after the holds have lapsed: %v", err)
	}
	s.expect(t, sku, count{Free: claim.MaxOpen + 7, Held: 2, Sold: 1, In: claim.MaxOpen + 10})
}

// Holds stored before they had holders are held by attempts nobody has counted: they are joined, sold, and not undone.
func TestHoldsOfBeforeGoOn(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 5)
	until := s.clock.Now().Add(15 * time.Minute)
	if _, err := s.buckets.Update(t.Context(), bucketID(sku, 0), func(b *Bucket) error {
		b.Free, b.Due = 2, until
		b.Holds = claim.Open(fmt.Sprintf("old 3 %d 1z\n", until.UnixMilli()))
		return b.sound()
	}); err != nil {
		t.Fatal(err)
	}
	try, lines := claim.New("old"), []Units{{sku, 3}}
	if err := s.Hold(t.Context(), try, until, lines); err != nil {
		t.Fatal(err)
	}
	if err := s.Undo(t.Context(), try, lines); err != nil {
		t.Fatal(err)
	}
	s.expect(t, sku, count{Free: 2, Held: 3, In: 5})
	if err := s.Commit(t.Context(), "old", lines); err != nil {
		t.Fatal(err)
	}
	s.expect(t, sku, count{Free: 2, Sold: 3, In: 5})
}

// A bucket at the bound of the intakes it remembers asks to wait; an hour later it goes on.
func TestABucketRemembersOnlySoManyIntakes(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 1)
	ids, docs := make([]string, maxIntakes-1), make([]*Intake, maxIntakes-1)
	for i := range ids {
		ids[i] = fmt.Sprintf("back/r%d/%s", i, sku)
		in := &Intake{SKU: sku, Units: 1, At: s.clock.Now(), DoneAt: s.clock.Now()}
		in.ID = ids[i]
		docs[i] = in
	}
	if err := errors.Join(s.intakes.InsertMany(t.Context(), docs)...); err != nil {
		t.Fatal(err)
	}
	if _, err := s.buckets.Update(t.Context(), bucketID(sku, 0), func(b *Bucket) error {
		b.Intakes = append(b.Intakes, ids...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	expectFault(t, s.Restock(t.Context(), "more", []Units{{sku, 2}}), ErrBusy)
	s.expect(t, sku, count{Free: 1, In: 1})
	s.clock.Advance(intakeAge + time.Minute)
	if err := s.Restock(t.Context(), "more", []Units{{sku, 2}}); err != nil {
		t.Fatal(err)
	}
	s.expect(t, sku, count{Free: 3, In: 3})
}

func TestAMoveRemembersTheLatestMarks(t *testing.T) {
	t.Parallel()
	m := Move{State: moveOpen}
	for n := range int64(2 * maxVoid) {
		m.void([]int64{n}, time.Unix(0, 0))
	}
	if len(m.Void) != maxVoid || m.Void[maxVoid-1] != 2*maxVoid-1 {
		t.Error(m.Void)
	}
}
