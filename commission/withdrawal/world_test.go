package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/money"
)

// world is what outlives a process: the store, the ledger, the platform and the clock.
type world struct {
	t        testing.TB
	clock    *clock.Manual
	driver   docstore.Driver
	ledger   *ledger
	platform *platform
	members  map[string]*person
	config   Config
	between  map[string]func() // happens once, right before the named call: what another process does meanwhile
}

// meanwhile lets the other one act.
func (w *world) meanwhile(call string) {
	if do := w.between[call]; do != nil {
		delete(w.between, call)
		do()
	}
}

type person struct {
	openid string
	since  time.Time
}

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC) // nine in the morning in China

func newWorld(t testing.TB, driver docstore.Driver, config Config) *world {
	c := clock.NewManual(start)
	return &world{
		t: t, clock: c, driver: driver, config: config,
		ledger:   &ledger{pots: map[string]*commission.Balance{}, tax: map[string]money.Fen{}, entries: map[string]any{}},
		platform: &platform{clock: c, bills: map[string]*bill{}},
		members:  map[string]*person{},
	}
}

func (w *world) join(member string, available money.Fen) {
	w.members[member] = &person{"open-" + member, start.Add(-100 * 24 * time.Hour)}
	w.ledger.pots[member] = &commission.Balance{Available: available}
}

// process is one running program on the world. It can be made to die at its n-th call to the outside.
type process struct {
	*world
	*Service
	book *tax.Book

	life docstoretest.Mortal
}

func (w *world) start() *process {
	w.t.Helper()
	p := &process{world: w}
	store, err := docstore.New(docstore.Config{Driver: p.life.Driver(w.driver), Clock: w.clock, Keys: docstoretest.Keys(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	if p.book, err = tax.OpenBook(context.Background(), store, w.clock); err != nil {
		w.t.Fatal(err)
	}
	p.Service, err = New(context.Background(), Deps{
		Store: store, Clock: w.clock, Ledger: mortalLedger{p}, Rail: mortalRail{p}, Payees: w, Taxes: p.book, Config: w.config,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) OpenID(_ context.Context, member string) (string, error) {
	return w.members[member].openid, nil
}

func (w *world) MemberSince(_ context.Context, member string) (time.Time, error) {
	w.meanwhile("since")
	return w.members[member].since, nil
}

// ledger keeps real balances and refuses what a ledger must refuse.
type ledger struct {
	mu      sync.Mutex
	pots    map[string]*commission.Balance
	tax     map[string]money.Fen // withheld, by member
	entries map[string]any
	busy    int // the next calls fail
}

// post carries out fn once per id, and answers a conflict for another content.
func (l *ledger) post(id string, content any, fn func()) error {
	if l.busy > 0 {
		l.busy--
		return commission.ErrPurseBusy
	}
	if old, ok := l.entries[id]; ok {
		if !reflect.DeepEqual(old, content) {
			return commission.ErrEntryConflict
		}
		return nil
	}
	l.entries[id] = content
	fn()
	return nil
}

type outcomeEntry struct {
	kind string
	p    commission.Payout
}

type mortalLedger struct{ p *process }

func (m mortalLedger) with(fn func(l *ledger) error) error {
	return m.p.life.Call(func() error {
		l := m.p.world.ledger
		l.mu.Lock()
		defer l.mu.Unlock()
		return fn(l)
	})
}

func (m mortalLedger) Reserve(_ context.Context, h commission.Hold) error {
	m.p.meanwhile("reserve")
	return m.with(func(l *ledger) error {
		if _, known := l.entries["withdraw/"+h.Number]; !known && l.pots[h.Member].Available < h.Amount {
			return commission.ErrPurseShort
		}
		return l.post("withdraw/"+h.Number, h, func() {
			l.pots[h.Member].Available -= h.Amount
			l.pots[h.Member].Withdrawing += h.Amount
		})
	})
}

func (l *ledger) check(p commission.Payout) error {
	h, ok := l.entries["withdraw/"+p.Number].(commission.Hold)
	if !ok || h.Member != p.Member || h.Amount != p.Amount || p.Tax < 0 || p.Tax >= p.Amount || p.At.IsZero() {
		return commission.ErrPayoutUnknown
	}
	return nil
}

func (m mortalLedger) ConfirmPayout(_ context.Context, p commission.Payout) error {
	return m.with(func(l *ledger) error {
		if err := l.check(p); err != nil {
			return err
		}
		return l.post("outcome/"+p.Number, outcomeEntry{"confirm", p}, func() {
			l.pots[p.Member].Withdrawing -= p.Amount
			l.pots[p.Member].Withdrawn += p.Amount - p.Tax
			l.tax[p.Member] += p.Tax
		})
	})
}

func (m mortalLedger) FailPayout(_ context.Context, p commission.Payout) error {
	return m.with(func(l *ledger) error {
		if err := l.check(p); err != nil {
			return err
		}
		return l.post("outcome/"+p.Number, outcomeEntry{"fail", p}, func() {
			l.pots[p.Member].Withdrawing -= p.Amount
			l.pots[p.Member].Available += p.Amount
		})
	})
}

func (m mortalLedger) ReturnPayout(_ context.Context, p commission.Payout) error {
	return m.with(func(l *ledger) error {
		if o, ok := l.entries["outcome/"+p.Number].(outcomeEntry); !ok || o.kind != "confirm" || o.p.Tax != p.Tax {
			return commission.ErrPayoutUnknown
		}
		return l.post("return/"+p.Number, p, func() {
			l.pots[p.Member].Withdrawn -= p.Amount - p.Tax
			l.pots[p.Member].Available += p.Amount
			l.tax[p.Member] -= p.Tax
		})
	})
}

func (m mortalLedger) Spendable(_ context.Context, member string) (commission.Spendable, error) {
	var out commission.Spendable
	err := m.with(func(l *ledger) error {
		if l.busy > 0 {
			l.busy--
			return commission.ErrPurseBusy
		}
		if l.pots[member] == nil {
			l.pots[member] = &commission.Balance{}
		}
		out = commission.Spendable{Balance: *l.pots[member], Free: l.pots[member].Available}
		return nil
	})
	return out, err
}

// mood is what the platform does with a sending.
type mood string

const (
	moodOK       mood = "ok"
	moodLost     mood = "lost"     // the request never arrived
	moodUnheard  mood = "unheard"  // the answer never arrived
	moodRefuses  mood = "refuses"  // a certain no
	moodAccepts  mood = "accepts"  // accepted, nothing more yet
	moodSilently mood = "silently" // waiting for the member, and the answer never arrived
)

// platform imitates the transfer product: one bill per number.
type platform struct {
	mu       sync.Mutex
	clock    clock.Clock
	bills    map[string]*bill
	mood     mood
	away     int    // the next calls fail
	sends    int    // arrived
	complain string // what it was asked that it must never be asked
}

type bill struct {
	transfer Transfer
	state    TransferState
	reason   string
	at       time.Time
}

func (p *platform) outcome(b *bill) Outcome {
	o := Outcome{
		Number: b.transfer.Number, State: b.state, Bill: "B" + b.transfer.Number[:8], Reason: b.reason,
		Amount: b.transfer.Amount, At: b.at,
	}
	return o
}

var errSilence = errors.New("no answer")

func (p *platform) send(t Transfer) (Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away > 0 {
		p.away--
		return Outcome{}, errSilence
	}
	if p.mood == moodRefuses { // the request, whatever became of an earlier one
		return Outcome{}, &Refusal{Code: "NO_AUTH"}
	}
	if old := p.bills[t.Number]; old != nil {
		if old.transfer != t {
			p.complain = fmt.Sprintf("%s was sent again with another content", t.Number)
		}
		o := p.outcome(old)
		if old.state == TransferWaiting {
			o.Package = "pkg-" + t.Number[:4]
		}
		return o, nil
	}
	if p.mood == moodLost {
		return Outcome{}, errSilence
	}
	p.sends++
	b := &bill{t, TransferWaiting, "", p.clock.Now()}
	if p.mood == moodAccepts || p.mood == moodUnheard {
		b.state = TransferAccepted
	}
	p.bills[t.Number] = b
	if p.mood == moodUnheard || p.mood == moodSilently {
		return Outcome{}, errSilence
	}
	o := p.outcome(b)
	if b.state == TransferWaiting {
		o.Package = "pkg-" + t.Number[:4]
	}
	return o, nil
}

// turn changes a bill that is not final.
func (p *platform) turn(number string, to TransferState, reason string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.bills[number]
	if b == nil || b.state.Final() {
		return false
	}
	b.state, b.reason, b.at = to, reason, p.clock.Now()
	return true
}

func (p *platform) query(number string) (Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away > 0 {
		p.away--
		return Outcome{}, errSilence
	}
	b := p.bills[number]
	if b == nil {
		return Outcome{}, ErrUnknownNumber
	}
	return p.outcome(b), nil
}

func (p *platform) cancel(number string) (Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away > 0 {
		p.away--
		return Outcome{}, errSilence
	}
	b := p.bills[number]
	switch {
	case b == nil:
		return Outcome{}, ErrUnknownNumber
	case b.state == TransferWaiting || b.state == TransferAccepted:
		b.state, b.at = TransferCanceling, p.clock.Now()
	}
	return p.outcome(b), nil
}

type mortalRail struct{ p *process }

func (m mortalRail) ask(fn func(*platform) (Outcome, error)) (o Outcome, err error) {
	err = m.p.life.Call(func() error {
		var err error
		o, err = fn(m.p.world.platform)
		return err
	})
	return o, err
}

func (m mortalRail) Send(_ context.Context, t Transfer) (Outcome, error) {
	m.p.meanwhile("send")
	return m.ask(func(p *platform) (Outcome, error) { return p.send(t) })
}

func (m mortalRail) Query(_ context.Context, number string) (Outcome, error) {
	return m.ask(func(p *platform) (Outcome, error) { return p.query(number) })
}

func (m mortalRail) Cancel(_ context.Context, number string) (Outcome, error) {
	return m.ask(func(p *platform) (Outcome, error) { return p.cancel(number) })
}
