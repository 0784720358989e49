package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

func wall(t time.Time) string { return t.In(shanghai()).Format(time.DateTime) }

// billText keeps free text from breaking the columns, as the real bill does.
func billText(text string) string {
	return strings.NewReplacer(",", " ", "`", " ", "\r", " ", "\n", " ").Replace(text)
}

// within tells whether t lies in the Shanghai day that begins at day.
func within(day, t time.Time) bool {
	return !t.IsZero() && !t.Before(day) && t.Before(day.AddDate(0, 0, 1))
}

// tradeBill lists what was paid and refunded on that day; nil when nothing was.
func (s *Sandbox) tradeBill(day time.Time, kind string) []byte {
	bill := &tradeBill{day: day, kind: kind}
	s.orders.each(func(o *payOrder) {
		o.mu.Lock()
		defer o.mu.Unlock()
		bill.order(o)
	})
	if bill.rows == 0 {
		return nil
	}
	return bill.finish()
}

type tradeBill struct {
	day              time.Time
	kind             string
	body             strings.Builder
	rows, paid, back int64
}

func (b *tradeBill) order(o *payOrder) {
	if within(b.day, o.paidAt) && b.kind != "REFUND" {
		b.rows, b.paid = b.rows+1, b.paid+o.terms.Total
		b.body.WriteString(tick(wall(o.paidAt), o.terms.AppID, o.terms.MchID, "0", "", o.transactionID, o.number,
			o.terms.OpenID, "JSAPI", "SUCCESS", "OTHERS", "CNY", yuan(o.terms.Total), "0.00", "0", "0", "0.00", "0.00",
			"", "", billText(o.terms.Description), billText(o.terms.Attach), "0.00000", "0.00%", yuan(o.terms.Total), "0.00", ""))
	}
	for _, r := range o.refunds {
		if r.status != "SUCCESS" || !within(b.day, r.doneAt) || b.kind == "SUCCESS" {
			continue
		}
		b.rows, b.back = b.rows+1, b.back+r.terms.Refund
		b.body.WriteString(tick(wall(r.doneAt), o.terms.AppID, o.terms.MchID, "0", "", o.transactionID, o.number,
			o.terms.OpenID, "JSAPI", "REFUND", "OTHERS", "CNY", "0.00", "0.00", r.id, r.number, yuan(r.terms.Refund), "0.00",
			"ORIGINAL", r.status, billText(o.terms.Description), billText(o.terms.Attach), "0.00000", "0.00%", "0.00",
			yuan(r.terms.Refund), ""))
	}
}

func (b *tradeBill) finish() []byte {
	const header = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率," +
		"订单金额,申请退款金额,费率备注\r\n"
	return []byte(header + b.body.String() +
		"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n" +
		tick(itoa(b.rows), yuan(b.paid), yuan(b.back), "0.00", "0.00", yuan(b.paid), yuan(b.back)))
}

// movement is one line of the fund-flow bill; amount is negative for what went out.
type movement struct {
	at                                 time.Time
	business, flow, name, kind, number string
	note                               string
	amount                             int64
}

// fundBill lists everything that moved money on that day, in order, with the balance after each; nil when nothing
// did. What is set aside for a transfer has not moved: it is listed when the person has it.
func (s *Sandbox) fundBill(day time.Time) []byte {
	all := s.movements(day)
	slices.SortFunc(all, func(a, b movement) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.flow, b.flow))
	})
	s.transfers.mu.Lock()
	balance := s.bookFunds()
	s.transfers.mu.Unlock()
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
		tick(itoa(in+out), itoa(in), yuan(inFen), itoa(out), yuan(outFen)))
}

// movements is everything that moved since the day began.
func (s *Sandbox) movements(day time.Time) []movement {
	var all []movement
	add := func(m movement) {
		if !m.at.IsZero() && !m.at.Before(day) {
			all = append(all, m)
		}
	}
	s.orders.each(func(o *payOrder) {
		o.mu.Lock()
		defer o.mu.Unlock()
		add(movement{
			at: o.paidAt, business: o.transactionID, flow: o.transactionID, name: "交易", kind: "交易", number: o.number,
			amount: o.terms.Total,
		})
		for _, r := range o.refunds {
			if r.status == "SUCCESS" {
				add(movement{
					at: r.doneAt, business: r.id, flow: r.id, name: "退款", kind: "退款", number: r.number,
					amount: -r.terms.Refund, note: "退款总金额" + yuan(r.terms.Refund) + "元",
				})
			}
		}
	})
	s.sharingMovements(add)
	s.transfers.mu.Lock()
	defer s.transfers.mu.Unlock()
	for _, t := range s.transfers.all {
		if t.state == transferDone {
			add(movement{
				at: t.updatedAt, business: t.id, flow: "F" + t.id, name: "商家转账", kind: "商家转账", number: t.number,
				amount: -t.terms.Amount, note: t.terms.Remark,
			})
		}
	}
	for _, up := range s.transfers.topUps {
		add(movement{
			at: up.At, business: up.ID, flow: up.ID, name: "充值", kind: "充值", number: up.ID, amount: up.Fen,
		})
	}
	return all
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
