package weixinpay

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"

	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
)

// MaxNotification is the largest notification read, in bytes.
const MaxNotification = 64 << 10

// Why a notification is refused. Neither holds any of its content.
var (
	// ErrForged: signature, serial, age or signature type do not hold; nothing was parsed.
	ErrForged = errors.New("weixinpay: the notification is not from WeChat Pay")
	// ErrUnknownKey: its serial is none that is configured, as while the platform changes keys; it may be true. With ErrForged.
	ErrUnknownKey = errors.New("weixinpay: signed with a key that is not configured")
	// ErrUnreadable: signed by WeChat Pay, but not in a shape we understand, or not for this merchant.
	ErrUnreadable = errors.New("weixinpay: the notification cannot be read")
)

// Notice is one verified notification. Payment, Refund or Transfer is set, or none for a kind we do not act on.
type Notice struct {
	ID       string // the platform's id, the same for every attempt
	Event    string // TRANSACTION.SUCCESS, REFUND.SUCCESS, MCHTRANSFER.BILL.FINISHED …
	Payment  *order.Payment
	Refund   *order.RefundReceipt
	Transfer *withdrawal.Outcome
}

type envelope struct {
	ID       string    `json:"id"`
	Event    string    `json:"event_type"`
	Kind     string    `json:"resource_type"`
	Resource *resource `json:"resource"`
}

type resource struct {
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
	OriginalType   string `json:"original_type"`
}

// ParseNotification verifies the signature over the raw body first, then decrypts and reads it. It does not use the
// SDK's ParseNotifyRequest, which panics on a missing resource and on a nonce that is not 12 bytes, and whose errors print
// the request. Errors: ErrForged, ErrUnreadable.
func (p *Payments) ParseNotification(ctx context.Context, header http.Header, body []byte) (notice Notice, err error) {
	defer func() {
		if r := recover(); r != nil {
			notice, err = Notice{}, fmt.Errorf("%w: panic %T", ErrUnreadable, r)
		}
	}()
	if err := p.verify(ctx, header, body); err != nil {
		p.meter.fake.Add(1)
		return Notice{}, err
	}
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return Notice{}, fmt.Errorf("%w: not JSON", ErrUnreadable)
	}
	plain, err := p.open(&e)
	if err != nil {
		return Notice{}, err
	}
	notice = Notice{ID: e.ID, Event: e.Event}
	switch { // TRANSACTION.SUCCESS is also sent for profit sharing: the original type decides
	case e.Resource.OriginalType == "transaction" && strings.HasPrefix(e.Event, "TRANSACTION."):
		notice.Payment, err = p.readPayment(plain)
	case e.Resource.OriginalType == "refund" && strings.HasPrefix(e.Event, "REFUND."):
		notice.Refund, err = p.readRefundNotice(plain)
	case e.Resource.OriginalType == transferKind && e.Event == transferEvent:
		notice.Transfer, err = p.readTransferNotice(plain)
	}
	if err != nil {
		return Notice{}, err
	}
	return notice, nil
}

// verify checks size, signature type, age (±300 s by the machine's clock), serial and signature.
func (p *Payments) verify(ctx context.Context, header http.Header, body []byte) error {
	if len(body) > MaxNotification {
		return fmt.Errorf("%w: too large", ErrForged)
	}
	switch header.Get("Wechatpay-Signature-Type") {
	case "", "WECHATPAY2-SHA256-RSA2048":
	default:
		return fmt.Errorf("%w: signature type", ErrForged)
	}
	err := p.notify.Validate(ctx, &http.Request{Header: header, Body: io.NopCloser(bytes.NewReader(body))})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStrange):
		return fmt.Errorf("%w: %w", ErrForged, ErrUnknownKey)
	case errors.Is(err, errProbe), errors.Is(err, errSigned):
		return fmt.Errorf("%w: %w", ErrForged, root(err))
	}
	return fmt.Errorf("%w: headers missing, malformed or too old", ErrForged)
}

func root(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

const gcmNonce = 12 // bytes; the cipher panics on any other length

func (p *Payments) open(e *envelope) ([]byte, error) {
	r := e.Resource
	switch {
	case e.ID == "" || r == nil || e.Kind != "encrypt-resource":
		return nil, fmt.Errorf("%w: no resource", ErrUnreadable)
	case r.Algorithm != "AEAD_AES_256_GCM" || len(r.Nonce) != gcmNonce:
		return nil, fmt.Errorf("%w: algorithm or nonce", ErrUnreadable)
	}
	sealed, err := base64.StdEncoding.DecodeString(r.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: ciphertext", ErrUnreadable)
	}
	plain, err := p.aead.Open(nil, []byte(r.Nonce), sealed, []byte(r.AssociatedData))
	if err != nil {
		return nil, fmt.Errorf("%w: does not decrypt with the APIv3 key", ErrUnreadable)
	}
	return plain, nil
}

func (p *Payments) readPayment(plain []byte) (*order.Payment, error) {
	var t payments.Transaction
	if json.Unmarshal(plain, &t) != nil {
		return nil, fmt.Errorf("%w: transaction", ErrUnreadable)
	}
	payment, ok := readTransaction(&t)
	if !ok {
		return nil, fmt.Errorf("%w: transaction", ErrUnreadable)
	}
	return &payment, nil
}

// refundNotice is what REFUND.* carries: unlike the answers it calls the state refund_status.
type refundNotice struct {
	MchID       string `json:"mchid"`
	OrderNumber string `json:"out_trade_no"`
	Number      string `json:"out_refund_no"`
	RefundID    string `json:"refund_id"`
	State       string `json:"refund_status"`
	SuccessTime string `json:"success_time"`
	Amount      struct {
		Total  int64 `json:"total"`
		Refund int64 `json:"refund"`
	} `json:"amount"`
}

func (p *Payments) readRefundNotice(plain []byte) (*order.RefundReceipt, error) {
	var n refundNotice
	if json.Unmarshal(plain, &n) != nil {
		return nil, fmt.Errorf("%w: refund", ErrUnreadable)
	}
	if n.MchID != p.cfg.MchID { // the receipt has no place for it, so it is checked here
		return nil, fmt.Errorf("%w: another merchant's refund", ErrUnreadable)
	}
	receipt := &order.RefundReceipt{
		Number: n.Number, OrderNumber: n.OrderNumber, RefundID: n.RefundID, State: refundStateOf(n.State),
		Refund: money.Fen(n.Amount.Refund),
	}
	if n.SuccessTime != "" {
		at, err := time.Parse(time.RFC3339, n.SuccessTime)
		if err != nil {
			return nil, fmt.Errorf("%w: refund time", ErrUnreadable)
		}
		receipt.DoneAt = clock.Milli(at)
	}
	if receipt.Number == "" || receipt.State == "" || receipt.Refund <= 0 {
		return nil, fmt.Errorf("%w: refund", ErrUnreadable)
	}
	return receipt, nil
}
