package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/clock"
)

func shanghai() *time.Location { return clock.Shanghai() }

func rfc3339(t time.Time) string { return t.In(shanghai()).Format(time.RFC3339) }

// payError is a refusal in the words of WeChat Pay v3.
type payError struct {
	status        int
	code, message string
}

func paramError(message string) *payError {
	return &payError{http.StatusBadRequest, "PARAM_ERROR", message}
}

func invalidRequest(message string) *payError {
	return &payError{http.StatusBadRequest, "INVALID_REQUEST", message}
}

// payCall is one verified request: the answer is a body for 200, nil for 204, or a refusal.
type payCall func(r *http.Request, body []byte) (any, *payError)

func (s *Sandbox) servePay(w http.ResponseWriter, r *http.Request) {
	if rule, ok := s.faults.take(r.URL.Path); ok {
		s.payFault(w, r, rule)
		return
	}
	s.answerPay(w, r, false)
}

func (s *Sandbox) payFault(w http.ResponseWriter, r *http.Request, rule Rule) {
	switch rule.Action {
	case ActionDelay:
		if body, err := readBody(r); err == nil { // only after its body is a caller's leaving noticed
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		if pause(r, time.Duration(rule.DelayMS)*time.Millisecond) {
			s.answerPay(w, r, false)
		}
	case ActionRateLimit:
		s.payRefuse(w, &payError{http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率超限"})
	case ActionLose:
		cut(w)
	case ActionAfterAccept:
		s.answerPay(mute{http.Header{}}, r, false)
		cut(w)
	case ActionUnsigned:
		s.answerPay(w, r, true)
	case ActionFail:
		refusal := &payError{http.StatusInternalServerError, "SYSTEM_ERROR", "系统错误"}
		if rule.Code != "" {
			refusal = &payError{http.StatusForbidden, rule.Code, "按指令失败"}
		}
		if rule.Status != 0 {
			refusal.status = rule.Status
		}
		s.payRefuse(w, refusal)
	default:
		s.answerPay(w, r, false)
	}
}

func (s *Sandbox) answerPay(w http.ResponseWriter, r *http.Request, unsigned bool) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, billFilePath) {
		s.serveBillFile(w, r)
		return
	}
	body, err := readBody(r)
	if err != nil {
		s.payRefuse(w, paramError("请求体过大"))
		return
	}
	call, status := s.payRoute(r.Method, r.URL.Path)
	if call == nil {
		w.WriteHeader(status) // 404 and 405 have empty bodies
		return
	}
	if refusal := s.checkAuthorization(r, body); refusal != nil {
		s.payRefuse(w, refusal)
		return
	}
	answer, refusal := call(r, body)
	if refusal != nil {
		s.payRefuse(w, refusal)
		return
	}
	s.payAccept(w, answer, unsigned)
}

const (
	jsapiPath    = "/v3/pay/transactions/jsapi"
	byNumberPath = "/v3/pay/transactions/out-trade-no/"
	byIDPath     = "/v3/pay/transactions/id/"
	refundsPath  = "/v3/refund/domestic/refunds"
)

// payRoute finds the call; without one, the status says why.
func (s *Sandbox) payRoute(method, path string) (payCall, int) {
	switch path {
	case jsapiPath:
		return onlyFor(http.MethodPost, method, s.prepay)
	case refundsPath:
		return onlyFor(http.MethodPost, method, s.createRefund)
	case "/v3/bill/tradebill", "/v3/bill/fundflowbill":
		return onlyFor(http.MethodGet, method, s.requestBill)
	}
	if rest, found := strings.CutPrefix(path, refundsPath+"/"); found && !strings.Contains(rest, "/") {
		return onlyFor(http.MethodGet, method, s.queryRefund(rest))
	}
	if rest, found := strings.CutPrefix(path, byIDPath); found && !strings.Contains(rest, "/") {
		return onlyFor(http.MethodGet, method, s.queryByTransaction(rest))
	}
	if rest, found := strings.CutPrefix(path, byNumberPath); found {
		if number, closing := strings.CutSuffix(rest, "/close"); closing {
			return onlyFor(http.MethodPost, method, s.closeOrder(number))
		}
		return onlyFor(http.MethodGet, method, s.queryByNumber(rest))
	}
	if strings.HasPrefix(path, transfersPath) {
		return s.transferRoute(method, path)
	}
	if rest, found := strings.CutPrefix(path, sharingPath); found {
		return s.sharingRoute(method, rest)
	}
	return nil, http.StatusNotFound
}

func onlyFor(want, method string, call payCall) (payCall, int) {
	if want != method {
		return nil, http.StatusMethodNotAllowed
	}
	return call, http.StatusOK
}

const maxSkew = 300 // seconds

// checkAuthorization verifies the merchant's signature over the raw request URI and body.
func (s *Sandbox) checkAuthorization(r *http.Request, body []byte) *payError {
	refusal := &payError{http.StatusUnauthorized, "SIGN_ERROR", ""}
	params, found := strings.CutPrefix(r.Header.Get("Authorization"), "WECHATPAY2-SHA256-RSA2048 ")
	if !found {
		refusal.message = "Http头Authorization认证类型不正确"
		return refusal
	}
	field := authorizationFields(params)
	at, err := strconv.ParseInt(field["timestamp"], 10, 64)
	if err != nil {
		refusal.message = "Http头Authorization的timestamp不正确"
		return refusal
	}
	if skew := s.real.Now().Unix() - at; skew > maxSkew || skew < -maxSkew {
		refusal.message = "Http头Authorization的timestamp与发起请求的时间不得超过5分钟"
		return refusal
	}
	if field["mchid"] != s.cfg.MchID || field["serial_no"] != s.cfg.MerchantSerial {
		refusal.message = "商户证书序列号有误"
		return refusal
	}
	if n := len(field["nonce_str"]); n == 0 || n > 64 {
		refusal.message = "Http头Authorization的nonce_str不正确"
		return refusal
	}
	if serial := r.Header.Get("Wechatpay-Serial"); serial != "" && serial != s.cfg.PublicKeyID {
		return paramError("请确认 Wechatpay-Serial 使用的微信支付公钥ID")
	}
	message := make([]byte, 0, len(body)+256)
	for _, part := range []string{r.Method, r.RequestURI, field["timestamp"], field["nonce_str"]} {
		message = append(append(message, part...), '\n')
	}
	message = append(append(message, body...), '\n')
	if !s.signedByMerchant(message, field["signature"]) {
		refusal.message = "签名错误,请检查后再试"
		return refusal
	}
	return nil
}

// authorizationFields reads name="value" pairs; none of the values may hold a quote.
func authorizationFields(params string) map[string]string {
	fields := make(map[string]string, 5)
	for pair := range strings.SplitSeq(params, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			fields[name] = value[1 : len(value)-1]
		}
	}
	return fields
}

func (s *Sandbox) payAccept(w http.ResponseWriter, answer any, unsigned bool) {
	var body []byte
	if answer != nil {
		var err error
		if body, err = json.Marshal(answer); err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
	}
	_, silent := w.(mute)
	if !unsigned && !silent {
		s.signAnswer(w.Header(), body)
	}
	w.Header().Set("Request-Id", randomHex(16))
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

func (s *Sandbox) payRefuse(w http.ResponseWriter, e *payError) {
	body, err := json.Marshal(map[string]string{"code": e.code, "message": e.message})
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	if !s.cfg.UnsignedClientError && e.status != http.StatusUnauthorized {
		s.signAnswer(w.Header(), body)
	}
	w.Header().Set("Request-Id", randomHex(16))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}

func (s *Sandbox) signAnswer(h http.Header, body []byte) {
	timestamp, nonce := strconv.FormatInt(s.real.Now().Unix(), 10), randomHex(16)
	h.Set("Wechatpay-Timestamp", timestamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", s.cfg.PublicKeyID)
	h.Set("Wechatpay-Signature", s.sign(timestamp, nonce, body))
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
}
