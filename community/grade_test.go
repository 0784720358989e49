package community_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/community"
)

func TestAHostsGradeIsGivenByStaffAndRemembersEveryMove(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := t.Context()
	if grade, err := h.Grade(ctx, "lin"); err != nil || grade != "" {
		t.Fatal(grade, err)
	}
	for _, step := range []struct{ grade, reason string }{
		{"gold", "连续三个月达标"}, {"gold", "又评了一次"}, {"", "暂停评级"}, {"star-2", "恢复"},
	} {
		if err := h.SetGrade(ctx, "lin", step.grade, "staff1", step.reason); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.Grading(ctx, "lin")
	if err != nil {
		t.Fatal(err)
	}
	wanted := []community.GradeMove{
		{Grade: "gold", By: "staff1", Reason: "连续三个月达标"},
		{Grade: "", Was: "gold", By: "staff1", Reason: "暂停评级"},
		{Grade: "star-2", Was: "", By: "staff1", Reason: "恢复"},
	}
	if diff := cmp.Diff(wanted, got.History, cmpopts.IgnoreFields(community.GradeMove{}, "At")); diff != "" || got.Grade != "star-2" {
		t.Error(got.Grade, diff)
	}
}

func TestGradesThatCannotBe(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, c := range [][4]string{
		{"", "gold", "staff1", "why"},
		{"no id", "gold", "staff1", "why"},
		{"lin", "Gold", "staff1", "why"},
		{"lin", "金牌", "staff1", "why"},
		{"lin", "a b", "staff1", "why"},
		{"lin", strings.Repeat("g", 21), "staff1", "why"},
		{"lin", "gold", "", "why"},
		{"lin", "gold", "staff1", " "},
		{"lin", "gold", "staff1", strings.Repeat("长", 201)},
	} {
		want(t, h.SetGrade(t.Context(), c[0], c[1], c[2], c[3]), community.ErrInvalid)
	}
	if got, err := h.Grading(t.Context(), "lin"); err != nil || got.History != nil {
		t.Error(got, err)
	}
}

func TestTheHistoryOfGradesIsBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range community.MaxGradeMoves + 5 {
		if err := h.SetGrade(t.Context(), "lin", fmt.Sprint("g", i), "staff1", "why"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.Grading(t.Context(), "lin")
	if err != nil || len(got.History) != community.MaxGradeMoves || got.History[0].Grade != "g0" {
		t.Error(len(got.History), err)
	}
}

func TestOnlySomebodyOfTheCommunityKeepsAPickupPoint(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.create(t, "lin")
	ctx := t.Context()
	in := community.PickupInput{Key: "p1", Name: "南门便利店", Address: "阳光路 1 号", Keeper: "ann"}
	_, err := h.AddPickupPoint(ctx, "lin", c.ID, in)
	want(t, err, community.ErrInvalid)
	_, err = h.AddPickupPoint(ctx, "mallory", c.ID, in)
	want(t, err, community.ErrNotHost)
	if _, err := h.Join(ctx, community.JoinInput{Community: c.ID, Member: "ann"}); err != nil {
		t.Fatal(err)
	}
	point, err := h.AddPickupPoint(ctx, "lin", c.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	keeper := func(want string) {
		t.Helper()
		if p, err := h.PickupPoint(ctx, c.ID, point.ID); err != nil || p.Keeper != want {
			t.Errorf("kept by %q, want %q, %v", p.Keeper, want, err)
		}
	}
	keeper("ann")
	if err := h.Leave(ctx, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	keeper("")
	if again, err := h.AddPickupPoint(ctx, "lin", c.ID, in); err != nil || again != point {
		t.Error("a repetition after the keeper has left:", again, err)
	}
	want(t, h.SetKeeper(ctx, "lin", c.ID, point.ID, "bob"), community.ErrInvalid)
	want(t, h.SetKeeper(ctx, "ann", c.ID, point.ID, "lin"), community.ErrNotHost)
	want(t, h.SetKeeper(ctx, "lin", c.ID, "nowhere", "lin"), community.ErrPointNotFound)
	for range 2 {
		if err := h.SetKeeper(ctx, "lin", c.ID, point.ID, "lin"); err != nil {
			t.Fatal(err)
		}
	}
	keeper("lin")
	if again, err := h.AddPickupPoint(ctx, "lin", c.ID, in); err != nil || again.ID != point.ID {
		t.Error("a repetition after another keeper was named:", again, err)
	}
	in.Keeper = "lin"
	_, err = h.AddPickupPoint(ctx, "lin", c.ID, in)
	want(t, err, community.ErrKeyReused)
	if err := h.SetKeeper(ctx, "lin", c.ID, point.ID, ""); err != nil {
		t.Fatal(err)
	}
	keeper("")
}
