package weixinpay_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/withdrawal"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

// forging is a platform that signs with somebody else's key.
func forging(t *testing.T, d *desk, p *platform, status int, body string) *weixinpay.Payments {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.sign(w.Header(), time.Now(), []byte(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return d.adapter(t, func(c *weixinpay.Config) { c.BaseURL = server.URL })
}

// through puts a listener on the wire.
type httpRequest = http.Request

func (d *desk) through(t *testing.T, hear func(*http.Request, string)) *weixinpay.Payments {
	t.Helper()
	base, err := url.Parse(d.cfg.BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = base.Scheme, base.Host }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hear(r, string(body))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return d.adapter(t, func(c *weixinpay.Config) { c.BaseURL = server.URL })
}

func TestNotificationOfATransfer(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	body := p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", goodTransfer)
	got, err := d.pay.ParseTransferNotification(t.Context(), p.signed(body), body)
	if err != nil {
		t.Fatal(err)
	}
	want := weixinpay.TransferNotice{ID: "EV-1", Outcome: withdrawal.Outcome{
		Number: "W1", State: withdrawal.TransferSuccess, Bill: "1330", Amount: 500,
		At: time.Date(2026, 11, 22, 8, 1, 0, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	body = p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", strings.Replace(goodTransfer, "mch_id", "mchid", 1))
	if _, err := d.pay.ParseTransferNotification(t.Context(), p.signed(body), body); err != nil {
		t.Errorf("the other spelling: %v", err)
	}
}

func TestForgedAndForeignTransferNotifications(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := newPlatform(t, d.box)
	good := p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", goodTransfer)
	old := http.Header{}
	p.sign(old, time.Now().Add(-301*time.Second), good)
	h := p.signed(good)
	for name, c := range map[string]struct {
		header http.Header
		body   []byte
	}{
		"replayed later":         {old, good},
		"another body":           {h, append([]byte(" "), good...)},
		"no signature":           {http.Header{}, good},
		"another notification's": {h, p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", strings.Replace(goodTransfer, "500", "501", 1))},
	} {
		if _, err := d.pay.ParseTransferNotification(t.Context(), c.header, c.body); !errors.Is(err, weixinpay.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	change := func(from, to string) []byte {
		return p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", strings.Replace(goodTransfer, from, to, 1))
	}
	for name, body := range map[string][]byte{
		"a payment":          p.seal("TRANSACTION.SUCCESS", "transaction", goodTransaction),
		"another kind":       p.seal("MCHTRANSFER.BILL.FINISHED", "transaction", goodTransfer),
		"another event":      p.seal("MCHTRANSFER.BATCH.FINISHED", "mch_payment", goodTransfer),
		"another merchant":   change("1900000109", "1900000110"),
		"no merchant":        change("mch_id", "mch"),
		"no number":          change("W1", ""),
		"not a number":       change("W1", "W-1"),
		"no bill":            change("1330", ""),
		"no amount":          change("500", "0"),
		"negative":           change("500", "-5"),
		"a fraction":         change("500", "5.5"),
		"amount as text":     change("500", `"500"`),
		"no openid":          change("o1", ""),
		"an unknown state":   change("SUCCESS", "DONE"),
		"a bad time":         change("2026-11-22T16:01", "x"),
		"null":               p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", "null"),
		"a list":             p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", "[]"),
		"nothing in it":      p.seal("MCHTRANSFER.BILL.FINISHED", "mch_payment", ""),
		"another associated": []byte(strings.Replace(string(good), `"associated_data":"aad"`, `"associated_data":"bad"`, 1)),
	} {
		n, err := d.pay.ParseTransferNotification(t.Context(), p.signed(body), body)
		if !errors.Is(err, weixinpay.ErrUnreadable) || n != (weixinpay.TransferNotice{}) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
}

// What the notification does, the query heals.
func TestTransferNotificationsMisbehaveOnCommand(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]int{
		sandbox.ActionDuplicate: 2, sandbox.ActionLose: 0, sandbox.ActionDelay: 1, sandbox.ActionProbe: 1,
		sandbox.ActionStranger: 1, sandbox.ActionReorder: 1,
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t, nil)
			d.box.Inject(sandbox.Rule{Match: "notify:MCHTRANSFER", Action: action, DelayMS: 5})
			d.send(t, d.transfer("Odd"))
			if err := d.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "Odd"}); err != nil {
				t.Fatal(err)
			}
			notices := d.drain(t)
			if len(notices) != want {
				t.Errorf("%d notices, want %d", len(notices), want)
			}
			wantState(t, d.state(t, "Odd"), withdrawal.TransferSuccess)
			for _, n := range notices {
				if n.Transfer == nil || n.ID != notices[0].ID {
					t.Errorf("%+v", n)
				}
			}
		})
	}
}

func TestTransferConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	for name, change := range map[string]func(*weixinpay.TransferConfig){
		"another scene without infos": func(c *weixinpay.TransferConfig) { c.Scene = "1000" },
		"a scene that is no id":       func(c *weixinpay.TransferConfig) { c.Scene = "10 05" },
		"long remark":                 func(c *weixinpay.TransferConfig) { c.Remark = strings.Repeat("备", 33) },
		"an info twice":               func(c *weixinpay.TransferConfig) { c.Infos = []weixinpay.ReportInfo{{"a", "b"}, {"a", "b"}} },
		"an empty info":               func(c *weixinpay.TransferConfig) { c.Infos = []weixinpay.ReportInfo{{"a", ""}} },
		"a long info type":            func(c *weixinpay.TransferConfig) { c.Infos = []weixinpay.ReportInfo{{strings.Repeat("a", 16), "b"}} },
		"a long info":                 func(c *weixinpay.TransferConfig) { c.Infos = []weixinpay.ReportInfo{{"a", strings.Repeat("b", 33)}} },
		"an address with a query":     func(c *weixinpay.TransferConfig) { c.NotifyURL = "https://shop.example/n?x=1" },
	} {
		cfg := d.cfg
		change(&cfg.Transfer)
		if _, err := weixinpay.New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
