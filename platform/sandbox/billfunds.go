package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The merchant's accounts; each has a fund-flow bill of its own.
const (
	accountBasic     = "BASIC"
	accountOperation = "OPERATION"
	accountFees      = "FEES"
)

// movement is one line of the fund-flow bill; amount is negative for what went out.
type movement struct {
	at                                 time.Time
	business, flow, name, kind, number string
	note                               string
	amount                             int64
}

// fundBill lists everything that moved money on an account on that day, in order, with the balance after each; nil when
// nothing did. What is set aside for a transfer has not moved: it is listed when the person has it.
func (s *Sandbox) fundBill(day time.Time, account string) []byte {
	style := s.billStyle()
	all := s.movements(day, account, style)
	slices.SortStableFunc(all, func(a, b movement) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.business, b.business))
	})
	balance := int64(100_000_000) // of the other accounts nothing else is known
	if account == accountBasic {
		s.transfers.mu.Lock()
		balance = s.bookFunds()
		s.transfers.mu.Unlock()
	}
	for _, m := range all { // back to what it was when the day began
		balance -= m.amount
	}
	var body strings.Builder
	var in, out, inFen, outFen int64
	for _, m := range all {
		if !within(day, m.at) {
			break
		}
		balance += m.amount
		direction, amount := "收入", m.amount
		if amount < 0 {
			direction, amount = "支出", -amount
			out, outFen = out+1, outFen+amount
		} else {
			in, inFen = in+1, inFen+amount
		}
		body.WriteString(tick(wall(m.at), m.business, m.flow, m.name, m.kind, direction, yuan(amount), yuan(balance),
			"system", billText(m.note), m.number))
	}
	if in+out == 0 {
		return nil
	}
	const header = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n"
	return []byte(header + body.String() + "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n" +
		tick(style.count(in+out), style.count(in), style.sum(inFen), style.count(out), style.sum(outFen)))
}

// movements is everything that moved on an account since the day began.
func (s *Sandbox) movements(day time.Time, account string, style BillStyle) []movement {
	var all []movement
	add := func(m movement) {
		if !m.at.IsZero() && !m.at.Before(day) && m.amount != 0 {
			all = append(all, m)
		}
	}
	if account == accountBasic {
		s.orders.each(func(o *payOrder) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.movements(style, add)
		})
		s.sharingMovements(add)
	}
	s.transferMovements(account, style, add)
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	for _, m := range s.ledger.moves {
		if m.Account == account {
			id := "3000" + m.At.UTC().Format("20060102150405.000000000")
			id = strings.Replace(id, ".", "", 1)
			add(movement{at: m.At, business: id, flow: id, name: m.Name, kind: m.Kind, number: m.Number, note: m.Note, amount: m.Fen})
		}
	}
	return all
}

// movements of one order: what it brought, the fee, and what refunds took and gave back.
func (o *payOrder) movements(style BillStyle, add func(movement)) {
	add(movement{
		at: o.paidAt, business: o.transactionID, flow: o.transactionID, name: "交易", kind: "交易", number: o.number,
		amount: o.settles(o.terms.Total),
	})
	add(movement{
		at: o.paidAt, business: o.transactionID, flow: o.transactionID + "1", name: "交易", kind: "扣除交易手续费", number: o.number,
		amount: -o.fee, note: "扣除交易手续费",
	})
	for _, r := range o.refunds {
		if r.status != "SUCCESS" {
			continue
		}
		amount, back := o.settles(r.terms.Refund), o.feeBack(r.terms.Refund)
		note := "退款总金额" + yuan(amount) + "元"
		if back > 0 {
			note += ";含手续费" + yuan(back) + "元"
		}
		if style.NetRefunds {
			amount, back = amount-back, 0
		}
		add(movement{at: r.doneAt, business: r.id, flow: r.id, name: "退款", kind: "退款", number: r.number, amount: -amount, note: note})
		add(movement{at: r.doneAt, business: r.id, flow: r.id + "1", name: "退款", kind: "退还交易手续费", number: r.number, amount: back})
	}
}

func (s *Sandbox) transferMovements(account string, style BillStyle, add func(movement)) {
	from := style.TransfersFrom
	if from == "" {
		from = accountBasic
	}
	s.transfers.mu.Lock()
	defer s.transfers.mu.Unlock()
	for _, t := range s.transfers.all {
		if t.state == transferDone && from == account {
			add(movement{
				at: t.updatedAt, business: t.id, flow: "F" + t.id, name: "商家转账", kind: "商家转账", number: t.number,
				amount: -t.terms.Amount, note: t.terms.Remark,
			})
		}
	}
	for _, up := range s.transfers.topUps {
		if account == accountBasic {
			add(movement{at: up.At, business: up.ID, flow: up.ID, name: "充值", kind: "充值", number: up.ID, amount: up.Fen})
		}
	}
}

func (s *Sandbox) sharingMovements(add func(movement)) {
	s.sharing.mu.Lock()
	defer s.sharing.mu.Unlock()
	for _, sh := range s.sharing.byID {
		for _, p := range sh.parts {
			if p.Result == "SUCCESS" && !p.Own {
				add(movement{
					at: p.DoneAt, business: sh.id, flow: p.ID, name: "分账", kind: "分账", number: sh.number,
					amount: -p.Amount, note: p.Note,
				})
			}
		}
	}
	for _, back := range s.sharing.returns {
		if back.result == "SUCCESS" {
			add(movement{
				at: back.doneAt, business: back.id, flow: back.id, name: "分账回退", kind: "分账回退", number: back.number,
				amount: back.amount, note: back.note,
			})
		}
	}
}
