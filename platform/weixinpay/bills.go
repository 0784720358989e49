package weixinpay

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1" // the platform's hash_type
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"guanxi/internal/money"
)

const (
	billTimeout = 2 * time.Minute
	packedShare = 8 // a packed bill may have at most this part of MaxBillBytes
)

// Why there is no bill.
var (
	// ErrNoStatement: nothing happened on that day, or the day is out of reach.
	ErrNoStatement = errors.New("weixinpay: the platform has no bill for this day")
	// ErrStatementCreating: too early (bills come from 10:00 of the next day); ask again in half an hour.
	ErrStatementCreating = errors.New("weixinpay: the platform is still making the bill")
	// ErrBillBroken: the file is not the one announced, is too large, or does not add up. Nothing of it was passed on.
	ErrBillBroken = errors.New("weixinpay: the bill is broken")
)

// TradeLine is one payment or refund of the trade bill.
type TradeLine struct {
	At            time.Time
	TransactionID string
	Number        string // out_trade_no
	OpenID        string
	AppID         string    // 公众账号ID: one merchant may serve several programs; "" when the bill does not say
	State         string    // SUCCESS, REFUND, REVOKED
	Settled       money.Fen // 应结订单金额: of payments, less coupons that are not prefunded
	Coupon        money.Fen // 代金券金额
	RefundID      string
	RefundNumber  string    // out_refund_no
	Refund        money.Fen // 退款金额, less coupons that are not prefunded
	RefundState   string
	Fee           money.Fen // negative when it was given back
	Total         money.Fen // 订单金额, where the bill has it
	Asked         money.Fen // 申请退款金额, where the bill has it
}

// FundLine is one movement of the merchant's account.
type FundLine struct {
	At       time.Time
	Business string // 微信支付业务单号: transaction, refund, transfer or sharing id of the platform
	Flow     string // 资金流水单号: unique in the account
	Name     string // 业务名称: 交易, 退款, 商家转账, 分账 …
	Kind     string // 业务类型
	In       bool   // 收入; otherwise 支出
	Amount   money.Fen
	Balance  money.Fen // after it
	Note     string
	Voucher  string // 业务凭证号: the merchant's own number
}

// TradeBill passes on every line of the trade bill of a day (as clock.Day gives it). It checks the file's hash and that
// the lines add up to the summary before it passes on the first, so each is never called for a broken bill; an error of
// each ends it and is returned. Errors: ErrNoStatement, ErrStatementCreating, ErrBillBroken; others mean: ask again.
func (p *Payments) TradeBill(ctx context.Context, day string, each func(TradeLine) error) error {
	packed, err := p.fetchBill(ctx, "/v3/bill/tradebill?bill_type=ALL&tar_type=GZIP&bill_date=", day)
	if err != nil {
		return err
	}
	return packed.read(&tradeRows{each: func(TradeLine) error { return nil }}, &tradeRows{each: each})
}

// Account is one of the merchant's accounts; each has a fund-flow bill of its own.
type Account string

// The accounts.
const (
	AccountBasic     Account = "BASIC"     // what buyers pay into
	AccountOperation Account = "OPERATION" // what transfers to members may be paid from
	AccountFees      Account = "FEES"
)

// Known reports whether the platform has such accounts.
func (a Account) Known() bool {
	return a == AccountBasic || a == AccountOperation || a == AccountFees
}

// FundFlowBill passes on every line of an account's fund-flow bill, as TradeBill does.
func (p *Payments) FundFlowBill(ctx context.Context, account Account, day string, each func(FundLine) error) error {
	if !account.Known() {
		return errors.New("weixinpay: an account is BASIC, OPERATION or FEES")
	}
	packed, err := p.fetchBill(ctx, "/v3/bill/fundflowbill?account_type="+string(account)+"&tar_type=GZIP&bill_date=", day)
	if err != nil {
		return err
	}
	return packed.read(&fundRows{each: func(FundLine) error { return nil }}, &fundRows{each: each})
}

// packedBill is a downloaded file, still packed, and what it must be.
type packedBill struct {
	body  []byte
	hash  string
	limit int64
}

func (p *Payments) fetchBill(ctx context.Context, path, day string) (*packedBill, error) {
	const op = "ask for bill"
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, errors.New("weixinpay: a bill's day looks like 2006-01-02")
	}
	var announced struct {
		HashType string `json:"hash_type"`
		Hash     string `json:"hash_value"`
		URL      string `json:"download_url"`
	}
	err := p.ask(op, func() (*core.APIResult, error) {
		result, err := p.sdk.Get(ctx, consts.WechatPayAPIServer+path+day)
		if err == nil {
			err = core.UnMarshalResponse(result.Response, &announced)
		}
		return result, err
	})
	var answer *Answer
	if errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 {
		switch answer.Code {
		case "NO_STATEMENT_EXIST":
			return nil, fmt.Errorf("%w: %w", ErrNoStatement, answer)
		case "STATEMENT_CREATING":
			return nil, fmt.Errorf("%w: %w", ErrStatementCreating, answer)
		}
	}
	if err != nil {
		return nil, err
	}
	if announced.HashType != "SHA1" || len(announced.Hash) != 2*sha1.Size || !p.billAddress(announced.URL) {
		return nil, errUnreadable(op)
	}
	body, err := p.downloadBill(ctx, announced.URL)
	if err != nil {
		return nil, err
	}
	return &packedBill{body: body, hash: strings.ToLower(announced.Hash), limit: p.cfg.MaxBillBytes}, nil
}

// billAddress keeps a signed request from going anywhere but to the platform.
func (p *Payments) billAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.User == nil &&
		(u.Host == "api.mch.weixin.qq.com" || u.Host == "api2.mch.weixin.qq.com")
}

// downloadBill asks without verifying: files come unsigned, their hash came signed.
func (p *Payments) downloadBill(ctx context.Context, address string) ([]byte, error) {
	const op = "download bill"
	var body []byte
	limit := p.cfg.MaxBillBytes / packedShare
	err := p.ask(op, func() (*core.APIResult, error) {
		result, err := p.files.Get(ctx, address)
		if err != nil {
			return result, err
		}
		defer func() { _ = result.Response.Body.Close() }()
		body, err = io.ReadAll(io.LimitReader(result.Response.Body, limit+1))
		if err != nil {
			return nil, err
		}
		return result, nil
	})
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > limit:
		return nil, &BrokenBill{Why: fmt.Sprintf("压缩文件超过 %d 字节", limit)}
	}
	return body, nil
}

// read parses the bill twice: once to check everything, once to pass it on.
func (b *packedBill) read(check, pass rows) error {
	plain, err := b.open()
	if err != nil {
		return err
	}
	if err := readBill(plain, check); err != nil {
		return err
	}
	if err := plain.finish(b.hash); err != nil {
		return err
	}
	if plain, err = b.open(); err != nil {
		return err
	}
	return readBill(plain, pass)
}

// open unpacks, bounded. The platform packs what tar_type=GZIP asked for; a file that came plain is read as it is.
func (b *packedBill) open() (*plainBill, error) {
	p := &plainBill{from: bytes.NewReader(b.body), sum: sha1.New(), left: b.limit}
	if bytes.HasPrefix(b.body, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(p.from)
		if err != nil {
			return nil, &BrokenBill{Why: "不是完整的 gzip 文件"}
		}
		p.from = zip
	}
	return p, nil
}

// plainBill reads the unpacked file, sums it and keeps it within bounds.
type plainBill struct {
	from io.Reader
	sum  hash.Hash
	left int64
}

// Read hides what the unpacker says of the content.
func (p *plainBill) Read(to []byte) (int, error) {
	if p.left <= 0 {
		return 0, &BrokenBill{Why: "文件过大"}
	}
	if int64(len(to)) > p.left {
		to = to[:p.left]
	}
	n, err := p.from.Read(to)
	p.sum.Write(to[:n])
	p.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, &BrokenBill{Why: "无法解压，文件可能不完整"}
	}
	return n, err
}

// finish compares the hash of everything.
func (p *plainBill) finish(want string) error {
	if _, err := io.Copy(io.Discard, p); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(p.sum.Sum(nil))), []byte(want)) != 1 {
		return &BrokenBill{Why: "摘要与平台给出的不一致"}
	}
	return nil
}
