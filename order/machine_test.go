package order

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// machine plays random use cases, repetitions and faults against a few orders and keeps what must stay true.
type machine struct {
	*world
	r         *rapid.T
	placed    map[string]*Order // by key: the first answer
	ids       []string
	late      map[string]bool // paid although closed at the platform
	delivered map[string]bool
	steps     int
}

func TestRandomLivesKeepTheInvariants(t *testing.T) {
	t.Parallel()
	steps, ends := 0, map[State]int{}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		defer func() { _ = w.store.Close() }()
		m := &machine{world: w, r: r, placed: map[string]*Order{}, late: map[string]bool{}, delivered: map[string]bool{}}
		m.place() // so that there is something to play with
		actions := map[string]func(*rapid.T){
			"":        func(*rapid.T) { m.check() },
			"place":   m.with(m.place),
			"prepay":  m.with(m.prepay),
			"pay":     m.with(func() { m.platform.pay(m.one()) }),
			"settle":  m.with(m.settle),
			"forge":   m.with(m.forge),
			"late":    m.with(m.payLate),
			"cancel":  m.with(m.seldom(func() { _, _ = m.orders.Cancel(m.t.Context(), "mia", m.one()) })),
			"heal":    m.with(func() { _, _ = m.orders.Heal(m.t.Context(), m.one()) }),
			"time":    m.with(m.time),
			"deliver": m.with(func() { m.deliver(rapid.IntRange(1, 6).Draw(r, "messages")) }),
			"seat":    m.with(m.seat),
			"goods":   m.with(m.goods),
			"refund":  m.with(m.refund),
			"decide":  m.with(m.decide),
			"submit":  m.with(m.submit),
			"land":    m.with(m.land),
			"whole":   m.with(m.seldom(func() { _ = m.orders.RefundWhole(m.t.Context(), m.one(), "x", "缺货") })),
			"failed":  m.with(m.seldom(m.failed)),
			"buy":     m.with(m.buy),
		}
		for range 2 { // each about 30 steps
			r.Repeat(actions)
		}
		for _, id := range m.ids {
			ends[m.get(id).State]++
		}
		m.finish()
		steps += m.steps
	})
	t.Logf("%d operations; states before the end: %v", steps, ends)
}

// with breaks the platform and the store a little, plays, and mends them.
func (m *machine) with(play func()) func(*rapid.T) {
	return func(r *rapid.T) {
		m.r = r
		switch rapid.IntRange(0, 9).Draw(r, "fault") {
		case 0:
			m.platform.away = rapid.IntRange(1, 3).Draw(r, "away")
		case 1:
			m.platform.unclear = rapid.IntRange(1, 3).Draw(r, "unclear")
		case 2:
			m.driver.breakBefore(rapid.IntRange(1, 4).Draw(r, "before"))
		case 3:
			m.driver.breakAfter(rapid.IntRange(1, 3).Draw(r, "after"))
		}
		play()
		m.steps++
		m.platform.away, m.platform.unclear = 0, 0
		m.driver.heal()
	}
}

// seldom plays one time in eight: what ends an order must not end them all.
func (m *machine) seldom(play func()) func() {
	return func() {
		if rapid.IntRange(0, 7).Draw(m.r, "seldom") == 0 {
			play()
		}
	}
}

func (m *machine) one() string {
	if len(m.ids) == 0 {
		return "none"
	}
	return rapid.SampledFrom(m.ids).Draw(m.r, "order")
}

func (m *machine) place() {
	key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.r, "key")
	lines := rapid.SampledFrom([][]Wish{{{"tea", 3}, {"nuts", 2}}, {{"tea", 1}, {"gift", 1}}, {{"penny", 3}}}).Draw(m.r, "lines")
	m.stock.free["penny"] = 1000
	o, err := m.orders.Place(m.t.Context(), PlaceInput{Key: key, Member: "mia", Campaign: "spring", Lines: lines})
	if err != nil {
		return
	}
	known := m.placed[key]
	if known == nil {
		m.placed[key], m.ids = o, append(m.ids, o.ID)
		return
	}
	locked := func(o *Order) any { return []any{o.ID, o.Lines, o.Amount, o.Referral, o.PlacedAt, o.ExpiresAt} }
	if diff := cmp.Diff(locked(known), locked(o)); diff != "" {
		m.r.Fatalf("the same key answered another order:\n%s", diff)
	}
}

func (m *machine) prepay() {
	id := m.one()
	if _, err := m.orders.Prepay(m.t.Context(), "mia", id); err == nil && !m.platform.payable(id) {
		m.r.Fatalf("parameters for a number nobody can pay")
	}
	if _, err := m.orders.Prepay(m.t.Context(), "nora", id); err == nil {
		m.r.Fatalf("a stranger got parameters")
	}
}

// buy goes the common way as far as the faults let it.
func (m *machine) buy() {
	ctx, id := m.t.Context(), m.one()
	_, _ = m.orders.Prepay(ctx, "mia", id)
	m.platform.pay(id)
	_, _ = m.orders.Settle(ctx, m.platform.notice(id))
}

func (m *machine) settle() {
	_, _ = m.orders.Settle(m.t.Context(), m.platform.notice(m.one()))
}

func (m *machine) forge() {
	id := m.one()
	p := m.platform.notice(id)
	p.State, p.TransactionID, p.Currency, p.AppID, p.MchID = PaymentDone, "forged", "CNY", "wxapp", "1900001"
	if rapid.Bool().Draw(m.r, "amount") {
		p.Total++
	} else {
		p.MchID = "2"
	}
	if _, err := m.orders.Settle(m.t.Context(), p); err == nil {
		m.r.Fatalf("a forged payment was taken")
	}
}

// payLate is the platform letting money through for a number it had closed.
func (m *machine) payLate() {
	id := m.one()
	o, err := m.orders.Get(m.t.Context(), id)
	if err == nil && o.State == StateClosed && !m.late[id] {
		m.platform.payAnyway(id, o.Amount)
		m.late[id] = true
	}
}

func (m *machine) time() {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Second, 31 * time.Second, 31 * time.Second, 5 * time.Minute, 5 * time.Minute,
		18 * time.Minute, 49 * time.Hour, 8 * day,
	}).Draw(m.r, "time"))
	_, _ = m.orders.Tick(m.t.Context())
}

func (m *machine) seat() {
	_ = m.orders.Seated(m.t.Context(), m.one(), 1, rapid.Bool().Draw(m.r, "formed"))
}

func (m *machine) goods() {
	ctx, id := m.t.Context(), m.one()
	switch rapid.IntRange(0, 4).Draw(m.r, "what") {
	case 0:
		_, _ = m.orders.Ship(ctx, "hana", id, ShipInput{Kind: ShipPickup})
	case 1:
		_, _ = m.orders.Ship(ctx, "hana", id, ShipInput{Kind: ShipExpress, Company: "SF", Tracking: "1"})
	case 2:
		_, _ = m.orders.Receive(ctx, "mia", id)
	case 3:
		in := CollectInput{By: "hana", Order: id}
		if o, err := m.orders.Get(ctx, id); err == nil {
			in.Code = o.Code.Reveal()
		}
		_, _ = m.orders.Collect(ctx, in)
	case 4:
		_ = m.orders.ConfirmCampaign(ctx, "spring")
	}
}

func (m *machine) failed() { _ = m.orders.RefundCampaign(m.t.Context(), "spring", "未成团") }

func (m *machine) refund() {
	in := RefundInput{
		Key: strconv.Itoa(rapid.IntRange(0, 5).Draw(m.r, "key")), Order: m.one(), Reason: "不想要了",
		By: rapid.SampledFrom([]string{"mia", "hana", "nora"}).Draw(m.r, "by"),
	}
	for line := range rapid.SampledFrom([]int{1, 1, 1, 2, 2, 0}).Draw(m.r, "lines") {
		in.Lines = append(in.Lines, RefundLine{line + 1, int64(rapid.IntRange(1, 3).Draw(m.r, "units"))})
	}
	first, err := m.orders.Refund(m.t.Context(), in)
	if err != nil {
		return
	}
	if in.By == "nora" {
		m.r.Fatalf("a stranger got a refund")
	}
	m.driver.heal()
	again, err := m.orders.Refund(m.t.Context(), in)
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		m.r.Fatalf("the repetition answered otherwise: %v\n%s", err, diff)
	}
}

// aRefund draws an order and one of its refunds.
func (m *machine) aRefund() (string, string) {
	o, err := m.orders.Get(m.t.Context(), m.one())
	if err != nil || len(o.Refunds) == 0 {
		return "none", "noner1"
	}
	return o.ID, o.Refunds[rapid.IntRange(0, len(o.Refunds)-1).Draw(m.r, "refund")].Number
}

func (m *machine) decide() {
	order, number := m.aRefund()
	if rapid.Bool().Draw(m.r, "yes") {
		_, _ = m.orders.ApproveRefund(m.t.Context(), "hana", order, number)
		return
	}
	_, _ = m.orders.RefuseRefund(m.t.Context(), "hana", order, number, "已拆封")
}

func (m *machine) submit() {
	order, number := m.aRefund()
	if rapid.Bool().Draw(m.r, "heal") {
		_, _ = m.orders.HealRefund(m.t.Context(), order, number)
		return
	}
	_ = m.orders.SubmitRefund(m.t.Context(), order, number)
}

func (m *machine) land() {
	_, number := m.aRefund()
	m.platform.land(number, rapid.SampledFrom([]RefundState{
		RefundDone, RefundDone, RefundDone, RefundAbnormal, RefundClosed,
	}).Draw(m.r, "state"))
	if rapid.Bool().Draw(m.r, "notify") {
		_, _ = m.orders.SettleRefund(m.t.Context(), m.platform.refundNotice(number))
	}
}

// deliver takes random messages out of the outboxes, possibly again, in any order, and plays the consumers.
func (m *machine) deliver(n int) {
	for range n {
		if len(m.ids) == 0 {
			return
		}
		o, err := m.orders.Get(m.t.Context(), m.one())
		if err != nil || len(o.Outbox) == 0 {
			continue
		}
		m.consume(o.ID, o.Outbox[rapid.IntRange(0, len(o.Outbox)-1).Draw(m.r, "message")])
	}
}

func (m *machine) consume(order string, message docstore.Message) {
	ctx := m.t.Context()
	switch message.Name {
	case EventClosed:
		if m.platform.payable(order) && !m.late[order] {
			m.r.Fatalf("released while the platform would still take money")
		}
		_ = m.stock.Release(ctx, order, nil)
	case EventPaid:
		_ = m.orders.Seated(ctx, order, 7, true)
	case EventRefundAsked:
		var asked RefundAsked
		if err := m.store.Unmarshal(message.Body, &asked); err != nil {
			m.r.Fatalf("payload: %v", err)
		}
		if m.orders.SubmitRefund(ctx, order, asked.Refund) != nil {
			return
		}
	}
	m.delivered[message.ID] = true
}

func (m *machine) check() {
	for _, id := range m.ids {
		o := m.get(id)
		if why := m.wrong(o); why != "" {
			m.r.Fatalf("order %s in state %s: %s", id, o.State, why)
		}
	}
	for order := range m.stock.holds {
		o, err := m.orders.Get(m.t.Context(), order)
		if err == nil && o.State == StateRefunded && o.Payment == nil {
			m.r.Fatalf("refunded without a payment")
		}
	}
}

// wrong says which invariant an order breaks.
func (m *machine) wrong(o *Order) string {
	returned, claimed, waits := money.Fen(0), money.Fen(0), false
	numbers := map[string]bool{}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		sum := money.Fen(0)
		for _, part := range r.Lines {
			sum += part.Amount
			if part.Amount < 0 || part.Units < 1 {
				return "a refund's part is not positive"
			}
		}
		if sum != r.Amount || numbers[r.Number] || orderOf(r.Number) != o.ID {
			return "a refund is not the sum of its parts, or its number is not its own"
		}
		numbers[r.Number] = true
		if r.Stage.claims() {
			claimed += r.Amount
		}
		if r.Stage == StageDone {
			returned += r.Amount
			if there := m.platform.refundNotice(r.Number); r.Amount > 0 && (there.State != RefundDone || there.Refund != r.Amount) {
				return "a refund is done here and not there"
			}
		}
		waits = waits || r.Stage.open()
	}
	for i, l := range o.Lines {
		if units, amount := o.taken(i+1, RefundStage.claims); units > l.Units || amount > l.Paid || (units == l.Units && amount != l.Paid) {
			return fmt.Sprintf("line %d: %d units and %d fen taken of %d and %d", i+1, units, amount, l.Units, l.Paid)
		}
	}
	unpaid := o.State == StatePlaced || o.State == StateClosing || o.State == StateClosed
	timed := o.State == StatePlaced || o.State == StateClosing || o.State == StateShipped
	switch {
	case claimed > o.Amount || returned != o.Returned():
		return "more goes back than was paid"
	case unpaid == (o.Payment != nil):
		return "payment and state disagree"
	case o.Payment == nil && len(o.Refunds) > 0:
		return "a refund of nothing"
	case o.Payment != nil && o.Payment.Late && o.State != StateRefunding && o.State != StateRefunded:
		return "paid after the close and not going back"
	case o.State == StateClosed && m.platform.payable(o.ID) && !m.late[o.ID]:
		return "closed while the platform would still take money"
	case (o.State == StateRefunded) != (o.Payment != nil && o.Returned() == o.Amount && o.allDone()):
		return "refunded and returned disagree"
	case (timed && o.BrandAt.IsZero() || waits) && o.NextAt.IsZero():
		return "something waits and nobody will look"
	}
	return m.wrongEvents(o)
}

// wrongEvents: nothing in these tests retires messages, so the outbox is the whole story.
func (m *machine) wrongEvents(o *Order) string {
	count := map[string]int{}
	for _, message := range o.Outbox {
		name := message.Name
		if name == EventRefunded {
			var e Refunded
			if err := m.store.Unmarshal(message.Body, &e); err != nil {
				return err.Error()
			}
			if name += e.Refund; e.Total > o.Amount {
				return "told of more than was paid"
			}
		}
		switch name {
		case EventOpened:
			var e AfterSaleOpened
			if err := m.store.Unmarshal(message.Body, &e); err != nil {
				return err.Error()
			}
			name += e.Refund
		case EventEnded:
			var e AfterSaleEnded
			if err := m.store.Unmarshal(message.Body, &e); err != nil {
				return err.Error()
			}
			name += e.Refund + e.Why
		}
		if name != EventRefundAsked && name != EventIncident {
			if count[name]++; count[name] > 1 {
				return name + " was told twice"
			}
		}
	}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		sold, opened, ended := !o.Payment.Late, count[EventOpened+r.Number], map[RefundStage]string{
			StageRefused: AfterSaleRefused, StageDone: AfterSaleDone, StageClosed: AfterSaleReplaced,
		}[r.Stage]
		if sold != (opened == 1) || (sold && ended != "") != (count[EventEnded+r.Number+ended] == 1) {
			return "an after-sale case was not told as it is: " + r.Number
		}
	}
	for _, in := range o.Incidents {
		if in.Kind == IncidentRefundRefused || in.Kind == IncidentRefundStuck || in.Kind == IncidentRefundMismatch {
			return "incident " + string(in.Kind) + " " + in.Detail
		}
	}
	switch {
	case count[EventPaid] > 0 && count[EventClosed] > 0:
		return "both sold and given up"
	case (count[EventPaid] == 1) != (o.Payment != nil && !o.Payment.Late):
		return "paid and not told, or told and not paid"
	case (count[EventClosed] == 1) != (o.State == StateClosed || (o.Payment != nil && o.Payment.Late)):
		return "closed and not told, or told and not closed"
	case (count[EventConfirmed] == 1) == o.ConfirmedAt.IsZero():
		return "confirmed and not told, or told and not confirmed"
	}
	return ""
}

// finish mends everything and lets time pass: nothing may be left hanging.
func (m *machine) finish() {
	ctx := m.t.Context()
	for _, id := range m.ids {
		if m.late[id] {
			m.settleLate(id)
		}
	}
	for round := 0; round < 60 && m.hanging() != ""; round++ {
		m.clock.Advance(30 * time.Minute)
		_, _ = m.orders.Tick(ctx)
		for _, id := range m.ids {
			o := m.get(id)
			for _, message := range o.Outbox {
				if !m.delivered[message.ID] {
					m.consume(id, message)
				}
			}
			for _, r := range o.Refunds {
				if r.Stage == StageRequested {
					_, _ = m.orders.ApproveRefund(ctx, "hana", id, r.Number)
					for _, by := range []string{"zhou", "fang"} {
						_, _ = m.orders.DecideForBrand(ctx, BrandDecision{Order: id, Refund: r.Number, By: by, Release: true})
					}
				}
				m.platform.land(r.Number, RefundDone)
			}
		}
	}
	m.check()
	if why := m.hanging(); why != "" {
		m.r.Fatal(why)
	}
}

// hanging names an order that time and a healthy platform should still move.
func (m *machine) hanging() string {
	for _, id := range m.ids {
		o, n := m.get(id), m.platform.notice(id)
		paidThere := n.State == PaymentDone || n.State == PaymentRefund
		switch {
		case o.State == StatePlaced, o.State == StateClosing, o.State == StateRefunding, o.refundPending(),
			paidThere != (o.Payment != nil):
			return fmt.Sprintf("order %s is left in %s, paid there: %t, refunds %v", id, o.State, paidThere, o.Refunds)
		}
	}
	return ""
}

func (m *machine) settleLate(id string) {
	outcome, err := m.orders.Settle(m.t.Context(), m.platform.notice(id))
	if err != nil || (outcome != OutcomeLate && outcome != OutcomeRepeated) {
		m.r.Fatalf("late payment: %s %v", outcome, err)
	}
}

// TestRefundPartsReturnExactlyWhatWasPaid checks the pricing alone, with refusals in between.
func TestRefundPartsReturnExactlyWhatWasPaid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		units := rapid.Int64Range(1, 40).Draw(r, "units")
		paid := money.Fen(rapid.Int64Range(0, 200).Draw(r, "paid"))
		o := &Order{State: StatePaid, Lines: []Line{{Units: units, Paid: paid}}}
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		for range 200 {
			taken, amount := o.taken(1, RefundStage.claims)
			if amount > paid || (taken == units && amount != paid) {
				r.Fatalf("%d of %d units take %d of %d fen", taken, units, amount, paid)
			}
			if taken == units {
				break
			}
			parts, err := o.parts([]RefundLine{{1, 1 + dice.Int64N(units-taken)}})
			if err != nil {
				r.Fatal(err)
			}
			stage := []RefundStage{StageDone, StageAsked, StageRefused, StageRequested}[dice.IntN(4)]
			o.Refunds = append(o.Refunds, Refund{Stage: stage, Lines: parts})
			for i := range o.Refunds {
				if o.Refunds[i].Stage == StageRequested && dice.IntN(2) == 0 {
					o.Refunds[i].Stage = StageRefused
				}
			}
		}
	})
}
