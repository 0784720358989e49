package app_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/order"
	"guanxi/platform/sandbox"
)

// forger holds the platform's private key: it can say anything.
type forger struct {
	w      *world
	key    *rsa.PrivateKey
	serial string
	aead   cipher.AEAD
}

func newForger(w *world) *forger {
	w.t.Helper()
	block, _ := pem.Decode([]byte(w.Sandbox.Keys().Platform))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	block1, err := aes.NewCipher([]byte(w.Sandbox.Credentials().APIv3Key))
	if err != nil {
		w.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block1)
	if err != nil {
		w.t.Fatal(err)
	}
	return &forger{w, key.(*rsa.PrivateKey), w.Sandbox.Credentials().PublicKeyID, aead}
}

// notice seals and signs a notification.
func (f *forger) notice(event, kind string, resource map[string]any) ([]byte, http.Header) {
	plain, err := json.Marshal(resource)
	if err != nil {
		f.w.t.Fatal(err)
	}
	nonce := "abcdefghijkl"
	body, err := json.Marshal(map[string]any{
		"id": "EV-1", "create_time": time.Now().Format(time.RFC3339), "event_type": event, "resource_type": "encrypt-resource", "summary": "x",
		"resource": map[string]string{
			"algorithm": "AEAD_AES_256_GCM", "associated_data": kind, "nonce": nonce, "original_type": kind,
			"ciphertext": base64.StdEncoding.EncodeToString(f.aead.Seal(nil, []byte(nonce), plain, []byte(kind))),
		},
	})
	if err != nil {
		f.w.t.Fatal(err)
	}
	return body, f.signed(body, time.Now())
}

func (f *forger) signed(body []byte, at time.Time) http.Header {
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), "0123456789abcdef"
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, sum[:])
	if err != nil {
		f.w.t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", f.serial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	return h
}

func (w *world) deliver(body []byte, h http.Header) reply {
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/v1/notify/weixinpay", bytes.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return reply{}
	}
	r.Header = h.Clone()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Error(err)
		return reply{}
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		w.t.Error(err)
	}
	return reply{response.StatusCode, response.Header, text.String()}
}

func (f *forger) payment(number, transaction string, total int64, more map[string]any) map[string]any {
	c := f.w.Sandbox.Credentials()
	out := map[string]any{
		"appid": c.AppID, "mchid": c.MchID, "out_trade_no": number, "transaction_id": transaction, "trade_type": "JSAPI", "trade_state": "SUCCESS",
		"success_time": f.w.clock.Now().Format(time.RFC3339), "payer": map[string]any{"openid": f.w.Sandbox.OpenID("小陈")},
		"amount": map[string]any{"total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY"},
	}
	for name, v := range more {
		out[name] = v
	}
	return out
}

func TestAForgedNotificationIsRefusedVisiblyAndChangesNothing(t *testing.T) {
	t.Parallel()
	w, store, log := watchedWorld(t, nil)
	e, f := newEstate(t, w), newForger(w)
	number := e.placed()
	w.settled()
	before := store.contents(t)
	good, _ := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment(number, "4200000000000001", 5990, nil))
	strange, _ := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment(number, "4200000000000002", 5990, nil))
	refused := map[string]struct {
		body []byte
		head http.Header
	}{
		"no signature":       {good, http.Header{"Content-Type": {"application/json"}}},
		"another's body":     {strange, f.signed(good, time.Now())},
		"old":                {good, f.signed(good, time.Now().Add(-6*time.Minute))},
		"from the future":    {good, f.signed(good, time.Now().Add(6*time.Minute))},
		"too large":          {bytes.Repeat([]byte{'a'}, 40<<10), f.signed(good, time.Now())},
		"empty":              {nil, f.signed(nil, time.Now())},
		"signed, not JSON":   {[]byte(marker), f.signed([]byte(marker), time.Now())},
		"signed, no cipher":  {[]byte(`{"id":"x"}`), f.signed([]byte(`{"id":"x"}`), time.Now())},
		"signed, wrong tag":  {bytes.Replace(good, []byte(`"transaction"`), []byte(`"refund"`), 1), f.signed(bytes.Replace(good, []byte(`"transaction"`), []byte(`"refund"`), 1), time.Now())},
		"a stranger's serie": {good, with(f.signed(good, time.Now()), "Wechatpay-Serial", "PUB_KEY_ID_0000")},
		"a probe":            {good, with(f.signed(good, time.Now()), "Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+marker)},
	}
	for what, one := range refused {
		r, want := w.deliver(one.body, one.head), http.StatusUnprocessableEntity
		if what == "a stranger's serie" { // the key may be configured by the time it comes again
			want = http.StatusServiceUnavailable
		}
		if r.status != want || !strings.Contains(r.body, `"code":"FAIL"`) || strings.Contains(r.body, marker) {
			t.Errorf("%s: %v", what, r)
		}
	}
	if diff := cmp.Diff(before, store.contents(t)); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(log.String(), "notification refused"); n != 1 { // anybody can cause the line
		t.Errorf("%d lines in the log", n)
	}
	w.clock.Advance(10 * time.Second)
	w.deliver(good, http.Header{"Content-Type": {"application/json"}})
	if !strings.Contains(log.String(), fmt.Sprint("more_since_last=", len(refused)-1)) {
		t.Error("the next line does not count those in between")
	}
}

func with(h http.Header, name, value string) http.Header { h.Set(name, value); return h }

func TestATrueNotificationThatContradictsOurBooksIsKeptAsAnIncidentOnly(t *testing.T) {
	t.Parallel()
	w, _, log := watchedWorld(t, nil)
	e, f := newEstate(t, w), newForger(w)
	amount := func(total int64, currency string) map[string]any {
		return map[string]any{"amount": map[string]any{"total": total, "payer_total": total, "currency": currency}}
	}
	for what, more := range map[string]map[string]any{
		"another amount": amount(1, "CNY"), "one fen more": amount(5991, "CNY"), "another currency": amount(5990, "USD"),
		"another merchant": {"mchid": "1900000999"}, "another app": {"appid": "wx0000000000000000"}, "no transaction": {"transaction_id": ""},
	} {
		number := e.placed()
		w.settled()
		body, head := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment(number, "42000000000000"+number[:8], 5990, more))
		for range 2 {
			if r := w.deliver(body, head); r.status != 204 && (r.status < 400 || r.status >= 500) {
				t.Errorf("%s: %v", what, r)
			}
		}
		w.settled()
		o, err := w.Orders.Get(t.Context(), number)
		if err != nil || o.State != order.StatePlaced || o.Payment != nil {
			t.Errorf("%s: %v, state %s, payment %+v", what, err, o.State, o.Payment)
		}
		if len(o.Incidents) > 1 {
			t.Errorf("%s: repeated, and %d incidents", what, len(o.Incidents))
		}
		if !strings.Contains(log.String(), "notification") {
			t.Errorf("%s: nothing in the log", what)
		}
	}
	body, head := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment("nobodysorder0001", "4200000000009999", 5990, nil))
	if r := w.deliver(body, head); r.status != 204 {
		t.Errorf("a payment of no order of ours: %v", r)
	}
	incidents, err := w.Orders.WithIncidents(t.Context(), order.Page{Limit: 50})
	if err != nil || len(incidents.Items) < 3 {
		t.Errorf("%d orders with incidents, %v", len(incidents.Items), err)
	}
}

func TestANotificationReplayedOrConcurrentHasOneEffect(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	e, f := newEstate(t, w), newForger(w)
	number := e.placed()
	transaction := w.Sandbox.PaidOrder(number, "小陈", 5990)
	body, head := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment(number, transaction, 5990, nil))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if r := w.deliver(body, head); r.status != 204 {
				t.Error(r)
			}
		})
	}
	all.Wait()
	w.settled()
	o := e.shopper.must("GET", "/v1/orders/"+number, nil, 200)
	if o.text("state") != "confirmed" || o.num("seat") != 1 {
		t.Fatalf("order %v", o)
	}
	if purse := e.friend.must("GET", "/v1/purse", nil, 200); purse.num("pending_fen") != 599 {
		t.Errorf("purse %v", purse)
	}
	before := store.contents(t)
	if r := w.deliver(body, head); r.status != 204 {
		t.Error(r)
	}
	w.settled()
	if diff := cmp.Diff(before, store.contents(t)); diff != "" {
		t.Errorf("a replay changed something:\n%s", diff)
	}
	refund := e.shopper.must("POST", "/v1/orders/"+number+"/refunds", map[string]any{"reason": "不要了"}, 201)
	w.settled()
	before = store.contents(t)
	if r := w.deliver(body, head); r.status != 204 { // late: the money has gone back meanwhile
		t.Error(r)
	}
	w.settled()
	if diff := cmp.Diff(before, store.contents(t)); diff != "" {
		t.Errorf("late, after refund %v, and changed something:\n%s", refund, diff)
	}
}

func TestAPaymentAfterTheLocalCloseGoesBackByItself(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e, f := newEstate(t, w), newForger(w)
	number := e.placed()
	e.shopper.must("POST", "/v1/orders/"+number+"/cancel", nil, 200)
	w.settled()
	transaction := w.Sandbox.PaidOrder(number, "小陈", 5990)
	body, head := f.notice("TRANSACTION.SUCCESS", "transaction", f.payment(number, transaction, 5990, nil))
	if r := w.deliver(body, head); r.status != 204 {
		t.Fatal(r)
	}
	w.settled()
	if _, err := w.Orders.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settled()
	o, err := w.Orders.Get(t.Context(), number)
	if err != nil || len(o.Refunds) != 1 || o.Refunds[0].Stage != order.StageDone || o.Refunds[0].Amount != 5990 || o.Seat != 0 {
		t.Errorf("%v: %+v", err, o)
	}
	if got := w.Sandbox.Stats().RefundedFen; got != 5990 {
		t.Errorf("the platform gave back %d", got)
	}
	if purse := e.friend.must("GET", "/v1/purse", nil, 200); purse.num("pending_fen") != 0 {
		t.Errorf("somebody earned by it: %v", purse)
	}
}

func TestARefundNotifiedBeforeItsPayment(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e, f := newEstate(t, w), newForger(w)
	number := e.placed()
	w.settled()
	body, head := f.notice("REFUND.SUCCESS", "refund", map[string]any{
		"mchid": w.Sandbox.Credentials().MchID, "out_trade_no": number, "transaction_id": "42", "out_refund_no": number + "-r1", "refund_id": "50",
		"refund_status": "SUCCESS", "success_time": w.clock.Now().Format(time.RFC3339), "user_received_account": "招商银行",
		"amount": map[string]any{"total": 5990, "refund": 5990, "payer_total": 5990, "payer_refund": 5990},
	})
	if r := w.deliver(body, head); r.status != 204 && r.status < 400 {
		t.Error(r)
	}
	w.settled()
	stored, err := w.Orders.Get(t.Context(), number)
	if err != nil || stored.State != order.StatePlaced || len(stored.Refunds) != 0 || len(stored.Incidents) != 1 {
		t.Errorf("a refund nobody asked for is an incident and nothing else: %v %+v", err, stored)
	}
	w.Sandbox.Inject(sandbox.Rule{Match: "notify:TRANSACTION.SUCCESS", Action: sandbox.ActionReorder})
	e.shopper.pay(number)
	e.shopper.must("POST", "/v1/orders/"+number+"/paid", nil, 200)
	e.shopper.must("POST", "/v1/orders/"+number+"/refunds", map[string]any{"reason": "不要了"}, 201)
	w.settled()
	o := e.shopper.must("GET", "/v1/orders/"+number, nil, 200)
	if o.text("state") != "refunded" || o.num("refunded_fen") != 5990 {
		t.Errorf("%v", o)
	}
}

func TestALostNotificationIsHealedByTheQuery(t *testing.T) {
	t.Parallel()
	for what, heal := range map[string]func(e *estate, number string){
		"by the shopper's return": func(e *estate, number string) {
			if o := e.shopper.must("POST", "/v1/orders/"+number+"/paid", nil, 200); o.text("state") == "placed" {
				t.Errorf("still %v", o)
			}
		},
		"by the sweep": func(e *estate, number string) {
			e.clock.Advance(2 * time.Minute)
			if _, err := e.Orders.Tick(context.Background()); err != nil {
				t.Error(err)
			}
		},
		"by the sweep at expiry": func(e *estate, number string) {
			e.clock.Advance(16 * time.Minute)
			if _, err := e.Orders.Tick(context.Background()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, _, _ := watchedWorld(t, nil)
			e := newEstate(t, w)
			w.Sandbox.Inject(sandbox.Rule{Match: "notify:TRANSACTION.SUCCESS", Action: sandbox.ActionLose})
			number := e.placed()
			e.shopper.pay(number)
			w.settled()
			if o := e.shopper.must("GET", "/v1/orders/"+number, nil, 200); o.text("state") != "placed" {
				t.Fatalf("it was not lost: %v", o)
			}
			heal(e, number)
			w.settled()
			if o := e.shopper.must("GET", "/v1/orders/"+number, nil, 200); o.text("state") != "confirmed" || o.num("seat") != 1 {
				t.Errorf("%v", o)
			}
		})
	}
}
