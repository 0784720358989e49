package weixinpay_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

func TestBillsOfADay(t *testing.T) {
	t.Parallel()
	at := clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	d := openDesk(t, func(c *sandbox.Config) { c.Clock, c.StartBalance = at, 10_000 })
	p := d.paid(t, "bill-1")
	at.Advance(time.Minute)
	if _, err := d.pay.Refund(t.Context(), order.RefundOrder{Number: "r1", OrderNumber: p.Number, Refund: 10, Total: 4990}); err != nil {
		t.Fatal(err)
	}
	d.drain(t)
	at.Advance(time.Minute)
	in := d.transfer("W1")
	in.Amount = 990
	sent := d.send(t, in)
	if err := d.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "W1"}); err != nil {
		t.Fatal(err)
	}
	in.Number = "W2" // never confirmed: it moves nothing
	d.send(t, in)
	d.drain(t)
	at.Advance(time.Minute)
	d.box.TopUp(100)

	const day = "2026-11-22"
	if err := d.pay.TradeBill(t.Context(), day, nil); !errors.Is(err, weixinpay.ErrStatementCreating) {
		t.Errorf("before ten: %v", err)
	}
	at.Set(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	d.box.Inject(sandbox.Rule{Match: "/v3/bill/fundflowbill", Action: sandbox.ActionFail, Code: "STATEMENT_CREATING", Status: 400})
	if err := d.pay.FundFlowBill(t.Context(), weixinpay.AccountBasic, day, nil); !errors.Is(err, weixinpay.ErrStatementCreating) {
		t.Errorf("by command: %v", err)
	}
	var trades []weixinpay.TradeLine
	if err := d.pay.TradeBill(t.Context(), day, func(l weixinpay.TradeLine) error { trades = append(trades, l); return nil }); err != nil {
		t.Fatal(err)
	}
	refund, err := d.pay.QueryRefund(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	want := []weixinpay.TradeLine{
		{At: start, TransactionID: p.TransactionID, Number: "bill-1", OpenID: p.OpenID, AppID: d.cfg.AppID, State: "SUCCESS", Settled: 4990, Total: 4990},
		{
			At: start.Add(time.Minute), TransactionID: p.TransactionID, Number: "bill-1", OpenID: p.OpenID, AppID: d.cfg.AppID, State: "REFUND",
			RefundID: refund.RefundID, RefundNumber: "r1", Refund: 10, Asked: 10, RefundState: "SUCCESS",
		},
	}
	if diff := cmp.Diff(want, trades); diff != "" {
		t.Error(diff)
	}
	var funds []weixinpay.FundLine
	if err := d.pay.FundFlowBill(t.Context(), weixinpay.AccountBasic, day, func(l weixinpay.FundLine) error { funds = append(funds, l); return nil }); err != nil {
		t.Fatal(err)
	}
	wantFunds := []weixinpay.FundLine{
		{At: start, Business: p.TransactionID, Flow: p.TransactionID, Name: "交易", Kind: "交易", In: true, Amount: 4990, Balance: 14_990, Voucher: "bill-1"},
		{At: start.Add(time.Minute), Business: refund.RefundID, Flow: refund.RefundID, Name: "退款", Kind: "退款", Amount: 10, Balance: 14_980, Note: "退款总金额0.10元", Voucher: "r1"},
		{At: start.Add(2 * time.Minute), Business: sent.Bill, Flow: "F" + sent.Bill, Name: "商家转账", Kind: "商家转账", Amount: 990, Balance: 13_990, Note: "十一月佣金", Voucher: "W1"},
	}
	if len(funds) != 4 || !funds[3].In || funds[3].Amount != 100 || funds[3].Balance != 14_090 {
		t.Fatalf("%+v", funds)
	}
	if diff := cmp.Diff(wantFunds, funds[:3]); diff != "" {
		t.Error(diff)
	}
	mine := errors.New("mine")
	if err := d.pay.TradeBill(t.Context(), day, func(weixinpay.TradeLine) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("the caller's own error: %v", err)
	}
	for _, other := range []string{"2026-11-21", "2026-11-20"} {
		if err := d.pay.TradeBill(t.Context(), other, nil); !errors.Is(err, weixinpay.ErrNoStatement) {
			t.Errorf("an empty day: %v", err)
		}
		if err := d.pay.FundFlowBill(t.Context(), weixinpay.AccountBasic, other, nil); !errors.Is(err, weixinpay.ErrNoStatement) {
			t.Errorf("an empty day: %v", err)
		}
	}
	if err := d.pay.TradeBill(t.Context(), "22.11.2026", nil); err == nil {
		t.Error("a day in another shape was accepted")
	}
}

func TestBillsAtOnce(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.BillsAtOnce = true })
	d.paid(t, "today-1")
	n := 0
	if err := d.pay.TradeBill(t.Context(), clock.Day(clock.System{}.Now()), func(weixinpay.TradeLine) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestTroubleWithBillsIsNoEmptyDay(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.BillsAtOnce = true })
	d.paid(t, "trouble-1")
	day := clock.Day(clock.System{}.Now())
	for name, rule := range map[string]sandbox.Rule{
		"429":                 {Action: sandbox.ActionRateLimit, Match: "/v3/bill/"},
		"500":                 {Action: sandbox.ActionFail, Match: "/v3/bill/"},
		"500 with the code":   {Action: sandbox.ActionFail, Match: "/v3/bill/", Code: "NO_STATEMENT_EXIST", Status: 500},
		"cut":                 {Action: sandbox.ActionLose, Match: "/v3/bill/"},
		"unsigned":            {Action: sandbox.ActionUnsigned, Match: "/v3/bill/"},
		"file cut":            {Action: sandbox.ActionLose, Match: "/v3/billdownload/"},
		"file 500":            {Action: sandbox.ActionFail, Match: "/v3/billdownload/"},
		"file rate":           {Action: sandbox.ActionRateLimit, Match: "/v3/billdownload/"},
		"the address expired": {Action: sandbox.ActionFail, Match: "/v3/billdownload/", Code: "PARAM_ERROR", Status: 400},
	} {
		rule.Times = 9 // the transport repeats a GET whose connection was cut
		d.box.Inject(rule)
		err := d.pay.TradeBill(t.Context(), day, func(weixinpay.TradeLine) error { t.Error("passed on"); return nil })
		if err == nil || errors.Is(err, weixinpay.ErrNoStatement) || errors.Is(err, weixinpay.ErrBillBroken) {
			t.Errorf("%s: %v", name, err)
		}
		wantNothing(t, err, "token", "qq.com", "127.0.0.1")
		d.box.ClearFaults()
	}
}

const (
	fundHead = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n"
	fundRow1 = "`2026-11-22 16:00:00,`4200,`4200,`交易,`交易,`收入,`49.90,`149.90,`system,`,`bill-1\r\n"
	fundRow2 = "`2026-11-22 16:01:00,`1330,`F1330,`商家转账,`商家转账,`支出,`9.90,`140.00,`system,`十一月,佣金,`W1\r\n"
	fundSum  = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`2,`1,`49.90,`1,`9.90\r\n"
	goodFund = fundHead + fundRow1 + fundRow2 + fundSum
)

// billDesk serves one file as a bill, whatever is in it.
func billDesk(t testing.TB, box *sandbox.Sandbox, cfg weixinpay.Config, file *[]byte, announce map[string]string) *weixinpay.Payments {
	t.Helper()
	p := newPlatform(t, box)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v3/billdownload/") {
			_, _ = w.Write(*file)
			return
		}
		plain := *file
		if zip, err := gzip.NewReader(bytes.NewReader(*file)); err == nil {
			plain, _ = io.ReadAll(io.LimitReader(zip, 1<<24))
		}
		sum := sha1.Sum(plain)
		out := map[string]string{
			"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]),
			"download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=x",
		}
		for name, value := range announce {
			out[name] = value
		}
		body, _ := json.Marshal(out)
		p.sign(w.Header(), time.Now(), body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	cfg.BaseURL = server.URL
	pay, err := weixinpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pay.Shutdown)
	return pay
}

func zipped(text string) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, _ = zip.Write([]byte(text))
	_ = zip.Close()
	return out.Bytes()
}

func TestBrokenBillsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	var file []byte
	pay := billDesk(t, d.box, d.cfg, &file, nil)
	read := func(bill []byte) (n int, err error) {
		file = bill
		err = pay.FundFlowBill(t.Context(), weixinpay.AccountBasic, "2026-11-22", func(weixinpay.FundLine) error { n++; return nil })
		return n, err
	}
	swap := func(from, to string) string { return strings.Replace(goodFund, from, to, 1) }
	for name, bill := range map[string]string{
		"good": goodFund, "a mark in front": "\ufeff" + goodFund, "plain line ends": strings.ReplaceAll(goodFund, "\r", ""),
		"narrow brackets": strings.NewReplacer("（", "(", "）", ")").Replace(goodFund),
		"five decimals":   swap("`9.90,", "`9.90000,"),
		"a new column":    fundHead[:len(fundHead)-2] + ",新列\r\n" + strings.Replace(fundRow1, "bill-1", "bill-1,`x", 1) + strings.Replace(fundRow2, "W1", "W1,`y", 1) + fundSum,
	} {
		if n, err := read(zipped(bill)); err != nil || n != 2 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if n, err := read([]byte(goodFund)); err != nil || n != 2 {
		t.Errorf("not packed: %d, %v", n, err)
	}
	for name, bill := range map[string]string{
		"empty": "", "header only": fundHead, "no summary": fundHead + fundRow1, "no summary line": swap("`2,`1,`49.90,`1,`9.90\r\n", ""),
		"a line lost": fundHead + fundRow1 + fundSum, "a line twice": fundHead + fundRow1 + fundRow1 + fundRow2 + fundSum,
		"another amount": swap("`9.90,", "`9.91,"), "another sum": swap("`1,`9.90", "`1,`9.89"), "another count": swap("`2,`1", "`3,`1"),
		"other counts": swap("`1,`49.90", "`2,`49.90"), "half a fen": swap("`9.90,", "`9.901,"), "a thousand separator": swap("`9.90,", "`1,009.90,"),
		"no amount": swap("`9.90,", "`,"), "letters": swap("`9.90,", "`9.9O,"), "exponent": swap("`9.90,", "`9e1,"), "plus": swap("`9.90,", "`+9.90,"),
		"negative": swap("`9.90,", "`-9.90,"), "too large": swap("`9.90,", "`99999999999999.90,"), "another direction": swap("支出", "冻结"),
		"no time": swap("2026-11-22 16:01:00", ""), "bad time": swap("16:01:00", "25:01:00"), "no flow number": swap("F1330", ""),
		"a column less": swap(",`system", ""), "a column missing": swap("资金流水单号", "流水"), "a column named twice": swap("业务名称", "业务类型"),
		"more behind": goodFund + fundRow1, "not text": swap("交易", "\xff\xfe"), "an error page": "<html><body>504</body></html>",
		"a long line": swap("system", strings.Repeat("s", 70_000)),
	} {
		n, err := read(zipped(bill))
		if !errors.Is(err, weixinpay.ErrBillBroken) || n != 0 {
			t.Errorf("%s: %d lines passed on, %v", name, n, err)
		}
	}
	whole := zipped(goodFund)
	if n, err := read(whole[:len(whole)-9]); !errors.Is(err, weixinpay.ErrBillBroken) || n != 0 {
		t.Errorf("a file cut short: %d, %v", n, err)
	}
}

func TestTrapABillIsCheckedAgainstItsSignedHash(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	file := zipped(goodFund)
	read := func(announce map[string]string, change func(*weixinpay.Config)) error {
		cfg := d.cfg
		if change != nil {
			change(&cfg)
		}
		return billDesk(t, d.box, cfg, &file, announce).FundFlowBill(t.Context(), weixinpay.AccountBasic, "2026-11-22",
			func(weixinpay.FundLine) error { t.Error("passed on"); return nil })
	}
	for name, c := range map[string]struct {
		announce map[string]string
		change   func(*weixinpay.Config)
		broken   bool
	}{
		"another hash":         {announce: map[string]string{"hash_value": strings.Repeat("0", 40)}, broken: true},
		"another hash type":    {announce: map[string]string{"hash_type": "MD5"}},
		"no hash":              {announce: map[string]string{"hash_value": ""}},
		"somebody's host":      {announce: map[string]string{"download_url": "https://evil.example/v3/billdownload/file"}},
		"in the clear":         {announce: map[string]string{"download_url": "http://api.mch.weixin.qq.com/v3/billdownload/file"}},
		"larger than allowed":  {change: func(c *weixinpay.Config) { c.MaxBillBytes = int64(len(file))*8 - 1 }, broken: true},
		"larger when unpacked": {change: func(c *weixinpay.Config) { c.MaxBillBytes = int64(len(goodFund)) * 8 }, broken: true},
	} {
		if name == "larger when unpacked" {
			file = zipped(goodFund + strings.Repeat("\r\n", len(goodFund)*20))
		}
		err := read(c.announce, c.change)
		if err == nil || errors.Is(err, weixinpay.ErrBillBroken) != c.broken {
			t.Errorf("%s: %v", name, err)
		}
		file = zipped(goodFund)
	}
}
