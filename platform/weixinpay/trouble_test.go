package weixinpay_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

const byNumber = "/v3/pay/transactions/out-trade-no/"

func TestPlatformTroubleIsAway(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	in := d.prepayment("trouble-1") // once: its expiry is in whole seconds
	for name, rule := range map[string]sandbox.Rule{
		"429":          {Action: sandbox.ActionRateLimit},
		"500":          {Action: sandbox.ActionFail},
		"502 no body":  {Action: sandbox.ActionFail, Status: 502},
		"cut before":   {Action: sandbox.ActionLose},
		"cut after":    {Action: sandbox.ActionAfterAccept},
		"unsigned 200": {Action: sandbox.ActionUnsigned},
		"not enough":   {Action: sandbox.ActionFail, Code: "NOT_ENOUGH"},
		"no authority": {Action: sandbox.ActionFail, Code: "NO_AUTH"},
	} {
		rule.Match = "/v3/pay/transactions/jsapi"
		d.box.Inject(rule)
		_, err := d.pay.Prepay(t.Context(), in)
		if !errors.Is(err, order.ErrPaymentsAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.pay.Prepay(t.Context(), in); err != nil {
		t.Errorf("the same number, after all that: %v", err)
	}
}

func TestARefundWhoseAnswerWasLostIsFoundByItsNumber(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := d.paid(t, "lost-1")
	d.box.Inject(sandbox.Rule{Match: "/v3/refund/domestic/refunds", Action: sandbox.ActionAfterAccept})
	in := order.RefundOrder{Number: "lost-r", OrderNumber: p.Number, TransactionID: p.TransactionID, Refund: 4990, Total: 4990}
	_, err := d.pay.Refund(t.Context(), in)
	wantAway(t, err, "connection closed")
	d.drain(t)
	r, err := d.pay.QueryRefund(t.Context(), "lost-r")
	if err != nil || r.State != order.RefundDone {
		t.Errorf("query: %+v, %v", r, err)
	}
	if again, err := d.pay.Refund(t.Context(), in); err != nil || again != r {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if given := d.box.Stats().RefundedFen; given != 4990 {
		t.Errorf("given back: %d", given)
	}
}

func TestRefundEndings(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := d.paid(t, "ends-1")
	d.drain(t)
	for action, want := range map[string]order.RefundState{
		sandbox.ActionAbnormal: order.RefundAbnormal, sandbox.ActionClosed: order.RefundClosed,
	} {
		d.box.Inject(sandbox.Rule{Match: "refund", Action: action})
		in := order.RefundOrder{Number: "ends-" + action, OrderNumber: p.Number, Refund: 10, Total: 4990}
		if _, err := d.pay.Refund(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		notices := d.drain(t)
		if len(notices) != 1 || notices[0].Refund == nil || notices[0].Refund.State != want {
			t.Errorf("%s: %+v", action, notices)
		}
	}
}

func TestNotificationsMisbehaveOnCommand(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]int{
		sandbox.ActionDuplicate: 2, sandbox.ActionLose: 0, sandbox.ActionDelay: 1, sandbox.ActionProbe: 1,
		sandbox.ActionStranger: 1, sandbox.ActionReorder: 1,
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t, nil)
			d.box.Inject(sandbox.Rule{Match: "notify:TRANSACTION", Action: action, DelayMS: 5})
			p := d.paid(t, "oddly-1")
			if p.State != order.PaymentDone {
				t.Errorf("the query heals whatever happens to the notification: %+v", p)
			}
			if n := d.drain(t); len(n) != want {
				t.Errorf("%d notices, want %d", len(n), want)
			}
			probed := action == sandbox.ActionProbe || action == sandbox.ActionStranger
			if got := d.refusals(); probed != (len(got) == 1) {
				t.Errorf("refusals: %v", got)
			}
		})
	}
}

func TestARefundNotificationCanOvertakeThePayments(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.Inject(sandbox.Rule{Match: "notify:TRANSACTION", Action: sandbox.ActionReorder})
	p := d.paid(t, "reorder-1")
	if _, err := d.pay.Refund(t.Context(), order.RefundOrder{Number: "reorder-r", OrderNumber: p.Number, Refund: 1, Total: 4990}); err != nil {
		t.Fatal(err)
	}
	if n := d.drain(t); len(n) != 2 {
		t.Errorf("%+v", n)
	}
}

func TestNotificationsAreSentAgainUntilTaken(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.answer = http.StatusServiceUnavailable
	d.paid(t, "again-2")
	if n := d.drain(t); len(n) != 0 {
		t.Errorf("%+v", n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.raw) != 3 || string(d.raw[0].body) != string(d.raw[2].body) {
		t.Fatalf("%d attempts", len(d.raw))
	}
	if a, b := d.raw[0].header, d.raw[2].header; a.Get("Wechatpay-Nonce") == b.Get("Wechatpay-Nonce") {
		t.Error("attempts are not signed anew")
	}
	if s := d.box.Stats(); s.Lost != 1 || s.Undelivered != 3 {
		t.Errorf("%+v", s)
	}
}

// answering is a platform that says whatever it is told, signed or not.
func answering(t *testing.T, d *desk, status int, body string, sign bool) *weixinpay.Payments {
	t.Helper()
	p := newPlatform(t, d.box)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sign {
			p.sign(w.Header(), time.Now(), []byte(body))
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "https://example.org/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return d.adapter(t, func(c *weixinpay.Config) { c.BaseURL = server.URL })
}

// The SDK verifies the signature of 2xx answers only: nothing may be believed of any other.
func TestTrapNothingIsSettledOnAnErrorReply(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	own := goodTransaction
	for name, c := range map[string]struct {
		status int
		body   string
		sign   bool
	}{
		"paid, says a 500":       {500, own, true},
		"paid, says a 400":       {400, own, false},
		"paid, says a redirect":  {302, own, true},
		"paid, unsigned 200":     {200, own, false},
		"202":                    {202, own, true},
		"another order's record": {200, strings.Replace(own, "order-1", "order-2", 1), true},
		"no JSON":                {200, "<html>", true},
		"empty object":           {200, "{}", true},
		"null":                   {200, "null", true},
		"404 without a code":     {404, "", false},
		"404 of a proxy":         {404, "<html>not found</html>", false},
		"endless":                {200, strings.Repeat(" ", 5<<20), false},
	} {
		pay := answering(t, d, c.status, c.body, c.sign)
		p, err := pay.Query(t.Context(), "order-1")
		if !errors.Is(err, order.ErrPaymentsAway) || p != (order.Payment{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestAnswersOfAnotherPlatformDoNotCount(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	wrong := d.adapter(t, func(c *weixinpay.Config) { c.PublicKeyID = "PUB_KEY_ID_OTHER" })
	_, err := wrong.Prepay(t.Context(), d.prepayment("other-1"))
	if !errors.Is(err, order.ErrPaymentRefused) { // the platform tells us to use its key: PARAM_ERROR
		t.Errorf("another public key id: %v", err)
	}
	thief := d.adapter(t, func(c *weixinpay.Config) { c.MerchantKeyPEM = sandboxKeys(t).Merchant })
	_, err = thief.Prepay(t.Context(), d.prepayment("other-1"))
	wantAway(t, err, "401 SIGN_ERROR")
	if n := d.box.Stats().Orders; n != 0 {
		t.Errorf("%d orders came from a wrong key", n)
	}
}

// The SDK's errors print headers and, on network trouble, the address.
func TestTrapErrorsTellNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	in := d.prepayment("secret-number")
	in.Total = -1
	_, err := d.pay.Prepay(t.Context(), in)
	wantNothing(t, err, "secret-number", in.OpenID, "Wechatpay", "Signature", "qq.com", "127.0.0.1")
	gone := d.adapter(t, func(c *weixinpay.Config) { c.BaseURL = "http://127.0.0.1:1" })
	_, err = gone.Query(t.Context(), "secret-number")
	wantNothing(t, err, "secret-number", "qq.com", "127.0.0.1", "Authorization")
}

func wantNothing(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func TestASlowPlatformIsGivenUp(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.Inject(sandbox.Rule{Match: byNumber, Action: sandbox.ActionDelay, DelayMS: 60_000, Times: 2})
	fast := d.adapter(t, func(c *weixinpay.Config) { c.Timeout = 30 * time.Millisecond })
	_, err := fast.Query(t.Context(), "slow-1")
	wantAway(t, err, "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = d.pay.Query(ctx, "slow-1")
	if !errors.Is(err, order.ErrPaymentsAway) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own limit: %v", err)
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	for name, change := range map[string]func(*weixinpay.Config){
		"no app":             func(c *weixinpay.Config) { c.AppID = "" },
		"short APIv3 key":    func(c *weixinpay.Config) { c.APIv3Key = "short" },
		"public for private": func(c *weixinpay.Config) { c.MerchantKeyPEM = c.PublicKeyPEM },
		"private for public": func(c *weixinpay.Config) { c.PublicKeyPEM = c.MerchantKeyPEM },
		"no PEM":             func(c *weixinpay.Config) { c.PublicKeyPEM = "key" },
		"query":              func(c *weixinpay.Config) { c.NotifyURL = "https://shop.example/n?a=b" },
		"http in production": func(c *weixinpay.Config) { c.NotifyURL, c.BaseURL = "http://shop.example/n", "" },
		"base with a path":   func(c *weixinpay.Config) { c.BaseURL = "http://127.0.0.1/x" },
	} {
		cfg := d.cfg
		change(&cfg)
		if _, err := weixinpay.New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		} else if strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: the error prints a key", name)
		}
	}
}
