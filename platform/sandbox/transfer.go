package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	transfersPath   = "/v3/fund-app/mch-transfer/transfer-bills"
	transferByOut   = transfersPath + "/out-bill-no/"
	transferByBill  = transfersPath + "/transfer-bill-no/"
	transferLives   = 24 * time.Hour      // until an unconfirmed one is closed
	transferKnown   = 30 * 24 * time.Hour // queries find no older ones
	transferEvent   = "MCHTRANSFER.BILL.FINISHED"
	transferKind    = "mch_payment" // original_type and associated data of the notification
	nameNeededFrom  = 200_000       // fen; from here on user_name is required
	reasonOverdue   = "OVERDUE_CLOSE"
	reasonWrongName = "NAME_NOT_CORRECT"
)

// The states of a merchant transfer.
const (
	transferAccepted   = "ACCEPTED"
	transferProcessing = "PROCESSING" // the balance is too low
	transferWaiting    = "WAIT_USER_CONFIRM"
	transferMoving     = "TRANS" + "FERING" // the platform writes one R
	transferDone       = "SUCCESS"
	transferFailed     = "FAIL"
	transferCanceling  = "CANCELING"
	transferCancelled  = "CANCELLED"
)

// transfer is one out_bill_no; the lock of transfers guards it.
type transfer struct {
	number, id, pack     string
	terms                transferTerms
	state, reason        string
	locked               bool // its amount is set aside in the merchant's balance
	stuck                bool // moving until it is confirmed again
	createdAt, updatedAt time.Time
}

// transferTerms is what must not differ between two requests of one out_bill_no.
type transferTerms struct {
	AppID, Scene, OpenID, Name, Remark   string
	NotifyURL, Perception, Infos, Styles string
	Amount                               int64
}

func (t *transfer) final() bool {
	return t.state == transferDone || t.state == transferFailed || t.state == transferCancelled
}

// transfers keeps the newest transfers and the merchant's balance.
type transfers struct {
	mu       sync.Mutex
	limit    int
	next     uint64
	byNumber map[string]*transfer
	byID     map[string]*transfer
	byPack   map[string]*transfer
	all      []*transfer // oldest first
	open     []*transfer // not final, oldest first
	waiting  []*transfer // PROCESSING, oldest first
	locked   int64       // fen set aside
	spent    int64       // fen gone
	toppedUp int64
	topUps   []topUp

	due atomic.Int64 // unix milliseconds of the first expiry; 0: none
}

func (x *transfers) init(limit int) {
	x.limit = limit
	x.byNumber, x.byID, x.byPack = map[string]*transfer{}, map[string]*transfer{}, map[string]*transfer{}
}

// put registers t; mu is held.
func (x *transfers) put(t *transfer) {
	x.byNumber[t.number], x.byID[t.id] = t, t
	if t.pack != "" {
		x.byPack[t.pack] = t
	}
	x.all = append(x.all, t)
	if !t.final() {
		x.open = append(x.open, t)
		x.setDue()
	}
	if len(x.all) > x.limit {
		old := x.all[0]
		x.all = x.all[1:]
		delete(x.byNumber, old.number)
		delete(x.byID, old.id)
		delete(x.byPack, old.pack)
	}
}

func (x *transfers) count() (known, open, sent int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.open {
		if !t.final() {
			open++
		}
	}
	return int64(len(x.all)), open, x.spent
}

func (x *transfers) setDue() {
	for len(x.open) > 0 && x.open[0].final() {
		x.open = x.open[1:]
	}
	if len(x.open) == 0 {
		x.due.Store(0)
		return
	}
	x.due.Store(x.open[0].createdAt.Add(transferLives).UnixMilli())
}

// transferRoute finds the call of a transfer path.
func (s *Sandbox) transferRoute(method, path string) (payCall, int) {
	if path == transfersPath {
		return onlyFor(http.MethodPost, method, s.createTransfer)
	}
	if rest, found := strings.CutPrefix(path, transferByOut); found {
		if number, cancel := strings.CutSuffix(rest, "/cancel"); cancel {
			return onlyFor(http.MethodPost, method, s.cancelTransfer(number))
		}
		return onlyFor(http.MethodGet, method, s.queryTransfer(rest, ""))
	}
	if rest, found := strings.CutPrefix(path, transferByBill); found {
		return onlyFor(http.MethodGet, method, s.queryTransfer("", rest))
	}
	return nil, http.StatusNotFound
}

// createTransfer is POST /v3/fund-app/mch-transfer/transfer-bills. A known number with the same content tells its
// state; with other content it is refused.
func (s *Sandbox) createTransfer(r *http.Request, body []byte) (any, *payError) {
	var in transferWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	asked, refusal := s.transferTerms(&in, r.Header.Get("Wechatpay-Serial"))
	if refusal != nil {
		return nil, refusal
	}
	now := s.now.Now()
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.byNumber[in.Number]
	switch {
	case t == nil:
		x.next++
		t = &transfer{
			number: in.Number, terms: asked, state: transferAccepted, createdAt: now, updatedAt: now,
			id: fmt.Sprintf("1330%s%s%018d", s.cfg.MchID, now.In(shanghai()).Format("20060102"), x.next),
		}
		x.put(t)
		s.acceptTransfer(t)
	case t.terms != asked:
		return nil, invalidRequest("单号已存在但信息不一致，请查单后比较确认")
	case t.state == transferProcessing: // topped up since: the same number goes on
		s.lockFunds(t)
	}
	return t.answer(), nil
}

// acceptTransfer moves a new transfer on, at once or as a rule says; mu is held.
func (s *Sandbox) acceptTransfer(t *transfer) {
	reason, delay := "", s.cfg.TransferDelay
	if !s.nameMatches(t.terms.OpenID, t.terms.Name) {
		reason = reasonWrongName
	}
	if rule, ok := s.faults.take("transfer:accept"); ok {
		switch rule.Action {
		case ActionFail:
			if reason = rule.Code; reason == "" {
				reason = "PAYEE_ACCOUNT_ABNORMAL"
			}
		default:
			delay = rule.wait(delay)
		}
	}
	switch {
	case reason != "":
		s.laterTransfer(delay, t, transferAccepted, func() { s.finishTransfer(t, transferFailed, reason) })
	case delay > 0:
		s.laterTransfer(delay, t, transferAccepted, func() { s.lockFunds(t) })
	default:
		s.lockFunds(t)
	}
}

// laterTransfer runs work after a real delay when t is still in that state.
func (s *Sandbox) laterTransfer(delay time.Duration, t *transfer, state string, work func()) {
	s.post.later(delay, func() {
		s.transfers.mu.Lock()
		defer s.transfers.mu.Unlock()
		if t.state == state {
			work()
		}
	})
}

// lockFunds sets the amount aside and waits for the person, or for a fuller balance; mu is held.
func (s *Sandbox) lockFunds(t *transfer) {
	x := &s.transfers
	if s.freeFunds() < t.terms.Amount {
		if t.state != transferProcessing {
			t.become(transferProcessing, s.now.Now())
			x.waiting = append(x.waiting, t)
		}
		return
	}
	t.locked = true
	x.locked += t.terms.Amount
	t.pack = randomPackage()
	x.byPack[t.pack] = t
	t.become(transferWaiting, s.now.Now())
}

func (t *transfer) become(state string, now time.Time) { t.state, t.updatedAt = state, now }

// finishTransfer seals its fate and tells the merchant; mu is held.
func (s *Sandbox) finishTransfer(t *transfer, state, reason string) {
	x := &s.transfers
	t.become(state, s.now.Now())
	t.reason, t.stuck = reason, false
	if t.locked {
		t.locked = false
		x.locked -= t.terms.Amount
	}
	if state == transferDone {
		x.spent += t.terms.Amount
	}
	x.setDue()
	s.notify(t.terms.NotifyURL, transferEvent, transferKind, "商家转账单据终态通知", s.transferNotice(t))
	if state != transferDone {
		s.fundWaiting()
	}
}

// fundWaiting lets those that wait for money go on, oldest first; mu is held.
func (s *Sandbox) fundWaiting() {
	x := &s.transfers
	waiting := x.waiting
	x.waiting = nil
	for _, t := range waiting {
		if t.state != transferProcessing {
			continue
		}
		s.lockFunds(t)
		if t.state == transferProcessing {
			x.waiting = append(x.waiting, t)
		}
	}
}

// expireTransfers closes what nobody confirmed in 24 hours. It runs before every request: the platform may lag too.
func (s *Sandbox) expireTransfers() {
	x := &s.transfers
	due := x.due.Load()
	if due == 0 {
		return
	}
	now := s.now.Now()
	if now.UnixMilli() < due {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, lag := s.faults.take("transfer:expire"); lag {
		return
	}
	for len(x.open) > 0 {
		t := x.open[0]
		if !t.final() && now.Sub(t.createdAt) < transferLives {
			break
		}
		x.open = x.open[1:]
		if !t.final() && t.state != transferCanceling {
			s.finishTransfer(t, transferFailed, reasonOverdue)
		}
	}
	x.setDue()
}

// queryTransfer finds a transfer of the last 30 days by the merchant's number or the platform's.
func (s *Sandbox) queryTransfer(number, id string) payCall {
	return func(*http.Request, []byte) (any, *payError) {
		s.transfers.mu.Lock()
		defer s.transfers.mu.Unlock()
		t := s.transfers.byNumber[number]
		if number == "" {
			t = s.transfers.byID[id]
		}
		if t == nil || s.now.Now().Sub(t.createdAt) > transferKnown {
			return nil, errNoTransfer()
		}
		if t.state == transferProcessing { // sales may have filled the balance since
			s.lockFunds(t)
		}
		return s.transferRecord(t), nil
	}
}

func errNoTransfer() *payError {
	return &payError{http.StatusNotFound, "NOT_FOUND", "记录不存在"}
}

// cancelTransfer is POST …/out-bill-no/{number}/cancel, with no body or an empty object. Whoever comes first wins,
// the merchant or the person.
func (s *Sandbox) cancelTransfer(number string) payCall {
	return func(_ *http.Request, body []byte) (any, *payError) {
		if text := strings.TrimSpace(string(body)); text != "" && text != "{}" {
			return nil, paramError("撤销转账不需要请求体")
		}
		s.transfers.mu.Lock()
		defer s.transfers.mu.Unlock()
		t := s.transfers.byNumber[number]
		if t == nil || s.now.Now().Sub(t.createdAt) > transferKnown {
			return nil, errNoTransfer()
		}
		switch t.state {
		case transferCanceling, transferCancelled:
		case transferAccepted, transferProcessing, transferWaiting:
			t.become(transferCanceling, s.now.Now())
			s.planCancel(t)
		default:
			return nil, invalidRequest("当前单据状态不支持撤销")
		}
		return map[string]string{
			"out_bill_no": t.number, "transfer_bill_no": t.id, "state": t.state, "update_time": rfc3339(t.updatedAt),
		}, nil
	}
}

// planCancel ends a CANCELING. By rule the person's tap may turn out to have come first: then it ends in SUCCESS.
func (s *Sandbox) planCancel(t *transfer) {
	delay, final := s.cfg.TransferDelay, transferCancelled
	if rule, ok := s.faults.take("transfer:cancel"); ok {
		switch {
		case rule.Action == ActionFail && t.locked:
			final = transferDone
		default:
			delay = rule.wait(delay)
		}
	}
	s.laterTransfer(delay, t, transferCanceling, func() { s.finishTransfer(t, final, "") })
}
