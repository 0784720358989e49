package staff

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

const own = "correct horse battery"

// plain is a fast stand-in for a slow hash; it counts how often a real password was compared.
type plain struct{ compared atomic.Int64 }

func (p *plain) Hash(_ context.Context, password string) (string, error) { return "h:" + password, nil }

func (p *plain) Matches(_ context.Context, _ Turn, hash, password string) (bool, error) {
	p.compared.Add(1)
	return hash == "h:"+password, nil
}

type house struct {
	*Service
	clock *clock.Manual
	store *docstore.Store
	plain *plain
}

func open(t testing.TB, config Config) house {
	t.Helper()
	c := clock.NewManual(start)
	h := house{clock: c, store: docstoretest.NewStore(t, c), plain: &plain{}}
	h.Service = h.again(t, config)
	return h
}

// again is another process on the same store.
func (h house) again(t testing.TB, config Config) *Service {
	t.Helper()
	s, err := New(t.Context(), Deps{Store: h.store, Clock: h.clock, IDs: id.Random{}, Passwords: h.plain, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h house) add(t testing.TB, login string, roles ...Role) Added {
	t.Helper()
	added, err := h.AddOperator(t.Context(), AddInput{By: System, Key: "k-" + login, Login: login, Name: "姓名 " + login, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// settled is an operator with an own password, and a session of theirs.
func (h house) settled(t testing.TB, login string, roles ...Role) (operator, token string) {
	t.Helper()
	added := h.add(t, login, roles...)
	in, err := h.Login(t.Context(), LoginInput{Login: login, Password: added.Password})
	if err != nil || !in.MustChange {
		t.Fatal(in, err)
	}
	who, err := h.Authenticate(t.Context(), in.Token)
	if err != nil {
		t.Fatal(err)
	}
	err = h.ChangePassword(t.Context(), PasswordChange{Operator: who.Operator, Session: who.Session, Old: added.Password, New: own})
	if err != nil {
		t.Fatal(err)
	}
	return who.Operator, in.Token
}

func want(t *testing.T, err, fault error) {
	t.Helper()
	if !errors.Is(err, fault) {
		t.Fatalf("got error %v, want %v", err, fault)
	}
}

func TestATemporaryPasswordIsGoodForChoosingAnOwnOne(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	added := h.add(t, "chen", Admin, Tax)
	in, err := h.Login(ctx, LoginInput{Login: " Chen ", Password: added.Password})
	if err != nil {
		t.Fatal(err)
	}
	who, err := h.Authenticate(ctx, in.Token)
	if err != nil {
		t.Fatal(err)
	}
	wanted := Principal{
		Operator: IDOf("chen"), Session: who.Session, Login: "chen", Name: "姓名 chen", Roles: []Role{Admin, Tax}, MustChange: true,
		ExpiresAt: start.Add(12 * time.Hour),
	}
	if diff := cmp.Diff(wanted, who); diff != "" {
		t.Error(diff)
	}
	want(t, who.May(OperatorManage), ErrChangeFirst)
	change := PasswordChange{Operator: who.Operator, Session: who.Session, Old: added.Password, New: own}
	other, err := h.Login(ctx, LoginInput{Login: "chen", Password: added.Password})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is the repetition after a lost answer
		if err := h.ChangePassword(ctx, change); err != nil {
			t.Fatal(err)
		}
	}
	if who, err = h.Authenticate(ctx, in.Token); err != nil || who.MustChange || who.May(OperatorManage) != nil {
		t.Fatal(who, err)
	}
	want(t, who.May(PolicyPublish), ErrDenied)
	_, err = h.Authenticate(ctx, other.Token)
	want(t, err, ErrSessionInvalid)
	_, err = h.Login(ctx, LoginInput{Login: "chen", Password: added.Password})
	want(t, err, ErrLoginRefused)
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own}); err != nil {
		t.Error(err)
	}
}

func TestATemporaryPasswordRunsOut(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	added := h.add(t, "chen", Admin)
	h.clock.Advance(72 * time.Hour)
	_, err := h.Login(ctx, LoginInput{Login: "chen", Password: added.Password})
	want(t, err, ErrLoginRefused)
	fresh, err := h.ResetPassword(ctx, System, IDOf("chen"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: fresh.Password}); err != nil {
		t.Error(err)
	}
}

func TestAnAccountIsAddedOnce(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	in := AddInput{By: System, Key: "setup", Login: "chen", Name: "陈静", Roles: []Role{Admin}}
	first, err := h.AddOperator(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.AddOperator(ctx, in)
	if err != nil || again.Password == first.Password || again.Operator.ID != first.Operator.ID {
		t.Fatal(again, err)
	}
	_, err = h.Login(ctx, LoginInput{Login: "chen", Password: first.Password})
	want(t, err, ErrLoginRefused)
	if _, err = h.Login(ctx, LoginInput{Login: "chen", Password: again.Password}); err != nil {
		t.Fatal(err)
	}
	_, err = h.AddOperator(ctx, in)
	want(t, err, ErrLoginTaken)
	in.Key = "another"
	_, err = h.AddOperator(ctx, in)
	want(t, err, ErrLoginTaken)
	if _, err := h.Disable(ctx, System, IDOf("chen")); err != nil {
		t.Fatal(err)
	}
	_, err = h.AddOperator(ctx, in)
	want(t, err, ErrLoginTaken)
}

func TestBadAccountsAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	for _, c := range []struct {
		in    AddInput
		fault error
	}{
		{AddInput{Login: "", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "a", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "1a", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "a b", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "陈静", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "system", Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: strings.Repeat("a", 33), Name: "n", Roles: []Role{Tax}}, ErrLoginInvalid},
		{AddInput{Login: "anna", Name: " ", Roles: []Role{Tax}}, ErrNameInvalid},
		{AddInput{Login: "anna", Name: "a\nb", Roles: []Role{Tax}}, ErrNameInvalid},
		{AddInput{Login: "anna", Name: strings.Repeat("陈", 41), Roles: []Role{Tax}}, ErrNameInvalid},
		{AddInput{Login: "anna", Name: "n"}, ErrRoleUnknown},
		{AddInput{Login: "anna", Name: "n", Roles: []Role{"owner"}}, ErrRoleUnknown},
		{AddInput{Login: "anna", Name: "n", Roles: []Role{Tax, Tax}}, ErrRoleUnknown},
	} {
		c.in.By, c.in.Key = System, "k"
		_, err := h.AddOperator(ctx, c.in)
		want(t, err, c.fault)
	}
	if page, err := h.Operators(ctx, docstore.Paging{}); err != nil || len(page.Items) != 0 {
		t.Error(page.Items, err)
	}
	if page, err := h.Audit(ctx, AuditQuery{}); err != nil || len(page.Items) != 0 {
		t.Error(page.Items, err)
	}
}

func TestBadPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	operator, token := h.settled(t, "chen", Admin)
	who, err := h.Authenticate(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	for password, fault := range map[string]error{
		"":                               ErrPasswordWeak,
		"short":                          ErrPasswordWeak,
		strings.Repeat("ab", 20):         ErrPasswordWeak,
		"my CHEN password":               ErrPasswordWeak,
		"\xff\xfe rather long passwords": ErrPasswordWeak,
		strings.Repeat("abcdefg", 20):    ErrPasswordWeak,
		own:                              ErrPasswordSame,
	} {
		err := h.ChangePassword(ctx, PasswordChange{Operator: operator, Session: who.Session, Old: own, New: password})
		want(t, err, fault)
	}
	wrong := PasswordChange{Operator: operator, Session: who.Session, Old: "not the password", New: "another good password"}
	for range 5 {
		want(t, h.ChangePassword(ctx, wrong), ErrPasswordWrong)
	}
	want(t, h.ChangePassword(ctx, wrong), ErrLocked)
	if _, err = h.Login(ctx, LoginInput{Login: "chen", Password: own}); err != nil {
		t.Errorf("whoever knows the password was kept out: %v", err)
	}
	if _, err := h.Authenticate(ctx, token); err != nil {
		t.Errorf("a lock ended a session: %v", err)
	}
}

func TestNobodyChangesTheirOwnAccount(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	me, _ := h.settled(t, "chen", Admin)
	_, _, err := h.SetRoles(ctx, me, me, []Role{Admin})
	want(t, err, ErrOwnAccount)
	_, err = h.Disable(ctx, me, me)
	want(t, err, ErrOwnAccount)
	_, err = h.ResetPassword(ctx, me, me)
	want(t, err, ErrTwoPeople)
	_, _, err = h.SetRoles(ctx, me, "nobody", []Role{Tax})
	want(t, err, ErrNotFound)
}

func TestWhatIsTakenAwayIsGoneAtOnceInEveryProcess(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	there := h.again(t, Config{})
	boss, _ := h.settled(t, "chen", Admin)
	clerk, token := h.settled(t, "wang", FinanceMaker, FinanceChecker)
	if _, _, err := h.SetRoles(ctx, boss, clerk, []Role{FinanceMaker}); err != nil {
		t.Fatal(err)
	}
	who, err := there.Authenticate(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	want(t, who.May(PolicyPublish), ErrDenied)
	for range 2 {
		if _, err := there.Disable(ctx, boss, clerk); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.Authenticate(ctx, token)
	want(t, err, ErrSessionInvalid)
	_, err = h.Login(ctx, LoginInput{Login: "wang", Password: own})
	want(t, err, ErrLoginRefused)
	_, err = h.ResetPassword(ctx, System, clerk)
	want(t, err, ErrMove)
	_, err = h.Reopen(ctx, Hands{boss, boss}, clerk)
	want(t, err, ErrTwoPeople)
	if _, err := h.Reopen(ctx, Hands{"other", boss}, clerk); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(ctx, token)
	want(t, err, ErrSessionInvalid)
	if _, err := h.Login(ctx, LoginInput{Login: "wang", Password: own}); err != nil {
		t.Error(err)
	}
}

func TestSessionsAreListedRevokedAndBounded(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{MaxSessions: 3}), t.Context()
	me, first := h.settled(t, "chen", Admin)
	other, _ := h.settled(t, "wang", Tax)
	tokens := []string{first}
	for range 4 {
		h.clock.Advance(time.Minute)
		in, err := h.Login(ctx, LoginInput{Login: "chen", Password: own})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, in.Token)
	}
	sessions, err := h.Sessions(ctx, me)
	if err != nil || len(sessions) != 3 || !sessions[0].At.After(sessions[2].At) {
		t.Fatal(sessions, err)
	}
	if name, _ := sessionOf(tokens[4]); sessions[0].ID != name || strings.Contains(fmt.Sprint(sessions), tokens[4]) {
		t.Error("the newest is not the first, or a token is shown")
	}
	if err := h.Revoke(ctx, other, sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Authenticate(ctx, tokens[4]); err != nil {
		t.Errorf("somebody else's session was ended: %v", err)
	}
	for range 2 {
		if err := h.Revoke(ctx, me, sessions[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.Authenticate(ctx, tokens[4])
	want(t, err, ErrSessionInvalid)
	if err := h.Logout(ctx, tokens[3]); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(ctx, tokens[3])
	want(t, err, ErrSessionInvalid)
	h.clock.Advance(12 * time.Hour)
	_, err = h.Authenticate(ctx, tokens[2])
	want(t, err, ErrSessionInvalid)
	if n, err := h.PruneSessions(ctx); err != nil || n != 2 {
		t.Errorf("pruned %d, %v", n, err)
	}
	for _, bad := range []string{"", "x", tokens[2] + "=", strings.Repeat("A", 5000), "\xff"} {
		_, err := h.Authenticate(ctx, bad)
		want(t, err, ErrSessionInvalid)
		if err := h.Logout(ctx, bad); err != nil {
			t.Error(err)
		}
	}
}

// The table is read and played.
func TestSlowDownTable(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{WaitMost: 4 * time.Minute}), t.Context()
	me, _ := h.settled(t, "chen", Admin)
	if err := h.Unlock(ctx, System, me); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: Source{Address: "office"}}); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("testdata/slowdown.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		at, err := time.ParseDuration(f[0])
		if err != nil {
			t.Fatal(n, err)
		}
		h.clock.Set(start.Add(at))
		password := map[string]string{"wrong": "a wrong password", "right": own}[f[2]]
		_, err = h.Login(ctx, LoginInput{Login: "chen", Password: password, From: Source{Address: f[1]}})
		answer := "in"
		var slow interface{ RetryIn() time.Duration }
		switch {
		case errors.As(err, &slow):
			answer = "wait-" + slow.RetryIn().String()
		case errors.Is(err, ErrLoginRefused):
			answer = "refused"
		case err != nil:
			t.Fatal(err)
		}
		if answer != f[3] {
			t.Errorf("line %d: %s, want %s", n, answer, f[3])
		}
	}
}

// Where an operator is known, sixty guesses at once cost the owner of the password a second, not an hour.
func TestGuessesDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	h.settled(t, "chen", Admin)
	office := Source{Address: "office"}
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: office}); err != nil {
		t.Fatal(err)
	}
	for i := range 59 {
		_, err := h.Login(ctx, LoginInput{Login: "chen", Password: fmt.Sprintf("guess number %d", i), From: office})
		want(t, err, ErrLoginRefused)
	}
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: office}); err != nil {
		t.Error(err)
	}
	for i := range 200 { // a crowd of strangers
		_, err := h.Login(ctx, LoginInput{Login: "chen", Password: "a guess", From: Source{Address: fmt.Sprint("bot-", i%40)}})
		if !errors.Is(err, ErrLoginRefused) && !errors.Is(err, ErrSlow) {
			t.Fatal(err)
		}
	}
	_, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: Source{Address: "hotel"}})
	want(t, err, ErrSlow)
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: office}); err != nil {
		t.Error(err)
	}
	if err := h.Unlock(ctx, System, IDOf("chen")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Login(ctx, LoginInput{Login: "chen", Password: own, From: Source{Address: "hotel"}}); err != nil {
		t.Error(err)
	}
	h.clock.Advance(25 * time.Hour)
	for n := 1; n > 0; {
		if n, err = h.PruneAttempts(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := h.attempts.Count(ctx, docstore.By("at"), 10); err != nil || left != 0 {
		t.Error(left, err)
	}
}

func TestAThousandGuessesAtOnceAreNotMoreThanOneAfterAnother(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	me, _ := h.settled(t, "chen", Admin)
	if err := h.Unlock(ctx, System, me); err != nil {
		t.Fatal(err)
	}
	processes := []*Service{h.Service, h.again(t, Config{}), h.again(t, Config{})}
	matched := &atomic.Int64{}
	for i, p := range processes {
		p.passwords = counting{h.plain, matched}
		processes[i] = p
	}
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			_, err := processes[i%3].Login(ctx, LoginInput{Login: "chen", Password: fmt.Sprintf("guess number %d", i)})
			if !errors.Is(err, ErrLoginRefused) && !errors.Is(err, ErrSlow) && !errors.Is(err, docstore.ErrContended) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if matched.Load() != 5 {
		t.Errorf("%d guesses were compared with the password, want 5", matched.Load())
	}
	page, err := h.Audit(ctx, AuditQuery{By: Nobody})
	if err != nil || len(page.Items) != 5 {
		t.Errorf("%d failures are in the audit log, %v", len(page.Items), err)
	}
}

// counting counts comparisons with the operator's own hash.
type counting struct {
	Passwords
	n *atomic.Int64
}

func (c counting) Matches(ctx context.Context, turn Turn, hash, password string) (bool, error) {
	if hash == "h:"+own {
		c.n.Add(1)
	}
	return c.Passwords.Matches(ctx, turn, hash, password)
}

func TestAnUnknownLoginTakesAsLongAsAWrongPassword(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	h.settled(t, "chen", Admin)
	for _, in := range []LoginInput{
		{Login: "nobody", Password: "x"},
		{Login: "", Password: "x"},
		{Login: "chen", Password: strings.Repeat("x", 600)},
		{Login: "chen", Password: ""},
	} {
		before := h.plain.compared.Load()
		_, err := h.Login(ctx, in)
		want(t, err, ErrLoginRefused)
		if n := h.plain.compared.Load() - before; n != 1 {
			t.Errorf("%q: %d comparisons", in.Login, n)
		}
	}
}

func TestDeedsAreWrittenOnceAndPagedByTime(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	ids := []string{}
	for i := range 7 {
		h.clock.Advance(time.Second)
		deed, err := h.Begin(ctx, Deed{By: []string{"a", "b"}[i%2], Operation: "op", Subject: fmt.Sprintf("thing/%d", i%3), Request: "r", Outcome: Done, Code: "X"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, deed)
	}
	if err := h.Finish(ctx, ids[0], Refused, "COM_X", Change{Before: "b", After: strings.Repeat("长", 900)}); err != nil {
		t.Fatal(err)
	}
	want(t, h.Finish(ctx, ids[0], Done, "", Change{}), ErrDeed)
	want(t, h.Finish(ctx, ids[1], Begun, "", Change{}), ErrDeed)
	want(t, h.Finish(ctx, "none", Done, "", Change{}), ErrDeed)
	_, err := h.Begin(ctx, Deed{Operation: "op"})
	want(t, err, ErrDeed)
	seen, cursor := []string{}, ""
	for {
		page, err := h.Audit(ctx, AuditQuery{Paging: docstore.Paging{First: 3, After: cursor}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			seen = append(seen, d.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.Reverse(seen)
	if diff := cmp.Diff(ids, seen); diff != "" {
		t.Error(diff)
	}
	page, err := h.Audit(ctx, AuditQuery{By: "a", From: start.Add(2 * time.Second), To: start.Add(7 * time.Second)})
	if err != nil || len(page.Items) != 2 {
		t.Error(page.Items, err)
	}
	page, err = h.Audit(ctx, AuditQuery{Subject: "thing/0", To: start.Add(2 * time.Second)})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page.Items, err)
	}
	wanted := &Deed{
		By: "a", At: start.Add(time.Second), Operation: "op", Subject: "thing/0", Request: "r", Before: "b",
		After: strings.Repeat("长", 499) + "…", Outcome: Refused, Code: "COM_X", EndedAt: start.Add(7 * time.Second),
	}
	if diff := cmp.Diff(wanted, page.Items[0], cmpopts.IgnoreFields(Deed{}, "Doc")); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []AuditQuery{{By: "a", Subject: "b"}, {Paging: docstore.Paging{First: -1}}, {Paging: docstore.Paging{After: "nonsense"}}} {
		_, err := h.Audit(ctx, bad)
		want(t, err, ErrQuery)
	}
}

func TestWhatSystemAndLoginsDoIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	me, _ := h.settled(t, "chen", Admin)
	if _, _, err := h.SetRoles(ctx, System, me, []Role{Tax}); err != nil {
		t.Fatal(err)
	}
	page, err := h.Audit(ctx, AuditQuery{Subject: SubjectOf(me)})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, d := range page.Items {
		got = append(got, strings.Join([]string{map[string]string{System: "system", me: "me"}[d.By], d.Operation, d.Before, d.After, string(d.Outcome)}, "|"))
	}
	slices.Sort(got)
	wanted := []string{"me|login|||done", "system|add-operator||admin|done", "system|set-roles|admin|tax|done"}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingSecretIsStoredOrPrinted(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	me, token := h.settled(t, "chen", Admin)
	o, err := h.Operator(ctx, me)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := sessionOf(token)
	session, err := h.sessions.Get(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	page, err := h.Audit(ctx, AuditQuery{})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%+v %+v %+v", *o, *session, page.Items)
	for _, secret := range []string{token, own, o.Hash.Reveal()} {
		if strings.Contains(printed, secret) {
			t.Errorf("a secret is printed: %s", printed)
		}
	}
}

func TestOutcomesFollowFromTheError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err     error
		outcome Outcome
		code    string
	}{
		{nil, Done, ""},
		{fmt.Errorf("x: %w", ErrDenied), Refused, "STF_DENIED"},
		{docstore.ErrUnavailable, Unclear, ""},
		{context.Canceled, Unclear, ""},
	} {
		if outcome, code := OutcomeOf(c.err); outcome != c.outcome || code != c.code {
			t.Errorf("%v: %s %s", c.err, outcome, code)
		}
	}
}
