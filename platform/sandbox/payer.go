package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// PayInput is a person tapping "pay". Package or PrepayID or Number names the order; the other fields, when
// given, are checked as WeChat checks wx.requestPayment.
type PayInput struct {
	PrepayID  string `json:"prepay_id,omitempty"`
	Package   string `json:"package,omitempty"` // prepay_id=…
	Number    string `json:"out_trade_no,omitempty"`
	OpenID    string `json:"openid,omitempty"`
	AppID     string `json:"appId,omitempty"`
	TimeStamp string `json:"timeStamp,omitempty"`
	NonceStr  string `json:"nonceStr,omitempty"`
	SignType  string `json:"signType,omitempty"`
	PaySign   string `json:"paySign,omitempty"`
}

// Why a payment does not happen.
var (
	ErrPaySign    = errors.New("sandbox: paySign does not match the parameters")
	ErrNoPrepay   = errors.New("sandbox: no such prepay id, or it has expired")
	ErrNotPayable = errors.New("sandbox: the order is closed, expired or already paid")
	ErrOtherPayer = errors.New("sandbox: the order is for another openid")
)

// Pay pays an order and sends the notification. It returns the transaction id.
func (s *Sandbox) Pay(in PayInput) (string, error) {
	if in.Package != "" {
		in.PrepayID = strings.TrimPrefix(in.Package, "prepay_id=")
	}
	if in.PaySign != "" && !s.validPaySign(in) {
		return "", ErrPaySign
	}
	order := s.orders.get(in.Number)
	if in.Number == "" {
		order = s.orders.byPrepay(in.PrepayID)
	}
	if order == nil {
		return "", ErrNoPrepay
	}
	now := s.now.Now()
	order.mu.Lock()
	defer order.mu.Unlock()
	if in.Number == "" && order.prepayID != in.PrepayID || now.Sub(order.prepayAt) >= prepayLives {
		return "", ErrNoPrepay
	}
	if in.OpenID != "" && in.OpenID != order.terms.OpenID {
		return "", ErrOtherPayer
	}
	if order.state != stateOpen || order.terms.ExpiresAt != 0 && now.Unix() >= order.terms.ExpiresAt {
		return "", ErrNotPayable
	}
	order.state, order.paidAt, order.transactionID = statePaid, now, newTransactionID(order.seq, now)
	s.settled(order)
	s.orders.paidFen.Add(order.terms.Total)
	s.notify(order.terms.NotifyURL, "TRANSACTION.SUCCESS", "transaction", "支付成功", order.transaction())
	return order.transactionID, nil
}

func (s *Sandbox) validPaySign(in PayInput) bool {
	appID := in.AppID
	if appID == "" {
		appID = s.cfg.AppID // wx.requestPayment takes no appId: WeChat knows which mini-program asks
	}
	pkg := in.Package
	if pkg == "" {
		pkg = "prepay_id=" + in.PrepayID
	}
	if appID != s.cfg.AppID || in.SignType != "" && in.SignType != "RSA" {
		return false
	}
	message := appID + "\n" + in.TimeStamp + "\n" + in.NonceStr + "\n" + pkg + "\n"
	return s.signedByMerchant([]byte(message), in.PaySign)
}

func (s *Sandbox) handPay(w http.ResponseWriter, body []byte) {
	var in PayInput
	if json.Unmarshal(body, &in) != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"errMsg": "requestPayment:fail not JSON"})
		return
	}
	id, err := s.Pay(in)
	if err != nil {
		writeJSON(w, http.StatusConflict, map[string]string{"errMsg": "requestPayment:fail " + err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"errMsg": "requestPayment:ok", "transaction_id": id})
}

// PaidOrder makes a paid order without a merchant asking for it, for tests of what comes after the payment. It
// returns the transaction id, or nothing when the number is taken.
func (s *Sandbox) PaidOrder(number, person string, total int64) string {
	now := s.now.Now()
	_, fresh := s.orders.getOrAdd(number, func(o *payOrder) {
		o.terms = terms{
			AppID: s.cfg.AppID, MchID: s.cfg.MchID, Description: number, Number: number, OpenID: s.OpenID(person), Total: total,
		}
		o.state, o.createdAt, o.prepayID, o.prepayAt = stateOpen, now, newPrepayID(o.seq, now), now
	})
	if !fresh {
		return ""
	}
	id, err := s.Pay(PayInput{Number: number})
	if err != nil {
		return ""
	}
	return id
}
