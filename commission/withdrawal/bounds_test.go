package withdrawal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

func TestADeskTakesSoManyTriesADayWhateverBecomesOfThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{AutoLimit: 1_00, Effects: map[Code]Effect{Velocity: EffectIgnore}})
	w.join("mia", 400_00)
	p := w.start()
	ask := func(n int) (*Withdrawal, error) {
		return p.Ask(t.Context(), AskInput{Key: fmt.Sprint("k", n), Member: "mia", Amount: 10_00})
	}
	for n := range deskTries {
		one, err := ask(n)
		if err != nil || one.State != Held {
			t.Fatal(n, one, err)
		}
		if _, err := p.Cancel(t.Context(), "mia", one.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ask(deskTries); !errors.Is(err, ErrDayCount) {
		t.Fatalf("one more was answered %v", err)
	}
	if items, err := p.deskOf(t.Context(), "mia"); err != nil || len(items) != deskTries {
		t.Fatal(len(items), err)
	}
	w.clock.Advance(24 * time.Hour)
	if one, err := ask(deskTries); err != nil || one.State != Held {
		t.Fatal("the next day", one, err)
	}
}

func TestAFullDeskForgetsFirstWhatMovedNoMoney(t *testing.T) {
	t.Parallel()
	d := desk{}
	for n := range deskMost {
		state := deskSpent
		if n%2 == 1 {
			state = deskRefused
		}
		d.Items = append(d.Items, deskItem{fmt.Sprint(n), start, 1, state, nil})
	}
	d.tidy(start)
	if len(d.Items) != deskMost-1 || d.find("1") != nil || d.find("0") == nil || d.find("3") == nil {
		t.Error(len(d.Items))
	}
}

func TestAFullTaxYearSendsNothingAndGivesTheMoneyBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{})
	w.join("mia", 400_00)
	p := w.start()
	fill := func(state taxyear.State) {
		t.Helper()
		err := p.upsertYear(t.Context(), "mia", taxyear.Of(start), func(y *taxyear.Year) error {
			y.Items = nil
			for n := range taxyear.Most {
				y.Items = append(y.Items, taxyear.Item{Number: fmt.Sprint("old", n), State: state, Kind: "resident", At: start.Add(-deskKeeps - time.Hour), Gross: 1})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill(taxyear.Paid)
	one, err := p.Ask(t.Context(), AskInput{Key: "a", Member: "mia", Amount: 10_00})
	for range 3 {
		if _, tend := p.Tend(t.Context()); tend != nil {
			t.Fatal(tend)
		}
	}
	if err == nil {
		one, err = p.Get(t.Context(), one.ID)
	}
	if err != nil || !one.State.gaveBack() || one.Code != codeYearFull || w.ledger.pots["mia"].Available != money.Fen(400_00) {
		t.Fatalf("%+v %v; purse %+v", one, err, w.ledger.pots["mia"])
	}
	fill(taxyear.Void)
	if one, err = p.Ask(t.Context(), AskInput{Key: "b", Member: "mia", Amount: 10_00}); err != nil || one.State != Waiting {
		t.Fatal(one, err)
	}
	y, err := p.years.Get(t.Context(), taxyear.ID("mia", taxyear.Of(start)))
	if err != nil || len(y.Items) != 1 {
		t.Error(len(y.Items), err)
	}
	if most := taxyear.Most * 400; most > docstore.MaxDocument {
		t.Error("an item of 400 bytes does not fit so often")
	}
}

func TestAnIdentityOfManyMembersIsBoundedAndStaysShared(t *testing.T) {
	t.Parallel()
	p := newWorld(t, newMemory(), Config{}).start()
	for n := range maxSharers + 5 {
		shared, err := p.shared(t.Context(), identityDevice, "h", fmt.Sprint("m", n))
		if err != nil || shared != (n > 0) {
			t.Fatal(n, shared, err)
		}
	}
	i, err := p.identities.Get(t.Context(), identityDevice+"/h")
	if err != nil || len(i.Members) != maxSharers {
		t.Error(len(i.Members), err)
	}
}

func TestIncidentsOfAWithdrawalAreBoundedAndTheFirstStay(t *testing.T) {
	t.Parallel()
	w := Withdrawal{}
	for n := range 2 * maxIncidents {
		if kept := w.incident(SendRefused, fmt.Sprint(n), start); kept != (n < maxIncidents) {
			t.Fatal(n, kept)
		}
	}
	if len(w.Incidents) != maxIncidents || w.Incidents[0].Detail != "0" {
		t.Error(w.Incidents)
	}
}
