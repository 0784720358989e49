package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	kindMerchant   = "MERCHANT_ID"
	kindPerson     = "PERSONAL_OPENID"
	maxShareParty  = 20_000
	reasonNoPerson = "RECEIVER_REAL_NAME_NOT_VERIFIED"
)

func receiverKind(kind string) bool { return kind == kindMerchant || kind == kindPerson }

func relations() []string {
	return []string{
		"SERVICE_PROVIDER", "STORE", "STAFF", "STORE_OWNER", "PARTNER", "HEADQUARTER", "BRAND", "DISTRIBUTOR", "USER",
		"SUPPLIER", "CUSTOM",
	}
}

// receiver is somebody that orders may be shared with.
type receiver struct{ Kind, Account, Relation, Custom, Name string }

type receiverWire struct {
	AppID    string `json:"appid"`
	Type     string `json:"type"`
	Account  string `json:"account"`
	Name     string `json:"name"`
	Relation string `json:"relation_type"`
	Custom   string `json:"custom_relation"`
}

func (s *Sandbox) readReceiver(body []byte) (*receiverWire, *payError) {
	var in receiverWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	if in.AppID != s.cfg.AppID {
		return nil, &payError{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系"}
	}
	if !receiverKind(in.Type) || !filled(in.Account, 64) {
		return nil, paramError("type 须为 MERCHANT_ID 或 PERSONAL_OPENID，account 必填")
	}
	return &in, nil
}

// addReceiver is POST /v3/profitsharing/receivers/add; adding again replaces.
func (s *Sandbox) addReceiver(r *http.Request, body []byte) (any, *payError) {
	in, refusal := s.readReceiver(body)
	if refusal != nil {
		return nil, refusal
	}
	switch {
	case !slices.Contains(relations(), in.Relation):
		return nil, paramError("relation_type 不正确")
	case (in.Relation == "CUSTOM") != filled(in.Custom, 10):
		return nil, paramError("relation_type 为 CUSTOM 时 custom_relation 必填，且最长10个字符")
	case in.Type == kindMerchant && in.Name == "":
		return nil, paramError("type 为 MERCHANT_ID 时 name 必填")
	}
	party := &receiver{Kind: in.Type, Account: in.Account, Relation: in.Relation, Custom: in.Custom}
	answer := map[string]string{"type": in.Type, "account": in.Account, "relation_type": in.Relation}
	if in.Name != "" {
		if party.Name, refusal = s.decryptField("name", in.Name, r.Header.Get("Wechatpay-Serial")); refusal != nil {
			return nil, refusal
		}
		if in.Type == kindPerson && !s.nameMatches(in.Account, party.Name) {
			return nil, invalidRequest("分账接收方姓名与实名不一致")
		}
		answer["name"] = s.encryptField(party.Name)
	}
	if in.Custom != "" {
		answer["custom_relation"] = in.Custom
	}
	s.sharing.mu.Lock()
	defer s.sharing.mu.Unlock()
	if len(s.sharing.receivers) >= maxShareParty {
		return nil, invalidRequest("分账接收方数量超过上限")
	}
	s.sharing.receivers[in.Type+"\n"+in.Account] = party
	return answer, nil
}

// deleteReceiver is POST /v3/profitsharing/receivers/delete; nobody there is fine.
func (s *Sandbox) deleteReceiver(_ *http.Request, body []byte) (any, *payError) {
	in, refusal := s.readReceiver(body)
	if refusal != nil {
		return nil, refusal
	}
	s.sharing.mu.Lock()
	defer s.sharing.mu.Unlock()
	delete(s.sharing.receivers, in.Type+"\n"+in.Account)
	return map[string]string{"type": in.Type, "account": in.Account}, nil
}

// whyClosed tells why a part cannot be paid; the lock of sharing is held.
func (s *Sandbox) whyClosed(p *sharePart) string {
	party := s.sharing.receivers[p.Kind+"\n"+p.Account]
	switch {
	case party == nil:
		return "NO_RELATION"
	case p.Kind == kindPerson && !s.nameMatches(p.Account, p.Name),
		p.Kind == kindMerchant && p.Name != "" && p.Name != party.Name:
		return reasonNoPerson
	}
	return ""
}

// shareReturn is one out_return_no: a merchant gives back.
type shareReturn struct {
	number, id, note, mchID string
	share                   *share
	part                    *sharePart
	amount                  int64
	result, reason          string // PROCESSING SUCCESS FAILED
	createdAt, doneAt       time.Time
}

type returnWire struct {
	OrderID      string `json:"order_id"`
	Number       string `json:"out_order_no"`
	ReturnNumber string `json:"out_return_no"`
	MchID        string `json:"return_mchid"`
	Amount       int64  `json:"amount"`
	Description  string `json:"description"`
}

// createReturn is POST /v3/profitsharing/return-orders: only merchants can give back.
func (s *Sandbox) createReturn(_ *http.Request, body []byte) (any, *payError) {
	var in returnWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	switch {
	case in.OrderID == "" && in.Number == "":
		return nil, paramError("order_id 和 out_order_no 二选一")
	case !validNumber(in.ReturnNumber, 1, 64, "_-|*@"):
		return nil, paramError("out_return_no 须为1到64位数字、字母或_-|*@")
	case !filled(in.MchID, 32) || in.Amount < 1 || !filled(in.Description, 80):
		return nil, paramError("return_mchid、amount、description 必填")
	}
	x := &s.sharing
	x.mu.Lock()
	defer x.mu.Unlock()
	sh := x.byNumber[in.Number]
	if in.Number == "" {
		sh = x.byID[in.OrderID]
	}
	if sh == nil {
		return nil, errNoShare()
	}
	if known := x.returns[in.ReturnNumber]; known != nil {
		if known.share != sh || known.mchID != in.MchID || known.amount != in.Amount || known.note != in.Description {
			return nil, invalidRequest("商户回退单号重复，且请求参数与原请求不一致")
		}
		return known.describe(), nil
	}
	part := sh.merchantPart(in.MchID)
	now := s.now.Now()
	switch {
	case part == nil:
		return nil, invalidRequest("该分账单没有分给此商户，或接收方为个人，不支持回退")
	case part.Returned+in.Amount > part.Amount:
		return nil, &payError{http.StatusForbidden, "NOT_ENOUGH", "回退金额超过可回退金额"}
	case now.Sub(sh.createdAt) > shareDays*24*time.Hour:
		return nil, invalidRequest("超过可回退期限")
	}
	x.next++
	back := &shareReturn{
		number: in.ReturnNumber, share: sh, part: part, amount: in.Amount, note: in.Description, mchID: in.MchID,
		result: "PROCESSING", createdAt: now, id: fmt.Sprintf("3008450741%s%010d", now.In(shanghai()).Format("20060102"), x.next),
	}
	x.returns[back.number] = back
	part.Returned += in.Amount
	s.planReturn(back)
	return back.describe(), nil
}

func (sh *share) merchantPart(mchID string) *sharePart {
	for _, p := range sh.parts {
		if p.Kind == kindMerchant && p.Account == mchID && p.Result == "SUCCESS" && !p.Own {
			return p
		}
	}
	return nil
}

func (s *Sandbox) planReturn(back *shareReturn) {
	delay, result, reason := s.cfg.SharingDelay, "SUCCESS", ""
	if rule, ok := s.faults.take("sharing:return"); ok {
		switch rule.Action {
		case ActionFail:
			if result, reason = "FAILED", rule.Code; reason == "" {
				reason = "ACCOUNT_ABNORMAL"
			}
		default:
			delay = rule.wait(delay)
		}
	}
	s.post.later(delay, func() {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		back.result, back.reason, back.doneAt = result, reason, s.now.Now()
		if result == "SUCCESS" {
			s.sharing.outFen.Add(-back.amount)
		} else {
			back.part.Returned -= back.amount
		}
	})
}

func (b *shareReturn) describe() map[string]any {
	out := map[string]any{
		"order_id": b.share.id, "out_order_no": b.share.number, "out_return_no": b.number, "return_id": b.id,
		"return_mchid": b.mchID, "amount": b.amount, "description": b.note, "result": b.result,
		"create_time": rfc3339(b.createdAt),
	}
	if b.reason != "" {
		out["fail_reason"] = b.reason
	}
	if !b.doneAt.IsZero() {
		out["finish_time"] = rfc3339(b.doneAt)
	}
	return out
}

func (s *Sandbox) queryReturn(number string) payCall {
	return func(r *http.Request, _ []byte) (any, *payError) {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		back := s.sharing.returns[number]
		if back == nil || r.URL.Query().Get("out_order_no") != back.share.number {
			return nil, errNoShare()
		}
		return back.describe(), nil
	}
}
