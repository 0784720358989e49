package member_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/member"
)

var start = time.Date(2025, 3, 1, 2, 0, 0, 0, time.UTC)

// platform answers code "u:<name>" with that person and code "p:<number>" with that number.
type platform struct {
	mu    sync.Mutex
	away  bool
	union map[string]string
}

func (p *platform) CodeToSession(_ context.Context, code string) (member.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, ok := strings.CutPrefix(code, "u:")
	switch {
	case p.away:
		return member.Identity{}, fmt.Errorf("weixin: %w", member.ErrPlatformAway)
	case !ok:
		return member.Identity{}, fmt.Errorf("weixin: %w", member.ErrCodeRefused)
	}
	return member.Identity{AppID: "wxapp", OpenID: "openid-" + name, UnionID: p.union[name]}, nil
}

func (p *platform) PhoneNumber(_ context.Context, code string) (member.PhoneNumber, error) {
	number, ok := strings.CutPrefix(code, "p:")
	if !ok {
		return member.PhoneNumber{}, fmt.Errorf("weixin: %w", member.ErrCodeRefused)
	}
	return member.PhoneNumber{Number: number, CountryCode: "86"}, nil
}

type house struct {
	*member.Service
	store    *docstore.Store
	clock    *clock.Manual
	platform *platform
}

func open(t testing.TB, config member.Config) house {
	t.Helper()
	h := house{clock: clock.NewManual(start), platform: &platform{union: map[string]string{}}}
	h.store = docstoretest.NewStore(t, h.clock)
	h.Service = h.again(t, config, nil)
	return h
}

// again is another process on the same store.
func (h house) again(t testing.TB, config member.Config, cache member.SessionCache) *member.Service {
	t.Helper()
	s, err := member.New(t.Context(), member.Deps{Store: h.store, Clock: h.clock, Platform: h.platform, Config: config, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h house) login(t testing.TB, name string) member.Login {
	t.Helper()
	l, err := h.Login(t.Context(), member.LoginInput{Code: "u:" + name})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func want(t *testing.T, err, fault error) {
	t.Helper()
	if !errors.Is(err, fault) {
		t.Fatalf("got error %v, want %v", err, fault)
	}
}

func TestAHundredFirstLoginsAtOnceMakeOneMember(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{MaxSessions: 200})
	logins := make([]member.Login, 100)
	var wg sync.WaitGroup
	for i := range logins {
		wg.Go(func() { logins[i] = h.login(t, "ann") })
	}
	wg.Wait()
	ids, fresh, tokens := map[string]bool{}, 0, map[string]bool{}
	for _, l := range logins {
		ids[l.MemberID], tokens[l.Token] = true, true
		if l.Fresh {
			fresh++
		}
		if who, err := h.Authenticate(t.Context(), l.Token); err != nil || who.Member != l.MemberID {
			t.Fatalf("token does not work: %v %v", who, err)
		}
	}
	if len(ids) != 1 || fresh != 1 || len(tokens) != 100 {
		t.Fatalf("%d members, %d called fresh, %d tokens; want 1, 1, 100", len(ids), fresh, len(tokens))
	}
}

func TestLoginTellsWhyItIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	for _, code := range []string{"", "nonsense", strings.Repeat("x", 300)} {
		_, err := h.Login(t.Context(), member.LoginInput{Code: code})
		want(t, err, member.ErrCodeRefused)
	}
	h.platform.away = true
	_, err := h.Login(t.Context(), member.LoginInput{Code: "u:ann"})
	want(t, err, member.ErrPlatformAway)
}

func TestASessionEndsAtItsExpiry(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{SessionFor: time.Hour})
	l := h.login(t, "ann")
	h.clock.Advance(time.Hour - time.Millisecond)
	if _, err := h.Authenticate(t.Context(), l.Token); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Millisecond) // the answer of a moment ago is still in memory
	_, err := h.Authenticate(t.Context(), l.Token)
	want(t, err, member.ErrSessionInvalid)
	if n, err := h.PruneSessions(t.Context()); err != nil || n != 0 {
		t.Fatalf("pruned %d, %v: expiry itself is not yet past", n, err)
	}
	h.clock.Advance(time.Millisecond)
	if n, err := h.PruneSessions(t.Context()); err != nil || n != 1 {
		t.Fatalf("pruned %d, %v", n, err)
	}
}

func TestMalformedTokensAreRefusedBeforeTheStoreIsAsked(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	for _, token := range []string{"", "x", strings.Repeat("a", 43), strings.Repeat("/", 43), strings.Repeat("a", 4300)} {
		_, err := h.Authenticate(t.Context(), token)
		want(t, err, member.ErrSessionInvalid)
		if err := h.Logout(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRevocationIsImmediateHereAndSoonElsewhere(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []bool{false, true} {
		h := open(t, member.Config{})
		shared := &cache{values: map[string][]byte{}}
		here, there := h.again(t, member.Config{}, shared), h.again(t, member.Config{}, shared)
		l, err := here.Login(t.Context(), member.LoginInput{Code: "u:ann"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*member.Service{here, there} {
			if _, err := s.Authenticate(t.Context(), l.Token); err != nil {
				t.Fatal(err)
			}
		}
		if everywhere {
			err = here.LogoutEverywhere(t.Context(), l.MemberID)
		} else {
			err = here.Logout(t.Context(), l.Token)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = here.Authenticate(t.Context(), l.Token)
		want(t, err, member.ErrSessionInvalid)
		h.clock.Advance(3 * time.Second)
		_, err = there.Authenticate(t.Context(), l.Token)
		want(t, err, member.ErrSessionInvalid)
	}
}

// cache is a shared cache that never forgets a dropped entry: the worst one can do.
type cache struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (c *cache) Get(_ context.Context, key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.values[key]
	return v, ok, nil
}

func (c *cache) Put(_ context.Context, key string, value []byte, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[key] = value
	return nil
}

func (c *cache) Drop(context.Context, string) error { return errors.New("redis is away") }

func TestACacheThatCannotForgetDoesNotOutliveTheBound(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	shared := &cache{values: map[string][]byte{}}
	here := h.again(t, member.Config{}, shared)
	l := h.login(t, "ann")
	if _, err := here.Authenticate(t.Context(), l.Token); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(2 * time.Second)
	late := h.again(t, member.Config{}, shared) // takes the shared answer, 2 s old, into its own memory
	if _, err := late.Authenticate(t.Context(), l.Token); err != nil {
		t.Fatal(err)
	}
	if err := here.LogoutEverywhere(t.Context(), l.MemberID); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Second)
	_, err := late.Authenticate(t.Context(), l.Token)
	want(t, err, member.ErrSessionInvalid)
}

func TestLogoutEverywhereSparesWhoComesBack(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	old1, old2 := h.login(t, "ann"), h.login(t, "ann")
	other := h.login(t, "bob")
	if err := h.LogoutEverywhere(t.Context(), old1.MemberID); err != nil {
		t.Fatal(err)
	}
	back := h.login(t, "ann")
	for _, l := range []member.Login{old1, old2} {
		_, err := h.Authenticate(t.Context(), l.Token)
		want(t, err, member.ErrSessionInvalid)
	}
	for _, l := range []member.Login{back, other} {
		if _, err := h.Authenticate(t.Context(), l.Token); err != nil {
			t.Fatal(err)
		}
	}
	want(t, h.LogoutEverywhere(t.Context(), "nobody"), member.ErrNotFound)
}

func TestARevocationIsNeverUndoneByAReaderItOvertook(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	var wg sync.WaitGroup
	for i := range 40 {
		l := h.login(t, fmt.Sprint("p", i))
		for range 3 {
			wg.Go(func() { _, _ = h.Authenticate(t.Context(), l.Token) })
		}
		wg.Go(func() {
			if err := h.Logout(t.Context(), l.Token); err != nil {
				t.Error(err)
			}
			if _, err := h.Authenticate(t.Context(), l.Token); !errors.Is(err, member.ErrSessionInvalid) {
				t.Errorf("alive after logout: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestAMemberHoldsABoundedNumberOfSessions(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{MaxSessions: 3})
	var logins []member.Login
	for range 5 {
		logins = append(logins, h.login(t, "ann"))
		h.clock.Advance(time.Second)
	}
	for i, l := range logins {
		_, err := h.Authenticate(t.Context(), l.Token)
		if alive := err == nil; alive != (i >= 2) {
			t.Errorf("session %d alive: %v", i, alive)
		}
	}
}

func TestAPhoneBelongsToOneMember(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann, bob := h.login(t, "ann").MemberID, h.login(t, "bob").MemberID
	for range 2 {
		masked, err := h.BindPhone(t.Context(), ann, "p:13800000013")
		if err != nil || masked != "138****0013" {
			t.Fatal(masked, err)
		}
	}
	_, err := h.BindPhone(t.Context(), bob, "p:+86 138-0000-0013")
	want(t, err, member.ErrPhoneTaken)
	if who, err := h.FindByPhone(t.Context(), "+8613800000013"); err != nil || who != ann {
		t.Fatal(who, err)
	}
	if err := h.UnbindPhone(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	if _, err := h.BindPhone(t.Context(), bob, "p:13800000013"); err != nil {
		t.Fatal(err)
	}
	_, err = h.BindPhone(t.Context(), "nobody", "p:13800000014")
	want(t, err, member.ErrNotFound)
	for _, code := range []string{"p:12", "p:23800000013", "p:1380000001a", "p:"} {
		_, err = h.BindPhone(t.Context(), ann, code)
		want(t, err, member.ErrPhoneInvalid)
	}
}

func TestOnePhoneWantedByManyGoesToOne(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	var mu sync.Mutex
	won, lost := 0, 0
	var wg sync.WaitGroup
	for i := range 20 {
		who := h.login(t, fmt.Sprint("p", i)).MemberID
		wg.Go(func() {
			_, err := h.BindPhone(t.Context(), who, "p:13900000001")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, member.ErrPhoneTaken):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 19 {
		t.Fatalf("%d won, %d were told it is taken", won, lost)
	}
}

func TestNoPhoneOrOpenIDInAnyErrorOrPrint(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann, bob := h.login(t, "ann").MemberID, h.login(t, "bob").MemberID
	if _, err := h.BindPhone(t.Context(), ann, "p:13800000013"); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, code := range []string{"p:13800000013", "p:1380000001", "p:138000000139"} {
		_, err := h.BindPhone(t.Context(), bob, code)
		said = append(said, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	_, err := h.FindByPhone(t.Context(), "+8613800000099")
	said = append(said, err.Error())
	n := member.PhoneNumber{Number: "13800000013", CountryCode: "86"}
	m := member.Member{Phone: "+8613800000013", OpenID: "openid-ann"}
	said = append(said, fmt.Sprintf("%v %+v %#v %s", n, n, n, n), fmt.Sprintf("%v %+v %#v", m, m, m))
	p, err := h.Profile(t.Context(), ann)
	said = append(said, fmt.Sprintf("%+v %v", p, err))
	for _, text := range said {
		for _, secret := range []string{"1380000", "0000013", "openid-"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann := h.login(t, "ann").MemberID
	got, err := h.EditProfile(t.Context(), ann, member.ProfileEdit{Nickname: " 阿安👨‍👩‍👧 ", Avatar: "https://thirdwx.qlogo.cn/x/132"})
	wantProfile := member.Profile{ID: ann, Nickname: "阿安👨‍👩‍👧", Avatar: "https://thirdwx.qlogo.cn/x/132", JoinedAt: start}
	if diff := cmp.Diff(wantProfile, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	bad := []member.ProfileEdit{
		{Nickname: strings.Repeat("字", 21)},
		{Nickname: "a\nb"},
		{Nickname: "a\u202eb"},
		{Nickname: "a\u200bb"},
		{Nickname: "\xff"},
		{Avatar: "http://x.cn/a.png"},
		{Avatar: "https://"},
		{Avatar: "javascript:alert(1)"},
		{Avatar: "https://u:p@x.cn/"},
		{Avatar: "https://x.cn/" + strings.Repeat("a", 512)},
	}
	for _, edit := range bad {
		_, err := h.EditProfile(t.Context(), ann, edit)
		want(t, err, member.ErrProfileInvalid)
	}
	if after, err := h.EditProfile(t.Context(), ann, member.ProfileEdit{}); err != nil || after != wantProfile {
		t.Fatal(after, err)
	}
	bob := h.login(t, "bob").MemberID
	all, err := h.Profiles(t.Context(), []string{ann, bob, "nobody", "not an id!"})
	wantAll := map[string]member.Profile{ann: wantProfile, bob: {ID: bob, Nickname: member.Unnamed, JoinedAt: start}}
	if diff := cmp.Diff(wantAll, all); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	_, err = h.Profiles(t.Context(), make([]string, member.MaxProfiles+1))
	want(t, err, member.ErrTooMany)
	if open, err := h.OpenID(t.Context(), ann); err != nil || open != "openid-ann" {
		t.Fatal(open, err)
	}
	_, err = h.Profile(t.Context(), "nobody")
	want(t, err, member.ErrNotFound)
}

func TestUnionIDIsRememberedWhenItComes(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann := h.login(t, "ann").MemberID
	h.platform.union["ann"] = "union-1"
	if l := h.login(t, "ann"); l.Fresh || l.MemberID != ann {
		t.Fatal(l)
	}
}

func TestConsentKeepsItsWholeHistory(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann := h.login(t, "ann").MemberID
	say := func(version string, granted bool) *member.Consent {
		t.Helper()
		c, err := h.Consent(t.Context(), member.ConsentInput{Member: ann, Kind: member.Marketing, Version: version, Granted: granted})
		if err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Minute)
		return c
	}
	say("v1", true)
	say("v1", true) // says nothing new
	say("v1", false)
	got := say("v2", true)
	wantSteps := []member.Step{
		{Version: "v1", Granted: true, At: start},
		{Version: "v1", Granted: false, At: start.Add(2 * time.Minute)},
		{Version: "v2", Granted: true, At: start.Add(3 * time.Minute)},
	}
	if diff := cmp.Diff(wantSteps, got.History); diff != "" {
		t.Fatal(diff)
	}
	all, err := h.Consents(t.Context(), ann)
	if diff := cmp.Diff([]*member.Consent{got}, all, cmpopts.IgnoreTypes(docstore.Doc{})); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	for _, in := range []member.ConsentInput{{Member: ann, Kind: "other", Version: "v1"}, {Member: ann, Kind: member.Marketing, Version: "v 1"}} {
		_, err := h.Consent(t.Context(), in)
		want(t, err, member.ErrConsentInvalid)
	}
	_, err = h.Consent(t.Context(), member.ConsentInput{Member: "nobody", Kind: member.Marketing, Version: "v1"})
	want(t, err, member.ErrNotFound)
}

func BenchmarkAuthenticate(b *testing.B) {
	for name, config := range map[string]member.Config{"memory": {}, "store": {CacheFor: -1}} {
		b.Run(name, func(b *testing.B) {
			h := open(b, config)
			l := h.login(b, "ann")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Authenticate(b.Context(), l.Token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLogin(b *testing.B) {
	h := open(b, member.Config{})
	b.ReportAllocs()
	for b.Loop() {
		h.login(b, "ann")
	}
}

func TestAFullConsentTakesOnlyTheWithdrawal(t *testing.T) {
	t.Parallel()
	h := open(t, member.Config{})
	ann := h.login(t, "ann").MemberID
	say := func(granted bool) (*member.Consent, error) {
		return h.Consent(t.Context(), member.ConsentInput{Member: ann, Kind: member.Marketing, Version: "v1", Granted: granted})
	}
	for n := range member.MaxSteps - 1 { // ends with a grant
		c, err := say(n%2 == 0)
		if err != nil {
			t.Fatal(n, err)
		}
		if n%20 > 0 {
			continue
		}
		for _, box := range h.store.Outboxes() { // nobody takes the events here
			if box.Name() == "consents" {
				want(t, box.Tend(t.Context(), c.ID, func(d *docstore.Doc) error { d.Outbox = nil; return nil }), nil)
			}
		}
	}
	_, err := say(false)
	want(t, err, nil)
	_, err = say(true)
	want(t, err, member.ErrConsentLimit)
	if c, err := say(false); err != nil || len(c.History) != member.MaxSteps {
		t.Fatal(err)
	}
}
