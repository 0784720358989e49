package weixinpay_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/order"
	"guanxi/platform/weixinpay"
)

const goodTransaction = `{"appid":"wx1","mchid":"1900000109","out_trade_no":"order-1","transaction_id":"4200001",` +
	`"trade_state":"SUCCESS","success_time":"2026-11-22T16:00:00+08:00","payer":{"openid":"o1"},` +
	`"amount":{"total":100,"payer_total":90,"currency":"CNY"}}`

func TestNotificationOfAPayment(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	body := p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction)
	got, err := d.pay.ParseNotification(t.Context(), p.signed(body), body)
	if err != nil {
		t.Fatal(err)
	}
	want := weixinpay.Notice{ID: "EV-1", Event: "TRANSACTION.SUCCESS", Payment: &order.Payment{
		Number: "order-1", TransactionID: "4200001", AppID: "wx1", MchID: "1900000109", OpenID: "o1",
		State: order.PaymentDone, Total: 100, Currency: "CNY", PaidAt: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForgedNotificationsAreRefusedBeforeTheyAreParsed(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	good := p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction)
	for name, forge := range map[string]func(h http.Header, body []byte) []byte{
		"no signature":    func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Signature"); return b },
		"no serial":       func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Serial"); return b },
		"no timestamp":    func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Timestamp"); return b },
		"no nonce":        func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Nonce"); return b },
		"another nonce":   func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Nonce", "other"); return b },
		"body changed":    func(_ http.Header, b []byte) []byte { return append(b, ' ') },
		"body empty":      func(http.Header, []byte) []byte { return nil },
		"too old":         func(h http.Header, b []byte) []byte { p.sign(h, time.Now().Add(-301*time.Second), b); return b },
		"from the future": func(h http.Header, b []byte) []byte { p.sign(h, time.Now().Add(302*time.Second), b); return b },
		"unknown serial":  func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Serial", "PUB_KEY_ID_1"); return b },
		"probe": func(h http.Header, b []byte) []byte {
			h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/aaaa")
			return b
		},
		"not base64":      func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Signature", "%%%"); return b },
		"other algorithm": func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SM2"); return b },
		"larger than allowed": func(h http.Header, _ []byte) []byte {
			b := make([]byte, weixinpay.MaxNotification+1)
			p.sign(h, time.Now(), b)
			return b
		},
	} {
		h := p.signed(good)
		body := forge(h, append([]byte(nil), good...))
		_, err := d.pay.ParseNotification(t.Context(), h, body)
		if !errors.Is(err, weixinpay.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := d.pay.Stats(); s.Probes != 1 || s.Forged < 10 {
		t.Errorf("not counted: %+v", s)
	}
}

// The SDK's ParseNotifyRequest panics on a signed body without a resource and on a nonce that is not 12 bytes.
func TestTrapSignedButMalformedNotificationsDoNotPanic(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	change := func(edit func(map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction), &m); err != nil {
			t.Fatal(err)
		}
		edit(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	in := func(m map[string]any) map[string]any { return m["resource"].(map[string]any) }
	for name, body := range map[string][]byte{
		"no resource":      change(func(m map[string]any) { delete(m, "resource") }),
		"null resource":    change(func(m map[string]any) { m["resource"] = nil }),
		"resource a list":  change(func(m map[string]any) { m["resource"] = []int{1} }),
		"no id":            change(func(m map[string]any) { delete(m, "id") }),
		"short nonce":      change(func(m map[string]any) { in(m)["nonce"] = "short" }),
		"long nonce":       change(func(m map[string]any) { in(m)["nonce"] = strings.Repeat("n", 40) }),
		"other algorithm":  change(func(m map[string]any) { in(m)["algorithm"] = "AEAD_SM4_GCM" }),
		"ragged base64":    change(func(m map[string]any) { in(m)["ciphertext"] = "a" }),
		"short ciphertext": change(func(m map[string]any) { in(m)["ciphertext"] = "YWJj" }),
		"no ciphertext":    change(func(m map[string]any) { delete(in(m), "ciphertext") }),
		"other aad":        change(func(m map[string]any) { in(m)["associated_data"] = "x" }),
		"not JSON":         []byte("<xml/>"),
		"null":             []byte("null"),
		"a list":           []byte("[]"),
		"empty":            {},
		"plain null":       p.seal("TRANSACTION.SUCCESS", "transaction", "null"),
		"plain a list":     p.seal("TRANSACTION.SUCCESS", "transaction", "[]"),
		"no amount":        p.seal("TRANSACTION.SUCCESS", "transaction", `{"out_trade_no":"a","trade_state":"SUCCESS","transaction_id":"1","success_time":"2026-11-22T16:00:00+08:00"}`),
		"bad time":         p.seal("TRANSACTION.SUCCESS", "transaction", strings.Replace(goodTransaction, "2026-11-22T16:00:00+08:00", "yesterday", 1)),
		"unknown state":    p.seal("TRANSACTION.SUCCESS", "transaction", strings.Replace(goodTransaction, "SUCCESS", "MAYBE", 1)),
		"refund of others": p.seal("REFUND.SUCCESS", "refund", `{"mchid":"1","out_trade_no":"a","out_refund_no":"r","refund_status":"SUCCESS","amount":{"refund":1}}`),
		"refund, no state": p.seal("REFUND.SUCCESS", "refund", `{"mchid":"1900000109","out_trade_no":"a","out_refund_no":"r","status":"SUCCESS","amount":{"refund":1}}`),
	} {
		_, err := d.pay.ParseNotification(t.Context(), p.signed(body), body)
		if !errors.Is(err, weixinpay.ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TRANSACTION.SUCCESS is also the event of a profit-sharing receipt: it is not a payment.
func TestOtherKindsAreTakenAndIgnored(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	for _, kind := range [][2]string{
		{"TRANSACTION.SUCCESS", "profitsharing"},
		{"MCHTRANSFER.BILL.FINISHED", "transaction"},
		{"REFUND.SUCCESS", "transaction"},
		{"TRANSACTION.SUCCESS", "mch_payment"},
		{"MCHTRANSFER.BATCH.FINISHED", "mch_payment"},
	} {
		body := p.seal(kind[0], kind[1], goodTransaction)
		n, err := d.pay.ParseNotification(t.Context(), p.signed(body), body)
		if err != nil || n.ID != "EV-1" || n.Payment != nil || n.Refund != nil || n.Transfer != nil {
			t.Errorf("%v: %+v, %v", kind, n, err)
		}
	}
}

// During a migration notifications are signed with the old certificate and the new public key by turns.
func TestFurtherKeysCount(t *testing.T) {
	t.Parallel()
	d, other := openDesk(t, nil), openDesk(t, func(c *sandboxConfig) { c.Keys = sandboxKeys(t) })
	old := newPlatform(t, other.box)
	old.serial, old.aead = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", newPlatform(t, d.box).aead
	body := old.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction)
	if _, err := d.pay.ParseNotification(t.Context(), old.signed(body), body); !errors.Is(err, weixinpay.ErrForged) {
		t.Errorf("a key nobody configured: %v", err)
	}
	both := d.adapter(t, func(c *weixinpay.Config) {
		c.MoreKeys = map[string]string{old.serial: other.box.Credentials().PublicKeyPEM}
	})
	if _, err := both.ParseNotification(t.Context(), old.signed(body), body); err != nil {
		t.Error(err)
	}
}

// The SDK's errors print the whole request.
func TestTrapNotificationErrorsTellNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	body := p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction)
	h := p.signed(body)
	h.Set("Wechatpay-Signature", "AAAA")
	h.Set("Authorization", "secret-header")
	_, err := d.pay.ParseNotification(t.Context(), h, body)
	for _, secret := range []string{"secret-header", "ciphertext", "EV-1", "AAAA", h.Get("Wechatpay-Serial")} {
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func FuzzNotification(f *testing.F) {
	keys, err := sharedKeys()
	if err != nil {
		f.Fatal(err)
	}
	box, pay := fuzzDesk(f, keys)
	p := newPlatform(f, box)
	for _, seed := range [][]byte{
		p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction), p.seal("REFUND.SUCCESS", "refund", `{}`),
		p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", goodTransfer),
		[]byte(`{"id":"1","resource_type":"encrypt-resource","resource":{"nonce":"x"}}`), []byte("null"),
		{},
	} {
		f.Add(seed, "123", "nonce", "PUB", "sig", true)
		f.Add(seed, "123", "nonce", p.serial, "WECHATPAY/SIGNTEST/", false)
	}
	f.Fuzz(func(t *testing.T, body []byte, timestamp, nonce, serial, signature string, sign bool) {
		h := http.Header{
			"Wechatpay-Timestamp": {timestamp}, "Wechatpay-Nonce": {nonce}, "Wechatpay-Serial": {serial},
			"Wechatpay-Signature": {signature},
		}
		if sign {
			h = p.signed(body)
		}
		notice, err := pay.ParseNotification(t.Context(), h, body)
		if err == nil && !sign {
			t.Fatalf("accepted without a signature: %+v", notice)
		}
		if err != nil && notice != (weixinpay.Notice{}) {
			t.Fatalf("an error and a fact: %+v, %v", notice, err)
		}
	})
}
