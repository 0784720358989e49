package weixinpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

const (
	transferEvent  = "MCHTRANSFER.BILL.FINISHED"
	transferKind   = "mch_payment"
	codeParam      = "PARAM_ERROR"
	nameNeededFrom = money.Fen(200_000)
)

// TransferConfig is how withdrawals are declared to the platform. What a scene asks for changes with the platform's
// rules: all of it is configuration.
type TransferConfig struct {
	NotifyURL  string       // where outcomes are notified; default Config.NotifyURL
	Scene      string       // transfer_scene_id; default 1005, commissions
	Perception string       // what the member reads; default 劳务报酬 for scene 1005, otherwise the scene's own
	Infos      []ReportInfo // what the scene wants to know; default 岗位类型 and 报酬说明 for scene 1005
	Remark     string       // when a transfer brings none, at most 32 characters; default 佣金提现
	Min        money.Fen    // least of one transfer; default 10
}

// ReportInfo is one report of a scene.
type ReportInfo struct {
	Type    string // at most 15 characters
	Content string // at most 32 characters
}

func (c *TransferConfig) complete(notifyURL string) {
	if c.NotifyURL == "" {
		c.NotifyURL = notifyURL
	}
	if c.Scene == "" {
		c.Scene = "1005"
	}
	if c.Scene == "1005" {
		if c.Perception == "" {
			c.Perception = "劳务报酬"
		}
		if len(c.Infos) == 0 {
			c.Infos = []ReportInfo{{"岗位类型", "推广员"}, {"报酬说明", "推广佣金"}}
		}
	}
	if c.Remark == "" {
		c.Remark = "佣金提现"
	}
	if c.Min <= 0 {
		c.Min = 10
	}
}

func (c *TransferConfig) check() error {
	switch {
	case !short(c.Scene, 36) || codeWord(c.Scene) != c.Scene:
		return errors.New("weixinpay: Transfer.Scene is not an id")
	case !short(c.Remark, 32):
		return errors.New("weixinpay: Transfer.Remark is longer than 32 characters")
	case len(c.Infos) == 0:
		return errors.New("weixinpay: Transfer.Infos are missing for this scene")
	case utf8.RuneCountInString(c.Perception) > 32:
		return errors.New("weixinpay: Transfer.Perception is too long")
	}
	var seen []string
	for _, info := range c.Infos {
		if !short(info.Type, 15) || !short(info.Content, 32) || slices.Contains(seen, info.Type) {
			return errors.New("weixinpay: Transfer.Infos: each type once, at most 15 characters, content at most 32")
		}
		seen = append(seen, info.Type)
	}
	return nil
}

func short(text string, high int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= high
}

func validTransferNumber(number string) bool {
	if number == "" || len(number) > 32 {
		return false
	}
	for _, c := range []byte(number) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// nothingCreated tells whether a no is of a kind that is known to have created nothing. The platform asks not to take
// a new code for a no.
func nothingCreated(a *Answer) bool {
	if a.Status < 400 || a.Status >= 500 || a.Status == http.StatusUnauthorized || a.Status == http.StatusTooManyRequests {
		return false
	}
	switch a.Code {
	case codeParam, "INVALID_REQUEST", "NO_AUTH", "APPID_MCHID_NOT_MATCH", "NAME_NOT_CORRECT", "ALREADY_EXISTS":
		return true
	}
	return false
}

// saysItExists reads the platform's sentence only to doubt, never to believe: a number that is taken comes back under
// the same code as bad input.
func saysItExists(a *Answer) bool {
	return a.Code == "ALREADY_EXISTS" || strings.Contains(a.words, "已存在")
}

// transferAnswer is what sending and cancelling answer.
type transferAnswer struct {
	Number  string `json:"out_bill_no"`
	Bill    string `json:"transfer_bill_no"`
	State   string `json:"state"`
	Reason  string `json:"fail_reason"`
	Package string `json:"package_info"`
	Created string `json:"create_time"`
	Updated string `json:"update_time"`
}

func (a *transferAnswer) outcome() (withdrawal.Outcome, bool) {
	o := withdrawal.Outcome{
		Number: a.Number, Bill: a.Bill, State: transferStateOf(a.State), Reason: codeWord(a.Reason), Package: a.Package,
	}
	at, ok := transferTime(a.Updated, a.Created)
	o.At = at
	return o, ok && o.Number != "" && o.Bill != "" && o.State != ""
}

// transferRecord is what queries and notifications tell.
type transferRecord struct {
	transferAnswer
	MchID  string `json:"mch_id"`
	MchID2 string `json:"mchid"` // as some of the platform's own pages spell it
	OpenID string `json:"openid"`
	Amount int64  `json:"transfer_amount"`
}

// outcome fails on a record of another merchant, and on one that leaves out what it is about.
func (r *transferRecord) outcome(mchID string) (withdrawal.Outcome, bool) {
	o, ok := r.transferAnswer.outcome()
	o.Amount, o.Package = money.Fen(r.Amount), ""
	if r.MchID == "" {
		r.MchID = r.MchID2
	}
	return o, ok && r.MchID == mchID && r.Amount > 0 && r.OpenID != ""
}

// transferTime reads the first time that is given; both may be missing.
func transferTime(texts ...string) (time.Time, bool) {
	for _, text := range texts {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, false
		}
		return clock.Milli(at), true
	}
	return time.Time{}, true
}

// transferStateOf knows the platform's states; an unknown word is no state.
func transferStateOf(word string) withdrawal.TransferState {
	switch word {
	case "ACCEPTED":
		return withdrawal.TransferAccepted
	case "PROCESSING":
		return withdrawal.TransferProcessing
	case "WAIT_USER_CONFIRM":
		return withdrawal.TransferWaiting
	case "TRANS" + "FERING", "TRANSFERRING": // the platform writes one R
		return withdrawal.TransferTransferring
	case "SUCCESS":
		return withdrawal.TransferSuccess
	case "FAIL":
		return withdrawal.TransferFailed
	case "CANCELING":
		return withdrawal.TransferCanceling
	case "CANCELLED":
		return withdrawal.TransferCancelled
	}
	return ""
}

// TransferNotice is a verified notification of a transfer's outcome.
type TransferNotice struct {
	ID      string // the platform's id, the same for every attempt
	Outcome withdrawal.Outcome
}

// ParseTransferNotification verifies and reads MCHTRANSFER.BILL.FINISHED as ParseNotification does, and refuses every
// other kind. Errors: ErrForged, ErrUnreadable.
func (p *Payments) ParseTransferNotification(ctx context.Context, header http.Header, body []byte) (TransferNotice, error) {
	notice, err := p.ParseNotification(ctx, header, body)
	if err != nil {
		return TransferNotice{}, err
	}
	if notice.Transfer == nil {
		return TransferNotice{}, fmt.Errorf("%w: not a transfer", ErrUnreadable)
	}
	return TransferNotice{ID: notice.ID, Outcome: *notice.Transfer}, nil
}

func (p *Payments) readTransferNotice(plain []byte) (*withdrawal.Outcome, error) {
	var record transferRecord
	if json.Unmarshal(plain, &record) != nil {
		return nil, fmt.Errorf("%w: transfer", ErrUnreadable)
	}
	outcome, ok := record.outcome(p.cfg.MchID)
	if !ok || !validTransferNumber(outcome.Number) {
		return nil, fmt.Errorf("%w: transfer", ErrUnreadable)
	}
	return &outcome, nil
}
