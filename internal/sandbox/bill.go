package sandbox

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" // the bill's hash_type is SHA1
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	billFilePath = "/v3/billdownload/file"
	billLives    = 5 * time.Minute
	maxBills     = 16
)

// bills keeps the files that were asked for until their address expires.
type bills struct {
	mu    sync.Mutex
	files map[string]billFile
}

type billFile struct {
	content []byte
	until   time.Time
}

func (b *bills) init() { b.files = map[string]billFile{} }

// requestBill is GET /v3/bill/tradebill and /v3/bill/fundflowbill: it answers with the address of a CSV.
func (s *Sandbox) requestBill(r *http.Request, _ []byte) (any, *payError) {
	query := r.URL.Query()
	day, err := time.ParseInLocation(time.DateOnly, query.Get("bill_date"), shanghai())
	if err != nil {
		return nil, paramError("bill_date 须为 yyyy-MM-dd")
	}
	if s.now.Now().Before(day.AddDate(0, 0, 1).Add(10 * time.Hour)) {
		return nil, &payError{http.StatusBadRequest, "STATEMENT_CREATING", "账单生成中"}
	}
	kind := query.Get("bill_type")
	if kind == "" {
		kind = "ALL"
	}
	zipped := query.Get("tar_type") == "GZIP"
	if zipped == (query.Get("tar_type") == "") {
		return nil, paramError("tar_type 只支持GZIP")
	}
	flow := strings.HasSuffix(r.URL.Path, "fundflowbill")
	if !flow && kind != "ALL" && kind != "SUCCESS" && kind != "REFUND" {
		return nil, paramError("bill_type 须为 ALL、SUCCESS 或 REFUND")
	}
	content := s.writeBill(day, kind, flow)
	if content == nil {
		return nil, &payError{http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在"}
	}
	sum := sha1.Sum(content)
	if zipped {
		content = gzipped(content)
	}
	token := randomHex(16)
	s.bills.keep(token, billFile{content, s.now.Now().Add(billLives)}, s.now.Now())
	return map[string]string{
		"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]),
		"download_url": "https://api.mch.weixin.qq.com" + billFilePath + "?token=" + token,
	}, nil
}

func (b *bills) keep(token string, file billFile, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for old, f := range b.files {
		if now.After(f.until) || len(b.files) >= maxBills {
			delete(b.files, old)
		}
	}
	b.files[token] = file
}

// serveBillFile answers a signed GET with an unsigned file.
func (s *Sandbox) serveBillFile(w http.ResponseWriter, r *http.Request) {
	if refusal := s.checkAuthorization(r, nil); refusal != nil {
		s.payRefuse(w, refusal)
		return
	}
	s.bills.mu.Lock()
	file, ok := s.bills.files[r.URL.Query().Get("token")]
	s.bills.mu.Unlock()
	if !ok || s.now.Now().After(file.until) {
		s.payRefuse(w, paramError("下载链接已失效"))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(file.content)
}

func gzipped(content []byte) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, _ = zip.Write(content) // a bytes.Buffer does not fail
	_ = zip.Close()
	return out.Bytes()
}

// writeBill lists what was paid and refunded on that Shanghai day; nil when nothing was.
func (s *Sandbox) writeBill(day time.Time, kind string, flow bool) []byte {
	bill := &billWriter{day: day, flow: flow, kind: kind}
	s.orders.each(func(o *payOrder) {
		o.mu.Lock()
		defer o.mu.Unlock()
		bill.order(o)
	})
	if bill.rows == 0 {
		return nil
	}
	return bill.finish()
}

type billWriter struct {
	day        time.Time
	flow       bool
	kind       string
	body       strings.Builder
	rows       int64
	paid, back int64
}

func (b *billWriter) today(t time.Time) bool {
	return !t.IsZero() && !t.Before(b.day) && t.Before(b.day.AddDate(0, 0, 1))
}

func (b *billWriter) order(o *payOrder) {
	if b.today(o.paidAt) && (b.flow || b.kind != "REFUND") {
		b.rows, b.paid = b.rows+1, b.paid+o.terms.Total
		b.payment(o)
	}
	for _, r := range o.refunds {
		if r.status == "SUCCESS" && b.today(r.doneAt) && (b.flow || b.kind != "SUCCESS") {
			b.rows, b.back = b.rows+1, b.back+r.terms.Refund
			b.refund(o, r)
		}
	}
}

func wall(t time.Time) string { return t.In(shanghai()).Format(time.DateTime) }

func (b *billWriter) payment(o *payOrder) {
	if b.flow {
		b.body.WriteString(tick(wall(o.paidAt), o.transactionID, o.transactionID, "交易", "交易", "收入",
			yuan(o.terms.Total), "0.00", "system", "", o.number))
		return
	}
	b.body.WriteString(tick(wall(o.paidAt), o.terms.AppID, o.terms.MchID, "0", "", o.transactionID, o.number,
		o.terms.OpenID, "JSAPI", "SUCCESS", "OTHERS", "CNY", yuan(o.terms.Total), "0.00", "0", "0", "0.00", "0.00",
		"", "", billText(o.terms.Description), billText(o.terms.Attach), "0.00", "0.60%", yuan(o.terms.Total), "0.00", ""))
}

func (b *billWriter) refund(o *payOrder, r *refund) {
	if b.flow {
		b.body.WriteString(tick(wall(r.doneAt), r.id, r.id, "退款", "退款", "支出",
			yuan(r.terms.Refund), "0.00", "system", "", r.number))
		return
	}
	b.body.WriteString(tick(wall(r.doneAt), o.terms.AppID, o.terms.MchID, "0", "", o.transactionID, o.number,
		o.terms.OpenID, "JSAPI", "REFUND", "OTHERS", "CNY", "0.00", "0.00", r.id, r.number, yuan(r.terms.Refund), "0.00",
		"ORIGINAL", r.status, billText(o.terms.Description), billText(o.terms.Attach), "0.00", "0.60%", "0.00",
		yuan(r.terms.Refund), ""))
}

// billText keeps free text from breaking the columns, as the real bill does.
func billText(text string) string {
	return strings.NewReplacer(",", " ", "`", " ", "\r", " ", "\n", " ").Replace(text)
}

func (b *billWriter) finish() []byte {
	const trade = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率," +
		"订单金额,申请退款金额,费率备注\r\n"
	const fund = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n"
	if b.flow {
		return []byte(fund + b.body.String() + "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n" +
			tick(itoa(b.rows), "", yuan(b.paid), "", yuan(b.back)))
	}
	return []byte(trade + b.body.String() +
		"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n" +
		tick(itoa(b.rows), yuan(b.paid), yuan(b.back), "0.00", "0.00", yuan(b.paid), yuan(b.back)))
}
