package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/platform/sandbox"
)

func TestManyPayersPayOnce(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	var paid, different atomic.Int64
	id := p.prepay(t, "race-1")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, answer, _ := p.pay("POST", "/v3/pay/transactions/jsapi", p.order("race-1")); strings.Contains(answer, "prepay_id") &&
				!strings.Contains(answer, id) {
				different.Add(1)
			}
			if _, err := p.box.Pay(sandbox.PayInput{PrepayID: id}); err == nil {
				paid.Add(1)
			}
		})
	}
	group.Wait()
	if n := different.Load(); n != 0 {
		t.Errorf("%d other prepay ids", n)
	}
	if paid.Load() != 1 || p.box.Stats().PaidFen != 4990 || p.box.Stats().Orders != 1 {
		t.Errorf("paid %d times: %+v", paid.Load(), p.box.Stats())
	}
}

func TestWeComCalls(t *testing.T) {
	t.Parallel()
	p := open(t, func(c *sandbox.Config) { c.OpenPlatform = true })
	c := p.box.Credentials()
	call := func(uri, body string) map[string]any {
		r := httptest.NewRequest(http.MethodPost, "https://qyapi.weixin.qq.com/cgi-bin/"+uri, strings.NewReader(body))
		_, answer, _ := p.do(r)
		var out map[string]any
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			t.Fatalf("%s: %s", uri, answer)
		}
		return out
	}
	if out := call("gettoken?corpid="+c.CorpID+"&corpsecret=wrong", ""); out["errcode"] != 40001.0 {
		t.Error(out)
	}
	got := call("gettoken?corpid="+c.CorpID+"&corpsecret="+c.CorpSecret, "")
	if seconds, _ := got["expires_in"].(float64); seconds <= 0 || seconds >= 1500 {
		t.Errorf("expires_in %v: an SDK that subtracts 1500 has to cope", got["expires_in"])
	}
	token := "?access_token=" + got["access_token"].(string)
	external, _ := p.box.AddFriend(sandbox.AddFriend{Staff: "zhang", Person: "lan", State: "s"})
	for _, step := range []struct {
		uri, body string
		code      float64
		holds     string
	}{
		{"externalcontact/get_follow_user_list?access_token=bad", "", 40014, ""},
		{"externalcontact/get_follow_user_list" + token, "", 0, `"zhang"`},
		{"externalcontact/list" + token + "&userid=zhang", "", 0, external},
		{"externalcontact/list" + token + "&userid=nobody", "", 84061, ""},
		{"externalcontact/mark_tag" + token, `{"userid":"zhang","external_userid":"` + external + `","add_tag":["t1","t2"]}`, 0, ""},
		{"externalcontact/mark_tag" + token, `{"userid":"zhang","external_userid":"` + external + `","remove_tag":["t1"]}`, 0, ""},
		{"externalcontact/get" + token + "&external_userid=" + external, "", 0, `"tag_id":"t2"`},
		{"externalcontact/get" + token + "&external_userid=" + external, "", 0, p.box.UnionID("lan")},
		{"externalcontact/get" + token + "&external_userid=wm", "", 84061, ""},
		{"externalcontact/add_contact_way" + token, `{"type":1,"scene":2,"user":["zhang"],"state":"share-1"}`, 0, "config_id"},
		{"externalcontact/add_contact_way" + token, `{"type":1,"scene":2,"user":["a","b"]}`, 40097, ""},
		{"externalcontact/add_contact_way" + token, `{"type":2,"scene":2,"state":"` + strings.Repeat("s", 31) + `"}`, 40097, ""},
		{"externalcontact/add_msg_template" + token, `{"external_userid":["` + external + `","wm-x"],"text":{"content":"hi"}}`, 0, `"fail_list":["wm-x"]`},
		{"externalcontact/add_msg_template" + token, `{"chat_type":"group"}`, 40097, ""},
		{"message/send" + token, `{"touser":"zhang|li","msgtype":"text","agentid":1000002,"text":{"content":"hi"}}`, 0, `"invaliduser":"li"`},
		{"message/send" + token, `{"touser":"zhang","msgtype":"text","agentid":1}`, 40097, ""},
		{"externalcontact/send_welcome_msg" + token, `{"welcome_code":"made-up","text":{"content":"hi"}}`, 41050, ""},
	} {
		out := call(step.uri, step.body)
		all, err := json.Marshal(out)
		if err != nil || out["errcode"] != step.code || !strings.Contains(string(all), step.holds) {
			t.Errorf("%s %s: %s", step.uri, step.body, all)
		}
	}
	if len(p.box.Tasks()) != 1 || len(p.box.Messages()) != 1 {
		t.Error(p.box.Tasks(), p.box.Messages())
	}
}

func TestShippingFieldsAreChecked(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	c := p.box.Credentials()
	id := p.box.PaidOrder("fields-1", "lan", 10)
	_, body, _ := p.mini("POST", "/cgi-bin/stable_token",
		`{"grant_type":"client_credential","appid":"`+c.AppID+`","secret":"`+c.AppSecret+`"}`)
	token := field(t, body, "access_token")
	good := `{"order_key":{"order_number_type":2,"transaction_id":"` + id + `"},"logistics_type":1,"delivery_mode":1,` +
		`"shipping_list":[{"tracking_no":"1","express_company":"YTO","item_desc":"桃"}],` +
		`"upload_time":"2026-11-22T16:00:01.5+08:00","payer":{"openid":"` + p.box.OpenID("lan") + `"}}`
	for name, c := range map[string]struct{ from, to, code string }{
		"nanoseconds":        {"01.5+", "01.500000001+", "40097"},
		"UTC":                {"+08:00", "Z", "40097"},
		"no time":            {"2026-11-22T16:00:01.5+08:00", "", "40097"},
		"no company":         {"YTO", "", "40097"},
		"no tracking":        {`"tracking_no":"1"`, `"tracking_no":""`, "40097"},
		"no description":     {"桃", "", "40097"},
		"long description":   {"桃", strings.Repeat("桃", 121), "40097"},
		"SF without contact": {"YTO", "SF", "40097"},
		"logistics":          {`"logistics_type":1`, `"logistics_type":5`, "40097"},
		"split pickup":       {`"logistics_type":1,"delivery_mode":1`, `"logistics_type":4,"delivery_mode":2`, "40097"},
		"other payer":        {p.box.OpenID("lan"), "o-other", "40003"},
		"unknown order":      {id, "4200", "10060001"},
	} {
		_, answer, _ := p.mini("POST", "/wxa/sec/order/upload_shipping_info?access_token="+token, strings.Replace(good, c.from, c.to, 1))
		if !strings.Contains(answer, `"errcode":`+c.code) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	for _, want := range []string{`"errcode":0`, `"errcode":40097`} { // the second is not newer than the first
		_, answer, _ := p.mini("POST", "/wxa/sec/order/upload_shipping_info?access_token="+token, good)
		if !strings.Contains(answer, want) {
			t.Errorf("want %s: %s", want, answer)
		}
	}
	_, answer, _ := p.mini("POST", "/wxa/sec/order/get_order?access_token="+token, `{"transaction_id":"`+id+`"}`)
	if !strings.Contains(answer, `"order_state":2`) || !strings.Contains(answer, `"tracking_no":"1"`) {
		t.Error(answer)
	}
}
