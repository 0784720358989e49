package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// wxError answers HTTP 200 with an errcode, as WeChat and WeCom do.
func wxError(w http.ResponseWriter, code int) {
	writeJSON(w, http.StatusOK, map[string]any{
		"errcode": code, "errmsg": errWords(code) + " rid: " + randomHex(8),
	})
}

func errWords(code int) string {
	words, ok := map[int]string{
		0: "ok", -1: "system error", 40001: "invalid credential, access_token is invalid or not latest",
		40002: "invalid grant_type", 40003: "invalid openid", 40013: "invalid appid", 40029: "invalid code",
		40037: "invalid template_id", 40097: "invalid args", 40125: "invalid appsecret", 40163: "code been used",
		40129: "invalid scene", 41001: "access_token missing", 41030: "invalid page", 41050: "invalid welcome code",
		41051: "welcome message already sent", 42001: "access_token expired", 43101: "user refuse to accept the msg",
		43002: "require POST method", 45009: "reach max api daily quota limit", 45011: "api minute-quota reach limit",
		47001: "data format error", 47003: "argument invalid", 61010: "user access expired", 84061: "not external contact",
		10060001: "order not exist", 10060003: "re-ship chance used", 10060004: "order can not be shipped",
	}[code]
	if !ok {
		return "error " + strconv.Itoa(code)
	}
	return words
}

// serveMini answers api.weixin.qq.com.
func (s *Sandbox) serveMini(w http.ResponseWriter, r *http.Request) {
	s.withFaults(w, r, &s.mini, s.answerMini)
}

// withFaults lets a rule strike before, around or instead of the answer of WeChat and WeCom calls.
func (s *Sandbox) withFaults(w http.ResponseWriter, r *http.Request, t *tokens,
	answer func(http.ResponseWriter, *http.Request),
) {
	rule, ok := s.faults.take(r.URL.Path)
	if !ok {
		answer(w, r)
		return
	}
	switch rule.Action {
	case ActionDelay:
		if pause(r, time.Duration(rule.DelayMS)*time.Millisecond) {
			answer(w, r)
		}
	case ActionRateLimit:
		wxError(w, 45009)
	case ActionExpire:
		t.expire(r.URL.Query().Get("access_token"))
		wxError(w, 42001)
	case ActionLose:
		cut(w)
	case ActionAfterAccept:
		answer(mute{http.Header{}}, r)
		cut(w)
	case ActionFail:
		code, err := strconv.Atoi(rule.Code)
		if err != nil {
			code = -1
		}
		if rule.Status != 0 {
			http.Error(w, "sandbox: failing as told", rule.Status)
			return
		}
		wxError(w, code)
	default:
		answer(w, r)
	}
}

func (s *Sandbox) answerMini(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/cgi-bin/token":
		s.serveToken(w, r)
		return
	case "/sns/jscode2session":
		s.serveCode2Session(w, r)
		return
	}
	serve, ok := s.miniPost(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		wxError(w, 43002)
		return
	}
	body, err := readBody(r)
	if err != nil {
		wxError(w, 47001)
		return
	}
	if r.URL.Path != "/cgi-bin/stable_token" {
		if code := s.mini.check(r.URL.Query().Get("access_token")); code != 0 {
			wxError(w, code)
			return
		}
	}
	serve(w, body)
}

func (s *Sandbox) miniPost(path string) (func(http.ResponseWriter, []byte), bool) {
	switch path {
	case "/cgi-bin/stable_token":
		return s.serveStableToken, true
	case "/wxa/business/getuserphonenumber":
		return s.servePhone, true
	case "/wxa/getwxacodeunlimit":
		return s.serveCodeImage, true
	case "/cgi-bin/message/subscribe/send":
		return s.serveSubscribeSend, true
	case "/wxa/msg_sec_check":
		return s.serveTextCheck, true
	case "/wxa/sec/order/upload_shipping_info":
		return s.serveUploadShipping, true
	case "/wxa/sec/order/get_order":
		return s.serveShippingOrder, true
	case "/wxa/sec/order/is_trade_managed":
		return s.serveTradeManaged, true
	}
	return nil, false
}
