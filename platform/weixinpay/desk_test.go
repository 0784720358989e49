package weixinpay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

// desk is a merchant: a sandbox, the adapter in front of it, and the address that notifications come to.
type desk struct {
	box   *sandbox.Sandbox
	pay   *weixinpay.Payments
	cfg   weixinpay.Config
	inbox chan weixinpay.Notice

	mu      sync.Mutex
	refused []error
	answer  int // status to answer notifications with, after they were parsed; 0 is 204
	raw     []rawNotice
}

type rawNotice struct {
	header http.Header
	body   []byte
}

// sharedKeys are made once per test binary: making RSA keys is most of what a test would do.
var sharedKeys = sync.OnceValues(sandbox.GenerateKeys)

func openDesk(t *testing.T, change func(*sandbox.Config)) *desk {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	cfg := sandbox.Config{Keys: keys, AllowLoopbackHTTP: true, NotifyRetries: []time.Duration{time.Millisecond, time.Millisecond}}
	if change != nil {
		change(&cfg)
	}
	box, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{box: box, inbox: make(chan weixinpay.Notice, 100)}
	platform := httptest.NewServer(box)
	merchant := httptest.NewServer(http.HandlerFunc(d.notified))
	t.Cleanup(func() { box.Close(); merchant.Close(); platform.Close() })
	c := box.Credentials()
	d.cfg = weixinpay.Config{
		AppID: c.AppID, MchID: c.MchID, MerchantSerial: c.MerchantSerial, MerchantKeyPEM: c.MerchantKeyPEM,
		PublicKeyID: c.PublicKeyID, PublicKeyPEM: c.PublicKeyPEM, APIv3Key: c.APIv3Key,
		NotifyURL: merchant.URL + "/v1/notify/weixinpay", BaseURL: platform.URL, Timeout: 5 * time.Second,
	}
	d.pay = d.adapter(t, nil)
	return d
}

func (d *desk) adapter(t *testing.T, change func(*weixinpay.Config)) *weixinpay.Payments {
	t.Helper()
	cfg := d.cfg
	if change != nil {
		change(&cfg)
	}
	pay, err := weixinpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pay.Shutdown)
	return pay
}

func (d *desk) notified(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	d.raw = append(d.raw, rawNotice{r.Header.Clone(), body})
	answer := d.answer
	d.mu.Unlock()
	notice, err := d.pay.ParseNotification(r.Context(), r.Header, body)
	if err != nil {
		d.mu.Lock()
		d.refused = append(d.refused, err)
		d.mu.Unlock()
		http.Error(w, `{"code":"FAIL","message":"no"}`, http.StatusBadRequest)
		return
	}
	if answer != 0 {
		w.WriteHeader(answer)
		return
	}
	d.inbox <- notice
	w.WriteHeader(http.StatusNoContent)
}

// drain waits for everything on its way and empties the inbox.
func (d *desk) drain(t *testing.T) []weixinpay.Notice {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := d.box.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	var all []weixinpay.Notice
	for {
		select {
		case n := <-d.inbox:
			all = append(all, n)
		default:
			return all
		}
	}
}

func (d *desk) refusals() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]error(nil), d.refused...)
}

func (d *desk) prepayment(number string) order.Prepayment {
	return order.Prepayment{
		Number: number, Description: "本地黄桃 5 斤 <&> 装", OpenID: d.box.OpenID("lan"), Total: 4990,
		ExpiresAt: time.Now().Add(30 * time.Minute), Attach: "share-1",
	}
}

// paid places, pays and returns the platform's record.
func (d *desk) paid(t *testing.T, number string) order.Payment {
	t.Helper()
	params, err := d.pay.Prepay(t.Context(), d.prepayment(number))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.box.Pay(tap(params)); err != nil {
		t.Fatal(err)
	}
	p, err := d.pay.Query(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tap(p order.PayParams) sandbox.PayInput {
	return sandbox.PayInput{
		Package: p.Package, TimeStamp: p.TimeStamp, NonceStr: p.NonceStr, SignType: p.SignType, PaySign: p.PaySign,
	}
}

type sandboxConfig = sandbox.Config

// sandboxKeys makes keys of its own, for a test that needs two platforms.
func sandboxKeys(t *testing.T) sandbox.Keys {
	t.Helper()
	keys, err := sandbox.GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func fuzzDesk(t testing.TB, keys sandbox.Keys) (*sandbox.Sandbox, *weixinpay.Payments) {
	t.Helper()
	box, err := sandbox.New(sandbox.Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	c := box.Credentials()
	pay, err := weixinpay.New(weixinpay.Config{
		AppID: c.AppID, MchID: c.MchID, MerchantSerial: c.MerchantSerial, MerchantKeyPEM: c.MerchantKeyPEM,
		PublicKeyID: c.PublicKeyID, PublicKeyPEM: c.PublicKeyPEM, APIv3Key: c.APIv3Key, NotifyURL: "https://shop.example/n",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pay.Shutdown)
	return box, pay
}
