package hosting_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/community/hosting"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

func open(t *testing.T) (*hosting.Service, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(start)
	s, err := hosting.New(t.Context(), hosting.Deps{Store: docstoretest.NewStore(t, c), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// TestTheTableOfStandings tries every step in every state, by ways a member really gets there, and says what each state
// allows.
func TestTheTableOfStandings(t *testing.T) {
	t.Parallel()
	ways := map[hosting.State][]hosting.Step{
		hosting.None: {}, hosting.Applied: {hosting.StepApply}, hosting.Refused: {hosting.StepApply, hosting.StepRefuse},
		hosting.Approved: {hosting.StepApply, hosting.StepApprove}, hosting.Carried: {hosting.StepCarry},
		hosting.Revoked: {hosting.StepApply, hosting.StepApprove, hosting.StepRevoke},
	}
	want := strings.TrimSpace(`
          apply      approve    refuse     revoke     reinstate  | start                run
-         applied    NOT_FOUND  NOT_FOUND  NOT_FOUND  NOT_FOUND  | HST_NOT_APPROVED     HST_NOT_APPROVED
applied   applied    approved   refused    STATE      STATE      | HST_NOT_APPROVED     HST_NOT_APPROVED
refused   applied    STATE      refused    STATE      STATE      | HST_NOT_APPROVED     HST_NOT_APPROVED
approved  STATE      approved   STATE      revoked    approved   | ok                   ok
carried   STATE      approved   STATE      revoked    STATE      | HST_UNDER_REVIEW     ok
revoked   STATE      STATE      STATE      revoked    approved   | HST_REVOKED          HST_REVOKED`)
	out := []string{strings.Split(want, "\n")[0]}
	for _, from := range []hosting.State{hosting.None, hosting.Applied, hosting.Refused, hosting.Approved, hosting.Carried, hosting.Revoked} {
		line, name := "", string(from)
		if name == "" {
			name = "-"
		}
		var start, run string
		for _, step := range []hosting.Step{hosting.StepApply, hosting.StepApprove, hosting.StepRefuse, hosting.StepRevoke, hosting.StepReinstate} {
			s, _ := open(t)
			for _, way := range ways[from] {
				if _, err := take(t, s, way); err != nil {
					t.Fatal(from, way, err)
				}
			}
			start, run = word(s.MayStart(t.Context(), "lin")), word(s.MayRun(t.Context(), "lin"))
			h, err := take(t, s, step)
			cell := ""
			if err != nil {
				cell = strings.TrimPrefix(word(err), "HST_")
			} else {
				cell = string(h.State)
			}
			line += fmt.Sprintf("%-11s", cell)
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("%-10s%s| %-20s %s", name, line, start, run), " "))
	}
	if d := cmp.Diff(want, strings.TrimSpace(strings.Join(out, "\n"))); d != "" {
		t.Error(d)
	}
}

func take(t *testing.T, s *hosting.Service, step hosting.Step) (*hosting.Hosting, error) {
	t.Helper()
	switch step {
	case hosting.StepApply:
		return s.Apply(t.Context(), hosting.ApplyInput{Member: "lin", Words: "小区三百户"})
	case hosting.StepCarry:
		err := s.CarryOver(t.Context(), func(_ context.Context, visit func(string) error) error { return visit("lin") })
		return nil, err
	}
	return s.Decide(t.Context(), hosting.Decision{Member: "lin", Step: step, By: "clerk", Reason: "看过了"})
}

func word(err error) string {
	for _, f := range hosting.Faults() {
		if errors.Is(err, f) {
			return f.Code
		}
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func TestHistoryKeepsWhoAndWhyAndRepetitionsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for _, step := range []hosting.Step{
		hosting.StepApply, hosting.StepApply, hosting.StepApprove, hosting.StepApprove, hosting.StepRevoke, hosting.StepRevoke,
		hosting.StepReinstate, hosting.StepReinstate,
	} {
		if _, err := take(t, s, step); err != nil {
			t.Fatal(step, err)
		}
		c.Advance(time.Minute)
	}
	h, err := s.Standing(t.Context(), "lin")
	if err != nil {
		t.Fatal(err)
	}
	want := []hosting.Move{
		{Step: hosting.StepApply, At: start},
		{Step: hosting.StepApprove, Was: hosting.Applied, By: "clerk", Reason: "看过了", At: start.Add(2 * time.Minute)},
		{Step: hosting.StepRevoke, Was: hosting.Approved, By: "clerk", Reason: "看过了", At: start.Add(4 * time.Minute)},
		{Step: hosting.StepReinstate, Was: hosting.Revoked, By: "clerk", Reason: "看过了", At: start.Add(6 * time.Minute)},
	}
	if d := cmp.Diff(want, h.History); d != "" {
		t.Error(d)
	}
}

func TestBadDecisionsChangeNothing(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if _, err := take(t, s, hosting.StepApply); err != nil {
		t.Fatal(err)
	}
	for _, d := range []hosting.Decision{
		{Member: "lin", Step: hosting.StepApprove, By: "lin", Reason: "自己批自己"},
		{Member: "lin", Step: hosting.StepApprove, Reason: "没有人"},
		{Member: "lin", Step: hosting.StepApprove, By: "clerk"},
		{Member: "lin", Step: hosting.StepApprove, By: "clerk", Reason: strings.Repeat("字", 201)},
		{Member: "lin", Step: hosting.StepApprove, By: "clerk", Reason: "\u200b"},
		{Member: "lin", Step: hosting.StepApply, By: "clerk", Reason: "不是决定"},
		{Member: "lin", Step: hosting.StepCarry, By: "clerk", Reason: "不是决定"},
		{Member: "nobody", Step: hosting.StepApprove, By: "clerk", Reason: "从没申请"},
		{Member: "", Step: hosting.StepApprove, By: "clerk", Reason: "没有名字"},
	} {
		if _, err := s.Decide(t.Context(), d); word(err) == "ok" || !strings.HasPrefix(word(err), "HST_") {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if h, _ := s.Standing(t.Context(), "lin"); h.State != hosting.Applied || len(h.History) != 1 {
		t.Errorf("changed: %+v", h)
	}
	for _, words := range []string{"", "  ", strings.Repeat("字", 501), "a\u202eb"} {
		if _, err := s.Apply(t.Context(), hosting.ApplyInput{Member: "mo", Words: words}); !errors.Is(err, hosting.ErrInvalid) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// The list is made once, by however many processes; whoever has a standing keeps it, and hosts that come later are not
// carried.
func TestHostsFromBeforeTheRuleAreListedOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if _, err := take(t, s, hosting.StepApply); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("killed")
	err := s.CarryOver(t.Context(), func(_ context.Context, visit func(string) error) error {
		return errors.Join(visit("early"), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := s.CarryOver(t.Context(), func(_ context.Context, visit func(string) error) error {
				return errors.Join(visit("early"), visit("lin"), visit("early"), visit("wang"))
			}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := s.CarryOver(t.Context(), func(_ context.Context, visit func(string) error) error { return visit("sneaked-in") }); err != nil {
		t.Fatal(err)
	}
	page, err := s.ByState(t.Context(), hosting.Carried, docstore.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	var carried []string
	for _, h := range page.Items {
		carried = append(carried, h.ID)
		if len(h.History) != 1 {
			t.Errorf("%s: %d moves", h.ID, len(h.History))
		}
	}
	slices.Sort(carried)
	if d := cmp.Diff([]string{"early", "wang"}, carried); d != "" {
		t.Error(d)
	}
}

func TestAStandingKeepsItsFirstAndItsLatestMoves(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, step := range []hosting.Step{hosting.StepApply, hosting.StepApprove} {
		if _, err := take(t, s, step); err != nil {
			t.Fatal(err)
		}
	}
	for range hosting.MaxMoves {
		for _, step := range []hosting.Step{hosting.StepRevoke, hosting.StepReinstate} {
			if _, err := take(t, s, step); err != nil {
				t.Fatal(err)
			}
		}
	}
	h, err := s.Standing(t.Context(), "lin")
	if err != nil || len(h.History) != hosting.MaxMoves || h.History[0].Step != hosting.StepApply {
		t.Fatal(len(h.History), err)
	}
}
