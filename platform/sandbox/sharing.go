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
	sharingPath       = "/v3/profitsharing/"
	maxShareReceivers = 50
	maxShareRequests  = 50  // per order
	shareDays         = 180 // then the rest is the merchant's by itself
)

// sharing keeps receivers, sharings and returns. Its lock is taken before an order's.
type sharing struct {
	mu        sync.Mutex
	next      uint64
	receivers map[string]*receiver // by kind and account
	byNumber  map[string]*share
	byOrder   map[*payOrder][]*share
	returns   map[string]*shareReturn
	byID      map[string]*share

	outFen atomic.Int64 // gone to others, less what came back
}

func (x *sharing) init() {
	x.receivers, x.byNumber = map[string]*receiver{}, map[string]*share{}
	x.byOrder, x.returns, x.byID = map[*payOrder][]*share{}, map[string]*shareReturn{}, map[string]*share{}
}

// share is one out_order_no: money for receivers, or (with none but the merchant) the rest set free.
type share struct {
	number, id string
	order      *payOrder
	terms      string // what must not differ between two requests
	unfreeze   bool
	finished   bool
	parts      []*sharePart
	createdAt  time.Time
}

type sharePart struct {
	Kind, Account, Note, Name string
	Amount, Returned          int64
	Own                       bool   // the merchant's: the rest of the order, set free
	Result, Reason, ID        string // PENDING SUCCESS CLOSED
	DoneAt                    time.Time
}

// sharingRoute finds the call behind /v3/profitsharing/.
func (s *Sandbox) sharingRoute(method, path string) (payCall, int) {
	switch path {
	case "receivers/add":
		return onlyFor(http.MethodPost, method, s.addReceiver)
	case "receivers/delete":
		return onlyFor(http.MethodPost, method, s.deleteReceiver)
	case "orders":
		return onlyFor(http.MethodPost, method, s.createShare)
	case "orders/unfreeze":
		return onlyFor(http.MethodPost, method, s.unfreeze)
	case "return-orders":
		return onlyFor(http.MethodPost, method, s.createReturn)
	}
	if number, found := strings.CutPrefix(path, "orders/"); found {
		return onlyFor(http.MethodGet, method, s.queryShare(number))
	}
	if number, found := strings.CutPrefix(path, "return-orders/"); found {
		return onlyFor(http.MethodGet, method, s.queryReturn(number))
	}
	if rest, found := strings.CutPrefix(path, "transactions/"); found {
		if id, amounts := strings.CutSuffix(rest, "/amounts"); amounts {
			return onlyFor(http.MethodGet, method, s.unsplit(id))
		}
	}
	return nil, http.StatusNotFound
}

type shareWire struct {
	AppID         string `json:"appid"`
	TransactionID string `json:"transaction_id"`
	Number        string `json:"out_order_no"`
	Description   string `json:"description"` // of an unfreeze
	Unfreeze      *bool  `json:"unfreeze_unsplit"`
	Receivers     []struct {
		Type        string `json:"type"`
		Account     string `json:"account"`
		Name        string `json:"name"`
		Amount      int64  `json:"amount"`
		Description string `json:"description"`
	} `json:"receivers"`
}

// createShare is POST /v3/profitsharing/orders. It is accepted now and finished later: poll.
func (s *Sandbox) createShare(r *http.Request, body []byte) (any, *payError) {
	var in shareWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	asked, refusal := s.readShare(&in, r.Header.Get("Wechatpay-Serial"))
	if refusal != nil {
		return nil, refusal
	}
	return s.startShare(asked, in.TransactionID)
}

// unfreeze is POST /v3/profitsharing/orders/unfreeze: the rest is the merchant's.
func (s *Sandbox) unfreeze(_ *http.Request, body []byte) (any, *payError) {
	var in shareWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	if !validNumber(in.Number, 1, 64, "_-|*@") || !filled(in.Description, 80) {
		return nil, paramError("out_order_no 和 description 必填")
	}
	return s.startShare(&share{
		number: in.Number, unfreeze: true, terms: "unfreeze\n" + in.TransactionID + "\n" + in.Description,
	}, in.TransactionID)
}

// readShare checks what can be wrong with a request by itself, and decrypts the names.
func (s *Sandbox) readShare(in *shareWire, serial string) (*share, *payError) {
	switch {
	case in.AppID != s.cfg.AppID:
		return nil, &payError{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系"}
	case !validNumber(in.Number, 1, 64, "_-|*@"):
		return nil, paramError("out_order_no 须为1到64位数字、字母或_-|*@")
	case len(in.Receivers) == 0 || len(in.Receivers) > maxShareReceivers:
		return nil, paramError("receivers 须为1到50个")
	case in.Unfreeze == nil:
		return nil, paramError("unfreeze_unsplit 必填")
	}
	sh := &share{number: in.Number, unfreeze: *in.Unfreeze}
	seen := map[string]bool{}
	terms := fmt.Sprintf("share\n%s\n%t\n", in.TransactionID, *in.Unfreeze)
	for _, r := range in.Receivers {
		switch {
		case !receiverKind(r.Type) || !filled(r.Account, 64):
			return nil, paramError("receivers.type 和 receivers.account 不正确")
		case r.Amount < 1 || !filled(r.Description, 80):
			return nil, paramError("receivers.amount 须为正整数，receivers.description 须为1到80个字符")
		case seen[r.Type+r.Account]:
			return nil, paramError("receivers 重复")
		}
		seen[r.Type+r.Account] = true
		part := &sharePart{Kind: r.Type, Account: r.Account, Note: r.Description, Amount: r.Amount, Result: "PENDING"}
		if r.Name != "" {
			var refusal *payError
			if part.Name, refusal = s.decryptField("receivers.name", r.Name, serial); refusal != nil {
				return nil, refusal
			}
		}
		sh.parts = append(sh.parts, part)
		terms += fmt.Sprintf("%q %q %q %d %q\n", r.Type, r.Account, part.Name, r.Amount, r.Description)
	}
	sh.terms = terms
	return sh, nil
}

// startShare accepts a sharing or an unfreezing.
func (s *Sandbox) startShare(asked *share, transactionID string) (any, *payError) {
	x := &s.sharing
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.byNumber[asked.number]; known != nil {
		if known.terms != asked.terms {
			return nil, invalidRequest("商户分账单号重复，且请求参数与原请求不一致")
		}
		return known.describe(), nil
	}
	order := s.orders.byTransaction(transactionID)
	if order == nil {
		return nil, invalidRequest("订单不存在")
	}
	now := s.now.Now()
	asked.order = order
	if refusal := s.sharable(asked, now); refusal != nil {
		return nil, refusal
	}
	x.next++
	asked.createdAt = now
	asked.id = fmt.Sprintf("3008450740%s%010d", now.In(shanghai()).Format("20060102"), x.next)
	for i, p := range asked.parts {
		p.ID = fmt.Sprintf("36011%s%010d%02d", now.In(shanghai()).Format("20060102"), x.next, i)
	}
	x.put(asked)
	s.planShare(asked)
	return asked.describe(), nil
}

// put registers sh; mu is held.
func (x *sharing) put(sh *share) {
	x.byNumber[sh.number] = sh
	x.byOrder[sh.order] = append(x.byOrder[sh.order], sh)
	x.byID[sh.id] = sh
}

// drop forgets the sharings of an order that is forgotten.
func (x *sharing) drop(o *payOrder) {
	x.mu.Lock()
	defer x.mu.Unlock()
	gone := x.byOrder[o]
	if len(gone) == 0 {
		return
	}
	delete(x.byOrder, o)
	for _, sh := range gone {
		delete(x.byNumber, sh.number)
		delete(x.byID, sh.id)
	}
	for number, back := range x.returns {
		if back.share.order == o {
			delete(x.returns, number)
		}
	}
}

// sharable checks the rules of money and time.
func (s *Sandbox) sharable(asked *share, now time.Time) *payError {
	order := asked.order
	order.mu.Lock()
	paidAt, total, flagged := order.paidAt, order.terms.Total, order.terms.ProfitSharing
	order.mu.Unlock()
	wanted, shared := int64(0), int64(0)
	for _, p := range asked.parts {
		wanted += p.Amount
	}
	for _, sh := range s.sharing.byOrder[order] {
		shared += sh.toOthers()
	}
	switch {
	case !flagged:
		return invalidRequest("非分账订单不支持分账")
	case s.cfg.SharingWait > 0 && now.Sub(paidAt) < s.cfg.SharingWait:
		return invalidRequest("订单处理中，暂时无法分账，请稍后再试")
	case now.Sub(paidAt) > shareDays*24*time.Hour:
		return invalidRequest("订单已超过可分账期限，剩余资金已解冻")
	case len(s.sharing.byOrder[order]) >= maxShareRequests:
		return invalidRequest("同一笔订单的分账次数超过上限")
	}
	rest := s.restOf(order)
	if rest <= 0 || wanted > rest {
		return &payError{http.StatusForbidden, "NOT_ENOUGH", "分账金额不足"}
	}
	if (shared+wanted)*10_000 > total*s.cfg.SharingCeiling {
		return invalidRequest("分账金额超过最大分账比例")
	}
	return nil
}

// toOthers is what went, or is on its way, to others.
func (sh *share) toOthers() (fen int64) {
	for _, p := range sh.parts {
		if !p.Own && p.Result != "CLOSED" {
			fen += p.Amount
		}
	}
	return fen
}

// restOf is what of an order has neither been shared, nor set free, nor refunded; the lock of sharing is held.
func (s *Sandbox) restOf(order *payOrder) int64 {
	order.mu.Lock()
	defer order.mu.Unlock()
	if !order.terms.ProfitSharing || order.paidAt.IsZero() ||
		s.now.Now().Sub(order.paidAt) > shareDays*24*time.Hour {
		return 0
	}
	rest := order.terms.Total
	for _, r := range order.refunds {
		if r.status != "CLOSED" {
			rest -= r.terms.Refund
		}
	}
	for _, sh := range s.sharing.byOrder[order] {
		if sh.unfreeze {
			return 0
		}
		rest -= sh.toOthers()
	}
	return max(rest, 0)
}

// planShare finishes a sharing after the answer; a rule on "sharing:order" may delay it, or close the first receiver
// with Code as the reason.
func (s *Sandbox) planShare(sh *share) {
	delay, reason := s.cfg.SharingDelay, ""
	if rule, ok := s.faults.take("sharing:order"); ok {
		switch rule.Action {
		case ActionFail:
			if reason = rule.Code; reason == "" {
				reason = "ACCOUNT_ABNORMAL"
			}
		default:
			delay = rule.wait(delay)
		}
	}
	s.post.later(delay, func() {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		s.finishShare(sh, reason)
	})
}

func (s *Sandbox) finishShare(sh *share, reason string) {
	now := s.now.Now()
	for _, p := range sh.parts {
		if p.Result != "PENDING" {
			continue
		}
		p.Result, p.DoneAt, p.Reason = "SUCCESS", now, s.whyClosed(p)
		if reason != "" {
			p.Reason, reason = reason, ""
		}
		if p.Reason != "" {
			p.Result = "CLOSED"
			continue
		}
		s.sharing.outFen.Add(p.Amount)
	}
	if sh.unfreeze {
		sh.addOwn(s, now)
	}
	sh.finished = true
}

// addOwn shows the merchant's own part: what was left.
func (sh *share) addOwn(s *Sandbox, now time.Time) {
	sh.unfreeze = false
	rest := s.restOf(sh.order)
	sh.unfreeze = true
	if rest > 0 {
		sh.parts = append(sh.parts, &sharePart{
			Kind: kindMerchant, Account: s.cfg.MchID, Note: "解冻给分账方", Amount: rest, Own: true, Result: "SUCCESS",
			ID: "37" + sh.id, DoneAt: now,
		})
	}
}
