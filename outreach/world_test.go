package outreach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
)

var (
	errSilence = errors.New("no answer")
	errNobody  = fault.Define("TST_NOBODY", fault.NotFound, "没有", "nobody")
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC) // nine in the morning in China

const template = "tmpl-waiting"

func config() Config {
	return Config{Templates: map[Topic]Template{
		WithdrawalWaiting: {ID: template, Page: "pages/purse?number={number}", Fields: map[string]string{"thing1": "title", "amount2": "net", "time3": "until"}},
		WithdrawalPaid:    {ID: template, Fields: map[string]string{"amount1": "net"}},
	}}
}

// world is what outlives a process: the store, the platform and the clock.
type world struct {
	t      testing.TB
	clock  *clock.Manual
	driver docstore.Driver
	config Config

	mu       sync.Mutex
	mood     string         // of the platform; see send
	messages map[string]int // sent to a member's wallet of that page
	arrived  []Message
	gone     map[string]bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{
		t: t, clock: clock.NewManual(start), driver: docstoretest.Embedded(t), config: config(), messages: map[string]int{}, gone: map[string]bool{},
	}
}

// process is one running program on the world. It can be made to die at its n-th call to the outside.
type process struct {
	*world
	*Service

	life docstoretest.Mortal
}

func (w *world) start() *process {
	w.t.Helper()
	p := &process{world: w}
	store, err := docstore.New(docstore.Config{Driver: p.life.Driver(w.driver), Clock: w.clock, Keys: docstoretest.Keys(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	p.Service, err = New(context.Background(), Deps{Store: store, Clock: w.clock, Members: p, Sender: p, Config: w.config})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (p *process) OpenID(_ context.Context, member string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[member] {
		return "", errNobody
	}
	return "open-" + member, nil
}

// Send is the platform. It counts no credits: that is what the domain has to do.
func (p *process) Send(_ context.Context, m Message) error {
	return p.life.Call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		arrive := func() {
			p.messages[m.OpenID+" "+m.Page]++
			p.arrived = append(p.arrived, m)
		}
		switch p.mood {
		case "":
			arrive()
			return nil
		case "lost":
			return errSilence
		case "unheard":
			arrive()
			return errSilence
		case "busy":
			return fmt.Errorf("%w: 45009", ErrNotSent)
		}
		reason, code, _ := strings.Cut(p.mood, " ")
		return &Refusal{Reason: Reason(reason), Code: code}
	})
}

func (w *world) waiting(member, number string) Told {
	return Told{
		Topic: WithdrawalWaiting, Number: number, Member: member, At: w.clock.Now(), Until: w.clock.Now().Add(24 * time.Hour),
		Text: "提现待确认收款", Values: map[string]string{
			"title": "提现待确认收款", "net": Yuan(1230), "until": Clock(w.clock.Now().Add(24 * time.Hour)), "number": number,
		},
	}
}

func (p *process) plans(told Told) {
	p.t.Helper()
	if err := p.Plan(context.Background(), told); err != nil {
		p.t.Fatal(err)
	}
}

// accepts reports so many acceptances, each under its own key.
func (p *process) accepts(member string, keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		_, err := p.Report(context.Background(), ReportInput{Key: key, Member: member, Answers: []TemplateAnswer{{template, Accept}}})
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// tends looks once at what is due; the platform's trouble is part of the play.
func (p *process) tends() { _, _ = p.Tend(context.Background()) }

// stand tells how a notice stands, how often it arrived, and the member's credits: left, free.
func (w *world) stand(topic Topic, number string) string {
	w.t.Helper()
	p := w.start()
	n, err := p.notices.Get(context.Background(), NoticeID(topic, number))
	if err != nil {
		return "nothing"
	}
	text := string(n.State)
	if n.Reason != "" {
		text += " " + string(n.Reason)
	}
	if n.Code != "" {
		text += " " + n.Code
	}
	if n.State.Ended() != n.NextAt.IsZero() {
		text += " (due)"
	}
	w.mu.Lock()
	text += fmt.Sprintf("; arrived %d", w.messages["open-"+n.Member+" "+n.Page])
	w.mu.Unlock()
	c, err := p.credits.Get(context.Background(), creditID(n.Member, template))
	if err != nil {
		return text
	}
	return text + fmt.Sprintf("; left %d free %d", c.Left, c.Free())
}

func (w *world) is(topic Topic, number, want string) {
	w.t.Helper()
	if got := w.stand(topic, number); got != want {
		w.t.Errorf("%s %s: %s, want %s", topic, number, got, want)
	}
}

func (w *world) most() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.messages) == 0 {
		return 0
	}
	return slices.Max(slices.Collect(maps.Values(w.messages)))
}
