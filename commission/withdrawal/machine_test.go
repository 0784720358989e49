package withdrawal

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// machine plays random requests, reviews, outcomes and deaths on two processes that share a store, and keeps what must
// stay true after every single operation.
type machine struct {
	*world
	r         *rapid.T
	processes [2]*process
	observer  *process
	asked     []asked
	heard     []Outcome // what the platform once said, to be told again late
	states    map[string]State
	seen      map[string]*Withdrawal
	serial    int
	ops       int
	deaths    int
	ends      map[State]int
}

type asked struct {
	key, member, number string
	amount              money.Fen
}

// operations is how many random operations a run makes altogether.
func operations(standard int) int {
	if n, err := strconv.Atoi(os.Getenv("GUANXI_LEDGER_OPS")); err == nil && n > 0 {
		return n
	}
	return standard
}

func TestRandomLivesKeepTheInvariants(t *testing.T) {
	t.Parallel()
	const checks = 100 // rapid's own default
	wanted := operations(20_000)
	each := max(1, min(250, wanted/checks)) // longer lives only make every check of them slower
	ops, deaths, ends := 0, 0, map[State]int{}
	for ops < wanted && !t.Failed() {
		rapid.Check(t, func(r *rapid.T) {
			m := newMachine(t, r)
			for range each {
				m.act()
				m.check(false)
			}
			m.finish()
			ops, deaths = ops+m.ops, deaths+m.deaths
			for state, n := range m.ends {
				ends[state] += n
			}
		})
	}
	t.Logf("%d operations, %d deaths; ends: %v", ops, deaths, ends)
}

func newMachine(t *testing.T, r *rapid.T) *machine {
	config := Config{
		Workers: 1, MaxCount: 20, VelocityCount: 50, MaxPerDay: 6000_00, NewAccountDays: NoLimit,
		Several: rapid.Bool().Draw(r, "several"),
	}
	m := &machine{world: newWorld(t, newMemory(), config), r: r, states: map[string]State{}, seen: map[string]*Withdrawal{}, ends: map[State]int{}}
	for _, member := range []string{"ann", "ben"} {
		m.join(member, 8000_00)
	}
	m.observer = m.start()
	for i := range m.processes {
		m.processes[i] = m.start()
	}
	if rapid.Bool().Draw(r, "taxed") {
		table := rapid.SampledFrom([]tax.Table{tax.CumulativeTable(), tax.PerPaymentTable()}).Draw(r, "table")
		if _, err := m.observer.book.Publish(context.Background(), table); err != nil {
			r.Fatal(err)
		}
	}
	for _, in := range []PayeeInput{{Member: "ann", RealName: "安安", By: "ann"}, {Member: "ben", RealName: "本本", Kind: tax.Foreign, By: "ben"}} {
		if _, err := m.observer.SetPayee(context.Background(), in); err != nil {
			r.Fatal(err)
		}
	}
	return m
}

// with plays on a random process, which sometimes dies at a random call to the outside.
func (m *machine) with(play func(ctx context.Context, p *process)) {
	i := rapid.IntRange(0, 1).Draw(m.r, "process")
	p := m.processes[i]
	if rapid.IntRange(0, 4).Draw(m.r, "mortal") == 0 {
		p.life.DieAt(rapid.IntRange(0, 9).Draw(m.r, "fuse"), rapid.Bool().Draw(m.r, "after"))
	}
	play(context.Background(), p)
	p.life.Spare()
	if p.life.Dead() {
		m.processes[i], m.deaths = m.start(), m.deaths+1
	}
}

func (m *machine) act() {
	m.ops++
	actions := []func(){
		m.ask, m.ask, m.ask, m.review, m.review, m.cancel, m.turn, m.turn, m.turn, m.notify, m.notify, m.echo, m.tend, m.tend, m.time,
		m.time, m.weather, m.purse, m.giveBack, m.giveBack,
	}
	actions[rapid.IntRange(0, len(actions)-1).Draw(m.r, "action")]()
}

// one picks a request, mostly a recent one.
func (m *machine) one() asked {
	if len(m.asked) == 0 {
		return asked{number: "none", member: "ann"}
	}
	back := rapid.IntRange(0, min(3, len(m.asked)-1)).Draw(m.r, "which")
	return m.asked[len(m.asked)-1-back]
}

func (m *machine) ask() {
	var a asked
	if len(m.asked) > 0 && rapid.IntRange(0, 3).Draw(m.r, "again") == 0 {
		a = m.one()
	} else {
		m.serial++
		a = asked{
			key: fmt.Sprintf("k%d", m.serial), member: rapid.SampledFrom([]string{"ann", "ben"}).Draw(m.r, "member"),
			amount: money.Fen(rapid.SampledFrom([]int64{10, 11, 99_99, 500_00, 500_01, 1999_99, 2000_00, 2000_01, 5000_00}).Draw(m.r, "amount")),
		}
		a.number = id.Derive("withdrawal", a.member, a.key)
	}
	m.with(func(ctx context.Context, p *process) {
		w, err := p.Ask(ctx, AskInput{Key: a.key, Member: a.member, Amount: a.amount})
		if err == nil && (w.ID != a.number || w.Gross != a.amount) {
			m.r.Fatalf("another withdrawal was answered")
		}
	})
	if _, err := m.observer.Get(context.Background(), a.number); err == nil && !slices.Contains(m.asked, a) {
		m.asked = append(m.asked, a)
	}
}

func (m *machine) review() {
	in := ReviewInput{Number: m.one().number, By: rapid.SampledFrom([]string{"sue", "tom", "una"}).Draw(m.r, "by"), Why: "看过"}
	no := rapid.IntRange(0, 5).Draw(m.r, "no") == 0
	m.with(func(ctx context.Context, p *process) {
		if no {
			_, _ = p.Reject(ctx, in)
			return
		}
		_, _ = p.Approve(ctx, in)
	})
}

// giveBack returns paid money and declares lost what the platform forgot.
func (m *machine) giveBack() {
	in := ReviewInput{Number: m.one().number, By: rapid.SampledFrom([]string{"sue", "tom"}).Draw(m.r, "by"), Why: "退回"}
	lost := rapid.IntRange(0, 3).Draw(m.r, "lost") == 0
	for range rapid.IntRange(1, 2).Draw(m.r, "times") {
		m.with(func(ctx context.Context, p *process) {
			if lost {
				_, _ = p.DeclareLost(ctx, in)
				return
			}
			_, _ = p.Return(ctx, in)
		})
		in.By = "una"
	}
}

func (m *machine) cancel() {
	a := m.one()
	m.with(func(ctx context.Context, p *process) { _, _ = p.Cancel(ctx, a.member, a.number) })
}

// turn is what happens at the platform, told to nobody.
func (m *machine) turn() {
	to := rapid.SampledFrom([]TransferState{
		TransferWaiting, TransferProcessing, TransferTransferring, TransferSuccess, TransferSuccess, TransferSuccess, TransferFailed,
		TransferFailed, TransferCancelled,
	}).Draw(m.r, "to")
	reason := ""
	if to == TransferFailed {
		reason = rapid.SampledFrom([]string{"", overdue, "ACCOUNT_FROZEN"}).Draw(m.r, "reason")
	}
	m.platform.turn(m.one().number, to, reason)
}

func (m *machine) notify() {
	m.platform.mu.Lock()
	b := m.platform.bills[m.one().number]
	var o Outcome
	if b != nil {
		o = m.platform.outcome(b)
	}
	m.platform.mu.Unlock()
	if b == nil {
		return
	}
	m.heard = append(m.heard, o)
	m.with(func(ctx context.Context, p *process) { _, _ = p.Settle(ctx, o) })
}

// echo tells an old word again.
func (m *machine) echo() {
	if len(m.heard) == 0 {
		return
	}
	o := m.heard[rapid.IntRange(max(0, len(m.heard)-8), len(m.heard)-1).Draw(m.r, "echo")]
	m.with(func(ctx context.Context, p *process) { _, _ = p.Settle(ctx, o) })
}

func (m *machine) tend() {
	m.with(func(ctx context.Context, p *process) { _, _ = p.Tend(ctx) })
}

func (m *machine) time() {
	m.world.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, 6 * time.Second, 31 * time.Second, 61 * time.Second, 5 * time.Minute, time.Hour, 5 * time.Hour, 25 * time.Hour,
		25 * time.Hour, 8 * 24 * time.Hour,
	}).Draw(m.r, "time"))
}

// weather changes how the platform and the ledger behave for a while.
func (m *machine) weather() {
	m.platform.mu.Lock()
	m.platform.mood = rapid.SampledFrom([]mood{
		moodOK, moodOK, moodOK, moodLost, moodUnheard, moodSilently, moodRefuses, moodAccepts,
	}).Draw(m.r, "mood")
	m.platform.away = rapid.IntRange(0, 2).Draw(m.r, "away")
	m.platform.mu.Unlock()
	m.ledger.busy = rapid.IntRange(0, 2).Draw(m.r, "busy")
}

// purse earns, or loses to refunds, also below zero.
func (m *machine) purse() {
	by := money.Fen(rapid.SampledFrom([]int64{500_00, 9000_00, -100_00, -9000_00}).Draw(m.r, "earn"))
	m.ledger.pots[m.one().member].Available += by
}

// check asserts what must hold at every moment, whatever is under way; at the end nothing is under way any more.
func (m *machine) check(atEnd bool) {
	m.r.Helper()
	open, withdrawing, known := map[string]int{}, map[string]money.Fen{}, map[string]bool{}
	for _, w := range m.all() {
		m.checkMoves(w)
		m.checkMoney(w)
		m.checkPlatform(w)
		known[w.ID] = true
		switch w.State {
		case Held, Approved, Sent, Waiting:
			open[w.Member]++
		}
		if _, ok := m.ledger.entries["withdraw/"+w.ID]; ok {
			if _, over := m.ledger.entries["outcome/"+w.ID]; !over {
				withdrawing[w.Member] += w.Gross
			}
		}
		if atEnd {
			m.checkEnd(w)
		}
	}
	for member := range m.members {
		if !m.config.Several && open[member] > 1 {
			m.r.Fatalf("%s has %d open withdrawals", member, open[member])
		}
		m.checkDesk(member)
		if got := m.ledger.pots[member].Withdrawing; got != withdrawing[member] {
			m.r.Fatalf("%s: withdrawing %d, the documents say %d", member, got, withdrawing[member])
		}
	}
	for number := range m.platform.bills {
		if !known[number] {
			m.r.Fatalf("the platform knows %s, we do not", number)
		}
	}
	if m.platform.complain != "" {
		m.r.Fatal(m.platform.complain)
	}
}

// all gives the stored withdrawals; only those that changed are read again.
func (m *machine) all() map[string]*Withdrawal {
	for number, doc := range m.driver.(*memory).docs["withdrawals"] {
		if w := m.seen[number]; w == nil || w.Version != doc.Version {
			w, err := m.observer.Get(context.Background(), number)
			if err != nil {
				m.r.Fatal(err)
			}
			m.seen[number] = w
		}
	}
	return m.seen
}

// checkDesk: no day ever holds more than the limit.
func (m *machine) checkDesk(member string) {
	items, err := m.observer.deskOf(context.Background(), member)
	if err != nil {
		m.r.Fatal(err)
	}
	days := map[string]money.Fen{}
	for _, i := range items {
		if i.State == deskOpen || i.State == deskSpent {
			if days[clock.Day(i.At)] += i.Amount; days[clock.Day(i.At)] > m.config.MaxPerDay {
				m.r.Fatalf("%s has more than the limit on %s", member, clock.Day(i.At))
			}
		}
	}
}

// checkMoves: a document only ever goes where the table leads.
func (m *machine) checkMoves(w *Withdrawal) {
	before, seen := m.states[w.ID]
	if !seen {
		before = Asked
	}
	reach := []State{before}
	for i := 0; i < len(reach); i++ {
		for _, move := range moves {
			if move.From == reach[i] && !slices.Contains(reach, move.To) {
				reach = append(reach, move.To)
			}
		}
	}
	if !slices.Contains(reach, w.State) {
		m.r.Fatalf("%s went from %s to %s", w.ID, before, w.State)
	}
	m.states[w.ID] = w.State
}

// checkMoney: the ledger and the document never say different things.
func (m *machine) checkMoney(w *Withdrawal) {
	_, reserved := m.ledger.entries["withdraw/"+w.ID]
	outcome, over := m.ledger.entries["outcome/"+w.ID].(outcomeEntry)
	_, returned := m.ledger.entries["return/"+w.ID].(commission.Payout)
	posted := w.Posted == w.State
	bad := ""
	switch {
	case w.State == Asked && over:
		bad = "an outcome without a decision"
	case w.State == Refused && posted && reserved && outcome.kind != "fail":
		bad = "refused, but money is set aside"
	case slices.Contains([]State{Held, Approved, Sent, Waiting}, w.State) && (!reserved || over):
		bad = "open, but not reserved or over"
	case w.State.gaveBack() && (!reserved || over && outcome.kind != "fail" || posted && !over):
		bad = "given back, but the ledger says otherwise"
	case w.State == Paid && (!reserved || over && outcome.kind != "confirm" || posted && !over || returned):
		bad = "paid, but the ledger says otherwise"
	case w.State == Returned && (outcome.kind != "confirm" || posted && !returned):
		bad = "returned, but the ledger says otherwise"
	case over && outcome.kind == "confirm" && outcome.p.Tax != w.Tax:
		bad = "another tax in the ledger"
	case !w.SentAt.IsZero() && (w.Tax+w.Net != w.Gross || w.Net < 10 || w.Tax < 0):
		bad = "tax and net are not gross"
	case w.suffered(LedgerRefused):
		bad = "the ledger refused an entry"
	}
	if bad != "" {
		m.r.Fatalf("%s %s (posted %s): %s", w.ID, w.State, w.Posted, bad)
	}
}

// checkPlatform: only the platform ends what was sent, and never differently from us.
func (m *machine) checkPlatform(w *Withdrawal) {
	b := m.platform.bills[w.ID]
	if b == nil {
		if w.State == Paid || w.State == Waiting {
			m.r.Fatalf("%s is %s, but the platform never heard of it", w.ID, w.State)
		}
		return
	}
	declared := w.Code == codeLost
	switch {
	case w.SentAt.IsZero():
		m.r.Fatalf("%s is at the platform, but was never marked as sent", w.ID)
	case b.transfer.Amount != w.Net:
		m.r.Fatalf("%s: the platform pays %d of %d", w.ID, b.transfer.Amount, w.Net)
	case w.State.Ended() && !b.state.Final():
		m.r.Fatalf("%s is %s, but the platform still says %s", w.ID, w.State, b.state)
	case b.state == TransferSuccess && w.State.gaveBack() && !declared:
		m.r.Fatalf("%s was paid and given back", w.ID)
	case b.state != TransferSuccess && (w.State == Paid || w.State == Returned):
		m.r.Fatalf("%s is %s, but the platform says %s", w.ID, w.State, b.state)
	}
}

func (m *machine) checkEnd(w *Withdrawal) {
	m.ends[w.State]++
	if w.suffered(Forgotten) && !w.State.Ended() {
		return // waits for people
	}
	if !w.State.Ended() || w.unposted() || !w.NextAt.IsZero() {
		m.r.Fatalf("%s ends as %s, posted %s, next %s", w.ID, w.State, w.Posted, w.NextAt)
	}
	told := map[string]int{}
	for _, message := range w.Outbox {
		told[message.Name]++
	}
	want := map[string]int{EventPaid: 0, EventReturned: 0}
	switch {
	case w.State == Paid:
		want[EventPaid] = 1
	case w.State == Returned:
		want[EventPaid], want[EventReturned] = 1, 1
	case w.State.gaveBack():
		want[EventReturned] = 1
	}
	for name, n := range want {
		if told[name] != n {
			m.r.Fatalf("%s ends as %s and told %v", w.ID, w.State, told)
		}
	}
}

// finish lets the platform speak its last words and the sweeps do their work.
func (m *machine) finish() {
	m.platform.mood, m.platform.away, m.ledger.busy = moodOK, 0, 0
	for round := range 40 {
		for number, b := range m.platform.bills {
			if !b.state.Final() && round%2 == 1 {
				m.platform.turn(number, rapid.SampledFrom([]TransferState{TransferSuccess, TransferFailed}).Draw(m.r, "last"), "")
			}
		}
		m.world.clock.Advance(time.Hour + time.Minute)
		if round == 5 {
			m.world.clock.Advance(7 * 24 * time.Hour) // nobody reviews any more
		}
		for _, p := range m.processes {
			if _, err := p.Tend(context.Background()); err != nil {
				m.r.Fatal(err)
			}
		}
		if due, err := m.observer.withdrawals.Count(context.Background(), docstore.By(indexNext), 0); err != nil || due == 0 {
			break
		}
	}
	m.check(true)
	m.checkYears()
}

// checkYears: the statements of all years are the ledger, and the desk holds nothing open.
func (m *machine) checkYears() {
	ctx := context.Background()
	for member := range m.members {
		sum := money.Fen(0)
		for year := 2026; year <= taxyear.Of(m.world.clock.Now()); year++ {
			s, err := m.observer.TaxStatement(ctx, member, year, 0)
			if err != nil {
				m.r.Fatal(err)
			}
			sum += s.Tax + s.Earlier.Tax
			for _, e := range append(s.Entries, s.Earlier.Entries...) {
				if _, ok := m.ledger.entries[e]; !ok && e[:4] != "tax/" {
					m.r.Fatalf("the statement names %s, which is not in the ledger", e)
				}
			}
		}
		if sum != m.ledger.tax[member] {
			m.r.Fatalf("%s: statements say %d of tax, the ledger %d", member, sum, m.ledger.tax[member])
		}
		m.checkItems(member)
		items, err := m.observer.deskOf(ctx, member)
		if err != nil {
			m.r.Fatal(err)
		}
		for _, i := range items {
			w, err := m.observer.Get(ctx, i.Number)
			if err != nil || i.State == deskOpen && w.State.Ended() {
				m.r.Fatalf("%s lies open on the desk: %v", i.Number, err)
			}
		}
	}
}

// checkItems: a number stands once in a tax year, and counts as open only while it is.
func (m *machine) checkItems(member string) {
	err := m.observer.years.Each(context.Background(), docstore.All(), func(y *taxyear.Year) error {
		seen := map[string]bool{}
		for _, i := range y.Items {
			w, err := m.observer.Get(context.Background(), i.Number)
			if err != nil || seen[i.Number] || w.Member != y.Member || i.State == taxyear.Open && w.State.Ended() {
				m.r.Fatalf("%s stands wrongly in the tax year %s: %v", i.Number, y.ID, err)
			}
			seen[i.Number] = true
		}
		return nil
	})
	if err != nil {
		m.r.Fatal(member, err)
	}
}
