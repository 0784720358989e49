package sandbox

import (
	"fmt"
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
	bill := &tradeBill{day: day, kind: kind, style: s.billStyle()}
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

// tradeBill sums up what its summary says.
type tradeBill struct {
	day   time.Time
	kind  string
	style BillStyle
	body  strings.Builder

	rows, settled, back, fee, total, asked int64
}

func (b *tradeBill) order(o *payOrder) {
	if within(b.day, o.paidAt) && b.kind != "REFUND" {
		b.row(o, tradeRow{at: o.paidAt, state: "SUCCESS", total: o.terms.Total, settled: o.settles(o.terms.Total), coupon: o.coupon, fee: o.fee})
	}
	for _, r := range o.refunds {
		at, state := r.doneAt, r.status
		if b.style.ProcessingRows && r.status != "CLOSED" {
			at, state = r.createdAt, "PROCESSING"
		}
		if r.status != "SUCCESS" && !b.style.ProcessingRows || !within(b.day, at) || b.kind == "SUCCESS" {
			continue
		}
		b.row(o, tradeRow{
			at: at, state: "REFUND", refundID: r.id, refundNumber: r.number, asked: r.terms.Refund, back: o.settles(r.terms.Refund),
			fee: -o.feeBack(r.terms.Refund), kind: "ORIGINAL", refundState: state,
		})
	}
}

// tradeRow is what differs between rows of an order; amounts in fen.
type tradeRow struct {
	at                                                time.Time
	state, refundID, refundNumber, kind, refundState  string
	total, settled, coupon, asked, back, fee, prepaid int64
}

// row writes one row. Older bills know no coupon that is not prefunded, and end before the last three columns.
func (b *tradeBill) row(o *payOrder, r tradeRow) {
	b.rows++
	b.settled, b.back, b.fee = b.settled+r.settled, b.back+r.back, b.fee+r.fee
	b.total, b.asked = b.total+r.total, b.asked+r.asked
	if r.refundID == "" {
		r.refundID, r.refundNumber = "0", "0"
	}
	cells := []string{
		wall(r.at), o.terms.AppID, o.terms.MchID, "0", "", o.transactionID, o.number, o.terms.OpenID, "JSAPI", r.state, "OTHERS",
		"CNY", b.style.sum(r.settled), b.style.sum(r.coupon), r.refundID, r.refundNumber, b.style.sum(r.back), b.style.sum(r.prepaid),
		r.kind, r.refundState, billText(o.terms.Description), billText(o.terms.Attach), b.style.feeText(r.fee), "0.60%",
	}
	if !b.style.Older {
		cells = append(cells, b.style.sum(r.total), b.style.sum(r.asked), "")
	}
	b.body.WriteString(tick(cells...))
}

// The headers and summaries of the two forms of the trade bill.
const (
	tradeHeader = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率," +
		"订单金额,申请退款金额,费率备注\r\n"
	tradeSummary     = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
	tradeHeaderOlder = "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"总金额,企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率\r\n"
	tradeSummaryOlder = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额\r\n"
)

func (b *tradeBill) finish() []byte {
	s := &b.style
	sums := []string{s.count(b.rows), s.sum(b.settled), s.sum(b.back), s.sum(0), s.feeText(b.fee)}
	if s.Older {
		return []byte(tradeHeaderOlder + b.body.String() + tradeSummaryOlder + tick(sums...))
	}
	sums = append(sums, s.sum(b.total), s.sum(b.asked))
	return []byte(tradeHeader + b.body.String() + tradeSummary + tick(sums...))
}

// count writes a number of rows.
func (s *BillStyle) count(n int64) string {
	if s.Decimals {
		return itoa(n) + ".0"
	}
	return itoa(n)
}

// sum writes an amount in yuan.
func (s *BillStyle) sum(fen int64) string {
	if s.Decimals && fen == 0 {
		return "0"
	}
	return yuan(fen)
}

// feeText writes a fee with five decimals.
func (s *BillStyle) feeText(fen int64) string {
	if fen < 0 {
		return "-" + s.feeText(-fen)
	}
	return fmt.Sprintf("%d.%02d000", fen/100, fen%100)
}
