package weixinpay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

// The files in testdata were written by hand from public descriptions of WeChat's bills, with other names and numbers. They
// are the judge of the parser; the sandbox, which was written by whoever wrote the parser, is not.

func openFile(t *testing.T, name string) (*weixinpay.Payments, *[]byte) {
	t.Helper()
	d := openDesk(t, nil)
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	file := zipped(string(text))
	return billDesk(t, d.box, d.cfg, &file, nil), &file
}

func tradesOf(t *testing.T, pay *weixinpay.Payments) ([]string, error) {
	t.Helper()
	var got []string
	err := pay.TradeBill(t.Context(), "2024-06-11", func(l weixinpay.TradeLine) error {
		got = append(got, fmt.Sprintln(l.At.Format("01-02T15:04:05Z"), l.AppID, l.State, l.Number, l.Settled, l.Coupon, l.Total, l.Fee,
			l.RefundNumber, l.RefundState, l.Refund, l.Asked))
		return nil
	})
	return got, err
}

func TestATradeBillInItsPresentForm(t *testing.T) {
	t.Parallel()
	pay, _ := openFile(t, "trade-current.csv")
	got, err := tradesOf(t, pay)
	if err != nil {
		t.Fatal(err)
	}
	const a, b = "wxd678efh567hg6787", "wx0000other0000000"
	want := []string{
		"06-10T16:00:03Z " + a + " SUCCESS 0001AAAA 1000 0 1000 6   0 0\n",
		"06-11T01:15:20Z " + a + " SUCCESS 0002BBBB 9000 1000 10000 54   0 0\n",
		"06-11T02:00:00Z " + a + " SUCCESS 0003CCCC 10000 1000 10000 60   0 0\n",
		"06-11T03:30:00Z " + b + " SUCCESS OTHER-2024-77|x 500 0 500 3   0 0\n",
		"06-11T07:00:00Z " + a + " REFUND 0002BBBB 0 0 0 -54 0002BBBBr1 PROCESSING 9000 10000\n",
		"06-11T15:59:59Z " + a + " REFUND 0001AAAA 0 0 0 -2 0001AAAAr1 SUCCESS 250 250\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATradeBillInItsOlderForm(t *testing.T) {
	t.Parallel()
	pay, _ := openFile(t, "trade-older.csv")
	got, err := tradesOf(t, pay)
	if err != nil {
		t.Fatal(err)
	}
	const a = "wxd678efh567hg6787"
	want := []string{
		"10-01T04:00:00Z " + a + " SUCCESS 0001AAAA 10000 0 0 60   0 0\n",
		"10-01T04:30:00Z " + a + " REFUND 0001AAAA 0 0 0 -24 0001AAAAr1 SUCCESS 4000 0\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFundBills(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"funds-basic.csv": {
			"交易 交易 true 9000 109000 0002BBBB", "交易 扣除交易手续费 false 54 108946 0002BBBB", "退款 退款 false 9000 99946 0002BBBBr1",
			"退款 退还交易手续费 true 54 100000 0002BBBBr1", "充值 商户充值 true 50000 150000 3000001", "提现 商户提现 false 150000 0 3000002",
		},
		"funds-operation.csv": {"商家转账 商家转账 false 1234 8766 W0001"},
		"empty.csv":           nil,
	} {
		pay, _ := openFile(t, name)
		var got []string
		err := pay.FundFlowBill(t.Context(), weixinpay.AccountOperation, "2024-06-11", func(l weixinpay.FundLine) error {
			got = append(got, fmt.Sprint(l.Name, " ", l.Kind, " ", l.In, " ", int64(l.Amount), " ", int64(l.Balance), " ", l.Voucher))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestTheFormOfABillMayVaryItsMoneyMayNot changes the present form a little each time.
func TestTheFormOfABillMayVaryItsMoneyMayNot(t *testing.T) {
	t.Parallel()
	pay, file := openFile(t, "trade-current.csv")
	text, err := os.ReadFile("testdata/trade-current.csv")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	lines := strings.SplitAfter(good, "\r\n")
	swap := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for name, bill := range map[string]string{
		"no mark":           strings.TrimPrefix(good, "\ufeff"),
		"plain line ends":   strings.ReplaceAll(good, "\r\n", "\n"),
		"trailing blanks":   strings.ReplaceAll(good, "\r\n", " \t\r\n"),
		"blank lines":       strings.ReplaceAll(good, "\r\n", "\r\n\r\n"),
		"blanks in headers": strings.Replace(good, "商户号,", " 商户号 ,", 1),
		"another order":     strings.Join([]string{lines[0], lines[3], lines[1], lines[2], lines[6], lines[5], lines[4], lines[7], lines[8]}, ""),
		"count 6":           swap("`6.0,", "`6,"),
		"count 6.00":        swap("`6.0,", "`6.00,"),
		"nothing is 0":      strings.ReplaceAll(good, "`0.00,", "`0,"),
		"nothing is 0.0":    strings.ReplaceAll(good, "`0.00,", "`0.0,"),
		"a fee of 2 places": swap("`0.06000,", "`0.06,"),
		"a rebate":          strings.Replace(swap("`0.06000,", "`-0.06000,"), "`0.67500", "`0.55500", 1),
		"wide brackets":     strings.ReplaceAll(good, "(", "（"),
	} {
		*file = zipped(bill)
		if got, err := tradesOf(t, pay); err != nil || len(got) != 6 {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
	for name, bill := range map[string]string{
		"a duplicate row":      strings.Join(append(append([]string{}, lines[:3]...), lines[2:]...), ""),
		"a lost row":           strings.Join(append(append([]string{}, lines[:3]...), lines[4:]...), ""),
		"another settled sum":  swap("`205.00,", "`205.01,"),
		"another refund sum":   swap("`92.50,", "`92.49,"),
		"another fee sum":      swap("`0.67500", "`0.67000"),
		"another order sum":    swap("`215.00,", "`214.00,"),
		"another asked sum":    swap("`102.50", "`102.51"),
		"another count":        swap("`6.0,", "`7.0,"),
		"a count of 6.5":       swap("`6.0,", "`6.5,"),
		"a count below":        swap("`6.0,", "`-6,"),
		"no summary":           strings.Join(lines[:7], ""),
		"no summary line":      strings.Join(lines[:8], ""),
		"half a fen":           strings.Replace(swap("`10.00,`0.00,`0,", "`10.005,`0.00,`0,"), "`205.00", "`205.005", 1),
		"a grouped amount":     strings.Replace(swap("`10.00,`0.00,`0,", "`1,010.00,`0.00,`0,"), "`205.00", "`1205.00", 1),
		"no settled amounts":   strings.Replace(good, "应结订单金额", "结算额", 1),
		"no fees":              strings.Replace(good, "手续费,", "服务费,", 1),
		"cut in a cell":        good[:len(good)/2],
		"text behind":          good + "备注\r\n",
		"an amount left blank": swap("`10.00,`0.00,`0,", "`,`0.00,`0,"),
	} {
		*file = zipped(bill)
		got, err := tradesOf(t, pay)
		broken, ok := err.(*weixinpay.BrokenBill) //nolint:errorlint // it is the error itself
		if !ok || broken.Why == "" || len(got) != 0 {
			t.Errorf("%s: %d lines passed on, %v", name, len(got), err)
		}
	}
	packed := zipped(good)
	for name, cut := range map[string][]byte{"cut short": packed[:len(packed)/2], "no trailer": packed[:len(packed)-8], "the magic only": packed[:2]} {
		*file = cut
		if got, err := tradesOf(t, pay); err == nil || len(got) != 0 {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
}

// TestTheSandboxWritesTheFormsOfTheFiles: header by header and summary by summary, so that the sandbox cannot drift from them.
func TestTheSandboxWritesTheFormsOfTheFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		style sandbox.BillStyle
		file  string
	}{{sandbox.BillStyle{}, "trade-current.csv"}, {sandbox.BillStyle{Older: true}, "trade-older.csv"}} {
		d := openDesk(t, func(s *sandbox.Config) { s.BillsAtOnce, s.Bills = true, c.style })
		d.paid(t, "form-1")
		got := d.box.BillText(clock.Day(clock.System{}.Now()), "")
		want, err := os.ReadFile(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(headers(string(want)), headers(got)); diff != "" {
			t.Errorf("%s: %s", c.file, diff)
		}
	}
}

// headers are the lines of a bill that do not begin with a backtick.
func headers(bill string) (found []string) {
	for line := range strings.Lines(strings.TrimPrefix(bill, "\ufeff")) {
		if !strings.HasPrefix(line, "`") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
