package weixinpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"guanxi/commission/withdrawal"
)

var _ withdrawal.Rail = (*Transfers)(nil)

const transferPath = consts.WechatPayAPIServer + "/v3/fund-app/mch-transfer/transfer-bills"

// ErrOtherTransfer: the number already carries a transfer with other content. It is not a refusal: money may move.
var ErrOtherTransfer = errors.New("weixinpay: the platform knows another transfer under this number")

// Transfers is withdrawal.Rail over merchant transfers that the member confirms (the interface of January 2025). It
// never retries by itself and never makes up numbers.
type Transfers struct{ p *Payments }

// Transfers gives the rail.
func (p *Payments) Transfers() *Transfers { return &Transfers{p} }

type transferRequest struct {
	AppID      string       `json:"appid"`
	Number     string       `json:"out_bill_no"`
	Scene      string       `json:"transfer_scene_id"`
	OpenID     string       `json:"openid"`
	Name       string       `json:"user_name,omitempty"`
	Amount     int64        `json:"transfer_amount"`
	Remark     string       `json:"transfer_remark"`
	NotifyURL  string       `json:"notify_url"`
	Perception string       `json:"user_recv_perception,omitempty"`
	Infos      []reportInfo `json:"transfer_scene_report_infos"`
}

type reportInfo struct {
	Type    string `json:"info_type"`
	Content string `json:"info_content"`
}

// Send asks for a transfer. The platform's no becomes a *withdrawal.Refusal only when its code is one that is known to
// mean that nothing was created, and a query of the same number then finds nothing. Everything else (a new code, 429,
// 5xx, a lost or unsigned answer, too low a balance) leaves the outcome unknown: query, or send the same again.
//
// The platform finds transfers of the last 30 days only: a number that was first sent longer ago must not be sent again,
// because "not found" would then prove nothing.
func (t *Transfers) Send(ctx context.Context, in withdrawal.Transfer) (withdrawal.Outcome, error) {
	const op = "send transfer"
	if !validTransferNumber(in.Number) { // no platform can have accepted it, ever
		return withdrawal.Outcome{}, &withdrawal.Refusal{Code: codeParam, Words: "the number is not 1 to 32 letters or digits"}
	}
	request, why := t.request(in)
	if why != "" { // not sent now, but the number may have been sent before with better content
		return t.afterRefusal(ctx, in, &Answer{Op: op, Status: http.StatusBadRequest, Code: codeParam, words: why})
	}
	var answer transferAnswer
	err := t.exchange(op, &answer, func() (*core.APIResult, error) { return t.p.sdk.Post(ctx, transferPath, request) })
	if err != nil {
		var refusal *Answer
		if errors.As(err, &refusal) && nothingCreated(refusal) {
			return t.afterRefusal(ctx, in, refusal)
		}
		return withdrawal.Outcome{}, err
	}
	outcome, ok := answer.outcome()
	if !ok || outcome.Number != in.Number {
		return withdrawal.Outcome{}, errUnreadable(op)
	}
	return outcome, nil
}

// request builds what is sent; why says what the platform would not take.
func (t *Transfers) request(in withdrawal.Transfer) (request *transferRequest, why string) {
	cfg := &t.p.cfg.Transfer
	if in.Remark == "" {
		in.Remark = cfg.Remark
	}
	switch {
	case in.OpenID == "" || len(in.OpenID) > 64:
		return nil, "no openid"
	case in.Amount < cfg.Min:
		return nil, "the amount is below the platform's minimum"
	case in.Amount >= nameNeededFrom && in.RealName == "":
		return nil, "no real name"
	case !short(in.Remark, 32):
		return nil, "the remark is longer than 32 characters"
	}
	request = &transferRequest{
		AppID: t.p.cfg.AppID, Number: in.Number, Scene: cfg.Scene, OpenID: in.OpenID, Amount: int64(in.Amount),
		Remark: in.Remark, NotifyURL: cfg.NotifyURL, Perception: cfg.Perception,
	}
	for _, info := range cfg.Infos {
		request.Infos = append(request.Infos, reportInfo(info))
	}
	if in.RealName != "" {
		sealed, err := utils.EncryptOAEPWithPublicKey(in.RealName, t.p.public)
		if err != nil {
			return nil, "the real name cannot be encrypted"
		}
		request.Name = sealed
	}
	return request, ""
}

// afterRefusal asks whether the number is really unknown. Nothing is settled on an error reply alone.
func (t *Transfers) afterRefusal(ctx context.Context, in withdrawal.Transfer, no *Answer) (withdrawal.Outcome, error) {
	known, err := t.query(ctx, "query transfer", transferPath+"/out-bill-no/"+in.Number)
	switch {
	case errors.Is(err, withdrawal.ErrUnknownNumber):
		if saysItExists(no) { // older than a query reaches: its fate is not known from here
			return withdrawal.Outcome{}, fmt.Errorf("%w: %w", ErrOtherTransfer, no)
		}
		return withdrawal.Outcome{}, &withdrawal.Refusal{Code: no.Code, Words: no.words}
	case err != nil:
		return withdrawal.Outcome{}, err
	case known.number != in.Number || known.OpenID != in.OpenID || known.Amount != int64(in.Amount):
		return withdrawal.Outcome{}, fmt.Errorf("%w: %w", ErrOtherTransfer, no)
	}
	return known.Outcome, nil
}

// Query asks what became of a number. It never tells the package: the platform gives that only when it is sent.
func (t *Transfers) Query(ctx context.Context, number string) (withdrawal.Outcome, error) {
	if !validTransferNumber(number) {
		return withdrawal.Outcome{}, fmt.Errorf("weixinpay: query transfer: %w", withdrawal.ErrUnknownNumber)
	}
	record, err := t.query(ctx, "query transfer", transferPath+"/out-bill-no/"+number)
	if err != nil {
		return withdrawal.Outcome{}, err
	}
	if record.number != number {
		return withdrawal.Outcome{}, errUnreadable("query transfer")
	}
	return record.Outcome, nil
}

// QueryBill asks by the platform's own number.
func (t *Transfers) QueryBill(ctx context.Context, bill string) (withdrawal.Outcome, error) {
	if bill == "" || len(bill) > 64 || codeWord(bill) != bill {
		return withdrawal.Outcome{}, fmt.Errorf("weixinpay: query transfer bill: %w", withdrawal.ErrUnknownNumber)
	}
	record, err := t.query(ctx, "query transfer bill", transferPath+"/transfer-bill-no/"+bill)
	if err != nil {
		return withdrawal.Outcome{}, err
	}
	if record.Outcome.Bill != bill {
		return withdrawal.Outcome{}, errUnreadable("query transfer bill")
	}
	return record.Outcome, nil
}

// transferFound is a query's answer: the outcome, and to whom.
type transferFound struct {
	withdrawal.Outcome
	number, OpenID string
	Amount         int64
}

func (t *Transfers) query(ctx context.Context, op, address string) (transferFound, error) {
	var record transferRecord
	err := t.exchange(op, &record, func() (*core.APIResult, error) { return t.p.sdk.Get(ctx, address) })
	if notFound(err, "NOT_FOUND", "RESOURCE_NOT_EXISTS") {
		return transferFound{}, fmt.Errorf("%w: %w", withdrawal.ErrUnknownNumber, err)
	}
	if err != nil {
		return transferFound{}, err
	}
	outcome, ok := record.outcome(t.p.cfg.MchID)
	if !ok {
		return transferFound{}, errUnreadable(op)
	}
	return transferFound{outcome, outcome.Number, record.OpenID, record.Amount}, nil
}

// Cancel asks for the money back before the member confirms. The platform only accepts the wish: the outcome may be
// canceling, and when the member was faster, success. A refusal to cancel is no refusal of the transfer: the present
// state is queried and returned.
func (t *Transfers) Cancel(ctx context.Context, number string) (withdrawal.Outcome, error) {
	const op = "cancel transfer"
	if !validTransferNumber(number) {
		return withdrawal.Outcome{}, fmt.Errorf("weixinpay: %s: %w", op, withdrawal.ErrUnknownNumber)
	}
	var answer transferAnswer
	err := t.exchange(op, &answer, func() (*core.APIResult, error) { // Post with nil would send the body "null"
		return t.p.sdk.Request(ctx, http.MethodPost, transferPath+"/out-bill-no/"+number+"/cancel", nil, nil, nil,
			consts.ApplicationJSON)
	})
	var refusal *Answer
	switch {
	case errors.As(err, &refusal) && final(refusal):
		return t.Query(ctx, number)
	case err != nil:
		return withdrawal.Outcome{}, err
	}
	outcome, ok := answer.outcome()
	if !ok || outcome.Number != number {
		return withdrawal.Outcome{}, errUnreadable(op)
	}
	return outcome, nil
}

// exchange runs one call and reads its verified answer.
func (t *Transfers) exchange(op string, into any, do func() (*core.APIResult, error)) error {
	var result *core.APIResult
	forged := false
	err := t.p.ask(op, func() (_ *core.APIResult, err error) {
		result, err = do()
		var api *core.APIError
		forged = errors.As(err, &api) && !t.p.believable(api)
		return result, err
	})
	switch {
	case forged:
		return errUnreadable(op)
	case err != nil:
		return err
	}
	if result == nil || result.Response == nil || result.Response.Body == nil {
		return errUnreadable(op)
	}
	body, err := io.ReadAll(result.Response.Body) // the SDK has read and bounded it
	if err != nil || json.Unmarshal(body, into) != nil {
		return errUnreadable(op)
	}
	return nil
}
