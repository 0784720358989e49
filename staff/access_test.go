package staff

import (
	"testing"
	"time"
)

// One administrator alone makes nobody: neither a maker and checkers, nor an entry, nor more power for anybody.
func TestPowerIsHandedOutByTwo(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	one, _ := h.settled(t, "one", Admin)
	two, _ := h.settled(t, "two", Admin)
	clerk, token := h.settled(t, "clerk", Tax)
	add := AddInput{By: one, Key: "k", Login: "maker", Name: "n", Roles: []Role{FinanceMaker}}
	for _, maker := range []string{"", one, System} {
		add.Maker = maker
		_, err := h.AddOperator(ctx, add)
		want(t, err, ErrTwoPeople)
	}
	_, _, err := h.SetRoles(ctx, one, clerk, []Role{FinanceChecker, Tax})
	want(t, err, ErrTwoPeople)
	for _, alone := range []Hands{{one, one}, {"", one}, {one, ""}, {System, one}, {one, System}} {
		_, err = h.GrantRoles(ctx, alone, clerk, []Role{Tax}, []Role{FinanceChecker})
		want(t, err, ErrTwoPeople)
		_, err = h.Reenrol(ctx, alone, clerk, "k")
		want(t, err, ErrTwoPeople)
		_, err = h.Reopen(ctx, alone, clerk)
		want(t, err, ErrTwoPeople)
		_, err = h.Link(ctx, alone, clerk, "alice")
		want(t, err, ErrTwoPeople)
	}
	_, err = h.GrantRoles(ctx, Hands{one, two}, one, []Role{Admin}, []Role{FinanceChecker})
	want(t, err, ErrOwnAccount)
	_, err = h.GrantRoles(ctx, Hands{one, two}, clerk, []Role{Auditor}, []Role{FinanceChecker})
	want(t, err, ErrMove) // the roles were others when it was proposed
	if _, err = h.GrantRoles(ctx, Hands{one, two}, clerk, []Role{Tax}, []Role{FinanceChecker, Tax}); err != nil {
		t.Fatal(err)
	}
	if _, _, err = h.SetRoles(ctx, one, clerk, []Role{Tax}); err != nil {
		t.Error("what takes power away needs one:", err)
	}
	added, err := h.Reenrol(ctx, Hands{one, two}, clerk, "draft")
	if err != nil || added.Password == "" {
		t.Fatal(added, err)
	}
	_, err = h.Authenticate(ctx, token)
	want(t, err, ErrSessionInvalid)
	again, err := h.Reenrol(ctx, Hands{one, two}, clerk, "draft") // the answer was lost
	if err != nil || again.Password == "" || again.Password == added.Password {
		t.Fatal(again, err)
	}
	in, err := h.Login(ctx, LoginInput{Login: "clerk", Password: again.Password})
	if err != nil || !in.MustChange {
		t.Fatal(in, err)
	}
	who, _ := h.Authenticate(ctx, in.Token)
	if err := h.ChangePassword(ctx, PasswordChange{Operator: clerk, Session: who.Session, Old: again.Password, New: own}); err != nil {
		t.Fatal(err)
	}
	if used, err := h.Reenrol(ctx, Hands{one, two}, clerk, "draft"); err != nil || used.Password != "" {
		t.Error("a code that was used is made again:", used, err)
	}
	_, err = h.Login(ctx, LoginInput{Login: "clerk", Password: again.Password})
	want(t, err, ErrLoginRefused)
}

func TestWhoHandedOutACodeChecksNothingForAWhile(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	one, _ := h.settled(t, "one", Admin)
	two, _ := h.settled(t, "two", Admin)
	three, _ := h.settled(t, "three", Admin)
	added, err := h.AddOperator(ctx, AddInput{By: two, Maker: one, Key: "k", Login: "maker", Name: "n", Roles: []Role{FinanceMaker}})
	if err != nil {
		t.Fatal(err)
	}
	maker := added.Operator.ID
	d, err := h.WriteDraft(ctx, DraftInput{Key: "k", Maker: maker, Kind: "policy", Title: "t", Content: "{}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, hand := range []string{one, two} {
		_, err = h.TakeDraft(ctx, d.ID, hand)
		want(t, err, ErrCooling)
		want(t, h.MayCheck(ctx, maker, hand), ErrCooling)
	}
	if err := h.MayCheck(ctx, three, maker); err != nil {
		t.Error(err)
	}
	for operator, member := range map[string]string{maker: "alice", three: "alice"} {
		if _, err := h.Link(ctx, Hands{one, two}, operator, member); err != nil {
			t.Fatal(err)
		}
	}
	want(t, h.MayCheck(ctx, three, maker), ErrDraftOwn) // two accounts, one person
	h.clock.Advance(72 * time.Hour)
	if _, err = h.TakeDraft(ctx, d.ID, one); err != nil {
		t.Error(err)
	}
}
