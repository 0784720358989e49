package weixinpay

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzBill: whatever the file holds, nothing panics, a broken bill passes nothing on, and what is passed on adds up.
func FuzzBill(f *testing.F) {
	const fund = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n" +
		"`2026-11-22 16:00:00,`4200,`4200,`交易,`交易,`收入,`49.90,`149.90,`system,`,`bill-1\r\n" +
		"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`1,`1,`49.90,`0,`0.00\r\n"
	const trade = "交易时间,微信订单号,商户订单号,用户标识,交易状态,应结订单金额,微信退款单号,商户退款单号,退款金额,退款状态,手续费,订单金额,申请退款金额\n" +
		"`2026-11-22 16:00:00,`4200,`bill-1,`o1,`SUCCESS,`49.90,`0,`0,`0.00,`,`-0.30000,`49.90,`0.00\n" +
		"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n`1,`49.90,`0.00,`0.00,`-0.30,`49.90,`0.00\n"
	for _, seed := range []string{
		fund, trade, "", "`", ",`", "\ufeff", "\x1f\x8b", strings.Replace(fund, "49.90", "-0", 2),
		strings.Replace(trade, "`-0.30000", "`-", 1), strings.ReplaceAll(fund, "\r\n", "\n\n"),
	} {
		f.Add([]byte(seed))
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, _ = zip.Write([]byte(seed))
		_ = zip.Close()
		f.Add(packed.Bytes())
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		plain := file
		if zip, err := gzip.NewReader(bytes.NewReader(file)); err == nil {
			plain, _ = io.ReadAll(io.LimitReader(zip, 1<<17))
		}
		sum := sha1.Sum(plain)
		bill := &packedBill{body: file, hash: hex.EncodeToString(sum[:]), limit: 1 << 16}
		funds, trades := 0, 0
		err := bill.read(&fundRows{each: func(FundLine) error { return nil }}, &fundRows{each: func(l FundLine) error {
			if funds++; l.Amount < 0 || l.Flow == "" || l.At.IsZero() {
				t.Fatalf("%+v", l)
			}
			return nil
		}})
		if err != nil && (funds != 0 || !errors.Is(err, ErrBillBroken)) {
			t.Fatalf("%d lines of a broken bill: %v", funds, err)
		}
		err = bill.read(&tradeRows{each: func(TradeLine) error { return nil }}, &tradeRows{each: func(l TradeLine) error {
			if trades++; l.TransactionID == "" || l.At.IsZero() {
				t.Fatalf("%+v", l)
			}
			return nil
		}})
		if err != nil && (trades != 0 || !errors.Is(err, ErrBillBroken)) {
			t.Fatalf("%d lines of a broken bill: %v", trades, err)
		}
	})
}

func TestYuanAreReadExactly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "0.00": 0, "12.3": 1230, "12.30": 1230, "-12.30000": -1230, "0.01": 1, "9999999999999.99": 999999999999999, "007": 700,
	} {
		if got, err := parseYuan(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "-", ".", ".5", "5.", "1.001", "1.00001", "1e3", "1,000.00", "+1", "--1", "1.2.3", " 1", "１", "10000000000000", "1.00000000000", "0x1", "1.-1",
	} {
		if got, err := parseYuan(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
