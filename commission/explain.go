package commission

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/money"
)

// Explanation answers "why exactly this much, and why not yet?" for one entry and one member.
type Explanation struct {
	Entry    string
	Kind     Kind
	Order    string // "" for what belongs to no sale
	Number   string // of the withdrawal or voucher
	Notes    []Note // of such an entry
	At       time.Time
	Change   Balance // what the entry did to the member
	Sentence string  // one Chinese sentence
	Policy   int     // version that decided
	Referral Referral
	Parts    []Part
	Steps    []string // the derivation in Chinese, one step each
	// NotYet says why the money cannot be withdrawn yet; "" when nothing of it is pending.
	NotYet string
	Sealed int64 // the seal that holds the entry; 0 while it waits for one
}

// Part is one amount of the accrual: one line, one role, and what became of it.
type Part struct {
	Line         int
	SKU, Product string
	Role         Role
	Rule         string     // Rule.Name
	Pay          policy.Pay // what the rule says
	Base         money.Fen
	Units        int64
	Full         money.Fen // before the sale's cap
	Amount       money.Fen // as accrued
	Refunded     money.Fen // of Base, so far
	TakenBack    money.Fen // of Amount, so far
	Left         money.Fen // Amount - TakenBack
	Due          time.Time // when it becomes available; zero while the order is not received
	Settled      bool
	Held         string // number of the refund that is being dealt with; "" when none is
}

// Explain tells a member why an entry moved the purse by exactly that much.
// Codes: COM_MEMBER_INVALID, COM_ENTRY_NOT_FOUND (also when the entry concerns others only).
func (s *Service) Explain(ctx context.Context, member, entryID string) (Explanation, error) {
	if !book.Named(member) {
		return Explanation{}, ErrMemberInvalid
	}
	e, err := s.book.Entry(ctx, entryID)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	if e == nil || !concerns(e, member) {
		return Explanation{}, ErrEntryMissing
	}
	x, err := s.explain(ctx, member, e)
	return x, wrap("explain", err)
}

func (s *Service) explain(ctx context.Context, member string, e *Entry) (Explanation, error) {
	if e.Order == "" {
		return s.explainNumbered(ctx, member, e)
	}
	accrual, settlement, policy, err := s.background(ctx, e)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{
		Entry: e.ID, Kind: e.Kind, Order: e.Order, At: e.At, Sealed: e.Seal,
		Policy: accrual.Policy, Referral: accrual.Referral, Parts: parts(member, accrual, settlement, policy),
	}
	line := e.LineOf(member)
	x.Change, x.Sentence = line.Change, words(&line)
	x.Steps = x.derive(e, accrual)
	x.NotYet = x.waiting(settlement)
	return x, nil
}

// background loads the accrual an entry belongs to, its policy, and what happened to the order since.
func (s *Service) background(ctx context.Context, e *Entry) (*Entry, *Settlement, *policy.Policy, error) {
	accrual := e
	if e.Kind != Accrue {
		var err error
		if accrual, err = s.book.Entry(ctx, book.AccrueID(e.Order)); err != nil {
			return nil, nil, nil, err
		}
		if accrual == nil {
			return nil, nil, nil, fmt.Errorf("%w: %s", book.ErrGone, book.AccrueID(e.Order))
		}
	}
	settlement, err := s.settlements.Get(ctx, e.Order)
	if book.Missing(err) {
		settlement, err = &Settlement{}, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	policy, err := s.Policies.Version(ctx, accrual.Policy)
	return accrual, settlement, policy, err
}

func concerns(e *Entry, member string) bool {
	return slices.ContainsFunc(e.Postings, func(p Posting) bool {
		owner, _, ok := p.Account.Member()
		return ok && owner == member
	})
}

func parts(member string, accrual *Entry, settlement *Settlement, policy *policy.Policy) []Part {
	var all []Part
	for _, p := range accrual.Postings {
		owner, _, ok := p.Account.Member()
		if !ok || owner != member {
			continue
		}
		sold := accrual.Lines[slices.IndexFunc(accrual.Lines, func(l SaleLine) bool { return l.Line == p.Line })]
		part := Part{
			Line: p.Line, SKU: sold.SKU, Product: sold.Product, Role: p.Role, Rule: p.Rule, Base: sold.Paid, Units: sold.Units,
			Full: max(p.Full, p.Amount), Amount: p.Amount, Pay: policy.Pay(p.Rule, p.Role),
		}
		if l := settlement.line(p.Line); l != nil {
			part.Refunded, part.Due, part.Settled = l.Refunded, l.Due, l.Settled
			part.Held = settlement.HeldBy(p.Line)
		}
		part.Left = book.Kept(p.Amount, part.Refunded, sold.Paid)
		part.TakenBack = p.Amount - part.Left
		all = append(all, part)
	}
	return all
}

func (x *Explanation) derive(e, accrual *Entry) []string {
	steps := []string{
		"订单 " + e.Order + " 于 " + moment(accrual.At) + " 成交；适用第 " + strconv.Itoa(accrual.Policy) + " 版佣金规则",
		x.credited(),
	}
	for i := range x.Parts {
		steps = append(steps, x.Parts[i].words()...)
	}
	if accrual.Capped {
		steps = append(steps, "本单佣金合计不得超过 "+accrual.Cap.Yuan()+" 元，按最大余数法等比例压缩到上限")
	}
	for _, r := range e.Refunded {
		steps = append(steps, "第 "+strconv.Itoa(r.Line)+" 行实付 "+r.Paid.Yuan()+" 元，累计退款由 "+r.From.Yuan()+
			" 元增至 "+r.To.Yuan()+" 元，同比例扣回佣金（累计计算、向零取整，全部退完时正好扣尽）")
	}
	return append(steps, "本笔变动：待结算 "+signed(x.Change.Pending)+" 元，可提现 "+signed(x.Change.Available)+" 元")
}

func (x *Explanation) credited() string {
	why := whyWords[x.Referral.Why]
	if why == "" {
		why = x.Referral.Why
	}
	text := "归属原因：" + why
	if x.Referral.Share != "" {
		text += "（分享 " + x.Referral.Share + "，打开记录 " + x.Referral.Touch + "）"
	}
	return text
}

func (p *Part) words() []string {
	at := "第 " + strconv.Itoa(p.Line) + " 行 " + p.Product + "："
	text := at + "实付 " + p.Base.Yuan() + " 元，" + ruleText(p.Rule) + "，" + roleWords[p.Role]
	if p.Pay.Fixed > 0 {
		text += "每件 " + p.Pay.Fixed.Yuan() + " 元 × " + strconv.FormatInt(p.Units, 10) + " 件"
	} else {
		text += " " + percent(p.Pay.Rate) + "（四舍五入到分）"
	}
	text += " = " + p.Full.Yuan() + " 元"
	if p.Amount != p.Full {
		text += "，受总上限压缩为 " + p.Amount.Yuan() + " 元"
	}
	steps := []string{text}
	if p.Refunded > 0 {
		steps = append(steps, at+"已退款 "+p.Refunded.Yuan()+" 元，扣回 "+p.TakenBack.Yuan()+" 元，余 "+p.Left.Yuan()+" 元")
	}
	return steps
}

// waiting says why some of it cannot be withdrawn yet.
func (x *Explanation) waiting(settlement *Settlement) string {
	due, left, held := time.Time{}, money.Fen(0), money.Fen(0)
	for _, p := range x.Parts {
		if p.Settled || p.Left == 0 {
			continue
		}
		left += p.Left
		if p.Held != "" {
			held += p.Left
			continue
		}
		if p.Due.After(due) {
			due = p.Due
		}
	}
	switch {
	case left == 0:
		return ""
	case held == left:
		return "还有 " + left.Yuan() + " 元待结算：这些商品的售后正在处理，处理完再结算"
	case settlement.Received.IsZero():
		return "还有 " + left.Yuan() + " 元待结算：买家尚未确认收货，售后期从收货时开始计算"
	}
	return "还有 " + left.Yuan() + " 元待结算：买家于 " + moment(settlement.Received) + " 收货，售后期到 " + moment(due) + " 结束，之后自动转为可提现"
}

func signed(f money.Fen) string {
	if f > 0 {
		return "+" + f.Yuan()
	}
	return f.Yuan()
}
