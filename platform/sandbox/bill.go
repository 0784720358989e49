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
	billsFrom    = 10 * time.Hour // into the next day
	billMonths   = 3
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
	now := s.now.Now()
	if !s.cfg.BillsAtOnce && now.Before(day.AddDate(0, 0, 1).Add(billsFrom)) {
		return nil, &payError{http.StatusBadRequest, "STATEMENT_CREATING", "账单生成中"}
	}
	if day.Before(now.AddDate(0, -billMonths, 0)) {
		return nil, paramError("bill_date 仅支持三个月内的账单")
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
	var content []byte
	switch account := query.Get("account_type"); {
	case !flow:
		content = s.tradeBill(day, kind)
	case account == "":
		content = s.fundBill(day, accountBasic)
	case account == accountBasic, account == accountOperation, account == accountFees:
		content = s.fundBill(day, account)
	default:
		return nil, paramError("account_type 须为 BASIC、OPERATION 或 FEES")
	}
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

// BillText is the trade bill of a day, or the fund-flow bill of an account, as a tester sees it; "" when there is none.
func (s *Sandbox) BillText(day, account string) string {
	from, err := time.ParseInLocation(time.DateOnly, day, shanghai())
	switch {
	case err != nil:
		return ""
	case account == "":
		return string(s.tradeBill(from, "ALL"))
	}
	return string(s.fundBill(from, account))
}
