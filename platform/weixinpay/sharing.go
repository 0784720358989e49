package weixinpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/profitsharing"

	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
)

// Why a sharing is refused before the platform is asked. Nothing was sent.
var (
	ErrShareTooMuch  = errors.New("weixinpay: more than may go to others")
	ErrShareTooEarly = errors.New("weixinpay: the order cannot be shared yet")
	ErrShareInvalid  = errors.New("weixinpay: the sharing cannot be accepted as it is")
	// ErrShareUnknown: the platform knows no sharing, return or order of this number.
	ErrShareUnknown = errors.New("weixinpay: the platform does not know this sharing")
)

const maxShareReceivers = 50

// SharingConfig holds the limits that are checked before the platform is asked.
type SharingConfig struct {
	Ceiling money.BasisPoints // of an order that may go to others; default 3,000, more on application to the platform
	Wait    time.Duration     // after payment, until an order can be shared; default 30 s; negative: none
}

func (c *SharingConfig) complete() {
	if c.Ceiling == 0 {
		c.Ceiling = 3_000
	}
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
}

func (c *SharingConfig) check() error {
	if c.Ceiling < 0 || c.Ceiling > 10_000 {
		return errors.New("weixinpay: Sharing.Ceiling is not 0 to 10,000 basis points")
	}
	return nil
}

// ReceiverKind is who can be given a part.
type ReceiverKind string

// The kinds of receivers.
const (
	ReceiverMerchant ReceiverKind = "MERCHANT_ID"
	ReceiverPerson   ReceiverKind = "PERSONAL_OPENID" // real-name verified at the platform
)

// Receiver is somebody orders may be shared with. Account is a merchant's number or an openid.
type Receiver struct {
	Kind     ReceiverKind
	Account  string
	Name     string // a merchant's full name, required; a person's real name, optional; encrypted on the wire
	Relation string // STORE, STAFF, PARTNER, DISTRIBUTOR, USER, SUPPLIER, CUSTOM …
	Custom   string // at most 10 characters, with CUSTOM
}

// ShareOrder asks to share one paid order. Number is one sharing for ever: the same content again is safe.
type ShareOrder struct {
	Number        string // out_order_no, [0-9A-Za-z_-|*@], at most 64
	TransactionID string
	Total         money.Fen // what the order was paid with
	Shared        money.Fen // what went to others under earlier numbers
	PaidAt        time.Time
	AfterSaleOver time.Time // nothing is shared before
	Parts         []SharePart
	Unfreeze      bool // give the merchant the rest: nothing more can be shared
}

// SharePart is what one receiver is to get.
type SharePart struct {
	Kind    ReceiverKind
	Account string
	Name    string // compared by the platform when given
	Amount  money.Fen
	Note    string // the receiver sees it; at most 80 characters
}

// ShareState tells how far a sharing is.
type ShareState struct {
	Number   string
	ID       string // the platform's
	Finished bool   // otherwise ask again
	Parts    []SharedPart
}

// ShareResult is what became of one part.
type ShareResult string

// The results of a part.
const (
	SharePending ShareResult = "PENDING"
	ShareDone    ShareResult = "SUCCESS"
	ShareClosed  ShareResult = "CLOSED" // never paid; Reason says why
)

// SharedPart is one receiver's part. The merchant's own part, set free, is among them.
type SharedPart struct {
	Kind    ReceiverKind
	Account string
	Amount  money.Fen
	Result  ShareResult
	Reason  string // ACCOUNT_ABNORMAL, NO_RELATION, RECEIVER_HIGH_RISK …
	DoneAt  time.Time
}

// Sharing is profit sharing of a merchant that is nobody's sub-merchant. Errors of all its calls:
// order.ErrPaymentsAway (unknown: ask again with the same number), order.ErrPaymentRefused.
type Sharing struct {
	p         *Payments
	receivers profitsharing.ReceiversApiService
	orders    profitsharing.OrdersApiService
	returns   profitsharing.ReturnOrdersApiService
	amounts   profitsharing.TransactionsApiService
}

// Sharing gives the calls of profit sharing. Orders can only be shared when Config.ShareProfit was on as they were paid.
func (p *Payments) Sharing() *Sharing { return p.sharing }

func newSharing(p *Payments, sdk *core.Client) *Sharing {
	return &Sharing{
		p:         p,
		receivers: profitsharing.ReceiversApiService{Client: sdk},
		orders:    profitsharing.OrdersApiService{Client: sdk},
		returns:   profitsharing.ReturnOrdersApiService{Client: sdk},
		amounts:   profitsharing.TransactionsApiService{Client: sdk},
	}
}

// call is Payments.call, but for NOT_ENOUGH: here it means that the order has no more to share, and stays so.
func (s *Sharing) call(op string, do func() (*core.APIResult, error)) error {
	err := s.p.call(op, do)
	var answer *Answer
	if errors.As(err, &answer) && answer.Status == http.StatusForbidden && answer.Code == "NOT_ENOUGH" {
		return order.ErrPaymentRefused.Because(answer)
	}
	return err
}

// AddReceiver makes somebody a receiver; adding again is fine.
func (s *Sharing) AddReceiver(ctx context.Context, r Receiver) error {
	relation := profitsharing.ReceiverRelationType(r.Relation)
	request := profitsharing.AddReceiverRequest{
		Appid: &s.p.cfg.AppID, Type: profitsharing.ReceiverType(r.Kind).Ptr(), Account: &r.Account, RelationType: &relation,
		Name: filledText(r.Name), CustomRelation: filledText(r.Custom),
	}
	return s.call("add receiver", func() (*core.APIResult, error) {
		_, result, err := s.receivers.AddReceiver(ctx, request)
		return result, err
	})
}

// RemoveReceiver ends that; who is none already is fine.
func (s *Sharing) RemoveReceiver(ctx context.Context, kind ReceiverKind, account string) error {
	return s.call("remove receiver", func() (*core.APIResult, error) {
		_, result, err := s.receivers.DeleteReceiver(ctx, profitsharing.DeleteReceiverRequest{
			Appid: &s.p.cfg.AppID, Type: profitsharing.ReceiverType(kind).Ptr(), Account: &account,
		})
		return result, err
	})
}

// check refuses what must not be asked: too early after payment, before after-sale is over, above the ceiling.
func (s *Sharing) check(in *ShareOrder) error {
	now := s.p.clock.Now()
	if in.PaidAt.IsZero() || in.AfterSaleOver.IsZero() || now.Before(in.AfterSaleOver) || now.Before(in.PaidAt.Add(s.p.cfg.Sharing.Wait)) {
		return ErrShareTooEarly
	}
	if in.Number == "" || len(in.Number) > 64 || in.TransactionID == "" || len(in.Parts) == 0 ||
		len(in.Parts) > maxShareReceivers || in.Total <= 0 || in.Shared < 0 {
		return ErrShareInvalid
	}
	left := in.Total.Portion(s.p.cfg.Sharing.Ceiling)
	if int64(left)*10_000 > int64(in.Total)*int64(s.p.cfg.Sharing.Ceiling) { // rounded up: the platform rounds nothing
		left--
	}
	left -= in.Shared
	seen := map[string]bool{}
	for _, part := range in.Parts {
		key := string(part.Kind) + "\n" + part.Account
		if part.Amount <= 0 || part.Account == "" || !short(part.Note, 80) || seen[key] {
			return ErrShareInvalid
		}
		seen[key] = true
		if part.Amount > left {
			return ErrShareTooMuch
		}
		left -= part.Amount
	}
	return nil
}

// Share asks to share an order. It is accepted now and paid later: poll QueryShare. Errors beside the usual, before
// anything is sent: ErrShareTooEarly, ErrShareTooMuch, ErrShareInvalid.
func (s *Sharing) Share(ctx context.Context, in ShareOrder) (ShareState, error) {
	if err := s.check(&in); err != nil {
		return ShareState{}, err
	}
	request := profitsharing.CreateOrderRequest{
		Appid: &s.p.cfg.AppID, TransactionId: &in.TransactionID, OutOrderNo: &in.Number, UnfreezeUnsplit: &in.Unfreeze,
	}
	for _, part := range in.Parts {
		request.Receivers = append(request.Receivers, profitsharing.CreateOrderReceiver{
			Type: core.String(string(part.Kind)), Account: core.String(part.Account), Name: filledText(part.Name),
			Amount: core.Int64(int64(part.Amount)), Description: core.String(part.Note),
		})
	}
	var answer *profitsharing.OrdersEntity
	err := s.call("share", func() (result *core.APIResult, err error) {
		answer, result, err = s.orders.CreateOrder(ctx, request)
		return result, err
	})
	if err != nil {
		return ShareState{}, err
	}
	return readShare("share", in.Number, answer)
}

// Unfreeze gives the merchant what is left of an order; a number of its own.
func (s *Sharing) Unfreeze(ctx context.Context, number, transactionID, note string) (ShareState, error) {
	var answer *profitsharing.OrdersEntity
	err := s.call("unfreeze", func() (result *core.APIResult, err error) {
		answer, result, err = s.orders.UnfreezeOrder(ctx, profitsharing.UnfreezeOrderRequest{
			OutOrderNo: &number, TransactionId: &transactionID, Description: &note,
		})
		return result, err
	})
	if err != nil {
		return ShareState{}, err
	}
	return readShare("unfreeze", number, answer)
}

// QueryShare asks how far a sharing or an unfreezing is. Error beside the usual: ErrShareUnknown.
func (s *Sharing) QueryShare(ctx context.Context, number, transactionID string) (ShareState, error) {
	var answer *profitsharing.OrdersEntity
	err := s.call("query share", func() (result *core.APIResult, err error) {
		answer, result, err = s.orders.QueryOrder(ctx, profitsharing.QueryOrderRequest{
			OutOrderNo: &number, TransactionId: &transactionID,
		})
		return result, err
	})
	if err != nil {
		return ShareState{}, shareUnknown(err)
	}
	return readShare("query share", number, answer)
}

// Unsplit tells what of an order can still be shared. Error beside the usual: ErrShareUnknown.
func (s *Sharing) Unsplit(ctx context.Context, transactionID string) (money.Fen, error) {
	var answer *profitsharing.QueryOrderAmountResponse
	err := s.call("unsplit", func() (result *core.APIResult, err error) {
		answer, result, err = s.amounts.QueryOrderAmount(ctx, profitsharing.QueryOrderAmountRequest{TransactionId: &transactionID})
		return result, err
	})
	if err != nil {
		return 0, shareUnknown(err)
	}
	if answer == nil || answer.UnsplitAmount == nil || *answer.UnsplitAmount < 0 || text(answer.TransactionId) != transactionID {
		return 0, unreadable("unsplit")
	}
	return money.Fen(*answer.UnsplitAmount), nil
}

func shareUnknown(err error) error {
	if notFound(err, "RESOURCE_NOT_EXISTS", "NOT_FOUND") {
		return fmt.Errorf("%w: %w", ErrShareUnknown, err)
	}
	return err
}

func filledText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// readShare takes the answer apart; an unknown state or result is no answer.
func readShare(op, number string, answer *profitsharing.OrdersEntity) (ShareState, error) {
	if answer == nil || text(answer.OutOrderNo) != number || answer.State == nil {
		return ShareState{}, unreadable(op)
	}
	state := ShareState{Number: number, ID: text(answer.OrderId), Finished: *answer.State == profitsharing.ORDERSTATUS_FINISHED}
	if !state.Finished && *answer.State != profitsharing.ORDERSTATUS_PROCESSING {
		return ShareState{}, unreadable(op)
	}
	for _, r := range answer.Receivers {
		if r.Amount == nil || r.Result == nil || r.Type == nil {
			return ShareState{}, unreadable(op)
		}
		part := SharedPart{
			Kind: ReceiverKind(*r.Type), Account: text(r.Account), Amount: money.Fen(*r.Amount), Result: ShareResult(*r.Result),
		}
		switch part.Result {
		case SharePending, ShareDone, ShareClosed:
		default:
			return ShareState{}, unreadable(op)
		}
		if r.FailReason != nil {
			part.Reason = codeWord(string(*r.FailReason))
		}
		if r.FinishTime != nil && part.Result != SharePending {
			part.DoneAt = clock.Milli(*r.FinishTime)
		}
		state.Parts = append(state.Parts, part)
	}
	return state, nil
}
