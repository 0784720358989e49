package commission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/commission/policy"
	"guanxi/commission/voucher"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/money"
)

// storm drives several processes on one store through random operations: in any order, twice, with deaths at every named
// step, with other processes at work in between, with a store that refuses, loses replies and answers late. A witness
// beside the store sees what really happened; after every operation it is compared with the model.
type storm struct {
	t     *testing.T
	d     dice
	clock *clock.Manual
	store *docstore.Store
	flaky *docstoretest.Flaky
	procs []*Service
	busy  map[int]bool
	depth int
	w     *witness

	policies []policy.Policy
	orders   []*stormOrder
	byName   map[string]*stormOrder
	payouts  map[string]*stormPayout
	asked    []*stormPayout
	reserves map[string]*int // reservations of a member that may or may not have happened
	vouchers map[string]*stormVoucher
	proposed []*stormVoucher
	months   []Period
	closing  bool
	anchors  []Checkpoint

	retry  []*stormOp
	past   []*stormOp
	serial int
	undone bool // the operation at hand was disturbed

	*stormCount
}

// stormCount is what all storms of a test add up.
type stormCount struct {
	done, entries, verified, rebuilt, intrusions, mishaps, repeated int
	deaths, kinds                                                   map[string]int
}

func newStormCount() *stormCount {
	return &stormCount{deaths: map[string]int{}, kinds: map[string]int{}}
}

// stormOp is one operation. Until it has been answered, doubt is raised on what it is about.
type stormOp struct {
	name   string
	doubt  []*int
	begun  bool
	begin  func()
	do     func(context.Context, *Service) error
	end    func(error)
	repeat bool        // it has been answered before
	same   *stormOrder // repeating it must post nothing while there is no doubt about the order
}

type stormOrder struct {
	sale         Sale
	earned       []earning
	doubt        int
	accrued      bool
	accrueTold   bool
	received     time.Time // told
	receivedSure bool
	ends         time.Time
	refunds      map[int]int64
	numbers      []string
	cases        map[string]*stormCase
	may, sure    map[int]bool // lines that may have settled, that must have
	lines        map[int]*SaleLine
	finished     bool
}

type stormCase struct {
	lines         []int
	opened, ended int // 0 no, 1 perhaps, 2 surely
}

type stormPayout struct {
	member, number string
	amount         int64
	at             time.Time
	doubt          int
	reserved       bool
	refused        bool
}

type stormVoucher struct {
	in      VoucherInput
	id      string
	doubt   int
	state   VoucherState
	checker string
}

const stormProcesses = 3

func newStorm(t *testing.T, d dice, driver docstore.Driver, w *witness, count *stormCount) *storm {
	s := &storm{
		t: t, d: d, clock: clock.NewManual(start), w: w, flaky: docstoretest.NewFlaky(driver), busy: map[int]bool{},
		byName: map[string]*stormOrder{}, payouts: map[string]*stormPayout{}, reserves: map[string]*int{},
		vouchers: map[string]*stormVoucher{}, stormCount: count,
	}
	store, err := docstore.New(docstore.Config{Driver: s.flaky, Clock: s.clock, Keys: docstoretest.Keys(t)})
	must(t, err)
	s.store = store
	for n := range stormProcesses {
		s.procs = append(s.procs, s.process(n))
	}
	for n := range 3 {
		var stored *policy.Policy
		for err = error(policy.ErrPolicyNobody); errors.Is(err, policy.ErrPolicyNobody); { // few of those drawn pay nobody
			p := d.policy()
			p.Note = fmt.Sprint("policy ", n)
			p.From = start.Add(time.Duration(25*n)*day - day)
			stored, err = s.procs[0].Policies.Publish(t.Context(), p)
		}
		must(t, err)
		s.policies = append(s.policies, *stored)
	}
	return s
}

func (s *storm) process(n int) *Service {
	return open(s.t, s.store, s.clock, Config{
		SealBatch: []int{5, 40, 1000}[n], SettlePage: []int{2, 7, 500}[n], SettleWorkers: 1, Alone: n == 0, Key: signer(),
		Categories: map[string]Window{"生鲜": {0, day}, "日用": {0, 0}},
		Anchor: func(line string) {
			c, err := ParseCheckpoint(line)
			must(s.t, err)
			s.anchors = append(s.anchors, c)
		},
	})
}

func (s *storm) fatal(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("operation %d: %s", s.done, fmt.Sprintf(format, args...))
}

// unfinished tells an answer after which nobody knows; the operation will be repeated.
func unfinished(err error) bool {
	for _, known := range []error{errCrash, docstore.ErrUnavailable, docstore.ErrUnclear, docstore.ErrContended, ErrPurseBusy} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// run lets a process carry out an operation, in good weather or bad.
func (s *storm) run(op *stormOp, calm bool) {
	at := s.d.IntN(len(s.procs))
	for s.busy[at] {
		at = (at + 1) % len(s.procs)
	}
	if !op.begun {
		op.begun = true
		for _, doubt := range op.doubt {
			*doubt++
		}
	}
	if op.begin != nil {
		op.begin()
	}
	p := s.procs[at]
	s.busy[at] = true
	if s.depth == 0 {
		s.undone = false
		if !calm {
			s.weather(p, op.name == "settle" || op.name == "release", op.name == "close" || op.name == "rebuild" || op.name == "settle" && s.d.one(2))
		}
	}
	before := len(s.w.entries)
	err := op.do(context.Background(), p)
	p.hook, s.busy[at] = nil, false
	if s.depth == 0 {
		s.flaky.Next = nil
		s.flaky.Away.Store(false)
	}
	s.done++
	s.kinds[op.name]++
	switch {
	case unfinished(err):
		s.undone = true
		if errors.Is(err, errCrash) {
			s.procs[at] = s.process(at)
		}
		s.retry = append(s.retry, op)
		return
	case op.end != nil:
		op.end(err)
	case err != nil:
		s.fatal("%s: %v", op.name, err)
	}
	for _, doubt := range op.doubt {
		*doubt--
	}
	if o := op.same; op.repeat && o != nil && o.doubt == 0 && s.depth == 0 && !s.undone && calm && !s.w.settling(o.sale.Order) && len(s.w.entries) != before {
		s.fatal("%s was repeated and posted %d entries", op.name, len(s.w.entries)-before)
	}
	if s.d.one(5) && len(s.past) < 50 {
		s.past = append(s.past, op)
	}
}

// weather draws a death, an intruder or a sick store for the next operation.
func (s *storm) weather(p *Service, settles, worse bool) {
	left, intruder := -1, -1
	if s.d.one(5) || worse && !s.d.one(3) {
		left = s.d.IntN(8)
	}
	wanted := "" // sometimes death waits for the step it has seen least
	if worse || s.d.one(8) {
		wanted, left = slices.MinFunc(mortal, func(a, b string) int { return s.deaths[a] - s.deaths[b] }), -1
	}
	if s.d.one(5) {
		intruder = s.d.IntN(6)
	}
	dead := false
	p.hook = func(step string) error {
		if intruder--; intruder == -1 && !dead && s.depth == 0 {
			s.intrusions++
			s.undone = true
			s.depth++
			s.random()
			s.depth--
			if settles { // what has become due meanwhile may settle, too
				s.markAll()
			}
		}
		if left--; !dead && (left == -1 || step == wanted) {
			dead = true
			s.deaths[step]++
		}
		if dead {
			return errCrash
		}
		return nil
	}
	if s.d.one(8) {
		s.sicken()
	}
}

func (s *storm) sicken() {
	writes := atomic.Int64{}
	at, mishap := int64(1+s.d.IntN(12)), pick(s.d, []docstoretest.Mishap{
		docstoretest.Refused, docstoretest.ReplyLost, docstoretest.AskedLost, docstoretest.Late, docstoretest.Late,
	})
	away := s.d.one(4)
	s.flaky.Next = func(docstore.Op) docstoretest.Mishap {
		if writes.Add(1) != at {
			return docstoretest.Fine
		}
		s.mishaps++
		s.undone = true
		if away {
			s.flaky.Away.Store(true)
		}
		return mishap
	}
}

// one carries out one random operation and checks.
func (s *storm) one() {
	s.random()
	if s.d.one(4) {
		_, err := s.flaky.Land(context.Background())
		must(s.t, err)
	}
	s.check()
	if s.w.folded < s.w.target { // a rebuild died on its way: what Verify says of the rest must hold all the same
		s.verify(false)
	}
}

func (s *storm) random() {
	switch n := s.d.IntN(100); {
	case n < 14:
		s.run(s.accrue(s.order()), false)
	case n < 22:
		s.run(s.receive(s.order()), false)
	case n < 36:
		s.refund(s.order())
	case n < 40:
		s.hold(s.order())
	case n < 44:
		s.release(s.order())
	case n < 52:
		s.run(s.settle(), false)
	case n < 60:
		s.reserve()
	case n < 68:
		s.payout()
	case n < 72:
		s.voucher()
	case n < 80:
		s.run(s.seal(), false)
	case n < 82:
		s.run(&stormOp{name: "tidy", do: func(ctx context.Context, p *Service) error { return p.Tidy(ctx) }}, false)
	case n < 83:
		if s.d.one(3) {
			s.rebuilt++
			s.run(&stormOp{name: "rebuild", do: func(ctx context.Context, p *Service) error { return p.Rebuild(ctx) }}, false)
		}
	case n < 84:
		s.run(&stormOp{name: "tend", do: func(ctx context.Context, p *Service) error { return p.Tend(ctx) }}, false)
	case n < 87:
		if s.depth == 0 {
			s.clock.Advance(time.Duration(s.d.IntN(40*60)) * time.Minute)
			s.closePeriod()
		}
	case n < 95:
		if i := len(s.retry); i > 0 {
			i = s.d.IntN(i)
			op := s.retry[i]
			s.retry = slices.Delete(s.retry, i, i+1)
			s.run(op, false)
		}
	default:
		if i := len(s.past); i > 0 {
			s.repeated++
			s.run(s.past[s.d.IntN(i)].again(), s.d.one(2))
		}
	}
}

func (op *stormOp) again() *stormOp {
	copied := *op
	copied.begun, copied.repeat = false, true
	return &copied
}

func (s *storm) member() string {
	if s.d.one(6) {
		return ""
	}
	return drawnMembers[s.d.IntN(5)]
}

// order is a new one or one of the newest, sometimes an old one.
func (s *storm) order() *stormOrder {
	if len(s.orders) > 0 && !s.d.one(9) {
		if s.d.one(10) {
			return pick(s.d, s.orders)
		}
		return s.orders[len(s.orders)-1-s.d.IntN(min(len(s.orders), 12))]
	}
	s.serial++
	o := &stormOrder{
		refunds: map[int]int64{}, cases: map[string]*stormCase{}, may: map[int]bool{}, sure: map[int]bool{}, lines: map[int]*SaleLine{},
	}
	o.sale = s.d.sale(fmt.Sprint("o", s.serial), s.clock.Now(), s.member)
	policy := &s.policies[0]
	for i := range s.policies {
		if !s.policies[i].From.After(o.sale.At) {
			policy = &s.policies[i]
		}
	}
	o.earned, _, _ = expected(policy, &o.sale)
	for i := range o.sale.Lines {
		o.lines[o.sale.Lines[i].Line] = &o.sale.Lines[i]
	}
	s.orders = append(s.orders, o)
	s.byName[o.sale.Order] = o
	return o
}

func (o *stormOrder) due(line int) time.Time {
	wait := 7 * day
	switch o.lines[line].Category {
	case "生鲜":
		wait = day
	case "日用":
		wait = 0
	}
	if at := o.received.Add(wait); at.After(o.ends) {
		return at
	}
	return o.ends
}

// heldBy tells whether a line is surely held, and whether it may be.
func (o *stormOrder) heldBy(line int) (surely, perhaps bool) {
	for _, c := range o.cases {
		if slices.Contains(c.lines, line) {
			surely = surely || c.opened == 2 && c.ended == 0
			perhaps = perhaps || c.opened > 0 && c.ended < 2
		}
	}
	return surely, perhaps
}

// mark notes which lines may settle now.
func (s *storm) mark(o *stormOrder) {
	if o.finished || !o.accrueTold || o.received.IsZero() {
		return
	}
	for line := range o.lines {
		if surely, _ := o.heldBy(line); !surely && !o.due(line).After(s.clock.Now()) {
			o.may[line] = true
		}
	}
}

func (s *storm) accrue(o *stormOrder) *stormOp {
	return &stormOp{
		name: "accrue", doubt: []*int{&o.doubt}, same: o, begin: func() { o.accrueTold = true },
		do: func(ctx context.Context, p *Service) error { return p.Accrue(ctx, o.sale) },
		end: func(err error) {
			if err != nil {
				s.fatal("accrue %s: %v", o.sale.Order, err)
			}
			o.accrued = true
		},
	}
}

func (s *storm) receive(o *stormOrder) *stormOp {
	at, ends := s.clock.Now(), time.Time{}
	if s.d.one(3) {
		ends = at.Add(time.Duration(s.d.IntN(12)) * day)
	}
	if o.received.IsZero() || !o.receivedSure {
		if o.received.IsZero() {
			o.received, o.ends = at, ends
		}
		at, ends = o.received, o.ends // as it was told before
	}
	return &stormOp{
		name: "receive", doubt: []*int{&o.doubt}, same: o,
		do: func(ctx context.Context, p *Service) error { return p.StartWindow(ctx, o.sale.Order, at, ends) },
		end: func(err error) {
			if err != nil {
				s.fatal("receive %s: %v", o.sale.Order, err)
			}
			o.receivedSure = true
		},
	}
}

func (s *storm) caseOf(o *stormOrder, number string) *stormCase {
	if o.cases[number] == nil {
		o.cases[number] = &stormCase{}
	}
	return o.cases[number]
}

func (s *storm) refund(o *stormOrder) {
	s.serial++
	r := Refund{Order: o.sale.Order, Number: fmt.Sprint("r", s.serial), At: s.clock.Now()}
	for number, c := range o.cases { // a refund that ends a case
		if c.ended == 0 && !slices.Contains(o.numbers, number) {
			r.Number = number
		}
	}
	for _, l := range o.sale.Lines {
		if l.Paid == 0 || s.d.one(2) {
			continue
		}
		to := 1 + money.Fen(s.d.Int64N(int64(l.Paid)))
		if s.d.one(5) {
			to = l.Paid
		}
		r.Lines = append(r.Lines, RefundLine{l.Line, to, l.Paid})
	}
	if len(r.Lines) == 0 || len(o.numbers) > 20 {
		return
	}
	o.numbers = append(o.numbers, r.Number)
	c := s.caseOf(o, r.Number)
	op := &stormOp{
		name: "refund", doubt: []*int{&o.doubt}, same: o, begin: func() { c.ended = max(c.ended, 1) },
		do: func(ctx context.Context, p *Service) error { return p.ClawBack(ctx, r) },
		end: func(err error) {
			if err != nil {
				s.fatal("claw back %+v: %v", r, err)
			}
			c.ended = 2
			for _, l := range r.Lines {
				o.refunds[l.Line] = max(o.refunds[l.Line], int64(l.Refunded))
			}
		},
	}
	if s.d.one(4) { // told later, after others
		s.retry = append(s.retry, op)
		return
	}
	s.run(op, false)
}

func (s *storm) hold(o *stormOrder) {
	if len(o.cases) > 20 {
		return
	}
	s.serial++
	number, lines := fmt.Sprint("r", s.serial), []int(nil)
	for _, l := range o.sale.Lines {
		if s.d.one(2) {
			lines = append(lines, l.Line)
		}
	}
	if len(lines) == 0 {
		return
	}
	c := s.caseOf(o, number)
	c.lines = lines
	op := &stormOp{
		name: "hold", doubt: []*int{&o.doubt}, same: o, begin: func() { c.opened = max(c.opened, 1) },
		do: func(ctx context.Context, p *Service) error { return p.HoldLines(ctx, o.sale.Order, number, lines) },
		end: func(err error) {
			if err != nil {
				s.fatal("hold %s: %v", o.sale.Order, err)
			}
			c.opened = 2
		},
	}
	if s.d.one(4) {
		s.retry = append(s.retry, op)
		return
	}
	s.run(op, false)
}

func (s *storm) release(o *stormOrder) {
	for _, number := range slices.Sorted(maps.Keys(o.cases)) {
		c := o.cases[number]
		if len(c.lines) == 0 || c.ended == 2 || s.d.one(2) {
			continue
		}
		s.run(&stormOp{
			name: "release", doubt: []*int{&o.doubt},
			begin: func() { c.ended = max(c.ended, 1); s.mark(o) },
			do:    func(ctx context.Context, p *Service) error { return p.ReleaseLines(ctx, o.sale.Order, number) },
			end: func(err error) {
				if err != nil {
					s.fatal("release %s: %v", o.sale.Order, err)
				}
				c.ended = 2
			},
		}, false)
		return
	}
}

func settleEverything(ctx context.Context, p *Service) error {
	for range 1000 {
		if n, err := p.SettleDue(ctx); err != nil || n == 0 {
			return err
		}
	}
	return errors.New("there is always more to settle")
}

func (s *storm) settle() *stormOp {
	return &stormOp{
		name: "settle", do: settleEverything,
		begin: s.markAll,
		end: func(err error) {
			if err != nil {
				s.fatal("settle: %v", err)
			}
			for _, o := range s.orders {
				s.settled(o)
			}
		},
	}
}

// settled notes what must have settled: whatever was due, was not held, and is not left to a process that died.
func (s *storm) settled(o *stormOrder) {
	if o.finished || o.doubt > 0 || !o.accrued || !o.receivedSure || s.w.settling(o.sale.Order) {
		return
	}
	for line := range o.lines {
		if _, perhaps := o.heldBy(line); !perhaps && !o.due(line).After(s.clock.Now()) {
			o.sure[line] = true
			s.w.touched[o.sale.Order] = true
		}
	}
	o.finished = len(o.sure) == len(o.lines)
}

// seal seals, and compares the purses the witness saw moving.
func (s *storm) seal() *stormOp {
	all := s.d.one(2)
	return &stormOp{name: "seal", do: func(ctx context.Context, p *Service) error {
		if all {
			return p.CatchUp(ctx)
		}
		_, err := p.SealOnce(ctx)
		return err
	}}
}

func (s *storm) check() {
	if len(s.w.wrong) > 0 {
		s.fatal("the witness objects: %s", strings.Join(s.w.wrong, "\n"))
	}
	for name := range s.w.touched {
		var done bool
		if o := s.byName[name]; o != nil {
			if done = o.doubt == 0 && !s.w.settling(name); done {
				s.checkOrder(o)
			}
		} else if p := s.payouts[name]; p != nil {
			if done = p.doubt == 0; done {
				s.checkPayout(p)
			}
		} else if v := s.vouchers[name]; v != nil {
			if done = v.doubt == 0; done {
				s.checkVoucher(v)
			}
		} else {
			done = len(s.retry) == 0
			if done {
				s.fatal("nobody knows %s", name)
			}
		}
		if done {
			delete(s.w.touched, name)
		}
	}
	if s.w.whole() {
		s.checkPurse(pick(s.d, drawnMembers[:5]))
	}
}

func (s *storm) checkOrder(o *stormOrder) {
	seen := s.w.orders[o.sale.Order]
	if !o.accrued {
		s.fatal("%s has entries and was not accrued", o.sale.Order)
	}
	for line, settled := range seen.settled {
		if settled && !o.may[line] {
			s.fatal("%s line %d settled before it was due, or while it was held", o.sale.Order, line)
		}
	}
	for _, e := range o.earned {
		left := stays(e.amount, o.refunds[e.line], int64(o.lines[e.line].Paid))
		want := fourPots{inPending: left}
		switch {
		case seen.settled[e.line]:
			want = fourPots{inAvailable: left}
		case o.sure[e.line] && left > 0:
			s.fatal("%s line %d was due and did not settle", o.sale.Order, e.line)
		}
		if is := seen.has[earning{account: e.account, role: e.role, line: e.line}]; is == nil || *is != want {
			s.fatal("%s: %s as %s of line %d has %v, want %v", o.sale.Order, e.account, e.role, e.line, is, want)
		}
	}
	if len(seen.has) != len(o.earned) {
		s.fatal("%s: %d have something, %d earned", o.sale.Order, len(seen.has), len(o.earned))
	}
}

func (s *storm) checkPurse(member string) {
	p, err := s.procs[0].book.Purse(context.Background(), member)
	must(s.t, err)
	want := fourPots{}
	if sum := s.w.inSeals[member]; sum != nil {
		want = *sum
	}
	if is := potsOf(p.Balance); is != want || p.Lines != s.w.lines[member] {
		s.fatal("%s has %v in %d lines, its sealed entries make %v in %d", member, is, p.Lines, want, s.w.lines[member])
	}
}

// quiet lets everything come to rest and proves the whole ledger.
func (s *storm) quiet() {
	ctx := context.Background()
	for range 100 {
		_, err := s.flaky.Land(ctx)
		must(s.t, err)
		if len(s.retry) == 0 {
			break
		}
		again := s.retry
		s.retry = nil
		for _, op := range again {
			s.run(op, true)
		}
		s.run(s.seal(), true)
	}
	if len(s.retry) > 0 {
		s.fatal("%s never ends", s.retry[0].name)
	}
	s.clock.Advance(settleLease)
	s.markAll()
	for _, p := range slices.Backward(s.procs) {
		must(s.t, settleEverything(ctx, p))
	}
	if len(s.w.rounds) > 0 {
		s.fatal("%d settle rounds are left", len(s.w.rounds))
	}
	for _, o := range s.orders {
		s.settled(o)
	}
	for range 2 {
		for _, p := range s.procs {
			must(s.t, errors.Join(p.CatchUp(ctx), p.Tidy(ctx), p.Tend(ctx)))
		}
	}
	s.check()
	if len(s.w.sealedIn) != len(s.w.entries) || !s.w.whole() {
		s.fatal("%d entries, %d of them sealed", len(s.w.entries), len(s.w.sealedIn))
	}
	sum := int64(0)
	for _, amount := range s.w.brand {
		sum += amount
	}
	for _, b := range s.w.fold {
		sum += b[0] + b[1] + b[2] + b[3]
	}
	if sum != 0 {
		s.fatal("%d fen have appeared", sum)
	}
	s.verify(true)
	before := s.statements()
	must(s.t, pick(s.d, s.procs).Rebuild(ctx))
	s.rebuilt++
	if is := s.statements(); !maps.EqualFunc(before, is, slices.Equal) {
		s.fatal("a rebuilt purse is not the incremental one")
	}
	s.verify(true)
}

func (s *storm) markAll() {
	for _, o := range s.orders {
		s.mark(o)
	}
}

// statements reads every statement to its end and compares it with the entries as the witness saw them sealed.
func (s *storm) statements() map[string][]string {
	want := map[string][]string{}
	for _, seal := range s.w.seals {
		for _, e := range seal.entries {
			mine := map[string]*fourPots{}
			for _, p := range e.posts {
				if p.member != "" {
					into(mine, p.member)[p.pot] += p.amount
				}
			}
			for member, change := range mine {
				want[member] = append(want[member], fmt.Sprint(len(want[member])+1, " ", e.id, " ", *change))
			}
		}
	}
	is := map[string][]string{}
	for member := range want {
		for page := (Page{Size: 37}); ; {
			st, err := s.procs[1].Statement(context.Background(), member, page)
			must(s.t, err)
			for _, l := range st.Lines {
				is[member] = append(is[member], fmt.Sprint(l.No, " ", l.Entry, " ", potsOf(l.Change)))
			}
			if page.After = st.Next; page.After == "" {
				break
			}
		}
		slices.Reverse(is[member])
		if !slices.Equal(is[member], want[member]) {
			for i := range max(len(is[member]), len(want[member])) {
				if i >= len(is[member]) || i >= len(want[member]) || is[member][i] != want[member][i] {
					s.fatal("statement of %s, line %d: %d lines, want %d", member, i+1, len(is[member]), len(want[member]))
				}
			}
		}
		s.checkPurse(member)
	}
	return is
}

// verify wants a clean report; in the middle of things, what a dead process left half done may be named.
func (s *storm) verify(rest bool) {
	report, err := pick(s.d, s.procs).VerifyAgainst(context.Background(), s.anchors, nil)
	must(s.t, err)
	s.verified++
	for _, d := range report.Differences {
		half := strings.Contains(d.Text, "was decided, but is not in the ledger") || strings.Contains(d.Text, "are still on their way")
		if rest || !half || len(s.retry)+len(s.w.rounds) == 0 {
			s.fatal("verify (at rest: %v, %d retries, %d rounds): %s %s: %s", rest, len(s.retry), len(s.w.rounds), d.Rule, d.Subject, d.Text)
		}
	}
	if rest && (report.Entries != int64(len(s.w.entries)) || report.Unsealed != 0) {
		s.fatal("verify saw %d entries, %d unsealed; %d were posted", report.Entries, report.Unsealed, len(s.w.entries))
	}
}

func (s *storm) rage(ops int) {
	for end := s.done + ops; s.done < end; {
		before := s.done
		s.one()
		if s.done/150 != before/150 {
			s.verify(false)
		}
		if s.done/700 != before/700 {
			s.quiet()
		}
	}
	s.quiet()
	s.entries += len(s.w.entries)
	must(s.t, s.store.Close())
}

func (c *stormCount) report(t *testing.T, took time.Duration) {
	t.Helper()
	t.Logf("%d operations (%d repeated) posted %d entries in %v; %d deaths, %d intrusions, %d mishaps of the store; verified %d times, rebuilt %d times",
		c.done, c.repeated, c.entries, took.Round(time.Millisecond), total(c.deaths), c.intrusions, c.mishaps, c.verified, c.rebuilt)
	t.Logf("operations %v", c.kinds)
	t.Logf("deaths %v", c.deaths)
}

func total(of map[string]int) (sum int) {
	for _, n := range of {
		sum += n
	}
	return sum
}

// mortal are the steps at which the storm must have let a process die.
var mortal = []string{
	"accrued", "adopted", "read", "decided", "epoch", "before seal", "sealed", "half folded", "folded", "bookmarked", "half cleared",
	"cleared", "round", "round decided", "round posted", "held", "posted confirm", "posted tax", "voucher approved", "voucher posted",
	"period begun", "some statements written", "statements written",
}

func TestEveryFenIsThereInAStormOfDeathsAndFaults(t *testing.T) {
	t.Parallel()
	ops, d := workload(t, 24_000)
	const world = 1500
	count := newStormCount()
	watch := clock.StartStopwatch()
	for count.done < ops {
		m, w := newMemory(), newWitness()
		m.seen = w.see
		newStorm(t, d, m, w, count).rage(world)
	}
	count.report(t, watch.Elapsed())
	for _, step := range mortal {
		if count.deaths[step] == 0 && ops >= 24_000 {
			t.Errorf("nobody died at %q", step)
		}
	}
}

// watched is a driver that tells a witness of every write that happened.
type watched struct {
	docstore.Driver
	see func(docstore.Op, *docstore.Record)
}

func (d watched) Write(ctx context.Context, ops []docstore.Op) []error {
	before := make([]*docstore.Record, len(ops))
	for i, op := range ops {
		found, err := d.Get(ctx, op.Collection, []string{op.ID})
		if err == nil && len(found) == 1 {
			before[i] = &found[0]
		}
	}
	answers := d.Driver.Write(ctx, ops)
	for i, err := range answers {
		if err == nil {
			d.see(ops[i], before[i])
		}
	}
	return answers
}

func TestTheStormOnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	ops, d := workload(t, 24_000)
	count := newStormCount()
	watch := clock.StartStopwatch()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Readers: 2})
	must(t, err)
	w := newWitness()
	newStorm(t, d, watched{driver, w.see}, w, count).rage(ops / 20)
	count.report(t, watch.Elapsed())
}

func months(at time.Time, n int) (name string, end time.Time) {
	at = at.In(clock.Shanghai())
	first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, clock.Shanghai()).AddDate(0, n, 0)
	return first.Format("2006-01"), first.AddDate(0, 1, 0)
}

func (s *storm) closePeriod() {
	name, end := months(start, len(s.months))
	if s.closing || s.clock.Now().Before(end) {
		return
	}
	s.closing = true
	s.run(&stormOp{
		name: "close", do: func(ctx context.Context, p *Service) error {
			period, err := p.ClosePeriod(ctx, name, "chief")
			if err == nil && len(s.months) == s.monthNumber(name) {
				s.months = append(s.months, *period)
			}
			return err
		},
		end: func(err error) {
			if err != nil {
				s.fatal("close %s: %v", name, err)
			}
			s.closing = false
			s.checkMonth(len(s.months)-1, end)
		},
	}, false)
}

func (s *storm) monthNumber(name string) int {
	for n := range 1000 {
		if is, _ := months(start, n); is == name {
			return n
		}
	}
	return -1
}

// checkMonth adds a closed month up from what the witness saw.
func (s *storm) checkMonth(n int, end time.Time) {
	p, first, opening := s.months[n], int64(1), map[Account]money.Fen{}
	if n > 0 {
		first = s.months[n-1].Last + 1
		for _, a := range s.months[n-1].Accounts {
			opening[a.Account] = a.Closing
		}
	}
	if p.First != first || p.Last < first-1 || p.Last > int64(len(s.w.seals)) || p.Closing != "" {
		s.fatal("%s: seals %d to %d, want from %d", p.Month, p.First, p.Last, first)
	}
	totals, all, moved, entries := map[Account]*AccountTotal{}, map[string]*fourPots{}, map[string]bool{}, int64(0)
	for i, seal := range s.w.seals[:p.Last] {
		for _, e := range seal.entries {
			for _, post := range e.posts {
				if post.member != "" {
					into(all, post.member)[post.pot] += post.amount
				}
				if int64(i)+1 < first {
					continue
				}
				account := Account(post.account)
				if post.member != "" {
					parts := strings.Split(post.account, ":")
					account, moved[post.member] = Account(parts[0]+":*:"+parts[2]), true
				}
				if totals[account] == nil {
					totals[account] = &AccountTotal{Account: account}
				}
				if post.amount < 0 {
					totals[account].Out += money.Fen(post.amount)
				} else {
					totals[account].In += money.Fen(post.amount)
				}
			}
			if int64(i)+1 >= first {
				entries++
			}
		}
		if seal.at >= end.UnixMilli() {
			s.fatal("%s holds seal %d of a later month", p.Month, i+1)
		}
	}
	sum := money.Fen(0)
	for _, a := range p.Accounts {
		want := AccountTotal{Account: a.Account}
		if totals[a.Account] != nil {
			want = *totals[a.Account]
			delete(totals, a.Account)
		}
		want.Opening = opening[a.Account]
		want.Closing = want.Opening + want.In + want.Out
		if a != want {
			s.fatal("%s: %+v, want %+v", p.Month, a, want)
		}
		sum += a.Closing
	}
	if sum != 0 || len(totals) > 0 || p.Entries != entries || p.Members != int64(len(moved)) {
		s.fatal("%s: sum %d, %d accounts missing, %d of %d entries", p.Month, sum, len(totals), p.Entries, entries)
	}
	for member, closing := range all {
		d, err := s.procs[2].PeriodStatement(context.Background(), member, p.Month)
		must(s.t, err)
		if potsOf(d.Closing) != *closing {
			s.fatal("%s: %s closes with %v, want %v", p.Month, member, d.Closing, *closing)
		}
	}
}

func (s *storm) reserve() {
	s.serial++
	p := &stormPayout{
		member: drawnMembers[s.d.IntN(5)], number: "W" + strconv.Itoa(s.serial), at: s.clock.Now(),
	}
	if s.reserves[p.member] == nil {
		s.reserves[p.member] = new(int)
	}
	doubts := s.reserves[p.member]
	free := s.free(p.member)
	p.amount = 1 + s.d.Int64N(max(free+free/4, 100))
	exact := s.w.whole() && *doubts == 0
	s.payouts[p.number] = p
	s.asked = append(s.asked, p)
	hold := Hold{Member: p.member, Number: p.number, Amount: money.Fen(p.amount), At: p.at, Notes: []Note{{Key: "rail", Value: "a b"}}}
	calm := true // it has been attempted once at most, and nothing came in between
	s.run(&stormOp{
		name: "reserve", doubt: []*int{&p.doubt, doubts},
		do: func(ctx context.Context, service *Service) error {
			err := service.Reserve(ctx, hold)
			calm = calm && !s.undone && s.depth == 0
			if calm && exact && (err == nil || errors.Is(err, ErrPurseShort)) {
				s.reservedExactly(p, free, err)
			}
			calm = false
			return err
		},
		end: func(err error) {
			switch {
			case err == nil:
				p.reserved, p.refused = true, false
			case errors.Is(err, ErrPurseShort):
				p.refused = true
			default:
				s.fatal("reserve %+v: %v", hold, err)
			}
		},
	}, false)
}

// free is what a member may ask for, by the model: what is sealed, without what was asked for and is not sealed yet.
func (s *storm) free(member string) int64 {
	free := int64(0)
	if sum := s.w.inSeals[member]; sum != nil {
		free = sum[inAvailable]
	}
	for _, p := range s.asked {
		if p.member == member && p.reserved && s.w.sealedIn["withdraw/"+p.number] == 0 {
			free -= p.amount
		}
	}
	return free
}

func (s *storm) reservedExactly(p *stormPayout, free int64, err error) {
	is, failed := s.procs[1].Spendable(context.Background(), p.member)
	must(s.t, failed)
	after := int64(is.Free)
	switch {
	case err == nil && (p.amount > free || after != free-p.amount || after < 0):
		s.fatal("%s got %d of %d, %d are free now", p.member, p.amount, free, after)
	case err != nil && (p.amount <= free || after != free):
		s.fatal("%s did not get %d of %d, %d are free now", p.member, p.amount, free, after)
	}
}

func (s *storm) payout() {
	if len(s.asked) == 0 {
		return
	}
	p := s.asked[len(s.asked)-1-s.d.IntN(min(len(s.asked), 15))]
	tax := int64(0)
	if p.amount > 1 && s.d.one(2) {
		tax = p.amount / 5
	}
	out := Payout{Member: p.member, Number: p.number, Amount: money.Fen(p.amount), Tax: money.Fen(tax), At: p.at}
	name := pick(s.d, []string{"confirm", "confirm", "fail", "return"})
	if name == "fail" {
		out.Tax = 0
	}
	var had map[string]bool
	var net int64
	op := &stormOp{name: name, doubt: []*int{&p.doubt}}
	op.begin = func() {
		had, net = map[string]bool{}, 0
		if n := s.w.numbers[p.number]; n != nil {
			had = maps.Clone(n.kinds)
			for _, post := range s.outcomePosts(p.number) {
				if post.pot == inWithdrawn {
					net = post.amount
				}
			}
		}
	}
	op.do = func(ctx context.Context, service *Service) error {
		switch name {
		case "confirm":
			return service.ConfirmPayout(ctx, out)
		case "fail":
			return service.FailPayout(ctx, out)
		}
		return service.ReturnPayout(ctx, out)
	}
	op.end = func(err error) {
		want := error(nil)
		switch sameNet := net == p.amount-int64(out.Tax); {
		case !had["withdraw"]:
			want = ErrPayoutUnknown
		case name == "confirm" && (had["fail"] || had["confirm"] && !sameNet), name == "fail" && had["confirm"]:
			want = ErrEntryConflict
		case name == "return" && (!had["confirm"] || !sameNet):
			want = ErrPayoutUnknown
		}
		strict := p.doubt == 1 && s.depth == 0 && !s.undone
		if strict && !errors.Is(err, want) {
			s.fatal("%s of %s with %v: %v, want %v", name, p.number, had, err, want)
		}
		if err != nil && !errors.Is(err, ErrPayoutUnknown) && !errors.Is(err, ErrEntryConflict) {
			s.fatal("%s of %s: %v", name, p.number, err)
		}
	}
	s.run(op, false)
}

func (s *storm) outcomePosts(number string) []postSeen {
	if e := s.w.entries["outcome/"+number]; e != nil {
		return e.posts
	}
	return nil
}

// checkPayout adds up what may have happened to a withdrawal; nothing else may.
func (s *storm) checkPayout(p *stormPayout) {
	n := s.w.numbers[p.number]
	if p.refused || !p.reserved {
		s.fatal("%s was never reserved and has entries %v", p.number, n.kinds)
	}
	want, tax, net := fourPots{inAvailable: -p.amount, inWithdrawing: p.amount}, int64(0), int64(0)
	if n.kinds["confirm"] {
		for _, post := range s.outcomePosts(p.number) {
			if post.pot == inWithdrawn {
				net = post.amount
			}
		}
		tax = p.amount - net
		want[inWithdrawing], want[inWithdrawn] = 0, net
	}
	if n.kinds["fail"] {
		want = fourPots{}
	}
	if taxed := n.kinds["confirm"] && tax > 0; n.kinds["tax"] != taxed {
		s.fatal("%s was paid %d of %d, its tax is posted: %v", p.number, net, p.amount, n.kinds["tax"])
	}
	if n.kinds["return"] {
		want, tax = fourPots{}, 0
	}
	if is := n.has[p.member]; len(n.has) != 1 || *is != want || n.brand["brand:tax-payable"] != tax {
		s.fatal("%s with %v has %v and tax %d, want %v and %d", p.number, n.kinds, is, n.brand["brand:tax-payable"], want, tax)
	}
}

func (s *storm) voucher() {
	if len(s.proposed) > 0 && !s.d.one(3) {
		s.decide(s.proposed[len(s.proposed)-1-s.d.IntN(min(len(s.proposed), 8))])
		return
	}
	s.serial++
	member := drawnMembers[s.d.IntN(5)]
	v := &stormVoucher{state: VoucherProposed, in: VoucherInput{
		Key: fmt.Sprint("k", s.serial), Maker: pick(s.d, []string{"clerk", "other"}), Kind: Adjust, From: Adjustment, To: Available.Of(member),
		Amount: money.Fen(1 + s.d.IntN(9999)), Reason: "因为 " + fmt.Sprint(s.serial),
	}}
	switch s.d.IntN(5) {
	case 0:
		v.in.From, v.in.To = v.in.To, v.in.From
	case 1:
		v.in.Kind, v.in.From, v.in.To = Incentive, StaffIncentive, Available.Of(Staff("zhang"))
	case 2:
		v.in.Kind, v.in.From, v.in.To = Transfer, TaxPayable, TaxPaid
	}
	s.run(&stormOp{
		name: "propose", do: func(ctx context.Context, p *Service) error {
			stored, err := p.ProposeVoucher(ctx, v.in)
			if err == nil && v.id == "" {
				v.id = stored.ID
				s.vouchers[v.id] = v
				s.proposed = append(s.proposed, v)
			}
			if errors.Is(err, voucher.ErrTaken) {
				return nil // more than was paid: whether it is depends on what is sealed
			}
			return err
		},
	}, false)
}

func (s *storm) decide(v *stormVoucher) {
	checker, approve := pick(s.d, []string{"clerk", "other", "chief"}), !s.d.one(4)
	state, by := v.state, v.checker
	op := &stormOp{name: "approve", doubt: []*int{&v.doubt}, begin: func() { state, by = v.state, v.checker }}
	to := VoucherApproved
	if !approve {
		op.name, to = "reject", VoucherRejected
	}
	op.do = func(ctx context.Context, p *Service) (err error) {
		if approve {
			_, err = p.ApproveVoucher(ctx, v.id, checker, "看过")
		} else {
			_, err = p.RejectVoucher(ctx, v.id, checker, "不对")
		}
		return err
	}
	op.end = func(err error) {
		want := error(nil)
		switch {
		case state == to && by == checker:
		case state != VoucherProposed:
			want = ErrVoucherDecided
		case approve && checker == v.in.Maker:
			want = ErrVoucherOwn
		}
		if errors.Is(err, voucher.ErrTaken) && v.in.To == Adjustment && state == VoucherProposed {
			return
		}
		strict := v.doubt == 1 && s.depth == 0 && !s.undone
		if strict && !errors.Is(err, want) {
			s.fatal("%s %s by %s: %v, want %v", op.name, v.id, checker, err, want)
		}
		if err == nil {
			v.state, v.checker = to, checker
			s.w.touched[v.id] = true
		} else if !errors.Is(err, ErrVoucherDecided) && !errors.Is(err, ErrVoucherOwn) && !errors.Is(err, voucher.ErrTaken) {
			s.fatal("%s %s: %v", op.name, v.id, err)
		}
	}
	s.run(op, false)
}

func (s *storm) checkVoucher(v *stormVoucher) {
	n := s.w.numbers[v.id]
	switch {
	case n == nil && v.state == VoucherApproved:
		s.fatal("voucher %s was approved and is not posted", v.id)
	case n != nil && v.state != VoucherApproved:
		s.fatal("voucher %s is %s and posted", v.id, v.state)
	case n == nil:
		return
	}
	posts := s.w.entries[string(v.in.Kind)+"/"+v.id].posts
	if len(n.kinds) != 1 || len(posts) != 2 || posts[0].account != string(v.in.From) || posts[1].account != string(v.in.To) ||
		posts[0].amount != -int64(v.in.Amount) || posts[1].amount != int64(v.in.Amount) {
		s.fatal("voucher %+v is posted as %+v", v.in, posts)
	}
}
