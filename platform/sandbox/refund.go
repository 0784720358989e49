package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxRefunds     = 50
	refundableDays = 365
	refundDigits   = 13 // of the counter at the end of a refund id
)

// refund is one out_refund_no; its order's lock guards it.
type refund struct {
	order     *payOrder
	number    string
	id        string
	terms     refundTerms
	status    string // PROCESSING SUCCESS CLOSED ABNORMAL
	createdAt time.Time
	doneAt    time.Time
}

// refundTerms is what must not differ between two requests of one out_refund_no.
type refundTerms struct {
	OrderNumber, TransactionID, Reason, NotifyURL string
	Refund, Total                                 int64
}

// refundIndex finds refunds by out_refund_no.
type refundIndex struct {
	mu       sync.Mutex
	next     uint64
	byNumber map[string]*refund
}

func (x *refundIndex) init() { x.byNumber = map[string]*refund{} }

func (x *refundIndex) get(number string) *refund {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byNumber[number]
}

// add registers r and gives it its refund id; it fails when the number is taken.
func (x *refundIndex) add(r *refund, at time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byNumber[r.number] != nil {
		return false
	}
	x.next++
	r.id = fmt.Sprintf("5030000%s%0*d", at.In(shanghai()).Format("20060102"), refundDigits, x.next)
	x.byNumber[r.number] = r
	return true
}

// dropRefunds forgets the refunds of an order that is forgotten.
func (s *Sandbox) dropRefunds(o *payOrder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.refunds.mu.Lock()
	defer s.refunds.mu.Unlock()
	for _, r := range o.refunds {
		delete(s.refunds.byNumber, r.number)
	}
}

type refundWire struct {
	TransactionID string `json:"transaction_id"`
	Number        string `json:"out_trade_no"`
	RefundNumber  string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	Amount        struct {
		Refund   int64  `json:"refund"`
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

var errNoRefundable = &payError{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在或未支付"}

// createRefund is POST /v3/refund/domestic/refunds.
func (s *Sandbox) createRefund(_ *http.Request, body []byte) (any, *payError) {
	var in refundWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	if refusal := s.checkRefundFields(&in); refusal != nil {
		return nil, refusal
	}
	order := s.orders.get(in.Number)
	if in.Number == "" {
		order = s.orders.byTransaction(in.TransactionID)
	}
	if order == nil {
		return nil, errNoRefundable
	}
	now := s.now.Now()
	order.mu.Lock()
	defer order.mu.Unlock()
	asked := refundTerms{order.number, order.transactionID, in.Reason, in.NotifyURL, in.Amount.Refund, in.Amount.Total}
	if known := s.refunds.get(in.RefundNumber); known != nil {
		if known.order != order || known.terms != asked {
			return nil, invalidRequest("订单金额或退款金额与之前请求不一致，请核实后再试")
		}
		return known.describe("status"), nil
	}
	if order.paidAt.IsZero() || in.TransactionID != "" && in.TransactionID != order.transactionID {
		return nil, errNoRefundable
	}
	if refusal := s.refundable(order, asked, now); refusal != nil {
		return nil, refusal
	}
	r := &refund{order: order, number: in.RefundNumber, terms: asked, status: "PROCESSING", createdAt: now}
	if !s.refunds.add(r, now) {
		return nil, invalidRequest("商户退款单号重复")
	}
	order.refunds, order.state = append(order.refunds, r), stateRefund
	s.planRefund(r)
	return r.describe("status"), nil
}

func (s *Sandbox) checkRefundFields(in *refundWire) *payError {
	switch {
	case in.Number == "" && in.TransactionID == "":
		return paramError("transaction_id 和 out_trade_no 二选一")
	case !validNumber(in.RefundNumber, 1, 64, "_-|*@"):
		return paramError("out_refund_no 须为1到64位数字、字母或_-|*@")
	case utf8.RuneCountInString(in.Reason) > 80:
		return paramError("reason 最长80个字符")
	case in.Amount.Currency != "CNY":
		return paramError("amount.currency 必填且只支持CNY")
	case in.Amount.Refund < 1 || in.Amount.Total < 1:
		return paramError("amount 须为正整数")
	case in.NotifyURL != "" && !s.validNotifyURL(in.NotifyURL):
		return paramError("notify_url 须为https地址且不带参数")
	}
	return nil
}

// refundable checks the rules of money and time; order.mu is held.
func (s *Sandbox) refundable(order *payOrder, asked refundTerms, now time.Time) *payError {
	given, newest := int64(0), time.Time{}
	for _, r := range order.refunds {
		if r.status != "CLOSED" {
			given += r.terms.Refund
		}
		newest = r.createdAt
	}
	switch {
	case asked.Total != order.terms.Total:
		return invalidRequest("订单金额与原订单不一致")
	case given+asked.Refund > order.terms.Total:
		return invalidRequest("申请退款金额超过订单可退金额")
	case len(order.refunds) >= maxRefunds:
		return invalidRequest("部分退款次数超过50次")
	case now.Sub(order.paidAt) > refundableDays*24*time.Hour:
		return invalidRequest("订单已超过可退款期限")
	case s.cfg.RefundGap > 0 && !newest.IsZero() && now.Sub(newest) < s.cfg.RefundGap:
		return &payError{http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率限制"}
	}
	return nil
}

// planRefund lets the refund become final after the configured delay; a fault rule may choose how it ends.
func (s *Sandbox) planRefund(r *refund) {
	final, event, words := "SUCCESS", "REFUND.SUCCESS", "退款成功"
	delay := s.cfg.RefundDelay
	if rule, ok := s.faults.take("refund"); ok {
		switch rule.Action {
		case ActionAbnormal:
			final, event, words = "ABNORMAL", "REFUND.ABNORMAL", "退款异常"
		case ActionClosed:
			final, event, words = "CLOSED", "REFUND.CLOSED", "退款关闭"
		default:
			delay = rule.wait(delay)
		}
	}
	s.post.later(delay, func() {
		r.order.mu.Lock()
		r.status, r.doneAt = final, s.now.Now()
		if final == "SUCCESS" {
			s.orders.refundedFen.Add(r.terms.Refund)
			o := r.order
			s.ledger.adjust.Add(r.terms.Refund - o.settles(r.terms.Refund) + o.feeBack(r.terms.Refund))
		}
		resource := r.describe("refund_status")
		r.order.mu.Unlock()
		s.notify(r.terms.NotifyURL, event, "refund", words, resource)
	})
}

// describe is the refund on the wire: answers call the state "status", notifications "refund_status".
func (r *refund) describe(stateField string) map[string]any {
	amount := map[string]any{
		"total": r.terms.Total, "refund": r.terms.Refund, "payer_total": r.terms.Total, "payer_refund": r.terms.Refund,
	}
	out := map[string]any{
		"transaction_id": r.order.transactionID, "out_trade_no": r.order.number, "refund_id": r.id,
		"out_refund_no": r.number, stateField: r.status, "user_received_account": "支付用户零钱", "amount": amount,
	}
	if stateField == "status" {
		amount["settlement_total"], amount["settlement_refund"] = r.terms.Total, r.terms.Refund
		amount["discount_refund"], amount["currency"] = 0, "CNY"
		out["channel"], out["create_time"], out["funds_account"] = "ORIGINAL", rfc3339(r.createdAt), "AVAILABLE"
	} else {
		out["mchid"] = r.order.terms.MchID
	}
	if r.status == "SUCCESS" {
		out["success_time"] = rfc3339(r.doneAt)
	}
	return out
}

func (s *Sandbox) queryRefund(number string) payCall {
	return func(*http.Request, []byte) (any, *payError) {
		r := s.refunds.get(number)
		if r == nil {
			return nil, &payError{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在"}
		}
		r.order.mu.Lock()
		defer r.order.mu.Unlock()
		return r.describe("status"), nil
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

func tick(cells ...string) string { return "`" + strings.Join(cells, ",`") + "\r\n" }
