package sandbox

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

type prepayWire struct {
	AppID       string          `json:"appid"`
	MchID       string          `json:"mchid"`
	Description string          `json:"description"`
	Number      string          `json:"out_trade_no"`
	TimeExpire  string          `json:"time_expire"`
	Attach      string          `json:"attach"`
	NotifyURL   string          `json:"notify_url"`
	GoodsTag    string          `json:"goods_tag"`
	Detail      json.RawMessage `json:"detail"`
	SceneInfo   json.RawMessage `json:"scene_info"`
	Amount      struct {
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
	Payer struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
	SettleInfo struct {
		ProfitSharing bool `json:"profit_sharing"`
	} `json:"settle_info"`
}

const prepayLives = 2 * time.Hour

// prepay is POST /v3/pay/transactions/jsapi.
func (s *Sandbox) prepay(_ *http.Request, body []byte) (any, *payError) {
	var in prepayWire
	if json.Unmarshal(body, &in) != nil {
		return nil, paramError("请求体不是合法的JSON或字段类型不正确")
	}
	now := s.now.Now()
	asked, refusal := s.prepayTerms(&in, now)
	if refusal != nil {
		return nil, refusal
	}
	order, fresh := s.orders.getOrAdd(asked.Number, func(o *payOrder) {
		o.terms, o.state, o.createdAt = asked, stateOpen, now
		o.prepayID, o.prepayAt = newPrepayID(o.seq, now), now
	})
	order.mu.Lock()
	defer order.mu.Unlock()
	if !fresh {
		if refusal := order.prepayAgain(asked, now); refusal != nil {
			return nil, refusal
		}
	}
	return map[string]string{"prepay_id": order.prepayID}, nil
}

// prepayAgain answers a number that is known: the same content gets the same prepay id while that lives.
func (o *payOrder) prepayAgain(asked terms, now time.Time) *payError {
	switch {
	case o.terms != asked:
		return &payError{http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复"}
	case o.state == stateClosed:
		return &payError{http.StatusBadRequest, "ORDER_CLOSED", "该订单已关闭"}
	case o.state != stateOpen:
		return invalidRequest("该订单已支付")
	}
	if now.Sub(o.prepayAt) >= prepayLives {
		o.prepayID, o.prepayAt = newPrepayID(o.seq, now), now
	}
	return nil
}

func (s *Sandbox) prepayTerms(in *prepayWire, now time.Time) (terms, *payError) {
	t := terms{
		AppID: in.AppID, MchID: in.MchID, Description: in.Description, Number: in.Number, Attach: in.Attach,
		GoodsTag: in.GoodsTag, NotifyURL: in.NotifyURL, Detail: string(in.Detail), SceneInfo: string(in.SceneInfo),
		OpenID: in.Payer.OpenID, Total: in.Amount.Total, ProfitSharing: in.SettleInfo.ProfitSharing,
	}
	if in.AppID != s.cfg.AppID || in.MchID != s.cfg.MchID {
		return t, &payError{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系"}
	}
	switch {
	case !filled(in.Description, 127):
		return t, paramError("description 长度须为1到127个字符")
	case !validNumber(in.Number, 6, 32, "_-|*"):
		return t, paramError("out_trade_no 须为6到32位数字、字母或_-|*")
	case utf8.RuneCountInString(in.Attach) > 128:
		return t, paramError("attach 最长128个字符")
	case utf8.RuneCountInString(in.GoodsTag) > 32:
		return t, paramError("goods_tag 最长32个字符")
	case in.Amount.Total < 1:
		return t, paramError("amount.total 须为正整数")
	case in.Amount.Currency != "" && in.Amount.Currency != "CNY":
		return t, paramError("amount.currency 只支持CNY")
	case !filled(in.Payer.OpenID, 128):
		return t, paramError("payer.openid 必填")
	case !s.validNotifyURL(in.NotifyURL):
		return t, paramError("notify_url 须为https地址且不带参数")
	}
	if in.TimeExpire != "" {
		at, err := time.Parse(time.RFC3339, in.TimeExpire)
		if err != nil || !at.After(now) {
			return t, paramError("time_expire 须为晚于当前的rfc3339时间")
		}
		t.ExpiresAt = at.Unix()
	}
	return t, nil
}

func (s *Sandbox) validNotifyURL(text string) bool {
	if len(text) == 0 || len(text) > 255 || strings.ContainsAny(text, "?#") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	if u.Scheme != "http" || !s.cfg.AllowLoopbackHTTP {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// filled tells whether text is UTF-8 of 1 to high characters.
func filled(text string, high int) bool {
	n := utf8.RuneCountInString(text)
	return utf8.ValidString(text) && n >= 1 && n <= high
}

func validNumber(text string, low, high int, extra string) bool {
	if len(text) < low || len(text) > high {
		return false
	}
	for _, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}
