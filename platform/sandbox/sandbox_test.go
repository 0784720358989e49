package sandbox_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/platform/sandbox"
)

var sharedKeys = sync.OnceValues(sandbox.GenerateKeys)

// phone speaks to a sandbox by hand, without any SDK.
type phone struct {
	box   *sandbox.Sandbox
	clock *clock.Manual
	key   *rsa.PrivateKey
}

func open(t *testing.T, change func(*sandbox.Config)) *phone {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))}
	cfg := sandbox.Config{Keys: keys, Clock: p.clock, AllowLoopbackHTTP: true, NotifyRetries: []time.Duration{}}
	if change != nil {
		change(&cfg)
	}
	if p.box, err = sandbox.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.box.Close)
	block, _ := pem.Decode([]byte(p.box.Credentials().MerchantKeyPEM))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p.key = key.(*rsa.PrivateKey)
	return p
}

func (p *phone) do(r *http.Request) (int, string, http.Header) {
	w := httptest.NewRecorder()
	p.box.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func (p *phone) sign(message string) string {
	sum := sha256.Sum256([]byte(message))
	signature, err := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func (p *phone) authorization(method, uri, body string, at time.Time) string {
	c := p.box.Credentials()
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), "nonce0123456789"
	signature := p.sign(method + "\n" + uri + "\n" + timestamp + "\n" + nonce + "\n" + body + "\n")
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		c.MchID, nonce, signature, timestamp, c.MerchantSerial)
}

// pay is one signed request to WeChat Pay.
func (p *phone) pay(method, uri, body string) (int, string, http.Header) {
	r := httptest.NewRequest(method, "https://api.mch.weixin.qq.com"+uri, strings.NewReader(body))
	r.RequestURI = uri
	r.Header.Set("Authorization", p.authorization(method, uri, body, time.Now()))
	return p.do(r)
}

func (p *phone) prepay(t *testing.T, number string) string {
	t.Helper()
	code, answer, _ := p.pay("POST", "/v3/pay/transactions/jsapi", p.order(number))
	var out struct {
		ID string `json:"prepay_id"`
	}
	if code != 200 || json.Unmarshal([]byte(answer), &out) != nil || out.ID == "" {
		t.Fatal(code, answer)
	}
	return out.ID
}

func (p *phone) order(number string) string {
	c := p.box.Credentials()
	return `{"appid":"` + c.AppID + `","mchid":"` + c.MchID + `","description":"桃子","out_trade_no":"` + number +
		`","notify_url":"https://127.0.0.1:1/n","amount":{"total":4990},"payer":{"openid":"o-lan"}}`
}

func TestOnlyTheMerchantsSignatureCounts(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	const uri = "/v3/pay/transactions/out-trade-no/a%7Cb-123?mchid=1900000109"
	good := p.authorization("GET", uri, "", time.Now())
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"good":            {good, 404}, // verified, and no such order
		"none":            {"", 401},
		"other type":      {strings.Replace(good, "WECHATPAY2-SHA256", "WECHATPAY2-SM2", 1), 401},
		"other merchant":  {strings.Replace(good, "1900000109", "1900000110", 1), 401},
		"other serial":    {strings.Replace(good, p.box.Credentials().MerchantSerial, strings.Repeat("A", 40), 1), 401},
		"other nonce":     {strings.Replace(good, "nonce0", "nonce1", 1), 401},
		"unescaped path":  {p.authorization("GET", strings.Replace(uri, "%7C", "|", 1), "", time.Now()), 401},
		"another body":    {p.authorization("GET", uri, "x", time.Now()), 401},
		"too old":         {p.authorization("GET", uri, "", time.Now().Add(-301*time.Second)), 401},
		"from the future": {p.authorization("GET", uri, "", time.Now().Add(302*time.Second)), 401},
	} {
		r := httptest.NewRequest("GET", "https://api.mch.weixin.qq.com"+uri, nil)
		r.RequestURI = uri
		r.Header.Set("Authorization", c.header)
		if code, body, _ := p.do(r); code != c.status {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

func TestAnswersAreSignedWithThePlatformsKey(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	p.prepay(t, "signed-1")
	code, body, h := p.pay("POST", "/v3/pay/transactions/out-trade-no/signed-1/close", `{"mchid":"1900000109"}`)
	if code != 204 || body != "" {
		t.Fatal(code, body)
	}
	block, _ := pem.Decode([]byte(p.box.Credentials().PublicKeyPEM))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(h.Get("Wechatpay-Timestamp") + "\n" + h.Get("Wechatpay-Nonce") + "\n\n")) // 204: an empty body line
	if err := rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	if h.Get("Wechatpay-Serial") != p.box.Credentials().PublicKeyID {
		t.Error(h)
	}
}

func TestPrepayRules(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for name, c := range map[string]struct{ from, to, code string }{
		"http":             {"https://127.0.0.1:1/n", "http://shop.example/n", "PARAM_ERROR"},
		"query":            {"https://127.0.0.1:1/n", "https://127.0.0.1/n?a=1", "PARAM_ERROR"},
		"fragment":         {"https://127.0.0.1:1/n", "https://127.0.0.1/n#a", "PARAM_ERROR"},
		"other app":        {p.box.Credentials().AppID, "wx0000000000000000", "APPID_MCHID_NOT_MATCH"},
		"other currency":   {`"total":4990`, `"total":4990,"currency":"USD"`, "PARAM_ERROR"},
		"amount as text":   {`4990`, `"4990"`, "PARAM_ERROR"},
		"amount in yuan":   {`4990`, `49.90`, "PARAM_ERROR"},
		"past time_expire": {`"amount"`, `"time_expire":"2026-11-22T15:59:59+08:00","amount"`, "PARAM_ERROR"},
		"bad time_expire":  {`"amount"`, `"time_expire":"tomorrow","amount"`, "PARAM_ERROR"},
	} {
		code, body, _ := p.pay("POST", "/v3/pay/transactions/jsapi", strings.Replace(p.order("rules-1"), c.from, c.to, 1))
		if code != 400 || !strings.Contains(body, c.code) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if n := p.box.Stats().Orders; n != 0 {
		t.Errorf("%d orders", n)
	}
	for path, want := range map[string]int{"/v3/nowhere": 404, "/v3/refund/domestic/refunds": 405} {
		if code, body, _ := p.pay("GET", path, ""); code != want || body != "" {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
}

func TestThePayerIsChecked(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	id := p.prepay(t, "payer-1")
	c := p.box.Credentials()
	good := sandbox.PayInput{Package: "prepay_id=" + id, TimeStamp: "1", NonceStr: "n", SignType: "RSA", OpenID: "o-lan"}
	good.PaySign = p.sign(c.AppID + "\n1\nn\nprepay_id=" + id + "\n")
	for name, change := range map[string]func(*sandbox.PayInput){
		"nonce changed":  func(in *sandbox.PayInput) { in.NonceStr = "m" },
		"time changed":   func(in *sandbox.PayInput) { in.TimeStamp = "2" },
		"MD5":            func(in *sandbox.PayInput) { in.SignType = "MD5" },
		"somebody else":  func(in *sandbox.PayInput) { in.OpenID = "o-mei" },
		"made-up prepay": func(in *sandbox.PayInput) { in.Package, in.PaySign = in.Package[:len(in.Package)-1]+"x", "" },
		"no prepay":      func(in *sandbox.PayInput) { in.Package, in.PaySign = "prepay_id=", "" },
	} {
		in := good
		change(&in)
		if _, err := p.box.Pay(in); err == nil {
			t.Errorf("%s: paid", name)
		}
	}
	if _, err := p.box.Pay(good); err != nil {
		t.Error(err)
	}
	if _, err := p.box.Pay(good); err == nil {
		t.Error("paid twice")
	}
	late := p.prepay(t, "payer-2")
	p.clock.Advance(2 * time.Hour)
	if _, err := p.box.Pay(sandbox.PayInput{PrepayID: late}); err == nil {
		t.Error("a prepay id lives two hours")
	}
	if renewed := p.prepay(t, "payer-2"); renewed == late {
		t.Error("no new prepay id after two hours")
	}
}

func TestOnlyTheNewestOrdersAreKept(t *testing.T) {
	t.Parallel()
	p := open(t, func(c *sandbox.Config) { c.MaxOrders = 3 })
	for i := range 5 {
		p.box.PaidOrder("kept-"+strconv.Itoa(i), "lan", 10)
	}
	if n := p.box.Stats().Orders; n != 3 {
		t.Errorf("%d orders", n)
	}
	for i := range 5 {
		code, _, _ := p.pay("GET", "/v3/pay/transactions/out-trade-no/kept-"+strconv.Itoa(i)+"?mchid=1900000109", "")
		if want := map[bool]int{true: 200, false: 404}[i >= 2]; code != want {
			t.Errorf("order %d: %d", i, code)
		}
	}
}

func TestWhatWasPaidSurvivesARestart(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	id := p.box.PaidOrder("saved-1", "lan", 4990)
	p.box.PaidOrder("saved-2", "lan", 100)
	refund := `{"transaction_id":"` + id + `","out_refund_no":"r1","amount":{"refund":10,"total":4990,"currency":"CNY"}}`
	if code, body, _ := p.pay("POST", "/v3/refund/domestic/refunds", refund); code != 200 {
		t.Fatal(code, body)
	}
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.box.Save(&file); err != nil {
		t.Fatal(err)
	}
	again := open(t, nil)
	if err := again.box.Load(bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"/v3/pay/transactions/id/" + id + "?mchid=1900000109", "/v3/refund/domestic/refunds/r1"} {
		_, before, _ := p.pay("GET", uri, "")
		_, after, _ := again.pay("GET", uri, "")
		if diff := cmp.Diff(before, after); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]int64{5090, 10, 2}, []int64{again.box.Stats().PaidFen, again.box.Stats().RefundedFen, again.box.Stats().Orders}); diff != "" {
		t.Error(diff)
	}
	if next := again.box.PaidOrder("saved-3", "lan", 1); next == "" || next == id {
		t.Errorf("the next transaction id: %q", next)
	}
	if err := again.box.Load(strings.NewReader("{}")); err == nil {
		t.Error("a line that is no order was loaded")
	}
}

func TestBills(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	id := p.box.PaidOrder("bill-1", "lan", 4990)
	p.box.PaidOrder("bill-2", "mei", 5)
	refund := `{"out_trade_no":"bill-1","out_refund_no":"r1","amount":{"refund":10,"total":4990,"currency":"CNY"}}`
	if code, body, _ := p.pay("POST", "/v3/refund/domestic/refunds", refund); code != 200 {
		t.Fatal(body)
	}
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	const trade = "/v3/bill/tradebill?bill_date=2026-11-22&bill_type=ALL&tar_type=GZIP"
	if code, body, _ := p.pay("GET", trade, ""); code != 400 || !strings.Contains(body, "STATEMENT_CREATING") {
		t.Errorf("before ten o'clock: %d %s", code, body)
	}
	p.clock.Set(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	lines := p.download(t, trade)
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "交易时间,公众账号ID,") ||
		!strings.HasPrefix(lines[1], "`2026-11-22 16:00:00,`"+p.box.Credentials().AppID+",`1900000109,") ||
		!strings.Contains(lines[1], ",`"+id+",`bill-1,") || !strings.Contains(lines[1], "`49.90") ||
		!strings.Contains(lines[2], ",`r1,`0.10,") || lines[5] != "`3,`49.95,`0.10,`0.00,`0.00000,`49.95,`0.10" {
		t.Error(strings.Join(lines, "\n"))
	}
	if header, row := strings.Count(lines[0], ","), strings.Count(lines[1], ","); header != row {
		t.Errorf("%d columns named, %d filled", header+1, row+1)
	}
	flow := p.download(t, "/v3/bill/fundflowbill?bill_date=2026-11-22")
	if len(flow) != 6 || strings.Count(flow[0], ",") != strings.Count(flow[1], ",") {
		t.Error(strings.Join(flow, "\n"))
	}
	if code, body, _ := p.pay("GET", strings.Replace(trade, "11-22", "11-21", 1), ""); code != 400 || !strings.Contains(body, "NO_STATEMENT_EXIST") {
		t.Errorf("an empty day: %d %s", code, body)
	}
}

func (p *phone) download(t *testing.T, uri string) []string {
	t.Helper()
	code, body, _ := p.pay("GET", uri, "")
	var out struct {
		URL  string `json:"download_url"`
		Hash string `json:"hash_value"`
	}
	if code != 200 || json.Unmarshal([]byte(body), &out) != nil {
		t.Fatal(code, body)
	}
	u, err := url.Parse(out.URL)
	if err != nil {
		t.Fatal(err)
	}
	code, file, h := p.pay("GET", u.RequestURI(), "")
	if code != 200 || h.Get("Wechatpay-Signature") != "" {
		t.Fatal(code, file, h)
	}
	if strings.Contains(uri, "GZIP") {
		zip, err := gzip.NewReader(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		file = string(plain)
	}
	sum := sha1.Sum([]byte(file))
	if hex.EncodeToString(sum[:]) != out.Hash {
		t.Error("the hash is of something else")
	}
	return strings.Split(strings.TrimSuffix(file, "\r\n"), "\r\n")
}

func TestHostsAreKeptApart(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for host, want := range map[string]int{
		"127.0.0.1:8080": 421, "api.weixin.qq.com": 200, "api.mch.weixin.qq.com": 404, "qyapi.weixin.qq.com": 200,
	} {
		r := httptest.NewRequest("GET", "/cgi-bin/token", nil)
		r.Host = host
		if code, body, _ := p.do(r); code != want {
			t.Errorf("%s: %d %s", host, code, body)
		}
	}
}

func TestHands(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	post := func(path, body string) (int, string) {
		code, answer, _ := p.do(httptest.NewRequest("POST", "/sandbox/"+path, strings.NewReader(body)))
		return code, answer
	}
	if code, body := post("wx-login", `{"person":"lan"}`); code != 200 || !strings.Contains(body, `"code"`) {
		t.Error(code, body)
	}
	if code, body := post("phone-code", `{"person":"lan"}`); code != 200 || !strings.Contains(body, `"code"`) {
		t.Error(code, body)
	}
	if code, body := post("subscribe", `{"person":"lan","template_id":"t"}`); code != 200 {
		t.Error(code, body)
	}
	if code, body := post("pay", `{"prepay_id":"`+p.prepay(t, "hands-1")+`"}`); code != 200 || !strings.Contains(body, "requestPayment:ok") {
		t.Error(code, body)
	}
	if code, body := post("faults", `{"match":"/v3","action":"ratelimit","times":2}`); code != 200 {
		t.Error(code, body)
	}
	if code, body, _ := p.do(httptest.NewRequest("GET", "/sandbox/", nil)); code != 200 || !strings.Contains(body, "ratelimit") {
		t.Error(code, body)
	}
	if code, _, _ := p.do(httptest.NewRequest("DELETE", "/sandbox/faults", nil)); code != 204 || len(p.box.Faults()) != 0 {
		t.Error(code, p.box.Faults())
	}
	for path, body := range map[string]string{
		"wx-login": `{}`, "phone-code": `nonsense`, "subscribe": `{"person":"lan"}`, "faults": `{"match":"/","action":"explode"}`,
		"pay": `{"prepay_id":"no"}`, "wecom-event": `{}`, "nothing": `{}`, "wx-login/": strings.Repeat("x", 2<<20),
	} {
		if code, answer := post(path, body); code < 400 || code >= 500 {
			t.Errorf("%s %.40s: %d %s", path, body, code, answer)
		}
	}
}

func TestTokensOfTheMiniProgram(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	c := p.box.Credentials()
	plain := func() string {
		_, body, _ := p.mini("GET", "/cgi-bin/token?grant_type=client_credential&appid="+c.AppID+"&secret="+c.AppSecret, "")
		return field(t, body, "access_token")
	}
	stable := func(force bool) (token string, code any) {
		_, body, _ := p.mini("POST", "/cgi-bin/stable_token", fmt.Sprintf(
			`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%v}`, c.AppID, c.AppSecret, force))
		var out map[string]any
		_ = json.Unmarshal([]byte(body), &out)
		token, _ = out["access_token"].(string)
		return token, out["errcode"]
	}
	use := func(token string) int {
		_, body, _ := p.mini("POST", "/wxa/sec/order/is_trade_managed?access_token="+token, `{"appid":"`+c.AppID+`"}`)
		var out struct {
			Code int `json:"errcode"`
		}
		_ = json.Unmarshal([]byte(body), &out)
		return out.Code
	}
	first := plain()
	second := plain()
	steady, _ := stable(false)
	repeated, _ := stable(false)
	if first == second || steady != repeated {
		t.Error("token renews, stable_token repeats")
	}
	if got := []int{use(first), use(second), use(steady), use(""), use("made-up")}; !cmp.Equal(got, []int{0, 0, 0, 41001, 40001}) {
		t.Error(got)
	}
	p.clock.Advance(5 * time.Minute)
	forced, _ := stable(true)
	_, tooSoon := stable(true)
	if got := []int{use(first), use(second), use(steady), use(forced)}; !cmp.Equal(got, []int{40001, 0, 40001, 0}) || tooSoon == nil {
		t.Error(got, tooSoon)
	}
	p.clock.Advance(2 * time.Hour)
	if got := []int{use(second), use(forced)}; !cmp.Equal(got, []int{42001, 42001}) {
		t.Error(got)
	}
}

func (p *phone) mini(method, uri, body string) (int, string, http.Header) {
	return p.do(httptest.NewRequest(method, "https://api.weixin.qq.com"+uri, strings.NewReader(body)))
}

func field(t *testing.T, body, name string) string {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	s, _ := out[name].(string)
	return s
}

func TestClosedSandboxSendsNothingAndDrains(t *testing.T) {
	t.Parallel()
	p := open(t, func(c *sandbox.Config) { c.RefundDelay = time.Hour })
	p.box.PaidOrder("closed-1", "lan", 10)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.box.Drain(ctx); err != nil {
		t.Error(err)
	}
	p.box.Close()
	id := p.prepay(t, "closed-2")
	if _, err := p.box.Pay(sandbox.PayInput{PrepayID: id}); err != nil {
		t.Error(err)
	}
	if err := p.box.Drain(ctx); err != nil {
		t.Error(err)
	}
	if p.box.Stats().Lost == 0 {
		t.Error("a notification of a closed sandbox is lost, and counted")
	}
}
