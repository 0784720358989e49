package staff

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

// model is what one account should be, told in the simplest way.
type model struct {
	password  string
	must      bool
	until     time.Time // of a temporary password
	disabled  bool
	here      place
	strangers place
	changing  place
	sessions  []modelSession // oldest first
	passwords int
}

type modelSession struct {
	token   string
	expires time.Time
}

func (m *model) fresh() string {
	m.passwords++
	return fmt.Sprintf("chosen password %d", m.passwords)
}

// place is the attempts at one place.
type place struct {
	failed   int
	next, at time.Time
}

// charge reports whether an attempt would be looked at, and counts it.
func (p *place) charge(now time.Time, pace pace) bool {
	if now.Before(p.next) {
		return false
	}
	if now.Sub(p.at) >= forgetAfter {
		p.failed = 0
	}
	p.failed++
	p.at, p.next = now, now.Add(pace.after(p.failed))
	return true
}

// open reports whether the password is of any use.
func (m *model) open(now time.Time) bool {
	return !m.disabled && (m.until.IsZero() || now.Before(m.until))
}

func (m *model) set(password string, until time.Time) {
	m.password, m.must, m.until = password, !until.IsZero(), until
}

// walk plays one account in two processes and in the model.
type walk struct {
	h         house
	processes [2]*Service
	config    Config
	me, login string
	m         model
}

func (w *walk) any(rt *rapid.T) *Service {
	return w.processes[rapid.IntRange(0, 1).Draw(rt, "process")]
}

func (w *walk) logIn(rt *rapid.T, password string) {
	w.h.clock.Advance(time.Millisecond) // which of two sessions of one moment is the older is nobody's business
	now, s := w.h.clock.Now(), w.any(rt)
	in, err := s.Login(rt.Context(), LoginInput{Login: w.login, Password: password})
	if !w.m.here.charge(now, w.config.strange()) || !w.m.strangers.charge(now, all) {
		if !errors.Is(err, ErrSlow) {
			rt.Fatalf("a login that came too early gave %v", err)
		}
		return
	}
	if !w.m.open(now) || password != w.m.password {
		if !errors.Is(err, ErrLoginRefused) {
			rt.Fatalf("login gave %v", err)
		}
		return
	}
	if err != nil || in.MustChange != w.m.must {
		rt.Fatalf("login: %+v, %v", in, err)
	}
	w.m.here = place{}
	w.m.sessions = append(w.m.sessions, modelSession{in.Token, now.Add(w.config.SessionFor)})
	if over := len(w.m.sessions) - w.config.MaxSessions; over > 0 {
		w.m.sessions = w.m.sessions[over:]
	}
}

func (w *walk) choose(rt *rapid.T) {
	if len(w.m.sessions) == 0 {
		return
	}
	mine := rapid.SampledFrom(w.m.sessions).Draw(rt, "session")
	who, err := w.any(rt).Authenticate(rt.Context(), mine.token)
	if err != nil {
		return // judged in Check
	}
	old, next := w.m.password, w.m.fresh()
	if rapid.Bool().Draw(rt, "wrong") {
		old = "nonsense of mine"
	}
	now := w.h.clock.Now()
	looked := w.m.changing.charge(now, w.config.strange())
	if looked && !w.m.open(now) {
		looked = false
	}
	err = w.any(rt).ChangePassword(rt.Context(), PasswordChange{Operator: w.me, Session: who.Session, Old: old, New: next})
	switch {
	case !looked && (errors.Is(err, ErrLocked) || errors.Is(err, ErrLoginRefused)):
	case looked && old != w.m.password && errors.Is(err, ErrPasswordWrong):
	case looked && old == w.m.password && err == nil:
		w.m.set(next, time.Time{})
		w.m.changing = place{}
		w.m.sessions = []modelSession{mine}
	default:
		rt.Fatalf("change password: looked %v, right %v: %v", looked, old == w.m.password, err)
	}
}

func (w *walk) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"right": func(rt *rapid.T) { w.logIn(rt, w.m.password) },
		"wrong": func(rt *rapid.T) { w.logIn(rt, "nonsense of mine") },
		"wait": func(rt *rapid.T) {
			w.h.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 20 * time.Minute, 5 * time.Hour}).Draw(rt, "for"))
		},
		"change": w.choose,
		"logout": func(rt *rapid.T) {
			if len(w.m.sessions) == 0 {
				return
			}
			i := rapid.IntRange(0, len(w.m.sessions)-1).Draw(rt, "session")
			if err := w.any(rt).Logout(rt.Context(), w.m.sessions[i].token); err != nil {
				rt.Fatal(err)
			}
			w.m.sessions = append(w.m.sessions[:i:i], w.m.sessions[i+1:]...)
		},
		"disable": func(rt *rapid.T) {
			if _, err := w.any(rt).Disable(rt.Context(), "boss", w.me); err != nil {
				rt.Fatal(err)
			}
			w.m.disabled, w.m.sessions = true, nil
		},
		"enable": func(rt *rapid.T) {
			if _, err := w.any(rt).Reopen(rt.Context(), Hands{"boss", "other"}, w.me); err != nil {
				rt.Fatal(err)
			}
			w.m.disabled = false
		},
		"reset": func(rt *rapid.T) {
			added, err := w.any(rt).Reenrol(rt.Context(), Hands{"boss", "other"}, w.me, "")
			if w.m.disabled {
				if !errors.Is(err, ErrMove) {
					rt.Fatalf("reset of a disabled account: %v", err)
				}
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			w.m.set(added.Password, w.h.clock.Now().Add(w.config.TemporaryFor))
			w.m.sessions, w.m.here, w.m.strangers, w.m.changing = nil, place{}, place{}, place{}
		},
		"": w.check,
	}
}

// check compares everything that can be seen, in both processes.
func (w *walk) check(rt *rapid.T) {
	o, err := w.h.Operator(rt.Context(), w.me)
	if err != nil {
		rt.Fatal(err)
	}
	if (o.State == Disabled) != w.m.disabled || o.MustChange != w.m.must {
		rt.Fatalf("account %s %v, want %+v", o.State, o.MustChange, w.m)
	}
	now, living := w.h.clock.Now(), 0
	for _, one := range w.m.sessions {
		alive := now.Before(one.expires)
		if alive {
			living++
		}
		for _, s := range w.processes {
			who, err := s.Authenticate(rt.Context(), one.token)
			if alive != (err == nil) || (alive && (who.Operator != w.me || who.MustChange != w.m.must)) {
				rt.Fatalf("a session that is alive (%v) gave %+v, %v", alive, who, err)
			}
		}
	}
	listed, err := w.h.Sessions(rt.Context(), w.me)
	if err != nil || len(listed) != living {
		rt.Fatalf("%d sessions are listed, want %d (%v)", len(listed), living, err)
	}
}

func TestAccountsWaitsAndSessionsFollowTheModel(t *testing.T) {
	t.Parallel()
	config := Config{MaxSessions: 3, WaitMost: 10 * time.Minute}
	h := open(t, config)
	two, full, runs := h.again(t, config), h.config, atomic.Int64{}
	rapid.Check(t, func(rt *rapid.T) {
		login := fmt.Sprintf("person-%d", runs.Add(1))
		added, err := h.AddOperator(rt.Context(), AddInput{By: System, Key: "k", Login: login, Name: "n", Roles: []Role{Tax}})
		if err != nil {
			rt.Fatal(err)
		}
		w := &walk{h: h, processes: [2]*Service{h.Service, two}, config: full, me: added.Operator.ID, login: login}
		w.m.set(added.Password, h.clock.Now().Add(full.TemporaryFor))
		rt.Repeat(w.actions())
	})
	page, err := h.Audit(t.Context(), AuditQuery{Paging: docstore.Paging{First: 200}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range page.Items {
		if (d.Outcome == Done) == (d.By == Nobody) || d.EndedAt.IsZero() {
			t.Fatalf("%+v", d)
		}
	}
}
