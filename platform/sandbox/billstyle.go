package sandbox

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// BillStyle says in which of its forms the platform writes a merchant's bills, and what it takes. The zero value is the present
// form without fees, everything on the basic account.
type BillStyle struct {
	FeeRate        int64  `json:"fee_rate,omitempty"`        // basis points taken of what a payment settles, given back in proportion with refunds
	NetRefunds     bool   `json:"net_refunds,omitempty"`     // a refund's fund row is less the fee given back; otherwise the fee has a row of its own
	Older          bool   `json:"older,omitempty"`           // the trade bill of 24 columns
	Decimals       bool   `json:"decimals,omitempty"`        // counts as 1.0, nothing as 0
	ProcessingRows bool   `json:"processing_rows,omitempty"` // a refund's row is written when it is accepted, as PROCESSING, and never again
	TransfersFrom  string `json:"transfers_from,omitempty"`  // the account transfers are paid from; "" is BASIC
}

// Movement is money on one of the merchant's accounts that no order, refund or transfer moved.
type Movement struct {
	Account string    `json:"account"`
	Name    string    `json:"name"` // 业务名称
	Kind    string    `json:"kind"` // 业务类型
	Number  string    `json:"number,omitempty"`
	Note    string    `json:"note,omitempty"`
	Fen     int64     `json:"fen"` // negative: out
	At      time.Time `json:"at"`
}

// ledger is what bills need beside orders, refunds, transfers and sharings.
type ledger struct {
	mu    sync.Mutex
	style BillStyle
	moves []Movement

	adjust atomic.Int64 // fen on the basic account by fees, coupons and movements
}

const maxMovements = 10_000

// SetBillStyle changes the form of bills that are asked for from now on, and the fee of payments from now on.
func (s *Sandbox) SetBillStyle(style BillStyle) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.style = style
}

func (s *Sandbox) billStyle() BillStyle {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.style
}

// Move books something of the merchant's own: a withdrawal to the bank, a service fee. At and Account have defaults: now, BASIC.
func (s *Sandbox) Move(m Movement) {
	if m.Account == "" {
		m.Account = accountBasic
	}
	if m.At.IsZero() {
		m.At = s.now.Now()
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if len(s.ledger.moves) >= maxMovements {
		return
	}
	s.ledger.moves = append(s.ledger.moves, m)
	if m.Account == accountBasic {
		s.ledger.adjust.Add(m.Fen)
	}
}

// Coupon gives an unpaid order a coupon. One that is not prefunded (免充值) makes the merchant get that much less.
func (s *Sandbox) Coupon(number string, fen int64, prefunded bool) bool {
	o := s.orders.get(number)
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != stateOpen || fen < 0 || fen >= o.terms.Total {
		return false
	}
	o.coupon, o.prefunded = fen, prefunded
	return true
}

// OtherProgram books an order that another program of the same merchant has been paid for. It returns the transaction id.
func (s *Sandbox) OtherProgram(appID, number string, fen int64) string {
	now := s.now.Now()
	o, fresh := s.orders.getOrAdd(number, func(o *payOrder) {
		o.terms = terms{AppID: appID, MchID: s.cfg.MchID, Description: number, Number: number, OpenID: "o-" + appID, Total: fen}
		o.state, o.createdAt, o.paidAt, o.transactionID = statePaid, now, now, newTransactionID(o.seq, now)
	})
	if !fresh {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s.settled(o)
	s.orders.paidFen.Add(fen)
	return o.transactionID
}

// settled fixes what a payment brings the merchant; o.mu is held.
func (s *Sandbox) settled(o *payOrder) {
	o.fee = share100(o.settles(o.terms.Total), s.billStyle().FeeRate)
	s.ledger.adjust.Add(o.settles(o.terms.Total) - o.terms.Total - o.fee)
}

// settles is what of a part of the order moves on the merchant's account: less its part of a coupon that is not prefunded.
func (o *payOrder) settles(part int64) int64 {
	if o.prefunded || o.coupon == 0 {
		return part
	}
	return part - proportion(o.coupon, part, o.terms.Total)
}

// feeBack is what of the fee a refund gives back.
func (o *payOrder) feeBack(part int64) int64 { return proportion(o.fee, part, o.terms.Total) }

// proportion is whole × part ÷ of, to the nearest.
func proportion(whole, part, of int64) int64 { return (2*whole*part + of) / (2 * of) }

// share100 is a rate in basis points of an amount, to the nearest fen.
func share100(fen, rate int64) int64 { return proportion(rate, fen, 10_000) }

// handBills is the tester's lever on bills: their form, a movement of the merchant's own, a coupon for an unpaid order,
// another program's order.
func (s *Sandbox) handBills(w http.ResponseWriter, body []byte) {
	var in struct {
		Style  *BillStyle `json:"style"`
		Move   *Movement  `json:"move"`
		Coupon *struct {
			Number    string `json:"out_trade_no"`
			Fen       int64  `json:"fen"`
			Prefunded bool   `json:"prefunded"`
		} `json:"coupon"`
		Other *struct {
			AppID  string `json:"appid"`
			Number string `json:"out_trade_no"`
			Fen    int64  `json:"fen"`
		} `json:"other_program"`
	}
	if json.Unmarshal(body, &in) != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"errMsg": "bills:fail not JSON"})
		return
	}
	done := true
	if in.Style != nil {
		s.SetBillStyle(*in.Style)
	}
	if in.Move != nil {
		s.Move(*in.Move)
	}
	if in.Coupon != nil {
		done = s.Coupon(in.Coupon.Number, in.Coupon.Fen, in.Coupon.Prefunded)
	}
	if in.Other != nil {
		done = s.OtherProgram(in.Other.AppID, in.Other.Number, in.Other.Fen) != "" && done
	}
	if !done {
		writeJSON(w, http.StatusConflict, map[string]string{"errMsg": "bills:fail no such unpaid order, or the number is taken"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"errMsg": "bills:ok"})
}
