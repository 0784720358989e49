package sharing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

var (
	errSilence = errors.New("no answer")
	errNobody  = fault.Define("TST_NOBODY", fault.NotFound, "没有", "nobody")
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC) // nine in the morning in China

// world is what outlives a process: the store, the ledger, the platform and the clock.
type world struct {
	t        testing.TB
	clock    *clock.Manual
	driver   docstore.Driver
	config   Config
	mu       sync.Mutex
	ledger   *ledger
	platform *platform
	orders   map[string]*Order
	wallets  map[string]string // member → openid
	taxed    map[string]bool
}

func newWorld(t testing.TB, driver docstore.Driver, config Config) *world {
	c := clock.NewManual(start)
	config.On = true
	return &world{
		t: t, clock: c, driver: driver, config: config,
		ledger: &ledger{
			plans: map[string]*commission.Plan{}, pots: map[string]*commission.Balance{}, entries: map[string]any{},
		},
		platform: &platform{clock: c, receivers: map[string]bool{}, requests: map[string]*asked{}, moods: map[string]string{}},
		orders:   map[string]*Order{}, wallets: map[string]string{}, taxed: map[string]bool{},
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
	p.Service, err = New(context.Background(), Deps{
		Store: store, Clock: w.clock, Ledger: mortal{p}, Shares: mortal{p}, Orders: mortal{p}, Payees: mortal{p}, Taxes: mortal{p},
		Config: w.config,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// call reaches the world, which several processes share.
func (p *process) call(do func() error) error {
	return p.life.Call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		return do()
	})
}

// mortal is the world's ports as a process sees them.
type mortal struct{ p *process }

func (m mortal) ShareOut(_ context.Context, order string) (out commission.Plan, err error) {
	err = m.p.call(func() error {
		if plan := m.p.ledger.plans[order]; plan != nil {
			out = *plan
			out.Shares = slices.Clone(plan.Shares)
		}
		out.Order = order
		return nil
	})
	return out, err
}

func (m mortal) Order(_ context.Context, order string) (out Order, err error) {
	err = m.p.call(func() error {
		out = *m.p.orders[order]
		return nil
	})
	return out, err
}

func (m mortal) OpenID(_ context.Context, member string) (string, error) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if m.p.wallets[member] == "" {
		return "", errNobody
	}
	return m.p.wallets[member], nil
}

func (m mortal) Withholds(_ context.Context, member string, _ time.Time) (bool, error) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	return m.p.taxed[member], nil
}

// ledger keeps real balances and refuses what a ledger must refuse.
type ledger struct {
	plans   map[string]*commission.Plan
	pots    map[string]*commission.Balance
	entries map[string]any
	busy    int // the next calls fail
}

type outcome struct {
	kind string
	p    commission.Payout
}

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

func (m mortal) Reserve(_ context.Context, h commission.Hold) error {
	return m.p.call(func() error {
		l := m.p.ledger
		pot := l.pots[h.Member]
		if _, known := l.entries["withdraw/"+h.Number]; !known && pot.Available < h.Amount {
			return commission.ErrPurseShort
		}
		return l.post("withdraw/"+h.Number, h, func() { pot.Available, pot.Withdrawing = pot.Available-h.Amount, pot.Withdrawing+h.Amount })
	})
}

func (m mortal) settle(kind string, p commission.Payout, fn func(pot *commission.Balance)) error {
	return m.p.call(func() error {
		l := m.p.ledger
		h, ok := l.entries["withdraw/"+p.Number].(commission.Hold)
		if !ok || h.Member != p.Member || h.Amount != p.Amount || p.Tax != 0 || p.At.IsZero() {
			return commission.ErrPayoutUnknown
		}
		return l.post("outcome/"+p.Number, outcome{kind, p}, func() {
			l.pots[p.Member].Withdrawing -= p.Amount
			fn(l.pots[p.Member])
		})
	})
}

func (m mortal) ConfirmPayout(_ context.Context, p commission.Payout) error {
	return m.settle("confirm", p, func(pot *commission.Balance) { pot.Withdrawn += p.Amount })
}

func (m mortal) FailPayout(_ context.Context, p commission.Payout) error {
	return m.settle("fail", p, func(pot *commission.Balance) { pot.Available += p.Amount })
}

// platform imitates profit sharing: one request per number, finished when a test says so or at once.
type platform struct {
	clock     clock.Clock
	receivers map[string]bool
	requests  map[string]*asked
	moods     map[string]string // of the calls "add", "share" and "free", and "end": what becomes of a sharing
	away      int               // the next calls fail
	complain  string            // what it was asked that it must never be asked
}

type asked struct {
	r        Request
	free     bool
	finished bool
	closed   bool
	reason   string
	at       time.Time
}

func (a *asked) answer() Answer {
	return Answer{
		Number: a.r.Number, Finished: a.finished, OpenID: a.r.OpenID, Amount: a.r.Amount, Closed: a.closed, Reason: a.reason, At: a.at,
	}
}

// mood gives what happens to a call: "" nothing special, "lost" it never arrives, "unheard" its answer does not, anything
// else a refusal with that code.
func (pl *platform) mood(call string) (before, after error) {
	switch m := pl.moods[call]; m {
	case "", "ok":
	case "lost":
		return errSilence, nil
	case "unheard":
		return nil, errSilence
	default:
		return &Refusal{Code: m}, nil
	}
	return nil, nil
}

func (m mortal) ask(call string, do func(*platform) (Answer, error)) (a Answer, err error) {
	err = m.p.call(func() error {
		pl := m.p.platform
		if pl.away > 0 {
			pl.away--
			return errSilence
		}
		before, after := pl.mood(call)
		if before != nil {
			return before
		}
		var err error
		if a, err = do(pl); err == nil && after != nil {
			a, err = Answer{}, after
		}
		return err
	})
	return a, err
}

func (m mortal) AddReceiver(_ context.Context, openID string) error {
	_, err := m.ask("add", func(pl *platform) (Answer, error) {
		pl.receivers[openID] = true
		return Answer{}, nil
	})
	return err
}

func (m mortal) Share(_ context.Context, r Request) (Answer, error) {
	return m.ask("share", func(pl *platform) (Answer, error) {
		if old := pl.requests[r.Number]; old != nil {
			if old.r != r && (old.r.OpenID != r.OpenID || old.r.Amount != r.Amount || old.r.TransactionID != r.TransactionID) {
				pl.complain = r.Number + " was sent again with another content"
			}
			return old.answer(), nil
		}
		if pl.frozen(r.TransactionID) < r.Amount {
			return Answer{}, &Refusal{Code: "NOT_ENOUGH"}
		}
		a := &asked{r: r, at: pl.clock.Now()}
		pl.requests[r.Number] = a
		answer := a.answer()
		if pl.moods["end"] != "slow" {
			pl.finish(a, pl.moods["end"])
		}
		return answer, nil
	})
}

func (pl *platform) finish(a *asked, reason string) {
	if !a.finished {
		a.finished, a.at, a.reason = true, pl.clock.Now(), reason
		if !a.free && reason == "" && !pl.receivers[a.r.OpenID] {
			a.reason = "NO_RELATION"
		}
		a.closed = a.reason != ""
	}
}

// frozen is what can still be shared of a payment of 100 yuan.
func (pl *platform) frozen(transaction string) money.Fen {
	left := money.Fen(100_00)
	for _, a := range pl.requests {
		switch {
		case a.r.TransactionID != transaction:
		case a.free:
			return 0
		case !a.closed:
			left -= a.r.Amount
		}
	}
	return left
}

func (m mortal) QueryShare(_ context.Context, number, transactionID string) (Answer, error) {
	return m.ask("query", func(pl *platform) (Answer, error) {
		a := pl.requests[number]
		if a == nil || a.r.TransactionID != transactionID {
			return Answer{}, ErrUnknownNumber
		}
		return a.answer(), nil
	})
}

func (m mortal) Unfreeze(_ context.Context, number, transactionID string) (Answer, error) {
	return m.ask("free", func(pl *platform) (Answer, error) {
		if old := pl.requests[number]; old != nil {
			return old.answer(), nil
		}
		if pl.frozen(transactionID) == 0 {
			return Answer{}, &Refusal{Code: "NOT_ENOUGH"}
		}
		for _, a := range pl.requests {
			if a.r.TransactionID == transactionID && !a.finished {
				pl.complain = number + " was freed before " + a.r.Number + " was finished"
			}
		}
		pl.requests[number] = &asked{r: Request{Number: number, TransactionID: transactionID}, free: true, finished: true, at: pl.clock.Now()}
		return pl.requests[number].answer(), nil
	})
}

// sell makes a paid order of 100 yuan with these shares, all of it settled and in the purses.
func (w *world) sell(order string, shares ...commission.PlanShare) {
	w.orders[order] = &Order{
		TransactionID: "t" + order, Paid: 100_00, PaidAt: w.clock.Now().Add(-8 * 24 * time.Hour), AfterSaleOver: w.clock.Now(),
	}
	w.ledger.plans[order] = &commission.Plan{Known: true, Policy: 1, Rail: policy.RailProfitSharing, Ready: true, Shares: shares}
	for _, s := range shares {
		if w.ledger.pots[s.Member] == nil {
			w.ledger.pots[s.Member] = &commission.Balance{}
			w.wallets[s.Member] = "open-" + s.Member
		}
		w.ledger.pots[s.Member].Available += s.Amount
	}
}

// stand tells where an order is, and its parts.
func (w *world) stand(order string) string {
	d, err := w.start().Archive().Get(context.Background(), order)
	if err != nil {
		return "nothing"
	}
	text := string(d.State)
	for _, p := range d.Parts {
		text += fmt.Sprintf("; %s %s %s", p.Member, p.Amount.Yuan(), p.State)
		if p.Code != "" {
			text += " " + string(p.Code)
		}
	}
	if d.FreeCode != "" {
		text += "; not freed " + d.FreeCode
	}
	if d.Trouble != "" {
		text += "; trouble"
	}
	return text
}

// honest proves the money: what the platform paid is what left the purses for good, and nothing is between.
func (w *world) honest() {
	w.t.Helper()
	paid := map[string]money.Fen{}
	for number, a := range w.platform.requests {
		if !a.free && a.finished && !a.closed {
			paid[w.ledger.entries["withdraw/"+number].(commission.Hold).Member] += a.r.Amount
		}
	}
	for member, pot := range w.ledger.pots {
		if pot.Withdrawn != paid[member] || pot.Withdrawing != 0 {
			w.t.Errorf("%s: %s withdrawing, %s withdrawn, the platform paid %s", member, pot.Withdrawing.Yuan(), pot.Withdrawn.Yuan(), paid[member].Yuan())
		}
	}
	if w.platform.complain != "" {
		w.t.Error(w.platform.complain)
	}
}
