package sandbox_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/platform/sandbox"
)

const bills = "/v3/fund-app/mch-transfer/transfer-bills"

func (p *phone) transfer(number string) string {
	return `{"appid":"` + p.box.Credentials().AppID + `","out_bill_no":"` + number + `","transfer_scene_id":"1005","openid":"` +
		p.box.OpenID("lan") + `","transfer_amount":500,"transfer_remark":"佣金","notify_url":"https://127.0.0.1:1/n",` +
		`"user_recv_perception":"劳务报酬","transfer_scene_report_infos":[{"info_type":"岗位类型","info_content":"推广员"},` +
		`{"info_type":"报酬说明","info_content":"推广佣金"}]}`
}

// seal encrypts as the documents say, with the platform's public key.
func (p *phone) seal(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(p.box.Credentials().PublicKeyPEM))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key.(*rsa.PublicKey), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sealed)
}

// paySerial is a signed request that names the key its fields are encrypted for.
func (p *phone) paySerial(method, uri, body, serial string) (int, string) {
	r := httptest.NewRequest(method, "https://api.mch.weixin.qq.com"+uri, strings.NewReader(body))
	r.RequestURI = uri
	r.Header.Set("Authorization", p.authorization(method, uri, body, time.Now()))
	if serial != "" {
		r.Header.Set("Wechatpay-Serial", serial)
	}
	code, answer, _ := p.do(r)
	return code, answer
}

func TestTransferRules(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	serial := p.box.Credentials().PublicKeyID
	named := func(name string) string { return `"transfer_amount":200000,"user_name":"` + name + `"` }
	for name, c := range map[string]struct{ from, to, serial, code string }{
		"other app":             {p.box.Credentials().AppID, "wx0", "", "APPID_MCHID_NOT_MATCH"},
		"a dash":                {`"N1"`, `"N-1"`, "", "PARAM_ERROR"},
		"33 characters":         {`"N1"`, `"` + strings.Repeat("n", 33) + `"`, "", "PARAM_ERROR"},
		"no number":             {`"N1"`, `""`, "", "PARAM_ERROR"},
		"no openid":             {p.box.OpenID("lan"), "", "", "PARAM_ERROR"},
		"no remark":             {`"佣金"`, `""`, "", "PARAM_ERROR"},
		"long remark":           {`"佣金"`, `"` + strings.Repeat("佣", 33) + `"`, "", "PARAM_ERROR"},
		"http":                  {"https://127.0.0.1:1/n", "http://shop.example/n", "", "PARAM_ERROR"},
		"9 fen":                 {"500", "9", "", "INVALID_REQUEST"},
		"nothing":               {"500", "0", "", "PARAM_ERROR"},
		"amount as text":        {"500", `"500"`, "", "PARAM_ERROR"},
		"amount in yuan":        {"500", "5.00", "", "PARAM_ERROR"},
		"unknown scene":         {`"1005"`, `"1006"`, "", "INVALID_REQUEST"},
		"another scene's infos": {`"1005"`, `"1000"`, "", "INVALID_REQUEST"}, // the perception is checked first
		"perception":            {"劳务报酬", "活动奖励", "", "INVALID_REQUEST"},
		"an info too many":      {`"推广佣金"}]`, `"推广佣金"},{"info_type":"活动名称","info_content":"x"}]`, "", "PARAM_ERROR"},
		"an info twice":         {`"报酬说明"`, `"岗位类型"`, "", "PARAM_ERROR"},
		"an info less":          {`{"info_type":"岗位类型","info_content":"推广员"},`, "", "", "PARAM_ERROR"},
		"a long info":           {"推广员", strings.Repeat("员", 33), "", "PARAM_ERROR"},
		"no name":               {`"transfer_amount":500`, `"transfer_amount":200000`, serial, "PARAM_ERROR"},
		"a name in the clear":   {`"transfer_amount":500`, named("王兰"), serial, "PARAM_ERROR"},
		"a name for another":    {`"transfer_amount":500`, named(base64.StdEncoding.EncodeToString(make([]byte, 256))), serial, "PARAM_ERROR"},
		"a name without serial": {`"transfer_amount":500`, named(p.seal(t, "王兰")), "", "PARAM_ERROR"},
		"too much":              {`"transfer_amount":500`, strings.Replace(named(p.seal(t, "王兰")), "200000", "2000001", 1), serial, "INVALID_REQUEST"},
	} {
		body := strings.Replace(p.transfer("N1"), c.from, c.to, 1)
		if code, answer := p.paySerial("POST", bills, body, c.serial); code != 400 || !strings.Contains(answer, c.code) {
			t.Errorf("%s: %d %s", name, code, answer)
		}
	}
	if n := p.box.Stats().Transfers; n != 0 {
		t.Errorf("%d transfers", n)
	}
	good := strings.Replace(p.transfer("N2"), `"transfer_amount":500`, named(p.seal(t, "王兰")), 1)
	if code, answer := p.paySerial("POST", bills, good, serial); code != 200 || !strings.Contains(answer, "WAIT_USER_CONFIRM") {
		t.Error(code, answer)
	}
	for uri, want := range map[string]int{
		bills: 405, bills + "/out-bill-no/none": 404, bills + "/transfer-bill-no/none": 404, bills + "/elsewhere": 404,
		bills + "/out-bill-no/N2/cancel": 405,
	} {
		if code, _, _ := p.pay("GET", uri, ""); code != want {
			t.Errorf("%s: %d", uri, code)
		}
	}
	if code, answer, _ := p.pay("POST", bills+"/out-bill-no/N2/cancel", "null"); code != 400 {
		t.Errorf("a cancel with the body null: %d %s", code, answer)
	}
	if code, answer, _ := p.pay("POST", bills+"/out-bill-no/N2/cancel", "{}"); code != 200 || !strings.Contains(answer, "CANCELING") {
		t.Error(code, answer)
	}
}

// Whoever holds an outcome back over the wire can let it go again.
func TestAHeldOutcomeComesWhenTheFaultsAreCleared(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	if code, answer, _ := p.do(httptest.NewRequest("POST", "/sandbox/faults", strings.NewReader(`{"match":"transfer:accept","action":"hold"}`))); code != 200 {
		t.Fatal(code, answer)
	}
	if code, answer, _ := p.pay("POST", bills, p.transfer("H1")); code != 200 || !strings.Contains(answer, "ACCEPTED") {
		t.Fatal(code, answer)
	}
	for _, state := range []string{"ACCEPTED", "WAIT_USER_CONFIRM"} {
		if code, answer, _ := p.pay("GET", bills+"/out-bill-no/H1", ""); code != 200 || !strings.Contains(answer, state) {
			t.Errorf("want %s: %d %s", state, code, answer)
		}
		if code, _, _ := p.do(httptest.NewRequest("DELETE", "/sandbox/faults", nil)); code != 204 {
			t.Error(code)
		}
	}
}

// The name comes back encrypted for the merchant, and the package only while it is of use.
func TestWhatAQueryTells(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	body := strings.Replace(p.transfer("Q1"), `"transfer_amount":500`, `"transfer_amount":500,"user_name":"`+p.seal(t, "王兰")+`"`, 1)
	if code, answer := p.paySerial("POST", bills, body, p.box.Credentials().PublicKeyID); code != 200 {
		t.Fatal(code, answer)
	}
	_, answer, _ := p.pay("GET", bills+"/out-bill-no/Q1", "")
	sealed, err := base64.StdEncoding.DecodeString(field(t, answer, "user_name"))
	if err != nil {
		t.Fatal(err)
	}
	name, err := rsa.DecryptOAEP(sha1.New(), nil, p.key, sealed, nil)
	if err != nil || string(name) != "王兰" || strings.Contains(answer, "package_info") {
		t.Errorf("%s, %v: %s", name, err, answer)
	}
	for _, key := range []string{"mch_id", "appid", "out_bill_no", "transfer_bill_no", "openid", "transfer_remark", "create_time", "update_time"} {
		if field(t, answer, key) == "" {
			t.Errorf("no %s: %s", key, answer)
		}
	}
}

func TestOnlyThePayeeConfirms(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	_, answer, _ := p.pay("POST", bills, p.transfer("C1"))
	pack := field(t, answer, "package_info")
	for name, c := range map[string]struct {
		in   sandbox.ConfirmInput
		want error
	}{
		"unknown":          {sandbox.ConfirmInput{Package: "x"}, sandbox.ErrNoTransfer},
		"nothing":          {sandbox.ConfirmInput{}, sandbox.ErrNoTransfer},
		"another merchant": {sandbox.ConfirmInput{Package: pack, MchID: "1"}, sandbox.ErrNoTransfer},
		"another app":      {sandbox.ConfirmInput{Package: pack, AppID: "wx0"}, sandbox.ErrNoTransfer},
		"somebody else":    {sandbox.ConfirmInput{Package: pack, OpenID: p.box.OpenID("mei")}, sandbox.ErrOtherPayee},
	} {
		if err := p.box.ConfirmTransfer(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	post := func(path, body string) (int, string) {
		code, answer, _ := p.do(httptest.NewRequest("POST", "/sandbox/"+path, strings.NewReader(body)))
		return code, answer
	}
	if code, body := post("transfers", `{"openid":"`+p.box.OpenID("lan")+`"}`); code != 200 || !strings.Contains(body, `"C1"`) {
		t.Error(code, body)
	}
	if code, body := post("transfer-confirm", `{"package":"`+pack+`","mchId":"1900000109"}`); code != 200 || !strings.Contains(body, "requestMerchantTransfer:ok") {
		t.Error(code, body)
	}
	if code, body := post("transfer-confirm", `{"package":"`+pack+`"}`); code != 409 {
		t.Error(code, body)
	}
	if code, body := post("top-up", `{"amount":5}`); code != 200 || !strings.Contains(body, "balance") {
		t.Error(code, body)
	}
	if code, body := post("real-name", `{"person":"lan","name":"王兰"}`); code != 204 {
		t.Error(code, body)
	}
	for path, body := range map[string]string{"transfer-confirm": "x", "top-up": `{"amount":-1}`, "real-name": `{"name":"a"}`, "transfers": "x"} {
		if code, answer := post(path, body); code != 400 {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
}

func TestUnconfirmedTransfersAreClosedAndNotified(t *testing.T) {
	t.Parallel()
	inbox := make(chan string, 10)
	merchant := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		inbox <- b.String()
	}))
	t.Cleanup(merchant.Close)
	p := open(t, nil)
	body := strings.Replace(p.transfer("E1"), "https://127.0.0.1:1", merchant.URL, 1)
	before := p.box.Balance()
	if code, answer, _ := p.pay("POST", bills, body); code != 200 {
		t.Fatal(answer)
	}
	p.clock.Advance(24*time.Hour - time.Millisecond)
	p.pay("POST", bills, strings.Replace(body, "E1", "E2", 1))
	if _, answer, _ := p.pay("GET", bills+"/out-bill-no/E1", ""); !strings.Contains(answer, "WAIT_USER_CONFIRM") {
		t.Error(answer)
	}
	p.clock.Advance(time.Millisecond)
	p.box.Inject(sandbox.Rule{Match: "transfer:expire", Action: sandbox.ActionLose})
	if _, answer, _ := p.pay("GET", bills+"/out-bill-no/E1", ""); !strings.Contains(answer, "WAIT_USER_CONFIRM") {
		t.Errorf("it may lag: %s", answer)
	}
	if _, answer, _ := p.pay("GET", bills+"/out-bill-no/E1", ""); !strings.Contains(answer, "OVERDUE_CLOSE") {
		t.Error(answer)
	}
	if err := p.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "E1"}); !errors.Is(err, sandbox.ErrNotConfirmable) {
		t.Error(err)
	}
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var envelope struct {
		Event    string `json:"event_type"`
		Resource struct {
			Kind string `json:"original_type"`
			AAD  string `json:"associated_data"`
		} `json:"resource"`
	}
	if json.Unmarshal([]byte(<-inbox), &envelope) != nil || envelope.Event != "MCHTRANSFER.BILL.FINISHED" ||
		envelope.Resource.Kind != "mch_payment" || envelope.Resource.AAD != "mch_payment" {
		t.Errorf("%+v", envelope)
	}
	if left := p.box.Balance(); left != before-500 || len(inbox) != 0 { // E2 still waits
		t.Errorf("balance %d, %d more notices", left, len(inbox))
	}
}

func TestTransfersAndSharingsSurviveARestart(t *testing.T) {
	t.Parallel()
	tune := func(c *sandbox.Config) { c.StartBalance, c.SharingWait = 2_000, -1 }
	p := open(t, tune)
	p.box.SetRealName("lan", "王兰")
	for _, number := range []string{"Done", "Waits", "Gone"} {
		if code, answer, _ := p.pay("POST", bills, p.transfer(number)); code != 200 {
			t.Fatal(answer)
		}
	}
	if err := p.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "Done"}); err != nil {
		t.Fatal(err)
	}
	p.pay("POST", bills+"/out-bill-no/Gone/cancel", "")
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.pay("POST", bills, strings.Replace(p.transfer("Poor"), "500", "1500", 1))
	p.box.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionLose})
	p.pay("POST", bills, p.transfer("Stuck"))
	if err := p.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "Stuck"}); err != nil {
		t.Fatal(err)
	}
	id := p.sharedOrder(t)
	var file bytes.Buffer
	if err := p.box.Save(&file); err != nil {
		t.Fatal(err)
	}
	again := open(t, tune)
	again.clock.Set(p.clock.Now())
	if err := again.box.Load(bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	uris := []string{
		"/v3/profitsharing/orders/S1?transaction_id=" + id, "/v3/profitsharing/return-orders/B1?out_order_no=S1",
		"/v3/profitsharing/transactions/" + id + "/amounts",
	}
	for _, number := range []string{"Done", "Waits", "Gone", "Poor", "Stuck"} {
		uris = append(uris, bills+"/out-bill-no/"+number)
	}
	for _, uri := range uris {
		code, before, _ := p.pay("GET", uri, "")
		_, after, _ := again.pay("GET", uri, "")
		if diff := cmp.Diff(before, after); diff != "" || code != 200 {
			t.Errorf("%s: %d %s", uri, code, diff)
		}
	}
	if diff := cmp.Diff(p.box.Stats().SharedFen, again.box.Stats().SharedFen); diff != "" {
		t.Error(diff)
	}
	if a, b := p.box.Balance(), again.box.Balance(); a != b {
		t.Errorf("balance %d, after the restart %d", a, b)
	}
	again.box.TopUp(10_000) // what waited for money goes on, what was stuck can be confirmed again
	for _, number := range []string{"Poor", "Stuck", "Waits"} {
		if err := again.box.ConfirmTransfer(sandbox.ConfirmInput{Number: number}); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
	_, answer, _ := again.pay("POST", bills, again.transfer("New"))
	_, old, _ := again.pay("GET", bills+"/out-bill-no/Poor", "")
	if next := field(t, answer, "transfer_bill_no"); next == "" || next == field(t, old, "transfer_bill_no") {
		t.Errorf("the next number: %s", answer)
	}
}

// sharedOrder is paid, shared under S1 and partly returned under B1.
func (p *phone) sharedOrder(t *testing.T) (id string) {
	t.Helper()
	order := strings.Replace(p.order("shared-1"), `"amount"`, `"settle_info":{"profit_sharing":true},"amount"`, 1)
	if code, answer, _ := p.pay("POST", "/v3/pay/transactions/jsapi", order); code != 200 {
		t.Fatal(answer)
	}
	id, err := p.box.Pay(sandbox.PayInput{Number: "shared-1"})
	if err != nil {
		t.Fatal(err)
	}
	c := p.box.Credentials()
	if code, answer := p.paySerial("POST", "/v3/profitsharing/receivers/add", `{"appid":"`+c.AppID+`","type":"MERCHANT_ID","account":"1900000200","name":"`+
		p.seal(t, "果园")+`","relation_type":"SUPPLIER"}`, c.PublicKeyID); code != 200 {
		t.Fatal(answer)
	}
	for uri, body := range map[string]string{
		"orders": `{"appid":"` + c.AppID + `","transaction_id":"` + id + `","out_order_no":"S1","unfreeze_unsplit":false,"receivers":[` +
			`{"type":"MERCHANT_ID","account":"1900000200","amount":300,"description":"货款"}]}`,
	} {
		if code, answer, _ := p.pay("POST", "/v3/profitsharing/"+uri, body); code != 200 || !strings.Contains(answer, "PROCESSING") {
			t.Fatal(answer)
		}
	}
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, answer, _ := p.pay("POST", "/v3/profitsharing/return-orders",
		`{"out_order_no":"S1","out_return_no":"B1","return_mchid":"1900000200","amount":100,"description":"退"}`); code != 200 {
		t.Fatal(answer)
	}
	if err := p.box.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestOnlyTheNewestTransfersAreKept(t *testing.T) {
	t.Parallel()
	p := open(t, func(c *sandbox.Config) { c.MaxTransfers = 2 })
	for _, number := range []string{"K1", "K2", "K3"} {
		p.pay("POST", bills, p.transfer(number))
	}
	if code, _, _ := p.pay("GET", bills+"/out-bill-no/K1", ""); code != 404 {
		t.Error(code)
	}
	if code, _, _ := p.pay("GET", bills+"/out-bill-no/K3", ""); code != 200 {
		t.Error(code)
	}
	if n := p.box.Stats().Transfers; n != 2 {
		t.Errorf("%d transfers", n)
	}
}
