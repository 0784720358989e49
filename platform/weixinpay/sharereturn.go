package weixinpay

import (
	"context"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/profitsharing"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// ShareReturn asks a merchant who was given a part to give some of it back; persons cannot.
type ShareReturn struct {
	Number      string // out_return_no: one return for ever
	ShareNumber string // out_order_no
	MchID       string // who gives back
	Amount      money.Fen
	Note        string // at most 80 characters
}

// ReturnResult is what became of a return.
type ReturnResult string

// The results of a return.
const (
	ReturnProcessing ReturnResult = "PROCESSING"
	ReturnDone       ReturnResult = "SUCCESS"
	ReturnFailed     ReturnResult = "FAILED"
)

// ReturnState tells how far a return is.
type ReturnState struct {
	Number string
	ID     string // the platform's
	Amount money.Fen
	Result ReturnResult
	Reason string // ACCOUNT_ABNORMAL, BALANCE_NOT_ENOUGH, TIME_OUT_CLOSED
	DoneAt time.Time
}

// Return asks for money back from a merchant. Error beside the usual: ErrShareInvalid, before anything is sent.
func (s *Sharing) Return(ctx context.Context, in ShareReturn) (ReturnState, error) {
	if in.Number == "" || in.ShareNumber == "" || in.MchID == "" || in.Amount <= 0 || !short(in.Note, 80) {
		return ReturnState{}, ErrShareInvalid
	}
	var answer *profitsharing.ReturnOrdersEntity
	err := s.call("return share", func() (result *core.APIResult, err error) {
		answer, result, err = s.returns.CreateReturnOrder(ctx, profitsharing.CreateReturnOrderRequest{
			OutReturnNo: &in.Number, OutOrderNo: &in.ShareNumber, ReturnMchid: &in.MchID, Amount: core.Int64(int64(in.Amount)),
			Description: &in.Note,
		})
		return result, err
	})
	if err != nil {
		return ReturnState{}, shareUnknown(err)
	}
	return readReturn("return share", in.Number, answer)
}

// QueryReturn asks how far a return is. Error beside the usual: ErrShareUnknown.
func (s *Sharing) QueryReturn(ctx context.Context, number, shareNumber string) (ReturnState, error) {
	var answer *profitsharing.ReturnOrdersEntity
	err := s.call("query return", func() (result *core.APIResult, err error) {
		answer, result, err = s.returns.QueryReturnOrder(ctx, profitsharing.QueryReturnOrderRequest{
			OutReturnNo: &number, OutOrderNo: &shareNumber,
		})
		return result, err
	})
	if err != nil {
		return ReturnState{}, shareUnknown(err)
	}
	return readReturn("query return", number, answer)
}

func readReturn(op, number string, r *profitsharing.ReturnOrdersEntity) (ReturnState, error) {
	if r == nil || text(r.OutReturnNo) != number || r.Amount == nil || r.Result == nil {
		return ReturnState{}, unreadable(op)
	}
	state := ReturnState{
		Number: number, ID: text(r.ReturnId), Amount: money.Fen(*r.Amount), Result: ReturnResult(*r.Result),
	}
	switch state.Result {
	case ReturnProcessing, ReturnDone, ReturnFailed:
	default:
		return ReturnState{}, unreadable(op)
	}
	if r.FailReason != nil {
		state.Reason = codeWord(string(*r.FailReason))
	}
	if r.FinishTime != nil && state.Result != ReturnProcessing {
		state.DoneAt = clock.Milli(*r.FinishTime)
	}
	return state, nil
}
