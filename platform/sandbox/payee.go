package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// ConfirmInput is a person tapping "receive" after wx.requestMerchantTransfer. Package or Number names the transfer;
// the other fields, when given, are checked.
type ConfirmInput struct {
	Package string `json:"package,omitempty"`
	Number  string `json:"out_bill_no,omitempty"`
	OpenID  string `json:"openid,omitempty"`
	MchID   string `json:"mchId,omitempty"`
	AppID   string `json:"appId,omitempty"`
}

// Why a confirmation does not happen.
var (
	ErrNoTransfer     = errors.New("sandbox: no such transfer for this merchant and mini-program")
	ErrNotConfirmable = errors.New("sandbox: the transfer does not wait for the person")
	ErrOtherPayee     = errors.New("sandbox: the transfer is for another openid")
)

// ConfirmTransfer lets the money move, and soon it is SUCCESS and notified. A rule on "transfer:confirm" may fail it
// (Code is the fail_reason), delay it, or (lose) leave it moving until it is confirmed again.
func (s *Sandbox) ConfirmTransfer(in ConfirmInput) error {
	s.expireTransfers()
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.byPack[in.Package]
	if in.Package == "" {
		t = x.byNumber[in.Number]
	}
	switch {
	case t == nil || in.MchID != "" && in.MchID != s.cfg.MchID || in.AppID != "" && in.AppID != s.cfg.AppID:
		return ErrNoTransfer
	case in.OpenID != "" && in.OpenID != t.terms.OpenID:
		return ErrOtherPayee
	case t.state != transferWaiting && (t.state != transferMoving || !t.stuck):
		return ErrNotConfirmable
	}
	t.stuck = false
	t.become(transferMoving, s.now.Now())
	s.planTransfer(t)
	return nil
}

func (s *Sandbox) planTransfer(t *transfer) {
	delay, final, reason := s.cfg.TransferDelay, transferDone, ""
	if rule, ok := s.faults.take("transfer:confirm"); ok {
		switch rule.Action {
		case ActionFail:
			if final, reason = transferFailed, rule.Code; reason == "" {
				reason = "PAYEE_ACCOUNT_ABNORMAL"
			}
		case ActionLose:
			t.stuck = true
			return
		default:
			delay = rule.wait(delay)
		}
	}
	s.laterTransfer(delay, t, transferMoving, func() { s.finishTransfer(t, final, reason) })
}

// TransferView is a transfer as a tester sees it.
type TransferView struct {
	Number    string    `json:"out_bill_no"`
	Bill      string    `json:"transfer_bill_no"`
	OpenID    string    `json:"openid"`
	State     string    `json:"state"`
	Reason    string    `json:"fail_reason,omitempty"`
	Package   string    `json:"package_info,omitempty"`
	Remark    string    `json:"transfer_remark"`
	Amount    int64     `json:"transfer_amount"`
	CreatedAt time.Time `json:"create_time"`
}

// Transfers lists the newest transfers first, at most limit; an empty openid means everybody's.
func (s *Sandbox) Transfers(openID string, limit int) []TransferView {
	s.expireTransfers()
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	views := []TransferView{}
	for i := len(x.all) - 1; i >= 0 && len(views) < limit; i-- {
		t := x.all[i]
		if openID == "" || t.terms.OpenID == openID {
			views = append(views, TransferView{
				t.number, t.id, t.terms.OpenID, t.state, t.reason, t.pack, t.terms.Remark, t.terms.Amount, t.createdAt,
			})
		}
	}
	return views
}

const maxTopUps = 10_000

type topUp struct {
	ID  string    `json:"id"`
	Fen int64     `json:"fen"`
	At  time.Time `json:"at"`
}

// TopUp puts money on the merchant's account; transfers that wait for it go on.
func (s *Sandbox) TopUp(fen int64) {
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	x.toppedUp += fen
	if len(x.topUps) < maxTopUps { // beyond it they count, but no bill lists them
		x.topUps = append(x.topUps, topUp{"2000" + randomHex(12), fen, s.now.Now()})
	}
	s.fundWaiting()
}

// Balance is what the merchant can spend: what it began with, topped up and took, less what it gave back, sent and
// set aside for transfers that wait.
func (s *Sandbox) Balance() int64 {
	s.transfers.mu.Lock()
	defer s.transfers.mu.Unlock()
	return s.freeFunds()
}

// freeFunds wants the lock of transfers.
func (s *Sandbox) freeFunds() int64 { return s.bookFunds() - s.transfers.locked }

// bookFunds counts what is set aside as still there, as the fund-flow bill does.
func (s *Sandbox) bookFunds() int64 {
	x := &s.transfers
	return s.cfg.StartBalance + x.toppedUp + s.orders.paidFen.Load() - s.orders.refundedFen.Load() - x.spent -
		s.sharing.outFen.Load() + s.ledger.adjust.Load()
}

func (s *Sandbox) handConfirm(w http.ResponseWriter, body []byte) {
	var in ConfirmInput
	if json.Unmarshal(body, &in) != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"errMsg": "requestMerchantTransfer:fail not JSON"})
		return
	}
	if err := s.ConfirmTransfer(in); err != nil {
		writeJSON(w, http.StatusConflict, map[string]string{"errMsg": "requestMerchantTransfer:fail " + err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"errMsg": "requestMerchantTransfer:ok"})
}

func (s *Sandbox) handTransfers(w http.ResponseWriter, body []byte) {
	var in struct {
		OpenID string `json:"openid"`
	}
	if json.Unmarshal(body, &in) != nil {
		http.Error(w, "sandbox: not JSON", http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"transfers": s.Transfers(in.OpenID, 100)})
}

func (s *Sandbox) handTopUp(w http.ResponseWriter, body []byte) {
	var in struct {
		Fen int64 `json:"amount"`
	}
	if json.Unmarshal(body, &in) != nil || in.Fen <= 0 || in.Fen > 1e15 {
		http.Error(w, "sandbox: needs amount in fen", http.StatusBadRequest)
		return
	}
	s.TopUp(in.Fen)
	writeJSON(w, http.StatusOK, map[string]int64{"balance": s.Balance()})
}

func (s *Sandbox) handRealName(w http.ResponseWriter, body []byte) {
	var in struct {
		Name string `json:"name"`
	}
	person, ok := readPerson(w, body)
	if !ok {
		return
	}
	if json.Unmarshal(body, &in) != nil || !shortText(in.Name, 64) {
		http.Error(w, "sandbox: needs name, at most 64 characters", http.StatusBadRequest)
		return
	}
	s.SetRealName(person.Person, in.Name)
	w.WriteHeader(http.StatusNoContent)
}
