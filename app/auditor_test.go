package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/groupbuy"
	"guanxi/internal/docstore"
	"guanxi/order"
)

// The auditor reads what is stored, past the program and past every fault, and computes for itself what must be there.

// sightOf is one reading of everything.
type sightOf struct {
	orders    map[string]*order.Order
	campaigns map[string]*groupbuy.Campaign
	seats     map[string][]*groupbuy.Seat // by campaign, by number
	seatOf    map[string]*groupbuy.Seat   // by order
	tallies   map[string]*groupbuy.Tally
	buckets   []*catalog.Bucket
	moves     map[string]*catalog.Move
}

func (p *planet) look() *sightOf {
	s := &sightOf{
		orders: map[string]*order.Order{}, campaigns: map[string]*groupbuy.Campaign{}, seats: map[string][]*groupbuy.Seat{},
		seatOf: map[string]*groupbuy.Seat{}, tallies: map[string]*groupbuy.Tally{}, moves: map[string]*catalog.Move{},
	}
	for _, o := range all[order.Order](p, "orders") {
		s.orders[o.ID] = o
	}
	for _, c := range all[groupbuy.Campaign](p, "campaigns") {
		s.campaigns[c.ID] = c
	}
	for _, one := range all[groupbuy.Seat](p, "seats") {
		s.seats[one.Campaign] = append(s.seats[one.Campaign], one)
		if s.seatOf[one.Order] != nil {
			p.fail("order %s has two seats", one.Order)
		}
		s.seatOf[one.Order] = one
	}
	for _, t := range all[groupbuy.Tally](p, "tallies") {
		s.tallies[t.ID] = t
	}
	for _, m := range all[catalog.Move](p, "stock_moves") {
		s.moves[m.ID] = m
	}
	s.buckets = all[catalog.Bucket](p, "buckets")
	return s
}

type held struct {
	order string
	units int64
	mark  int64
}

func holdsOf(b *catalog.Bucket) (list []held) {
	for line := range strings.Lines(string(b.Holds)) {
		var h held
		var until int64
		var mark string
		if _, err := fmt.Sscan(line, &h.order, &h.units, &until, &mark); err == nil {
			h.mark, _ = strconv.ParseInt(mark, 36, 64)
			list = append(list, h)
		}
	}
	return list
}

// always is what holds at every moment, in the middle of whatever is going on.
func (p *planet) always() {
	s := p.look()
	for _, b := range s.buckets {
		units := int64(0)
		for _, h := range holdsOf(b) {
			if h.units <= 0 {
				p.fail("bucket %s: a hold of %d units", b.ID, h.units)
			}
			units += h.units
		}
		if b.Free < 0 || b.Sold < 0 || b.Free+units+b.Sold != b.In {
			p.fail("bucket %s: free %d + held %d + sold %d, in %d", b.ID, b.Free, units, b.Sold, b.In)
		}
	}
	p.noneOversold(s)
	p.refundsFit(s)
	p.limitsHold(s)
}

// noneOversold: what was decided to be sold never exceeds what came in.
func (p *planet) noneOversold(s *sightOf) {
	in, sold := map[string]int64{}, map[string]int64{}
	for _, b := range s.buckets {
		in[b.SKU] += b.In
	}
	for id, m := range s.moves {
		if m.State == "sold" {
			_, sku, _ := strings.Cut(id, "/")
			sold[sku] += m.Units
		}
	}
	for sku, units := range sold {
		if units > in[sku] {
			p.fail("%s: %d units sold, %d ever came in", sku, units, in[sku])
		}
	}
}

func (p *planet) refundsFit(s *sightOf) {
	for _, o := range s.orders {
		going, units := int64(0), map[int]int64{}
		for _, r := range o.Refunds {
			switch r.Stage {
			case order.StageRefused, order.StageReplaced, order.StageClosed:
				continue
			}
			going += int64(r.Amount)
			for _, part := range r.Lines {
				units[part.Line] += part.Units
			}
		}
		if going > int64(o.Amount) || going > 0 && o.Payment == nil {
			p.fail("order %s of %d: refunds of %d, payment %v", o.ID, o.Amount, going, o.Payment)
		}
		for line, n := range units {
			if n > o.Lines[line-1].Units {
				p.fail("order %s line %d: %d of %d units refunded", o.ID, line, n, o.Lines[line-1].Units)
			}
		}
	}
}

// limitsHold: nobody has more than a campaign's limits allow, but for orders whose claim had lapsed before the campaign
// heard of their payment: those are honoured.
func (p *planet) limitsHold(s *sightOf) {
	person, personItem, item := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, o := range s.orders {
		switch o.State {
		case order.StateClosed, order.StateRefunded, order.StateRefunding:
			continue
		}
		heard := p.clock.Now()
		if seat := s.seatOf[o.ID]; seat != nil {
			heard = seat.TakenAt
		}
		if heard.After(o.ExpiresAt.Add(15 * time.Minute)) {
			continue
		}
		for _, l := range o.Lines {
			person[o.Campaign+"/"+o.Member] += l.Units
			personItem[o.Campaign+"/"+o.Member+"/"+l.SKU] += l.Units
			item[o.Campaign+"/"+l.SKU] += l.Units
		}
	}
	for _, o := range s.orders {
		c := s.campaigns[o.Campaign]
		if n := person[c.ID+"/"+o.Member]; c.PerPerson > 0 && n > c.PerPerson {
			p.fail("campaign %s: %s has %d units, %d allowed", c.ID, o.Member, n, c.PerPerson)
		}
		for _, it := range c.Items {
			if n := personItem[c.ID+"/"+o.Member+"/"+it.SKU]; it.PerPerson > 0 && n > it.PerPerson {
				p.fail("campaign %s: %s has %d of %s, %d allowed", c.ID, o.Member, n, it.SKU, it.PerPerson)
			}
			if n := item[c.ID+"/"+it.SKU]; it.Total > 0 && n > it.Total {
				p.fail("campaign %s: %d of %s sold, %d allowed", c.ID, n, it.SKU, it.Total)
			}
		}
	}
}

// atRest is what holds when every message has arrived and nobody waits for an answer.
func (p *planet) atRest() {
	p.always()
	s := p.look()
	p.seatsFit(s)
	p.stockFits(s)
	p.statesFit(s)
	p.eventsArrived(s)
	p.promisesKept(s)
	p.platformAgrees(s, false)
	p.ledgerFits(s)
	p.payoutsFit(false)
}

func sold(o *order.Order) bool { return o.Payment != nil && !o.Payment.Late }

func (p *planet) seatsFit(s *sightOf) {
	for id, seats := range s.seats {
		number := map[int64]bool{}
		var want groupbuy.Tally
		for _, one := range seats {
			number[one.Number] = true
			want.Seats++
			want.Units += one.Units
			want.Amount += one.Amount
			if one.Left {
				want.Left++
				want.LeftUnits += one.Units
				want.LeftAmount += one.Amount
			}
		}
		for n := int64(1); n <= int64(len(seats)); n++ {
			if !number[n] {
				p.fail("campaign %s: %d seats, but none has number %d", id, len(seats), n)
			}
		}
		t := s.tallies[id]
		if t == nil {
			p.fail("campaign %s: %d seats and no tally", id, len(seats))
			return
		}
		got := groupbuy.Tally{
			Seats: t.Seats, Units: t.Units, Amount: t.Amount, Left: t.Left, LeftUnits: t.LeftUnits, LeftAmount: t.LeftAmount,
		}
		if got.Seats != want.Seats || got.Units != want.Units || got.Amount != want.Amount || got.Left != want.Left ||
			got.LeftUnits != want.LeftUnits || got.LeftAmount != want.LeftAmount {
			p.fail("campaign %s: tally %+v, the seats say %+v", id, got, want)
		}
	}
	for id, o := range s.orders {
		seat := s.seatOf[id]
		switch {
		case sold(o) != (seat != nil):
			p.fail("order %s is %s (payment %+v), its seat is %+v", id, o.State, o.Payment, seat)
		case seat == nil:
		case seat.Left != (o.State == order.StateRefunded):
			p.fail("order %s is %s, its seat %d left: %v", id, o.State, seat.Number, seat.Left)
		case o.Seat != 0 && o.Seat != seat.Number, seat.Member != o.Member, seat.Amount != o.Amount:
			p.fail("order %s says seat %d, the seat is %+v", id, o.Seat, seat)
		}
	}
	for id := range s.seatOf {
		if s.orders[id] == nil {
			p.fail("a seat of order %s, which there is not", id)
		}
	}
}

func (p *planet) stockFits(s *sightOf) {
	in, soldUnits, back := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, b := range s.buckets {
		in[b.SKU] += b.In
	}
	for id, m := range s.moves {
		number, sku, _ := strings.Cut(id, "/")
		if m.State == "sold" {
			soldUnits[sku] += m.Units
			if o := s.orders[number]; o == nil || !sold(o) {
				p.fail("stock of %s sold to order %s, which is %+v", sku, number, o)
			}
		}
	}
	want := map[string]int64{}
	for id, o := range s.orders {
		if !sold(o) {
			continue
		}
		refused := false
		for _, l := range o.Lines {
			m := s.moves[id+"/"+l.SKU]
			switch {
			case m == nil:
				p.fail("order %s was paid, nobody decided about its %s", id, l.SKU)
			case m.State == "refused":
				refused = true
			case m.State == "sold" && m.Units == l.Units:
				want[l.SKU] += l.Units
			default:
				p.fail("order %s was paid, its move is %+v", id, m)
			}
		}
		if refused && o.State != order.StateRefunding && o.State != order.StateRefunded {
			p.fail("order %s cannot be served and is %s", id, o.State)
		}
		for _, r := range o.Refunds {
			if r.Stage != order.StageDone || !r.Restock {
				continue
			}
			for _, part := range r.Lines {
				if sku := o.Lines[part.Line-1].SKU; s.moves[id+"/"+sku].State == "sold" {
					back[sku] += part.Units
				}
			}
		}
	}
	for sku, received := range p.received {
		if in[sku] != received+back[sku] {
			p.fail("%s: %d came in by the buckets, %d were received and %d came back", sku, in[sku], received, back[sku])
		}
		if soldUnits[sku] != want[sku] {
			p.fail("%s: %d sold by the moves, %d by the orders", sku, soldUnits[sku], want[sku])
		}
	}
}

// statesFit: every paid order is confirmed, or goes back, or waits for its campaign.
func (p *planet) statesFit(s *sightOf) {
	for id, o := range s.orders {
		c := s.campaigns[o.Campaign]
		if c == nil {
			p.fail("order %s in campaign %s, which there is not", id, o.Campaign)
			return
		}
		open := false
		for _, r := range o.Refunds {
			if r.Stage == order.StageAsked || r.Stage == order.StageSubmitted || r.Stage == order.StageProcessing || r.Stage == order.StageAbnormal {
				open = true
			}
		}
		switch {
		case o.State == order.StatePaid && (c.Formed() || c.Dead() || c.State == groupbuy.Settled):
			p.fail("order %s is only paid, its campaign is %s, formed at %v; seat %+v", id, c.State, c.FormedAt, s.seatOf[id])
		case (o.State == order.StateConfirmed || o.State == order.StateShipped) && c.Dead() && o.State == order.StateConfirmed:
			p.fail("order %s is %s, its campaign %s", id, o.State, c.State)
		case o.State == order.StateRefunding && !open:
			p.fail("order %s is being refunded and nothing goes back: %+v", id, o.Refunds)
		case o.State == order.StateRefunded && o.Returned() != o.Amount:
			p.fail("order %s is refunded: %d of %d", id, o.Returned(), o.Amount)
		case !sold(o) && o.Payment == nil && len(o.Refunds) > 0:
			p.fail("order %s was never paid and has refunds", id)
		}
		if (o.State == order.StateConfirmed || o.State == order.StateShipped || o.State == order.StateReceived || o.State == order.StateCompleted) &&
			(o.Seat == 0 || !c.Formed()) {
			p.fail("order %s is %s with seat %d, its campaign formed at %v: %+v %+v %+v", id, o.State, o.Seat, c.FormedAt, c, s.tallies[c.ID], s.seatOf[id])
		}
	}
	for id, c := range s.campaigns {
		if c.State == groupbuy.Settled && !c.Formed() && (c.MinSeats > 0 || c.MinUnits > 0) {
			p.fail("campaign %s settled without its minimum", id)
		}
	}
}

// facts are the events that must have been told, by what the documents say.
func (s *sightOf) facts() map[string]map[string]bool {
	facts := map[string]map[string]bool{}
	add := func(name, subject string, so bool) {
		if !so {
			return
		}
		if facts[name] == nil {
			facts[name] = map[string]bool{}
		}
		facts[name][subject] = true
	}
	for id, o := range s.orders {
		late := o.Payment != nil && o.Payment.Late
		add(order.EventPaid, id, sold(o))
		add(order.EventPaidLate, id, late)
		add(order.EventClosed, id, !o.ClosedAt.IsZero())
		add(order.EventConfirmed, id, !o.ConfirmedAt.IsZero())
		add(order.EventShipped, id, o.Shipment != nil)
		add(order.EventReceived, id, !o.ReceivedAt.IsZero())
		add(order.EventCompleted, id, !o.CompletedAt.IsZero())
		for _, r := range o.Refunds {
			add(order.EventRefunded, r.Number, r.Stage == order.StageDone && !late)
			add(order.EventLateReturned, id, r.Stage == order.StageDone && late)
		}
	}
	for id, c := range s.campaigns {
		add(groupbuy.EventOpened, id, !c.OpenedAt.IsZero())
		add(groupbuy.EventFormed, id, c.Formed())
		add(groupbuy.EventClosed, id, !c.ClosedAt.IsZero())
		add(groupbuy.EventFailed, id, c.Dead() && !c.OpenedAt.IsZero())
		add(groupbuy.EventSettled, id, c.State == groupbuy.Settled)
	}
	for id, seat := range s.seatOf {
		add(groupbuy.EventTaken, id, true)
		add(groupbuy.EventLeft, id, seat.Left)
		add(groupbuy.EventStranded, id, seat.Stranded)
	}
	return facts
}

// eventsArrived: every fact was told to the consumers, none was invented, each stands in the history once, and
// nothing is parked.
func (p *planet) eventsArrived(s *sightOf) {
	facts := s.facts()
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	for name := range subjects {
		for subject := range facts[name] {
			if p.seen.told[name][subject] == 0 {
				p.fail("%s of %s was never told", name, subject)
			}
		}
		for subject := range p.seen.told[name] {
			if !facts[name][subject] {
				p.fail("%s of %s was told and is not so", name, subject)
			}
		}
	}
	history := map[string]int{}
	for _, e := range all[struct {
		docstore.Doc `bson:",inline"`
		Name         string `bson:"name"`
	}](p, "history") {
		history[e.Name]++
	}
	for name := range subjects {
		if history[name] != len(facts[name]) {
			p.fail("%s: %d in the history, %d facts", name, history[name], len(facts[name]))
		}
	}
	parked, err := p.now.Load().Relay.Parked(context.Background(), 10)
	if err != nil || len(parked) > 0 {
		p.fail("parked: %+v %v", parked, err)
	}
}

// promisesKept: whoever was told success has what he was told.
func (p *planet) promisesKept(s *sightOf) {
	for id := range p.placed {
		if s.orders[id] == nil {
			p.fail("order %s was promised and is not there", id)
		}
	}
	for id := range p.drafts {
		if s.campaigns[id] == nil {
			p.fail("campaign %s was promised and is not there", id)
		}
	}
	for number, id := range p.refunds {
		found := false
		for _, r := range s.orders[id].Refunds {
			found = found || r.Number == number
		}
		if !found {
			p.fail("refund %s was promised and is not there", number)
		}
	}
}

// platformOrder is what the payment platform remembers of an order.
type platformOrder struct {
	Terms struct {
		Number string
		Total  int64
	} `json:"terms"`
	TransactionID string    `json:"transaction_id"`
	PaidAt        time.Time `json:"paid_at"`
	Refunds       []struct {
		Number string `json:"number"`
		Status string `json:"status"`
		Terms  struct{ Refund int64 }
	} `json:"refunds"`
}

func (p *planet) platformOrders() map[string]platformOrder {
	var saved bytes.Buffer
	if err := p.sandbox.Save(&saved); err != nil {
		p.fail("save: %v", err)
	}
	list := map[string]platformOrder{}
	lines := bufio.NewScanner(&saved)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one platformOrder
		if bytes.HasPrefix(lines.Bytes(), []byte(`{"account":`)) || bytes.HasPrefix(lines.Bytes(), []byte(`{"transfer":`)) {
			continue // asked for by their own names
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil || one.Terms.Number == "" {
			p.fail("the platform's order %s: %v", lines.Text(), err)
		}
		list[one.Terms.Number] = one
	}
	return list
}

// platformAgrees: what we believe was paid and returned, the platform knows; and when all questions have been asked,
// nothing more.
func (p *planet) platformAgrees(s *sightOf, whole bool) {
	theirs := p.platformOrders()
	for id, o := range s.orders {
		them, known := theirs[id]
		if o.Payment != nil && (!known || them.TransactionID != o.Payment.TransactionID || them.Terms.Total != int64(o.Amount)) {
			p.fail("order %s is paid by %+v, the platform says %+v", id, o.Payment, them)
		}
		back := map[string]int64{}
		for _, r := range them.Refunds {
			if r.Status == "SUCCESS" {
				back[r.Number] = r.Terms.Refund
			}
		}
		for _, r := range o.Refunds {
			if r.Stage == order.StageDone && r.Amount > 0 && back[r.Number] != int64(r.Amount) {
				p.fail("refund %s of %d is done, the platform says %d", r.Number, r.Amount, back[r.Number])
			}
			if r.Stage == order.StageDone {
				delete(back, r.Number)
			}
		}
		if whole && len(back) > 0 {
			p.fail("order %s (%s): the platform returned %v, we do not know it: %+v", id, o.State, back, o.Refunds)
		}
	}
	if !whole {
		return
	}
	for id, them := range theirs {
		if o := s.orders[id]; !them.PaidAt.IsZero() && (o == nil || o.Payment == nil) {
			p.fail("the platform has %d for order %s, we do not know it: %+v", them.Terms.Total, id, o)
		}
	}
}

// ledgerFits: the books prove themselves, every purse is the sum of its statement, and it is what the orders say.
func (p *planet) ledgerFits(s *sightOf) {
	ctx, life := context.Background(), p.now.Load()
	report, err := life.Commission.Verify(ctx, nil)
	if err != nil || !report.Good() || report.Unsealed != 0 {
		p.fail("verify: %v %+v", err, report)
	}
	type span struct{ total, slack int64 }
	want := map[string]*span{}
	of := func(member string) *span {
		if want[member] == nil {
			want[member] = &span{}
		}
		return want[member]
	}
	for _, o := range s.orders {
		if o.ConfirmedAt.IsZero() {
			continue
		}
		for i, l := range o.Lines {
			back := int64(0)
			for _, r := range o.Refunds {
				for _, part := range r.Lines {
					if r.Stage == order.StageDone && part.Line == i+1 {
						back += int64(part.Amount)
					}
				}
			}
			for _, share := range []struct {
				member string
				rate   int64
			}{{o.Referral.Direct, 1000}, {o.Host, 500}} {
				if share.member == "" {
					continue
				}
				full := (int64(l.Paid)*share.rate + 5000) / 10000
				one := of(share.member)
				one.total += full * (int64(l.Paid) - back) / int64(l.Paid)
				if back > 0 && back < int64(l.Paid) {
					one.slack++
				}
			}
		}
	}
	moved := p.purseModel()
	for _, who := range p.members(s) {
		purse, err := life.Commission.Purse(ctx, who)
		if err != nil {
			p.fail("purse: %v", err)
			return
		}
		sum, after := commission.Balance{}, ""
		for {
			page, err := life.Commission.Statement(ctx, who, commission.Page{Size: 200, After: after})
			if err != nil {
				p.fail("statement: %v", err)
				return
			}
			for _, line := range page.Lines {
				sum.Pending += line.Change.Pending
				sum.Available += line.Change.Available
				sum.Withdrawing += line.Change.Withdrawing
				sum.Withdrawn += line.Change.Withdrawn
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if sum != purse.Balance {
			p.fail("%s has %+v, the statement adds up to %+v", who, purse.Balance, sum)
		}
		if purse.Available < 0 {
			p.negative.Add(1)
		}
		model := moved[who]
		if purse.Withdrawing != model.Withdrawing || purse.Withdrawn != model.Withdrawn {
			p.fail("%s has %+v, the withdrawals say %+v", who, purse.Balance, model)
		}
		got, wanted := int64(purse.Pending+purse.Available-model.Available), of(who)
		if got < wanted.total-wanted.slack || got > wanted.total+wanted.slack {
			p.fail("%s has %d in the purse, the orders say %d ± %d", who, got, wanted.total, wanted.slack)
		}
	}
}

func (p *planet) members(s *sightOf) []string {
	known := map[string]bool{}
	for who := range p.purseModel() {
		known[who] = true
	}
	for _, o := range s.orders {
		known[o.Member], known[o.Host] = true, true
		if o.Referral.Direct != "" {
			known[o.Referral.Direct] = true
		}
	}
	list := make([]string, 0, len(known))
	for id := range known {
		list = append(list, id)
	}
	return list
}

// atLast is what holds when a month has gone by with the loops running: nothing hangs.
func (p *planet) atLast() {
	s := p.look()
	p.platformAgrees(s, true)
	p.payoutsFit(true)
	p.billsBalance()
	abnormal := func(o *order.Order) bool {
		for _, r := range o.Refunds {
			if r.Stage == order.StageAbnormal {
				return true
			}
		}
		return false
	}
	for id, o := range s.orders {
		switch o.State {
		case order.StatePlaced, order.StateClosing, order.StatePaid, order.StateShipped:
			p.fail("order %s is still %s", id, o.State)
		case order.StateRefunding:
			if !abnormal(o) {
				p.fail("order %s is still being refunded: %+v", id, o.Refunds)
			}
		}
	}
	for id, c := range s.campaigns {
		if c.State != groupbuy.Draft && c.State != groupbuy.Settled && !c.Dead() {
			p.fail("campaign %s is still %s", id, c.State)
		}
	}
	for _, b := range s.buckets {
		for _, h := range holdsOf(b) {
			p.fail("bucket %s still holds %d for order %s (%+v)", b.ID, h.units, h.order, s.orders[h.order])
		}
	}
	for _, q := range all[groupbuy.Quota](p, "quotas") {
		for _, c := range q.Claims {
			if o := s.orders[c.Order]; c.Kept && (o == nil || !sold(o) || o.State == order.StateRefunded) {
				p.fail("quota %s keeps a claim of order %s, which is %+v", q.ID, c.Order, o)
			}
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) } //nolint:gosec // bad luck need not be secure

// replay takes what the history says for what consumers were told by processes that are gone.
func (s *sightings) replay(p *planet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range all[struct {
		docstore.Doc `bson:",inline"`
		Name         string `bson:"name"`
		Body         struct {
			Order    string `bson:"order"`
			Campaign string `bson:"campaign"`
			Refund   string `bson:"refund"`
		} `bson:"body"`
	}](p, "history") {
		if subject, ok := subjects[e.Name]; ok {
			s.tell(e.Name, map[string]string{"order": e.Body.Order, "campaign": e.Body.Campaign, "refund": e.Body.Refund}[subject])
		}
	}
}

func (s *sightings) tell(name, subject string) {
	if s.told[name] == nil {
		s.told[name] = map[string]int{}
	}
	s.told[name][subject]++
}
