package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/proof/crosscheck"
	"guanxi/reconcile"
)

// What people do with the money they earned, and what the auditor expects of it.

// easyPayouts lets members withdraw as often as a test needs.
func easyPayouts() withdrawal.Config {
	return withdrawal.Config{
		NewAccountDays: withdrawal.NoLimit, Several: true, MaxCount: withdrawal.NoLimit, VelocityCount: withdrawal.NoLimit,
		AutoLimit: 4000, TwoPersonLimit: 8000,
		Effects: map[withdrawal.Code]withdrawal.Effect{withdrawal.SharedIdentity: withdrawal.EffectIgnore},
	}
}

// birthday is so many days before the end of this month.
func birthday(days int) time.Time {
	now := clock.System{}.Now().In(clock.Shanghai())
	return time.Date(now.Year(), now.Month()+1, 1, 0, 30, 0, 0, clock.Shanghai()).AddDate(0, 0, -days).Add(-time.Hour)
}

// mortalRail is the rail as a process sees it that may be dead.
type mortalRail struct {
	withdrawal.Rail
	mortal *mortal
}

func (r mortalRail) Send(ctx context.Context, t withdrawal.Transfer) (withdrawal.Outcome, error) {
	if r.mortal.dead.Load() {
		return withdrawal.Outcome{}, errDead
	}
	return r.Rail.Send(ctx, t)
}

func (r mortalRail) Query(ctx context.Context, number string) (withdrawal.Outcome, error) {
	if r.mortal.dead.Load() {
		return withdrawal.Outcome{}, errDead
	}
	return r.Rail.Query(ctx, number)
}

func (r mortalRail) Cancel(ctx context.Context, number string) (withdrawal.Outcome, error) {
	if r.mortal.dead.Load() {
		return withdrawal.Outcome{}, errDead
	}
	return r.Rail.Cancel(ctx, number)
}

func transferRules() []sandbox.Rule {
	return []sandbox.Rule{
		{Match: "notify:MCHTRANSFER", Action: sandbox.ActionLose},
		{Match: "notify:MCHTRANSFER", Action: sandbox.ActionDuplicate},
		{Match: "notify:MCHTRANSFER", Action: sandbox.ActionReorder},
		{Match: "notify:MCHTRANSFER", Action: sandbox.ActionDelay, DelayMS: 4},
		{Match: "notify:MCHTRANSFER", Action: sandbox.ActionProbe},
		{Match: sendPath, Action: sandbox.ActionAfterAccept},
		{Match: sendPath, Action: sandbox.ActionLose},
		{Match: sendPath, Action: sandbox.ActionFail},
		{Match: sendPath, Action: sandbox.ActionRateLimit},
		{Match: sendPath, Action: sandbox.ActionUnsigned},
		{Match: sendPath, Action: sandbox.ActionFail, Code: "PARAM_ERROR", Status: 400},
		{Match: askedPath, Action: sandbox.ActionAfterAccept},
		{Match: askedPath, Action: sandbox.ActionFail},
		{Match: "transfer:accept", Action: sandbox.ActionFail, Code: "ACCOUNT_FROZEN"},
		{Match: "transfer:confirm", Action: sandbox.ActionFail},
		{Match: "transfer:confirm", Action: sandbox.ActionLose},
		{Match: "transfer:cancel", Action: sandbox.ActionFail},
		{Match: "transfer:expire", Action: sandbox.ActionLose},
		{Match: "/v3/bill/", Action: sandbox.ActionFail},
	}
}

// office is what the ledger's own loop does.
func (p *planet) office(ctx context.Context) (int, error) {
	return 0, p.now.Load().Commission.Tend(ctx)
}

// excused tells whether an answer to staff may be what it is: a refusal of ours, or trouble the test has ordered.
func (p *planet) excused(what string, before bool, err error) {
	p.note("%s → %.160v", what, err)
	if err != nil && fault.Of(err) == nil && !before && !p.troubled() && !docstore.Exists(err) {
		p.fail("%s: %v", what, err)
	}
}

// withdrawal finds one, mostly in one of the given states.
func (l *life) withdrawal(n int, states ...withdrawal.State) (*withdrawal.Withdrawal, bool) {
	list := all[withdrawal.Withdrawal](l.planet, "withdrawals")
	var good []*withdrawal.Withdrawal
	for _, w := range list {
		for _, s := range states {
			if w.State == s {
				good = append(good, w)
			}
		}
	}
	if len(good) > 0 && n%8 != 0 {
		list = good
	}
	return pick(list, n/8)
}

// moneyDeeds are what members do with their purses, and staff with theirs.
func (l *life) moneyDeeds() []struct {
	name string
	odds int
	do   func(hand)
} {
	ctx := context.Background()
	return []struct {
		name string
		odds int
		do   func(hand)
	}{
		{"voucher", 6, l.voucher},
		{"withdraw", 12, l.askMoney},
		{"confirm", 10, l.confirmMoney},
		{"cancel withdrawal", 3, func(h hand) {
			if w, ok := l.withdrawal(h.a, withdrawal.Held, withdrawal.Waiting, withdrawal.Sent); ok {
				l.ask(l.hostOf(w.Member), "POST", "/v1/purse/withdrawals/"+w.ID+"/cancel", nil)
			}
		}},
		{"review", 6, l.review},
		{"late refund", 5, l.lateRefund},
		{"look at money", 2, func(h hand) {
			who, _ := pick(l.everybody, h.a)
			for _, path := range []string{"/v1/purse/outlook", "/v1/purse/withdrawals", "/v1/purse/tax/2026", "/v1/purse/payee"} {
				l.ask(who, "GET", path, nil)
			}
		}},
		{"close month", 2, func(h hand) {
			before, month := l.troubled(), l.clock.Now().In(clock.Shanghai()).AddDate(0, -1-h.b%5/4, 0).Format("2006-01")
			_, err := l.now.Load().Commission.ClosePeriod(ctx, month, "chief")
			l.excused("close "+month, before, err)
		}},
		{"tax table", 1, func(hand) {
			table := tax.CumulativeTable()
			table.Rules[0].MonthlyDeduction = 0 // so that little money is taxed, too
			before := l.troubled()
			_, err := l.now.Load().Taxes.Publish(ctx, table)
			l.excused("tax table", before, err)
		}},
		{"top-up", 1, func(h hand) { l.sandbox.TopUp(int64(1 + h.a%5000)) }},
		{"week", 1, func(hand) { l.clock.Advance(8 * 24 * time.Hour) }},
	}
}

func (l *life) askMoney(h hand) {
	who, _ := pick(l.everybody, h.a)
	amount := 10 + h.b%3000 // often more than there is
	switch h.c % 6 {
	case 0:
		amount = 1 + h.b%20_000
	case 1, 2: // all of it
		_, o := l.ask(who, "GET", "/v1/purse/outlook", nil)
		if n := int(o.num("now_fen")); n > 0 {
			amount = n
		}
	}
	l.ask(who, "POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": amount})
}

// confirmMoney shows WeChat's sheet with the package the mini-program has, and taps.
func (l *life) confirmMoney(h hand) {
	w, ok := l.withdrawal(h.a, withdrawal.Waiting)
	if !ok {
		return
	}
	who := l.hostOf(w.Member)
	_, v := l.ask(who, "GET", "/v1/purse/withdrawals/"+w.ID, nil)
	c, ok := v["confirm"].(map[string]any)
	if !ok {
		return
	}
	in := sandbox.ConfirmInput{OpenID: l.sandbox.OpenID(who.name)}
	in.Package, _ = c["package"].(string)
	in.MchID, _ = c["mch_id"].(string)
	in.AppID, _ = c["app_id"].(string)
	err := l.sandbox.ConfirmTransfer(in)
	l.note("confirm %s: %v", w.ID, err)
	if err != nil && !errors.Is(err, sandbox.ErrNotConfirmable) {
		l.fail("%s was given a package that does not pay: %v", who.name, err)
	}
}

// lateRefund has a host withdraw everything, tap, and then give a buyer's money back.
func (l *life) lateRefund(h hand) {
	o, ok := l.order(h.a|1, order.StateCompleted)
	if !ok {
		return
	}
	who := l.hostOf(o.Host)
	_, out := l.ask(who, "GET", "/v1/purse/outlook", nil)
	if n := out.num("now_fen"); n > 0 {
		l.ask(who, "POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": n})
	}
	for n := range 4 {
		l.confirmMoney(hand{a: (h.b + 8*n) | 1})
	}
	l.ask(who, "POST", "/v1/host/orders/"+o.ID+"/refunds", map[string]any{"reason": "迟到的退款"})
}

// epilogue: when all is over, hosts withdraw what they have, and then buyers are given their money back; and again a
// week goes by.
func (l *life) epilogue() {
	for n := range 2 {
		l.lateRefund(hand{a: 8*n + 1})
	}
	l.quiet()
	l.atRest()
	for range 3 {
		l.clock.Advance(65 * time.Hour)
		l.tick(-1)
		l.brandAnswers()
		l.quiet()
	}
}

// brandAnswers has two of the brand's staff look at every request that waits for the brand: they release those of half the
// orders, and refuse the others.
func (p *planet) brandAnswers() {
	for _, o := range all[order.Order](p, "orders") {
		for _, r := range o.Refunds {
			if r.Stage != order.StageRequested || o.BrandAt.IsZero() {
				continue
			}
			for _, by := range []string{"zhou", "fang"} {
				before := p.troubled()
				d := order.BrandDecision{Order: o.ID, Refund: r.Number, By: by, Release: o.ID[0]%2 == 0, Words: "看过了"}
				_, err := p.now.Load().Orders.DecideForBrand(context.Background(), d)
				p.excused(fmt.Sprintf("brand %s %s %v by %s", o.ID, r.Number, d.Release, by), before, err)
			}
		}
	}
}

func (l *life) review(h hand) {
	w, ok := l.withdrawal(h.a|1, withdrawal.Held)
	if !ok {
		return
	}
	in := withdrawal.ReviewInput{Number: w.ID, By: []string{"wang", "zhao", "sun"}[h.b%3], Why: "看过了"}
	before, now := l.troubled(), l.now.Load()
	act, what := now.Withdrawals.Approve, "approve"
	switch h.c % 8 {
	case 0:
		act, what = now.Withdrawals.Reject, "reject"
	case 1:
		act, what = now.Withdrawals.Return, "return"
		if paid, ok := l.withdrawal(h.a|1, withdrawal.Paid); ok {
			in.Number = paid.ID
		}
	}
	_, err := act(context.Background(), in)
	l.excused(what+" "+in.Number+" by "+in.By, before, err)
}

// voucher is a correction of two people; mostly in favour of the member.
func (l *life) voucher(h hand) {
	who, _ := pick(l.everybody, h.a)
	if who.id == "" {
		return
	}
	in := commission.VoucherInput{
		Key: l.key(), Maker: "clerk", Kind: commission.Adjust, From: commission.Adjustment, To: commission.Available.Of(who.id),
		Amount: money.Fen(1 + h.b%9000), Reason: "更正",
	}
	if h.c%6 == 0 {
		in.From, in.To = in.To, in.From
	}
	before, now := l.troubled(), l.now.Load()
	v, err := now.Commission.ProposeVoucher(context.Background(), in)
	if err == nil {
		switch h.d % 8 {
		case 0:
			_, err = now.Commission.RejectVoucher(context.Background(), v.ID, "chief", "不对")
		case 1:
		case 2:
			_, err = now.Commission.ApproveVoucher(context.Background(), v.ID, "clerk", "")
		default:
			_, err = now.Commission.ApproveVoucher(context.Background(), v.ID, "chief", "")
		}
	}
	l.excused(fmt.Sprintf("voucher for %s of %d", who.name, in.Amount), before, err)
}

// transferAgain lets an ordered misbehaviour of transfers strike.
func (l *life) transferAgain(h hand) {
	switch h.d % 4 {
	case 0:
		l.confirmMoney(hand{a: h.b | 1})
	case 1:
		if w, ok := l.withdrawal(h.b|1, withdrawal.Waiting); ok {
			l.ask(l.hostOf(w.Member), "POST", "/v1/purse/withdrawals/"+w.ID+"/cancel", nil)
		}
	default:
		l.voucher(hand{a: h.b, b: h.a, c: 1, d: 7})
		l.askMoney(hand{a: h.b, b: h.a, c: h.c})
	}
}

// finishPayouts lets our own half-done steps come to their end: nothing here waits for the platform.
func (p *planet) finishPayouts() {
	ctx := context.Background()
	for range 20 {
		half := 0
		for _, w := range all[withdrawal.Withdrawal](p, "withdrawals") {
			if w.State == withdrawal.Asked || w.State == withdrawal.Approved || w.State.Ended() && w.Posted != w.State {
				half++
			}
		}
		for _, v := range all[commission.Voucher](p, "vouchers") {
			if v.Unposted != "" {
				half++
			}
		}
		if half == 0 {
			return
		}
		p.clock.Advance(2 * time.Minute)
		for _, step := range []func(context.Context) (int, error){p.now.Load().Withdrawals.Tend, p.office} {
			if _, err := step(ctx); err != nil {
				p.fail("half-done payouts: %v", err)
			}
		}
		p.quiet()
	}
	p.fail("payouts stay half done")
}

// purseModel is what withdrawals and vouchers make of every purse, computed from the documents alone.
func (p *planet) purseModel() map[string]commission.Balance {
	model := map[string]commission.Balance{}
	for _, w := range all[withdrawal.Withdrawal](p, "withdrawals") {
		b := model[w.Member]
		switch w.State {
		case withdrawal.Held, withdrawal.Approved, withdrawal.Sent, withdrawal.Waiting:
			b.Available, b.Withdrawing = b.Available-w.Gross, b.Withdrawing+w.Gross
		case withdrawal.Paid:
			b.Available, b.Withdrawn = b.Available-w.Gross, b.Withdrawn+w.Net
		}
		model[w.Member] = b
	}
	for _, v := range all[commission.Voucher](p, "vouchers") {
		if v.State != commission.VoucherApproved {
			continue
		}
		for account, amount := range map[commission.Account]money.Fen{v.From: -v.Amount, v.To: v.Amount} {
			if who, _, ok := account.Member(); ok {
				b := model[who]
				b.Available += amount
				model[who] = b
			}
		}
	}
	return model
}

// payoutsFit: each withdrawal is one transfer or none, what we call ended the platform has ended like that, and when all
// questions have been asked, the platform paid out per member exactly what the purses say. The books agree.
func (p *planet) payoutsFit(whole bool) {
	docs := map[string]*withdrawal.Withdrawal{}
	for _, w := range all[withdrawal.Withdrawal](p, "withdrawals") {
		docs[w.ID] = w
		for _, i := range w.Incidents {
			if i.Kind != withdrawal.Overdue || !reallyLong(i) { // days go by at once here: people are told what stayed long
				p.fail("withdrawal %s has an incident: %+v", w.ID, i)
			}
		}
		if whole && !w.State.Ended() {
			p.fail("withdrawal %s is still %s (platform %q, next at %s)", w.ID, w.State, w.Platform, w.NextAt)
		}
		if w.Tax < 0 || w.Tax > w.Gross || !w.SentAt.IsZero() && w.Net != w.Gross-w.Tax {
			p.fail("withdrawal %s: %d less %d is %d", w.ID, w.Gross, w.Tax, w.Net)
		}
	}
	for number := range p.payouts {
		if docs[number] == nil {
			p.fail("withdrawal %s was promised and is not there", number)
		}
	}
	theirs, ours := map[string]int64{}, map[string]int64{}
	known := map[string]string{}
	for _, v := range p.sandbox.Transfers("", 1_000_000) {
		w := docs[v.Number]
		switch {
		case w == nil || known[v.Number] != "":
			p.fail("the platform has a transfer %s that nobody asked for, or two", v.Number)
			return
		case w.SentAt.IsZero() || v.Amount != int64(w.Net):
			p.fail("the platform moves %d for %s, which is %s of %d", v.Amount, v.Number, w.State, w.Net)
		}
		if known[v.Number] = v.State; v.State == "SUCCESS" {
			theirs[w.Member] += v.Amount
		}
	}
	for number, w := range docs {
		paid := w.State == withdrawal.Paid || w.State == withdrawal.Returned
		if w.State.Ended() && paid != (known[number] == "SUCCESS") || whole && known[number] != "" && !finalWord(known[number]) {
			p.fail("withdrawal %s is %s (%s), at the platform it is %q", number, w.State, w.Code, known[number])
		}
		if paid {
			ours[w.Member] += int64(w.Net)
		}
	}
	for who, sum := range theirs {
		if whole && sum != ours[who] || sum < ours[who] {
			p.fail("the platform paid out %d to %s, the withdrawals say %d", sum, who, ours[who])
		}
	}
	p.booksAgree(whole)
}

// reallyLong reports whether a withdrawal stayed in the state an incident names for as long as it may.
func reallyLong(i withdrawal.Incident) bool {
	state, since, _ := strings.Cut(i.Detail, " since ")
	at, err := time.Parse(time.RFC3339, since)
	stay := withdrawal.Stays()[withdrawal.State(state)]
	if withdrawal.State(state).Ended() {
		stay = time.Hour // its entries were not posted
	}
	return err == nil && stay > 0 && !i.At.Before(at.Add(stay))
}

func finalWord(state string) bool {
	return state == "SUCCESS" || state == "FAIL" || state == "CANCELLED"
}

func (p *planet) booksAgree(whole bool) {
	life, grace := p.now.Load(), 10*time.Minute
	if whole {
		grace = time.Millisecond
	}
	r, err := crosscheck.Run(context.Background(), crosscheck.Deps{
		Orders: life.Orders.Archive(), Ledger: life.Commission, Withdrawals: life.Withdrawals, Years: life.Withdrawals.Archive(),
		TaxTables: life.Taxes, Clock: p.clock,
		Config: crosscheck.Config{Grace: grace},
	}, nil)
	if err != nil {
		p.fail("crosscheck: %v", err)
	}
	owed := map[string]bool{}
	r.Differences = slices.DeleteFunc(r.Differences, func(d crosscheck.Difference) bool {
		owed[d.Subject] = owed[d.Subject] || d.Rule == "owed"
		return d.Rule == "owed"
	})
	for _, o := range all[order.Order](p, "orders") {
		stuck := slices.ContainsFunc(o.Refunds, func(r order.Refund) bool { return r.Stage == order.StageAbnormal })
		switch {
		case stuck && !owed[o.ID]:
			p.fail("order %s: the platform cannot return a refund, and nobody calls it owed", o.ID)
		case owed[o.ID] && !stuck && (whole || o.NextAt.IsZero()): // else: days go by at once here, and its next step is due
			p.fail("order %s: money is owed, and nothing is under way: %+v", o.ID, o.Refunds)
		}
	}
	if !r.Good() {
		p.fail("crosscheck: %+v", r)
	}
}

// billsBalance: every bill of every day that is over agrees with our books; differences that a late word had caused have
// closed by themselves.
func (p *planet) billsBalance() {
	ctx, life := context.Background(), p.now.Load()
	for range 200 {
		worked, err := life.Reconcile.Tend(ctx)
		if err != nil {
			p.fail("reconcile: %v", err)
			return
		}
		if worked == 0 {
			break
		}
	}
	runs := 0
	for _, r := range all[reconcile.Run](p, "reconciliations") {
		runs++
		if r.State == reconcile.Balanced || r.State == reconcile.Resolved {
			continue
		}
		for _, task := range all[reconcile.Task](p, "reconciliation_tasks") {
			if task.Run == r.ID {
				p.note("task %s %s %s %s %v %+v", task.State, task.Difference, task.Move, task.Number, task.Lines, task.Ours)
			}
		}
		p.fail("%s is %s: %s; %d differences", r.ID, r.State, r.Problem, r.Differences)
	}
	if runs == 0 {
		p.fail("no bill was looked at")
	}
}
