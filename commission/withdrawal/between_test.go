package withdrawal

import (
	"context"
	"errors"
	"testing"
	"time"

	"guanxi/internal/docstore"
)

// two are two processes on one world, with one member who has 100 yuan.
func two(t *testing.T) (a, b *process) {
	w := newWorld(t, newMemory(), Config{})
	w.join("mia", 100_00)
	w.between = map[string]func(){}
	return w.start(), w.start()
}

var paging = docstore.Paging{First: 10}

func ask(key string) AskInput { return AskInput{Key: key, Member: "mia", Amount: 60_00} }

// stands checks the state of the only withdrawal under a key and the purse.
func stands(t *testing.T, p *process, number string, state State, available, withdrawing int64) {
	t.Helper()
	w, err := p.Get(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	b := p.ledger.pots["mia"]
	if w.State != state || int64(b.Available) != available || int64(b.Withdrawing) != withdrawing {
		t.Errorf("%s, purse %+v; want %s, %d and %d", w.State, *b, state, available, withdrawing)
	}
}

func TestTwoRequestsThatBothPassedTheFirstLookAreStillOne(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	a.between["since"] = func() { // the first look
		a.between["since"] = func() { // the second, with the request written down
			if _, err := b.Ask(context.Background(), ask("other")); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := a.Ask(t.Context(), ask("one")); !errors.Is(err, ErrOpenOne) {
		t.Error(err)
	}
	if _, err := a.Ask(t.Context(), ask("one")); !errors.Is(err, ErrOpenOne) {
		t.Error("repeated:", err)
	}
	again, err := b.Ask(t.Context(), ask("other"))
	if err != nil {
		t.Fatal(err)
	}
	stands(t, b, again.ID, Waiting, 40_00, 60_00)
}

func TestAReservationThatComesAfterTheRefusalGoesBack(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	a.between["reserve"] = func() { // a stalls far beyond its lease; b finds the purse empty and refuses
		a.ledger.pots["mia"].Available -= 100_00
		a.world.clock.Advance(2 * time.Minute)
		if moved, err := b.Tend(context.Background()); moved != 1 || err != nil {
			t.Error(moved, err)
		}
		a.ledger.pots["mia"].Available += 100_00
	}
	if _, err := a.Ask(t.Context(), ask("one")); !errors.Is(err, ErrPurseShort) {
		t.Error(err)
	}
	page, err := b.ByState(t.Context(), Refused, paging)
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	stands(t, b, page.Items[0].ID, Refused, 100_00, 0)
}

func TestAProcessThatStallsBeforeReservingFindsTheWorkDone(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	a.between["reserve"] = func() {
		a.world.clock.Advance(2 * time.Minute)
		if moved, err := b.Tend(context.Background()); moved != 1 || err != nil {
			t.Error(moved, err)
		}
	}
	w, err := a.Ask(t.Context(), ask("one"))
	if err != nil {
		t.Fatal(err)
	}
	stands(t, b, w.ID, Waiting, 40_00, 60_00)
	if a.platform.sends != 1 {
		t.Errorf("sent %d times", a.platform.sends)
	}
}

func TestWhileSomebodyReservesNobodyElseActs(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	a.between["reserve"] = func() {
		a.world.clock.Advance(20 * time.Second)
		if moved, err := b.Tend(context.Background()); moved != 0 || err != nil {
			t.Error(moved, err)
		}
		page, err := b.ByState(context.Background(), Asked, paging)
		if err != nil || len(page.Items) != 1 {
			t.Error(page, err)
			return
		}
		if _, err := b.Cancel(context.Background(), "mia", page.Items[0].ID); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	if _, err := a.Ask(t.Context(), ask("one")); err != nil {
		t.Error(err)
	}
}

// The member cancels between the mark and the sending: the transfer goes out, is cancelled there, and only then is over.
func TestACancelDuringTheSendingWaitsForThePlatform(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	a.between["send"] = func() {
		page, err := b.ByState(context.Background(), Sent, paging)
		if err != nil || len(page.Items) != 1 {
			t.Error(page, err)
			return
		}
		if w, err := b.Cancel(context.Background(), "mia", page.Items[0].ID); err != nil || w.State != Sent {
			t.Error(w, err)
		}
	}
	w, err := a.Ask(t.Context(), ask("one"))
	if err != nil {
		t.Fatal(err)
	}
	stands(t, b, w.ID, Waiting, 40_00, 60_00)
	a.world.clock.Advance(3 * time.Minute)
	if _, err := b.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, err := a.platform.query(w.ID); err != nil || o.State != TransferCanceling {
		t.Fatal(o, err)
	}
	stands(t, b, w.ID, Waiting, 40_00, 60_00)
	a.platform.turn(w.ID, TransferCancelled, "")
	a.world.clock.Advance(time.Hour)
	if _, err := b.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	stands(t, b, w.ID, Cancelled, 100_00, 0)
}
