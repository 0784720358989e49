package app

import (
	"log/slog"
	"net"
	"strings"
)

// Warnings says in words what serve starts with, but somebody should know: a limit that can never bite, a key that is
// missing, a proxy nobody trusts. The values must have passed Check.
func (v Values) Warnings() []string {
	w := warnings{}
	v.warnOfLimits(&w)
	if v["GUANXI_LEDGER_KEY"] == "" {
		w.add("GUANXI_LEDGER_KEY", "is missing: no checkpoint of the ledger is signed, a rewritten chain cannot be told from the true one")
	}
	if v["GUANXI_LEDGER_KEY"] != "" && v["GUANXI_LEDGER_ANCHOR"] == "" {
		w.add("GUANXI_LEDGER_ANCHOR", "is missing: checkpoints stay only where who can write the store can write them, too")
	}
	if v["GUANXI_RATE"] == "0" {
		w.add("GUANXI_RATE", "is 0: nothing slows down who asks too often")
	}
	if v["GUANXI_TRUST_PROXY"] == "false" && loopback(v["GUANXI_LISTEN"]) {
		w.add("GUANXI_TRUST_PROXY", "is false although only a proxy on this machine can reach GUANXI_LISTEN: all callers share one address, "+
			"in rate limits, in slowed-down logins and in the audit log")
	}
	if v["GUANXI_TRUST_PROXY"] == "true" && !loopback(v["GUANXI_LISTEN"]) {
		w.add("GUANXI_TRUST_PROXY", "is true and GUANXI_LISTEN is not only for this machine: whoever reaches it past the proxy names any address they like")
	}
	if v["GUANXI_CONSOLE_ADDR"] == "" {
		w.add("GUANXI_CONSOLE_ADDR", "is not set: the console of the brand's staff is served beside the public edge")
	}
	return w.lines
}

type warnings struct{ lines []string }

func (w *warnings) add(name, why string) { w.lines = append(w.lines, name+": "+why) }

// warnOfLimits finds limits that another limit makes void.
func (v Values) warnOfLimits(w *warnings) {
	c, err := v.withdrawal()
	if err != nil {
		return
	}
	never := func(void bool, name, why string) {
		if void {
			w.add(name, "can never bite: "+why)
		}
	}
	never(c.TwoPersonLimit > c.MaxPerTime, "GUANXI_WITHDRAW_TWO_FEN", "no withdrawal is above GUANXI_WITHDRAW_MAX_FEN, so two people never look")
	never(c.AutoLimit >= c.MaxPerTime, "GUANXI_WITHDRAW_AUTO_FEN", "no withdrawal is above GUANXI_WITHDRAW_MAX_FEN, so nobody ever looks")
	never(c.AutoLimit >= c.TwoPersonLimit && c.AutoLimit < c.MaxPerTime, "GUANXI_WITHDRAW_AUTO_FEN",
		"from GUANXI_WITHDRAW_TWO_FEN on two people look anyway")
	never(c.MaxPerTime > c.MaxPerDay, "GUANXI_WITHDRAW_MAX_FEN", "GUANXI_WITHDRAW_DAY_FEN is smaller")
	never(c.MaxPerDay > c.MaxMonthly, "GUANXI_WITHDRAW_DAY_FEN", "GUANXI_WITHDRAW_MONTH_FEN is smaller")
	never(c.MaxMonthly >= 31*c.MaxPerDay, "GUANXI_WITHDRAW_MONTH_FEN", "31 days of GUANXI_WITHDRAW_DAY_FEN are not more")
	if ledger, err := v.ledger(slog.New(slog.DiscardHandler)); err == nil {
		l := ledger.Vouchers
		never(l.TwoFrom > l.Most, "GUANXI_VOUCHER_TWO_FEN", "no voucher is above GUANXI_VOUCHER_MAX_FEN, so two people never look")
		never(l.Most > l.MakerDay, "GUANXI_VOUCHER_MAX_FEN", "GUANXI_VOUCHER_DAY_FEN is smaller")
		never(l.TransferTwo > l.TransferMost, "GUANXI_VOUCHER_TRANSFER_TWO_FEN", "no transfer is above GUANXI_VOUCHER_TRANSFER_MAX_FEN")
	}
	if c.MaxCount > 0 {
		n := int64(c.MaxCount)
		never(int64(c.MaxPerDay) > n*int64(c.MaxPerTime), "GUANXI_WITHDRAW_DAY_FEN",
			"GUANXI_WITHDRAW_DAY_COUNT withdrawals of GUANXI_WITHDRAW_MAX_FEN are less")
	}
}

// loopback reports whether an address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
