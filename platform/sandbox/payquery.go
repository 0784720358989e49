package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// unpaidLives is how long WeChat keeps an unpaid order open by itself.
const unpaidLives = 7 * 24 * time.Hour

type transaction struct {
	AppID         string             `json:"appid"`
	MchID         string             `json:"mchid"`
	Number        string             `json:"out_trade_no"`
	TransactionID string             `json:"transaction_id,omitempty"`
	TradeType     string             `json:"trade_type,omitempty"`
	State         string             `json:"trade_state"`
	StateDesc     string             `json:"trade_state_desc"`
	BankType      string             `json:"bank_type,omitempty"`
	Attach        string             `json:"attach"`
	SuccessTime   string             `json:"success_time,omitempty"`
	Payer         *transactionPayer  `json:"payer,omitempty"`
	Amount        *transactionAmount `json:"amount,omitempty"`
}

type transactionPayer struct {
	OpenID string `json:"openid"`
}

type transactionAmount struct {
	Total         int64  `json:"total"`
	PayerTotal    int64  `json:"payer_total"`
	Currency      string `json:"currency"`
	PayerCurrency string `json:"payer_currency"`
}

// transaction describes the order; o.mu is held.
func (o *payOrder) transaction() transaction {
	t := transaction{
		AppID: o.terms.AppID, MchID: o.terms.MchID, Number: o.number, State: o.state, Attach: o.terms.Attach,
		StateDesc: stateWords(o.state),
		Amount: &transactionAmount{
			Total: o.terms.Total, PayerTotal: o.terms.Total, Currency: "CNY", PayerCurrency: "CNY",
		},
	}
	if !o.paidAt.IsZero() {
		t.TransactionID, t.TradeType, t.BankType = o.transactionID, "JSAPI", "OTHERS"
		t.SuccessTime, t.Payer = rfc3339(o.paidAt), &transactionPayer{o.terms.OpenID}
	}
	return t
}

func stateWords(state string) string {
	switch state {
	case statePaid:
		return "支付成功"
	case stateRefund:
		return "转入退款"
	case stateClosed:
		return "订单已关闭"
	}
	return "订单未支付"
}

var errNoOrder = &payError{http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在"}

func (s *Sandbox) queryByNumber(number string) payCall {
	return func(r *http.Request, _ []byte) (any, *payError) {
		return s.describe(s.orders.get(number), r.URL.Query())
	}
}

func (s *Sandbox) queryByTransaction(id string) payCall {
	return func(r *http.Request, _ []byte) (any, *payError) {
		return s.describe(s.orders.byTransaction(id), r.URL.Query())
	}
}

func (s *Sandbox) describe(order *payOrder, query url.Values) (any, *payError) {
	if query.Get("mchid") != s.cfg.MchID {
		return nil, paramError("mchid 与商户号不一致")
	}
	if order == nil {
		return nil, errNoOrder
	}
	order.mu.Lock()
	defer order.mu.Unlock()
	if order.state == stateOpen && s.now.Now().Sub(order.createdAt) >= unpaidLives {
		order.state = stateClosed
	}
	return order.transaction(), nil
}

// closeOrder is POST …/out-trade-no/{number}/close: 204, however often.
func (s *Sandbox) closeOrder(number string) payCall {
	return func(_ *http.Request, body []byte) (any, *payError) {
		var in struct {
			MchID string `json:"mchid"`
		}
		if json.Unmarshal(body, &in) != nil || in.MchID != s.cfg.MchID {
			return nil, paramError("mchid 必填且须与商户号一致")
		}
		order := s.orders.get(number)
		if order == nil {
			return nil, errNoOrder
		}
		order.mu.Lock()
		defer order.mu.Unlock()
		switch order.state {
		case stateOpen, stateClosed:
			order.state = stateClosed
			return nil, nil
		}
		return nil, &payError{http.StatusBadRequest, "ORDERPAID", "该订单已支付"}
	}
}
