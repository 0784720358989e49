package commission

import (
	"cmp"
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// The model: what the ledger must come to, in arithmetic of its own. Nothing here calls the package's rules; only its
// types and names are shared.

// pot numbers of the model.
const (
	inPending = iota
	inAvailable
	inWithdrawing
	inWithdrawn
)

type fourPots [4]int64

func potsOf(b Balance) fourPots {
	return fourPots{int64(b.Pending), int64(b.Available), int64(b.Withdrawing), int64(b.Withdrawn)}
}

// earning is what somebody must be credited for a line.
type earning struct {
	account, role, rule string
	line                int
	amount, full        int64
}

// expected computes a sale by hand.
func expected(p *policy.Policy, s *Sale) (earned []earning, limit int64, capped bool) {
	total, base, cost := int64(0), int64(0), int64(0)
	for _, l := range s.Lines {
		base += int64(l.Paid)
		cost += int64(l.Cost) * l.Units
		name, pays := decidingRule(p, s, &l)
		if l.Paid == 0 {
			continue
		}
		for _, pay := range pays {
			full := int64(pay.Fixed) * l.Units
			if pay.Fixed == 0 {
				full = (2*int64(l.Paid)*int64(pay.Rate) + 10_000) / 20_000 // half a fen up
			}
			if who := whoStands(p, s, pay.Role); who != "" && full > 0 {
				earned = append(earned, earning{account: who, role: string(pay.Role), rule: name, line: l.Line, amount: full})
				total += full
			}
		}
	}
	limit = base * int64(p.Cap) / 10_000
	if p.HasMarginFloor {
		keep := base * int64(p.MarginFloor) / 10_000
		if base*int64(p.MarginFloor)%10_000 != 0 {
			keep++
		}
		limit = min(limit, base-cost-keep)
	}
	if limit = max(limit, 0); total <= limit {
		return earned, 0, false
	}
	return scaled(earned, limit, total), limit, true
}

// scaled divides limit in proportion; the fen left over go to the largest remainders, the earlier one first.
func scaled(earned []earning, limit, total int64) []earning {
	type rest struct {
		at   int
		left *big.Int
	}
	rests, given := make([]rest, 0, len(earned)), int64(0)
	for i := range earned {
		q, r := new(big.Int).DivMod(new(big.Int).Mul(big.NewInt(limit), big.NewInt(earned[i].amount)), big.NewInt(total), new(big.Int))
		full := earned[i].amount
		if earned[i].amount = q.Int64(); earned[i].amount != full {
			earned[i].full = full
		}
		given += earned[i].amount
		rests = append(rests, rest{i, r})
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return b.left.Cmp(a.left) })
	for i := range int(limit - given) {
		e := &earned[rests[i].at]
		if e.amount++; e.amount == e.full {
			e.full = 0
		}
	}
	return slices.DeleteFunc(earned, func(e earning) bool { return e.amount == 0 })
}

func decidingRule(p *policy.Policy, s *Sale, l *SaleLine) (name string, pays []policy.Pay) {
	for _, kind := range []struct {
		name  string
		is    string
		named func(policy.Rule) string
	}{
		{"sku", l.SKU, func(r policy.Rule) string { return r.SKU }},
		{"product", l.Product, func(r policy.Rule) string { return r.Product }},
		{"campaign", s.Campaign, func(r policy.Rule) string { return r.Campaign }},
		{"category", l.Category, func(r policy.Rule) string { return r.Category }},
		{"community", s.Community, func(r policy.Rule) string { return r.Community }},
		{"grade", s.Grade, func(r policy.Rule) string { return r.Grade }},
	} {
		for _, r := range p.Rules {
			if kind.is != "" && kind.named(r) == kind.is {
				return kind.name + ":" + kind.is, r.Pays
			}
		}
	}
	for _, r := range p.Rules {
		if r.SKU+r.Product+r.Campaign+r.Category+r.Community+r.Grade == "" {
			return "default", r.Pays
		}
	}
	return "", nil
}

func whoStands(p *policy.Policy, s *Sale, role Role) string {
	member := ""
	buyer := s.Buyer
	if s.Referral.Why == "self" && buyer == "" {
		buyer = s.Referral.Direct
	}
	nothing := buyer
	if !p.NoSelfPurchase || p.Edition == 0 {
		nothing = ""
	}
	own := p.NoSelfPurchase && s.Referral.Why == "self" || nothing != "" && s.Referral.Direct == nothing
	switch role {
	case Direct:
		if !own {
			member = s.Referral.Direct
		}
	case Upline:
		if p.SecondLevel && !own && s.Referral.Direct != "" && s.Referral.Direct != s.Referral.Upline {
			member = s.Referral.Upline
		}
	case Host:
		member = s.Host
	case Pickup:
		member = s.Pickup
	case HelpSell:
		if s.HelpSeller != s.Host {
			member = s.HelpSeller
		}
	case StaffRole:
		if s.Staff != "" {
			return "staff:" + s.Staff
		}
	}
	if member == nothing {
		return ""
	}
	return member
}

// stays is what is left of an amount after refunded of paid has been given back: what is taken is rounded down.
func stays(amount, refunded, paid int64) int64 {
	if refunded == 0 {
		return amount
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(refunded))
	taken, _ := bits.Div64(hi, lo, uint64(paid))
	return amount - int64(taken)
}

// dice draws what random tests need.
type dice struct{ *rand.Rand }

func (d dice) one(of int) bool { return d.IntN(of) == 0 }

func pick[T any](d dice, of []T) T { return of[d.IntN(len(of))] }

var (
	drawnMembers    = []string{"amy", "ben", "cai", "dan", "eve", "fan", "gao", "hua"}
	drawnCategories = []string{"水果", "生鲜", "日用", ""}
)

func (d dice) policy() policy.Policy {
	p := policy.Policy{SecondLevel: d.one(2), NoSelfPurchase: d.one(2), Edition: d.IntN(2), Cap: money.BasisPoints(d.IntN(4000)), HasMarginFloor: d.one(3)}
	if d.one(4) {
		p.Cap = 10_000
	}
	if p.HasMarginFloor {
		p.MarginFloor = money.BasisPoints(d.IntN(6000))
	}
	seen := map[string]bool{}
	for range 1 + d.IntN(8) {
		var r policy.Rule
		switch d.IntN(7) {
		case 0:
			r.SKU = fmt.Sprint("sku", d.IntN(6))
		case 1:
			r.Product = fmt.Sprint("p", d.IntN(6))
		case 2:
			r.Campaign = fmt.Sprint("c", d.IntN(3))
		case 3:
			r.Category = drawnCategories[d.IntN(3)]
		case 4:
			r.Community = fmt.Sprint("g", d.IntN(3))
		case 5:
			r.Grade = fmt.Sprint("grade", d.IntN(3))
		}
		if key := fmt.Sprint(r); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		for _, role := range []Role{Direct, Upline, Host, Pickup, HelpSell, StaffRole} {
			switch {
			case role == Upline && !p.SecondLevel, d.one(3):
			case d.one(4):
				r.Pays = append(r.Pays, policy.Pay{Role: role, Fixed: money.Fen(1 + d.IntN(500))})
			default:
				r.Pays = append(r.Pays, policy.Pay{Role: role, Rate: money.BasisPoints(1 + d.IntN(1500))})
			}
		}
		d.Shuffle(len(r.Pays), func(i, j int) { r.Pays[i], r.Pays[j] = r.Pays[j], r.Pays[i] })
		p.Rules = append(p.Rules, r)
	}
	return p
}

func (d dice) member() string {
	if d.one(6) {
		return ""
	}
	return pick(d, drawnMembers)
}

func (d dice) sale(order string, at time.Time, members func() string) Sale {
	s := Sale{
		Order: order, At: at, Buyer: members(), Campaign: fmt.Sprint("c", d.IntN(4)), Host: members(), Pickup: members(), HelpSeller: members(),
		Community: pick(d, []string{"", "g0", "g1", "g2"}), Grade: pick(d, []string{"", "grade0", "grade1"}),
		Staff: pick(d, []string{"", "zhang", "li"}),
		Referral: Referral{
			Policy: "1", Direct: members(), Upline: members(), Why: pick(d, []string{"first-touch", "self", "none", "permanent"}),
			Share: "s 1", Touch: "",
		},
	}
	for n := range 1 + d.IntN(3)*d.IntN(3) {
		l := SaleLine{
			Line: n + 1, SKU: fmt.Sprint("sku", d.IntN(8)), Product: fmt.Sprint("p", d.IntN(8)), Category: pick(d, drawnCategories),
			Units: int64(1 + d.IntN(5)), Paid: money.Fen(d.IntN(30_000)),
		}
		switch d.IntN(12) {
		case 0:
			l.Paid = money.Fen(d.IntN(4)) // gifts and fen
		case 1:
			l.Paid = money.Fen(d.Int64N(int64(money.Max)))
		}
		l.Cost = l.Paid / money.Fen(l.Units) * money.Fen(d.IntN(11)) / 10
		s.Lines = append(s.Lines, l)
	}
	if d.one(3) {
		for i := range s.Lines {
			s.Lines[i].Line = 7 * (i + 1) // numbers need not be places
		}
	}
	return s
}

// workload reads how much a random test should do, and its seed.
func workload(t *testing.T, operations int) (ops int, d dice) {
	t.Helper()
	ops = operations / slower
	if text := os.Getenv("GUANXI_LEDGER_OPS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		ops = n
	}
	seed := rand.Uint64()
	if text := os.Getenv("GUANXI_LEDGER_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		seed = n
	}
	t.Logf("seed %d", seed)
	return ops, dice{rand.New(rand.NewPCG(seed, 1))}
}

// pure runs the ledger's pure parts beside the model: no store, only values.
type pure struct {
	t       *testing.T
	d       dice
	done    int
	config  Config
	policy  policy.Policy
	serial  int
	now     time.Time
	sale    Sale
	earned  []earning
	accrual *Entry
	state   Settlement
	adopted bool
	posted  map[string]*Entry // of this order
	told    []Refund          // refunds so far, to repeat one
	refunds map[int]int64     // the largest cumulative refund that was told
	settled map[int]bool
	have    map[earning]*fourPots // by the entries; amounts of the key are zero

	batch  []*Entry
	past   []map[string]*book.Movement // of the last seals, to fold again
	seal   int64
	epoch  int64
	purses map[string]*book.PurseDoc
	pages  map[string]int // statement lines on full pages
	model  map[string]*fourPots
	lines  map[string]int64
	held   map[string]map[string]int64 // member → number → amount
	brand  map[Account]int64
}

func (p *pure) fatal(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("operation %d, order %s: %s\nstate %+v", p.done, p.sale.Order, fmt.Sprintf(format, args...), p.state)
}

func TestAMillionOperationsOfThePureLedgerAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	ops, d := workload(t, 1_000_000)
	p := &pure{
		t: t, d: d, now: start, purses: map[string]*book.PurseDoc{}, pages: map[string]int{}, model: map[string]*fourPots{},
		lines: map[string]int64{}, held: map[string]map[string]int64{}, brand: map[Account]int64{}, epoch: 1,
		config: Config{Categories: map[string]Window{"生鲜": {0, day}, "日用": {0, 0}}},
	}
	must(t, p.config.complete())
	watch := clock.StartStopwatch()
	sales := 0
	for p.done < ops {
		if sales%40 == 0 {
			p.policy = d.policy()
			p.policy.Version = sales + 1
			must(t, p.policy.Check())
		}
		sales++
		p.oneSale()
	}
	p.foldBatch()
	sum := int64(0)
	for _, amount := range p.brand {
		sum += amount
	}
	for _, purse := range p.purses {
		b := potsOf(purse.Balance)
		sum += b[0] + b[1] + b[2] + b[3]
	}
	if sum != 0 {
		t.Errorf("%d fen have appeared", sum)
	}
	t.Logf("%d operations on %d sales, %d seals, in %v", p.done, sales, p.seal, watch.Elapsed())
}

func (p *pure) oneSale() {
	p.serial++
	p.sale = p.d.sale(fmt.Sprint("o", p.serial), p.now, p.d.member)
	p.accrual = policy.Compute(&p.policy, p.sale)
	p.accrual.Book = "main"
	p.checkAccrual()
	p.state, p.adopted, p.told = Settlement{Doc: docstore.Doc{ID: p.sale.Order}}, false, nil
	p.posted, p.refunds, p.settled, p.have = map[string]*Entry{}, map[int]int64{}, map[int]bool{}, map[earning]*fourPots{}
	for range 4 + p.d.IntN(14) {
		p.event()
		p.derive()
		p.checkOrder()
		p.done++
		if p.d.one(12) {
			p.withdraw()
		}
		if len(p.batch) > p.d.IntN(60) {
			p.foldBatch()
		}
	}
	if p.d.one(3) {
		p.tenPieces()
	}
}

func (p *pure) checkAccrual() {
	p.done++
	want, limit, capped := expected(&p.policy, &p.sale)
	e := p.accrual
	if e.Capped != capped || int64(e.Cap) != limit {
		p.fatal("cap %v %d, want %v %d", e.Capped, e.Cap, capped, limit)
	}
	p.earned = want
	i, sum := 0, money.Fen(0)
	for _, post := range e.Postings {
		sum += post.Amount
		if strings.HasPrefix(string(post.Account), "brand:") {
			continue
		}
		member, pot, _ := post.Account.Member()
		is := earning{member, string(post.Role), post.Rule, post.Line, int64(post.Amount), int64(post.Full)}
		if i >= len(want) || is != want[i] || pot != Pending {
			p.fatal("posting %d is %+v, want %+v", i, is, want[min(i, len(want)-1)])
		}
		i++
	}
	if i != len(want) || sum != 0 {
		p.fatal("%d postings of %d, sum %d", i, len(want), sum)
	}
	if p.d.one(4) {
		p.done++
		p.reread(e)
	}
}

// reread parses the canonical text: it must give the same entry, and the same text again.
func (p *pure) reread(e *Entry) {
	text := e.Text()
	again := &Entry{ID: e.ID}
	if err := again.Parse(text); err != nil {
		p.fatal("%v in %s", err, text)
	}
	if again.Text() != text || !slices.Equal(again.Postings, e.Postings) || !slices.Equal(again.Refunded, e.Refunded) {
		p.fatal("read back differently: %s", text)
	}
}

// event is one thing that happens to the order: in any order, also before its accrual, also twice.
func (p *pure) event() {
	p.now = p.now.Add(time.Duration(p.d.IntN(36)) * time.Hour)
	var accrual *Entry
	if p.adopted {
		accrual = p.accrual
	}
	var err error
	switch p.d.IntN(9) {
	case 0, 1:
		p.adopted = true
		err = p.state.adopt(p.accrual, &p.config)
	case 2:
		p.state.receive(clock.Milli(p.now), p.now.Add(time.Duration(p.d.IntN(10))*day))
		if p.adopted {
			err = p.state.adopt(p.accrual, &p.config)
		}
	case 3, 4:
		if r, ok := p.refund(); ok {
			if err = p.state.refund(r, accrual); err == nil {
				p.recordRefund(r)
			}
		}
	case 5:
		if len(p.told) > 0 {
			err = p.state.refund(pick(p.d, p.told), accrual)
		}
	case 6:
		err = p.state.hold(fmt.Sprint("r", p.d.IntN(4)), []int{pick(p.d, p.sale.Lines).Line})
	case 7:
		err = p.state.release(fmt.Sprint("r", p.d.IntN(4)))
	case 8:
		p.state.settle(p.now)
		for _, l := range p.state.Lines {
			if due := !l.Due.IsZero() && !l.Due.After(p.now); !l.Settled && due && p.state.HeldBy(l.Line) == "" {
				p.fatal("line %d was due and did not settle", l.Line)
			}
		}
	}
	if err != nil {
		p.fatal("%v", err)
	}
	for _, l := range p.state.Lines {
		if p.settled[l.Line] && !l.Settled {
			p.fatal("line %d is not settled any more", l.Line)
		}
		if l.Settled && !p.settled[l.Line] && p.state.HeldBy(l.Line) != "" {
			p.fatal("line %d settled while it was held", l.Line)
		}
		p.settled[l.Line] = l.Settled
	}
}

func (p *pure) refund() (Refund, bool) {
	r := Refund{Order: p.sale.Order, Number: fmt.Sprint("r", len(p.told)), At: p.now}
	for _, l := range p.sale.Lines {
		if l.Paid > 0 && p.d.one(2) {
			r.Lines = append(r.Lines, RefundLine{l.Line, 1 + money.Fen(p.d.Int64N(int64(l.Paid))), l.Paid})
		}
	}
	return r, len(r.Lines) > 0
}

func (p *pure) recordRefund(r Refund) {
	p.told = append(p.told, r)
	for _, l := range r.Lines {
		p.refunds[l.Line] = max(p.refunds[l.Line], int64(l.Refunded))
	}
}

// derive posts what follows. An entry that is there already must come out the same again.
func (p *pure) derive() {
	if !p.adopted {
		return
	}
	if p.posted[p.accrual.ID] == nil {
		p.post(p.accrual)
	}
	for _, e := range p.state.entries(p.accrual) {
		known := p.posted[e.ID]
		if known == nil {
			p.post(e)
			continue
		}
		if !slices.Equal(known.Postings, e.Postings) || !known.At.Equal(e.At) {
			p.fatal("%s came out differently the second time", e.ID)
		}
	}
}

func (p *pure) post(e *Entry) {
	p.posted[e.ID] = e
	p.batch = append(p.batch, e)
	sum := money.Fen(0)
	for _, post := range e.Postings {
		sum += post.Amount
		member, pot, ok := post.Account.Member()
		if !ok {
			p.brand[post.Account] += int64(post.Amount)
			continue
		}
		key := earning{account: member, role: string(post.Role), line: post.Line}
		if p.have[key] == nil {
			p.have[key] = &fourPots{}
		}
		p.have[key][slices.Index(book.Pots, pot)] += int64(post.Amount)
	}
	if sum != 0 {
		p.fatal("%s sums to %d", e.ID, sum)
	}
	if p.d.one(16) {
		p.reread(e)
	}
}

// checkOrder compares every beneficiary of every line with the model.
func (p *pure) checkOrder() {
	if !p.adopted {
		if len(p.posted) > 0 {
			p.fatal("posted before the accrual")
		}
		return
	}
	seen := 0
	for _, e := range p.earned {
		paid := int64(0)
		for _, l := range p.sale.Lines {
			if l.Line == e.line {
				paid = int64(l.Paid)
			}
		}
		want := fourPots{stays(e.amount, p.refunds[e.line], paid)}
		if p.settled[e.line] {
			want = fourPots{inAvailable: want[0]}
		}
		is := p.have[earning{account: e.account, role: e.role, line: e.line}]
		if is == nil || *is != want {
			p.fatal("%s as %s of line %d has %v, want %v", e.account, e.role, e.line, is, want)
		}
		seen++
	}
	if seen != len(p.have) {
		p.fatal("%d have something, %d earned", len(p.have), seen)
	}
}

// tenPieces refunds all that is left of a line in ten pieces: nothing must remain.
func (p *pure) tenPieces() {
	if !p.adopted {
		p.adopted = true
		must(p.t, p.state.adopt(p.accrual, &p.config))
	}
	l := pick(p.d, p.sale.Lines)
	from := p.refunds[l.Line]
	for n := range int64(10) {
		to := from + (int64(l.Paid)-from)*(n+1)/10
		if to == p.refunds[l.Line] || to == 0 {
			continue
		}
		r := Refund{Order: p.sale.Order, Number: fmt.Sprint("t", n), At: p.now, Lines: []RefundLine{{l.Line, money.Fen(to), l.Paid}}}
		must(p.t, p.state.refund(r, p.accrual))
		p.recordRefund(r)
		p.derive()
		p.checkOrder()
		p.done++
	}
	for key, is := range p.have {
		if key.line == l.Line && l.Paid > 0 && *is != (fourPots{}) {
			p.fatal("refunded to the end, and %v has %v", key, *is)
		}
	}
}

// withdraw holds money in a folded purse, and sometimes posts what becomes of it.
func (p *pure) withdraw() {
	p.done++
	member := pick(p.d, drawnMembers)
	purse := p.purses[member]
	if purse == nil {
		return
	}
	held := int64(0)
	for _, amount := range p.held[member] {
		held += amount
	}
	free := int64(purse.Available) - held
	if free != int64(purse.Available-purse.Held()) {
		p.fatal("%s holds %d, want %d", member, purse.Held(), held)
	}
	amount := 1 + p.d.Int64N(max(2*max(free, 0), 10))
	p.serial++
	number := fmt.Sprint("W", p.serial)
	err := holdIn(purse, number, money.Fen(amount))
	if full := len(p.held[member]) >= book.MaxHolds; (err == nil) != (amount <= free && !full) {
		p.fatal("%s asked for %d of %d: %v", member, amount, free, err)
	}
	if err != nil {
		return
	}
	if p.held[member] == nil {
		p.held[member] = map[string]int64{}
	}
	p.held[member][number] = amount
	if err := holdIn(purse, number, money.Fen(amount)); err != nil || int64(purse.Available-purse.Held()) != free-amount {
		p.fatal("asked again: %v, %d free", err, purse.Available-purse.Held())
	}
	pay := Payout{Member: member, Number: number, Amount: money.Fen(amount), Tax: money.Fen(p.d.Int64N(amount)), At: p.now}
	rail := func(kind Kind, postings ...Posting) { p.batch = append(p.batch, pay.entry(kind, postings)) }
	post := func(a Account, f money.Fen) Posting { return Posting{Account: a, Amount: f} }
	net := pay.Amount - pay.Tax
	rail(Withdraw, post(Available.Of(member), -pay.Amount), post(Withdrawing.Of(member), pay.Amount))
	switch p.d.IntN(4) {
	case 0:
		rail(Fail, post(Withdrawing.Of(member), -pay.Amount), post(Available.Of(member), pay.Amount))
	case 1, 2:
		rail(Confirm, post(Withdrawing.Of(member), -net), post(Withdrawn.Of(member), net))
		if pay.Tax > 0 {
			rail(TaxWithheld, post(Withdrawing.Of(member), -pay.Tax), post(TaxPayable, pay.Tax))
			p.brand[TaxPayable] += int64(pay.Tax)
		}
	}
}

// foldBatch folds what was posted into the purses, as the sealer does: sometimes twice, sometimes an older seal again,
// sometimes into a new epoch.
func (p *pure) foldBatch() {
	p.done++
	p.seal++
	moves := book.Movements(p.batch)
	touched := map[string]bool{}
	for _, e := range p.batch {
		mine := map[string]bool{}
		for _, post := range e.Postings {
			if member, pot, ok := post.Account.Member(); ok {
				if p.model[member] == nil {
					p.model[member] = &fourPots{}
				}
				p.model[member][slices.Index(book.Pots, pot)] += int64(post.Amount)
				mine[member], touched[member] = true, true
				if e.Kind == Withdraw {
					delete(p.held[member], e.Number)
				}
			}
		}
		for member := range mine {
			p.lines[member]++
		}
	}
	if len(touched) != len(moves) {
		p.fatal("seal %d moves %d purses, its entries %d", p.seal, len(moves), len(touched))
	}
	for member, m := range moves {
		purse := p.purses[member]
		if purse == nil {
			purse = &book.PurseDoc{Doc: docstore.Doc{ID: member}}
			p.purses[member] = purse
		}
		if p.d.one(4) {
			p.takeAll(purse, m)
		}
		p.take(purse, p.seal, m)
		for p.d.one(4) {
			p.done++
			p.take(purse, p.seal, m)
		}
		if len(p.past) > 0 && p.d.one(8) {
			p.done++
			back := p.d.IntN(len(p.past))
			if old := p.past[back][member]; old != nil {
				p.take(purse, p.seal-int64(len(p.past))+int64(back), old)
			}
		}
		if is := potsOf(purse.Balance); is != *p.model[member] || purse.Lines != p.lines[member] {
			p.fatal("%s has %v in %d lines, want %v in %d", member, is, purse.Lines, *p.model[member], p.lines[member])
		}
		p.checkTail(purse)
	}
	if p.past = append(p.past, moves); len(p.past) > 8 {
		p.past = p.past[1:]
	}
	p.batch = nil
}

// takeAll folds the newest seals at once, as a rebuild does; all but the last are in the purse already.
func (p *pure) takeAll(purse *book.PurseDoc, m *book.Movement) {
	p.done++
	var seals []book.Numbered
	for i, moves := range p.past {
		if old := moves[purse.ID]; old != nil {
			seals = append(seals, book.Numbered{Number: p.seal - int64(len(p.past)) + int64(i), Movement: old})
		}
	}
	purse.FoldSeals("main", p.epoch, append(seals, book.Numbered{Number: p.seal, Movement: m}))
	p.spill(purse)
}

func (p *pure) take(purse *book.PurseDoc, seal int64, m *book.Movement) {
	purse.Fold("main", p.epoch, seal, m)
	p.spill(purse)
}

func (p *pure) spill(purse *book.PurseDoc) {
	pages := map[string]*book.PageDoc{}
	purse.Spill(pages)
	for id, page := range pages {
		p.pages[id] = strings.Count(page.Lines, "\n")
	}
}

// checkTail counts a statement: full pages, then the tail, without a gap.
func (p *pure) checkTail(purse *book.PurseDoc) {
	last := cmp.Compare(purse.Lines%book.PageLines, 0)
	full := int(purse.Lines / book.PageLines)
	for n := max(0, full-2); n < full; n++ {
		if p.pages[book.PageID(purse.ID, int64(n))] != book.PageLines {
			p.fatal("page %d of %s has %d lines", n, purse.ID, p.pages[book.PageID(purse.ID, int64(n))])
		}
	}
	if tail := strings.Count(purse.Tail, "\n"); int64(tail) < purse.Lines%book.PageLines || last < 0 {
		p.fatal("%s: %d lines in the tail of %d", purse.ID, tail, purse.Lines)
	}
}
