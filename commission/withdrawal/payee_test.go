package withdrawal

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/docstore"
)

func TestPersonalDataIsNeverStoredInTheClear(t *testing.T) {
	t.Parallel()
	driver := newMemory()
	w := newWorld(t, driver, Config{RealNameFrom: 100_00, AutoLimit: NoLimit})
	w.join("mia", 900_00)
	p := w.start()
	const name, paper = "米亚亚", "110101199003070038"
	if _, err := p.SetPayee(t.Context(), PayeeInput{Member: "mia", RealName: name, IDNumber: paper, By: "mia"}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Ask(t.Context(), AskInput{Key: "k", Member: "mia", Amount: 200_00, Device: "phone-77"})
	if err != nil || got.State != Waiting {
		t.Fatal(got, err)
	}
	if sent := w.platform.bills[got.ID].transfer; sent.RealName != name || sent.OpenID != "open-mia" {
		t.Errorf("the platform was told %+v", sent)
	}
	for collection, docs := range driver.docs {
		for id, doc := range docs {
			for _, secret := range []string{name, paper, "open-mia", "phone-77"} {
				if bytes.Contains(doc.Body, []byte(secret)) {
					t.Errorf("%s/%s holds %s in the clear", collection, id, secret)
				}
			}
		}
	}
	payee, err := p.Payee(t.Context(), "mia")
	if err != nil || payee.RealName.Reveal() != name || payee.IDNumber.Reveal() != paper || payee.RealName.String() == name {
		t.Error(payee, err)
	}
}

func TestPayeesAreChecked(t *testing.T) {
	t.Parallel()
	p := newWorld(t, newMemory(), Config{}).start()
	for name, in := range map[string]PayeeInput{
		"check digit":    {Member: "m", By: "m", IDNumber: "110101199003070039"},
		"short":          {Member: "m", By: "m", IDNumber: "11010119900307003"},
		"letters":        {Member: "m", By: "m", IDNumber: "11010119900307A038"},
		"name too short": {Member: "m", By: "m", RealName: "米"},
		"control":        {Member: "m", By: "m", RealName: "米\n亚"},
		"kind":           {Member: "m", By: "m", Kind: "robot"},
		"no author":      {Member: "m"},
		"member":         {Member: "m/x", By: "m"},
	} {
		if _, err := p.SetPayee(t.Context(), in); !errors.Is(err, ErrBadPayee) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, in := range []PayeeInput{
		{Member: "m", By: "m"},
		{Member: "m", By: "m", IDNumber: "11010519491231002x", RealName: "王 小明"}, // the standard's own example
		{Member: "m", By: "staff1", Kind: tax.Foreign, IDNumber: "E12345678"},
		{Member: "m", By: "staff1", Kind: tax.Business},
	} {
		if _, err := p.SetPayee(t.Context(), in); err != nil {
			t.Error(in.Kind, err)
		}
	}
}

func TestTheKindIsSetAloneAndMustFitTheNumberOnFile(t *testing.T) {
	t.Parallel()
	p := newWorld(t, newMemory(), Config{}).start()
	set := func(kind tax.Kind, was tax.Kind, want error) {
		t.Helper()
		got, before, err := p.SetKind(t.Context(), KindInput{Member: "m", Kind: kind, By: "staff1"})
		if !errors.Is(err, want) || err == nil && (got.Kind != kind || before != was) {
			t.Errorf("%s: %v, was %s, %v", kind, got, before, err)
		}
	}
	set(tax.Resident, tax.Resident, nil)
	set(tax.Foreign, tax.Resident, nil)
	set("robot", "", ErrBadPayee)
	in := PayeeInput{Member: "m", By: "m", Kind: tax.Foreign, RealName: "Mia", IDNumber: "E12345678"}
	if _, err := p.SetPayee(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	set(tax.Resident, "", ErrBadPayee)
	set(tax.Business, tax.Foreign, nil)
	set(tax.Business, tax.Business, nil)
	got, err := p.Payee(t.Context(), "m")
	if err != nil || got.Kind != tax.Business || got.RealName.Reveal() != "Mia" || got.IDNumber.Reveal() != "E12345678" || got.By != "staff1" {
		t.Error(got, err)
	}
}

func TestTheSamePaperOfTwoMembersWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{})
	p := w.start()
	for _, member := range []string{"mia", "mio"} {
		w.join(member, 900_00)
		in := PayeeInput{Member: member, RealName: "米亚", IDNumber: "110101199003070038", By: member}
		if _, err := p.SetPayee(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	first, err := p.Ask(t.Context(), AskInput{Key: "k", Member: "mia", Amount: 10_00})
	if err != nil || first.State != Waiting {
		t.Fatal(first, err)
	}
	second, err := p.Ask(t.Context(), AskInput{Key: "k", Member: "mio", Amount: 10_00})
	if err != nil || second.State != Held || second.Findings[0].Code != SharedIdentity {
		t.Fatal(second, err)
	}
	sharers, err := p.Sharers(t.Context(), second)
	if err != nil || len(sharers) != 1 || len(sharers[identityPaper]) != 2 {
		t.Error(sharers, err)
	}
}

func TestForgottenTransfersEndByTwoPeopleOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{})
	w.join("mia", 900_00)
	p := w.start()
	w.platform.mood = moodLost
	got, err := p.Ask(t.Context(), AskInput{Key: "k", Member: "mia", Amount: 10_00})
	if err != nil || got.State != Sent {
		t.Fatal(got, err)
	}
	by := func(who string, want error) {
		t.Helper()
		if _, err := p.DeclareLost(t.Context(), ReviewInput{Number: got.ID, By: who, Why: "账单中无此单"}); !errors.Is(err, want) {
			t.Errorf("%s: %v", who, err)
		}
	}
	by("ann", ErrWrongState)
	w.clock.Advance(26 * 24 * time.Hour)
	if _, err := p.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := p.WithIncidents(t.Context(), docstore.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	by("mia", ErrSameReviewer)
	by("ann", nil)
	by("ann", ErrSameReviewer)
	by("bob", nil)
	by("bob", nil)
	stands(t, p, got.ID, Failed, 900_00, 0)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"less than the platform sends": {Min: 9},
		"negative":                     {MaxPerDay: -5},
		"too many":                     {MaxCount: 21},
		"days":                         {NewAccountDays: 400},
		"lease":                        {Lease: time.Millisecond},
		"remark":                       {Remark: "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三"},
		"fixed effect":                 {Effects: map[Code]Effect{PurseShort: EffectIgnore}},
		"unknown effect":               {Effects: map[Code]Effect{Velocity: "shout"}},
	} {
		if _, err := c.withDefaults(); err == nil {
			t.Error(name)
		}
	}
	if c, err := (Config{AutoLimit: NoLimit, NewAccountDays: NoLimit, Effects: map[Code]Effect{TooNew: EffectHold}}).withDefaults(); err != nil || c.NewAccountDays != 0 {
		t.Error(c, err)
	}
}

// What is not said stays: a name alone leaves the number, and nothing but blanks clears nothing.
func TestAPartialWriteOfAPayeeErasesNothing(t *testing.T) {
	t.Parallel()
	p := newWorld(t, newMemory(), Config{}).start()
	const paper = "11010519491231002X"
	write := func(in PayeeInput) error {
		in.Member, in.By = "m", "m"
		_, err := p.SetPayee(t.Context(), in)
		return err
	}
	if err := write(PayeeInput{RealName: "王小明", IDNumber: paper}); err != nil {
		t.Fatal(err)
	}
	for _, blank := range []PayeeInput{
		{RealName: "  "}, {RealName: "\u200b\u200b"}, {RealName: "\u3000 "}, {IDNumber: "   "}, {RealName: "王大明", IDNumber: "\u200b"},
	} {
		if err := write(blank); !errors.Is(err, ErrBadPayee) {
			t.Errorf("%+q: %v", blank, err)
		}
	}
	for _, one := range []PayeeInput{{}, {RealName: " 王大明 "}, {IDNumber: "11010519491231002x"}} {
		if err := write(one); err != nil {
			t.Errorf("%+v: %v", one, err)
		}
	}
	stored, err := p.Payee(t.Context(), "m")
	if err != nil || stored.RealName.Reveal() != "王大明" || stored.IDNumber.Reveal() != paper || stored.IDKey == "" {
		t.Errorf("%q %q %v", stored.RealName.Reveal(), stored.IDNumber.Reveal(), err)
	}
}

// What a payee was at a moment is never what they became since.
func TestTheKindsOfAPayeeHaveAHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory(), Config{})
	p := w.start()
	var first time.Time
	for i, kind := range []tax.Kind{tax.Business, tax.Business, tax.Resident} {
		w.clock.Advance(24 * time.Hour)
		if i == 0 {
			first = w.clock.Now()
		}
		if _, _, err := p.SetKind(t.Context(), KindInput{Member: "mia", Kind: kind, By: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.Payee(t.Context(), "mia")
	if err != nil || len(got.Kinds) != 3 {
		t.Fatal(got, err)
	}
	for at, want := range map[time.Time]tax.Kind{
		first.Add(-time.Millisecond): tax.Resident, first: tax.Business, first.Add(47 * time.Hour): tax.Business,
		first.Add(48 * time.Hour): tax.Resident,
	} {
		if kind := got.KindAt(at); kind != want {
			t.Errorf("%s: %s, want %s", at, kind, want)
		}
	}
	old := &Payee{Doc: docstore.Doc{Version: 3}, Kind: tax.Business, ChangedAt: first} // written by an earlier release
	if old.KindAt(first) != tax.Business || old.KindAt(first.Add(-1)) != "" {
		t.Error("of an earlier release:", old.KindAt(first), old.KindAt(first.Add(-1)))
	}
	old.become(tax.Resident, "ann", first.Add(time.Hour))
	if old.KindAt(first) != tax.Business || old.KindAt(first.Add(-1)) != "" || old.KindAt(first.Add(time.Hour)) != tax.Resident {
		t.Error("changed since:", old.Kinds)
	}
}
