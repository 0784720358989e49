package app

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
	"guanxi/platform/weixinpay"
	"guanxi/reconcile"
)

// moneySettings are those of the ledger and of withdrawals. What the platform marks as the merchant's own product setting
// is a setting here, too.
func moneySettings() []Setting {
	return append([]Setting{
		{Name: "GUANXI_LEDGER_KEY", Secret: true, Words: "base64 of 32 bytes: signs checkpoints of the ledger's chain; empty = no checkpoints"},
		{Name: "GUANXI_LEDGER_ANCHOR", Words: "file to which every checkpoint is appended; keep it where who can write the store cannot, for `guanxi verify --anchor`"},
		{Name: "GUANXI_SETTLE_DAYS", Default: "7", Words: "days from receipt until commission can be withdrawn; never shorter than an order's own after-sale window"},
		{Name: "GUANXI_SETTLE_CATEGORIES", Words: "other days by category, e.g. 生鲜=2,家电=15"},
		{Name: "GUANXI_POLICY_HORIZON_DAYS", Default: "366", Words: "how many days ahead a commission policy, a tax table or a bond policy may take effect"},
		{Name: "GUANXI_TRANSFER_SCENE", Default: "1005", Words: "transfer_scene_id the merchant was granted"},
		{Name: "GUANXI_TRANSFER_PERCEPTION", Words: "user_recv_perception; empty = the scene's usual one"},
		{Name: "GUANXI_TRANSFER_INFOS", Words: "transfer_scene_report_infos as 类型=内容;类型=内容; empty = 岗位类型 and 报酬说明 of scene 1005"},
		{Name: "GUANXI_WITHDRAW_MAX_FEN", Default: "500000", Words: "most of one withdrawal"},
		{Name: "GUANXI_WITHDRAW_DAY_FEN", Default: "1000000", Words: "most a member withdraws in a day"},
		{Name: "GUANXI_WITHDRAW_MONTH_FEN", Default: "10000000", Words: "most a member withdraws in a month"},
		{Name: "GUANXI_WITHDRAW_DAY_COUNT", Default: "3", Words: "withdrawals of a member in a day"},
		{Name: "GUANXI_WITHDRAW_NEW_DAYS", Default: "3", Words: "days of membership before the first withdrawal"},
		{Name: "GUANXI_WITHDRAW_AUTO_FEN", Default: "50000", Words: "above it a person of staff must approve"},
		{Name: "GUANXI_VOUCHER_MAX_FEN", Default: "2000000", Words: "most of one adjustment or incentive"},
		{Name: "GUANXI_VOUCHER_DAY_FEN", Default: "5000000", Words: "most that one person of staff proposes as adjustments and incentives in a day"},
		{Name: "GUANXI_VOUCHER_TWO_FEN", Default: "200000", Words: "from this amount an adjustment or incentive takes two checkers"},
		{Name: "GUANXI_VOUCHER_TRANSFER_MAX_FEN", Default: "100000000", Words: "most of one transfer between the brand's own accounts"},
		{Name: "GUANXI_VOUCHER_TRANSFER_TWO_FEN", Default: "10000000", Words: "from this amount such a transfer takes two checkers"},
		{Name: "GUANXI_WITHDRAW_TWO_FEN", Default: "200000", Words: "from this amount two people of staff must approve"},
	}, append(refundSettings(), append(sharingSettings(), billSettings()...)...)...)
}

// ledger is the ledger's configuration; lines of checkpoints go to the log and to the anchor file.
func (v Values) ledger(log *slog.Logger) (c commission.Config, err error) {
	if c.Key, err = v.LedgerKey(); err != nil {
		return c, err
	}
	c.Anchor = anchor(v["GUANXI_LEDGER_ANCHOR"], log)
	if c.PolicyHorizon, err = v.horizon(); err != nil {
		return c, err
	}
	l := &c.Vouchers
	if err := v.amounts(map[string]*money.Fen{
		"GUANXI_VOUCHER_MAX_FEN": &l.Most, "GUANXI_VOUCHER_DAY_FEN": &l.MakerDay, "GUANXI_VOUCHER_TWO_FEN": &l.TwoFrom,
		"GUANXI_VOUCHER_TRANSFER_MAX_FEN": &l.TransferMost, "GUANXI_VOUCHER_TRANSFER_TWO_FEN": &l.TransferTwo,
	}); err != nil {
		return c, err
	}
	if c.Window, err = window("GUANXI_SETTLE_DAYS", v["GUANXI_SETTLE_DAYS"]); err != nil {
		return c, err
	}
	for _, pair := range strings.FieldsFunc(v["GUANXI_SETTLE_CATEGORIES"], func(r rune) bool { return r == ',' }) {
		category, days, _ := strings.Cut(pair, "=")
		if c.Categories == nil {
			c.Categories = map[string]commission.Window{}
		}
		if c.Categories[strings.TrimSpace(category)], err = window("GUANXI_SETTLE_CATEGORIES", strings.TrimSpace(days)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// horizon is how far ahead a dated rule may take effect.
func (v Values) horizon() (time.Duration, error) {
	days, err := strconv.Atoi(v["GUANXI_POLICY_HORIZON_DAYS"])
	if err != nil || days < 1 || days > 3660 {
		return 0, errors.New("GUANXI_POLICY_HORIZON_DAYS: must be days, 1 to 3660")
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// LedgerKey signs checkpoints; nil when there is none.
func (v Values) LedgerKey() (ed25519.PrivateKey, error) {
	text := v["GUANXI_LEDGER_KEY"]
	if text == "" {
		return nil, nil
	}
	seed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("GUANXI_LEDGER_KEY: must be base64 of 32 bytes")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func window(name, text string) (commission.Window, error) {
	days, err := strconv.Atoi(text)
	if err != nil || days < 0 || days > 366 {
		return commission.Window{}, fmt.Errorf("%s: must be days, 0 to 366", name)
	}
	return commission.Window{Settle: max(time.Duration(days)*24*time.Hour, time.Millisecond)}, nil
}

// anchor keeps checkpoints outside of the store. A line that cannot be kept is in the log.
func anchor(file string, log *slog.Logger) func(string) {
	return func(line string) {
		log.Info("ledger checkpoint", "line", line)
		if file == "" {
			return
		}
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(fresh(file) + line + "\n")
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if err != nil {
			log.Error("ledger anchor", "error", err.Error())
		}
	}
}

// fresh begins a new line when a process died in the middle of the last one.
func fresh(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	last := make([]byte, 1)
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return ""
	} else if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return ""
	}
	return "\n"
}

// Anchors reads the checkpoints an anchor file has kept. A file that is not a regular one, or holds none, is an error: it
// would prove nothing. Torn names the lines that cannot be read, from 1: a process that died while it wrote leaves one.
func Anchors(file string) (all []commission.Checkpoint, torn []int, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, fmt.Errorf("anchor file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("anchor file: %s is not a regular file", file)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("anchor file: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(raw)) {
		if number++; strings.TrimSpace(line) == "" {
			continue
		}
		c, err := commission.ParseCheckpoint(line)
		if err != nil {
			torn = append(torn, number)
			continue
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("anchor file: %s holds no checkpoint", file)
	}
	return all, torn, nil
}

func (v Values) transfer() (c weixinpay.TransferConfig, err error) {
	c.Scene, c.Perception = v["GUANXI_TRANSFER_SCENE"], v["GUANXI_TRANSFER_PERCEPTION"]
	for _, pair := range strings.FieldsFunc(v["GUANXI_TRANSFER_INFOS"], func(r rune) bool { return r == ';' }) {
		kind, content, ok := strings.Cut(pair, "=")
		if !ok {
			return c, errors.New("GUANXI_TRANSFER_INFOS: must be 类型=内容;类型=内容")
		}
		c.Infos = append(c.Infos, weixinpay.ReportInfo{Type: strings.TrimSpace(kind), Content: strings.TrimSpace(content)})
	}
	return c, nil
}

func (v Values) withdrawal() (c withdrawal.Config, err error) {
	err = v.amounts(map[string]*money.Fen{
		"GUANXI_WITHDRAW_MAX_FEN": &c.MaxPerTime, "GUANXI_WITHDRAW_DAY_FEN": &c.MaxPerDay,
		"GUANXI_WITHDRAW_MONTH_FEN": &c.MaxMonthly, "GUANXI_WITHDRAW_AUTO_FEN": &c.AutoLimit,
		"GUANXI_WITHDRAW_TWO_FEN": &c.TwoPersonLimit,
	})
	if err != nil {
		return c, err
	}
	for name, field := range map[string]*int{
		"GUANXI_WITHDRAW_DAY_COUNT": &c.MaxCount, "GUANXI_WITHDRAW_NEW_DAYS": &c.NewAccountDays,
	} {
		n, err := strconv.Atoi(v[name])
		if err != nil || n < 0 {
			return c, fmt.Errorf("%s: must be a number", name)
		}
		if *field = n; n == 0 {
			*field = withdrawal.NoLimit
		}
	}
	return c, nil
}

// amounts reads settings in fen.
func (v Values) amounts(fields map[string]*money.Fen) error {
	for name, field := range fields {
		n, err := strconv.ParseInt(v[name], 10, 64)
		if err != nil || n < 1 || money.Fen(n) > money.Max {
			return fmt.Errorf("%s: must be an amount in fen", name)
		}
		*field = money.Fen(n)
	}
	return nil
}

// checkMoney says what is wrong with the settings of the ledger and of withdrawals.
func (v Values) checkMoney() (wrong []string) {
	_, ledger := v.ledger(slog.New(slog.DiscardHandler))
	_, transfer := v.transfer()
	_, payouts := v.withdrawal()
	_, _, shared := v.sharing()
	_, statements := v.bills(reconcile.Config{})
	for _, err := range []error{ledger, transfer, payouts, shared, statements} {
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}
