package app

import (
	"fmt"
	"strconv"
	"time"

	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
	"guanxi/order/authority"
)

// refundSettings say how far a host's word reaches with other people's money, and one operator's.
func refundSettings() []Setting {
	return []Setting{
		{Name: "GUANXI_REFUND_SINGLE_FEN", Default: "20000", Words: "most of one order that goes back on the host's word; above it the brand decides"},
		{Name: "GUANXI_REFUND_AGE_DAYS", Default: "30", Words: "days from payment after which the brand decides about a refund"},
		{Name: "GUANXI_REFUND_SHARE_BP", Default: "1000", Words: "share of her turnover of the period, in basis points, that a host returns on her own word"},
		{Name: "GUANXI_REFUND_FREE_FEN", Default: "30000", Words: "what a host returns in the period whatever her turnover is"},
		{Name: "GUANXI_REFUND_PERIOD_DAYS", Default: "30", Words: "days over which share and turnover are counted"},
		{Name: "GUANXI_REFUND_SILENCE_HOURS", Default: "48", Words: "hours a request waits for the host before the brand answers"},
		{Name: "GUANXI_REFUND_BRAND_FEN", Default: "200000", Words: "most of one order that goes back on one operator's word; above it two must agree"},
	}
}

// paying is how money leaves: to members, and back to buyers.
func (v Values) paying() (w withdrawal.Config, p authority.Policy, err error) {
	if w, err = v.withdrawal(); err != nil {
		return w, p, err
	}
	p, err = v.refunds()
	return w, p, err
}

// refunds is the policy.
func (v Values) refunds() (p authority.Policy, err error) {
	for _, one := range []struct {
		name string
		take func(n int64)
	}{
		{"GUANXI_REFUND_SINGLE_FEN", func(n int64) { p.Single = money.Fen(n) }},
		{"GUANXI_REFUND_AGE_DAYS", func(n int64) { p.Age = time.Duration(n) * 24 * time.Hour }},
		{"GUANXI_REFUND_SHARE_BP", func(n int64) { p.Share = n }},
		{"GUANXI_REFUND_FREE_FEN", func(n int64) { p.Free = money.Fen(n) }},
		{"GUANXI_REFUND_PERIOD_DAYS", func(n int64) { p.Period = time.Duration(n) * 24 * time.Hour }},
		{"GUANXI_REFUND_SILENCE_HOURS", func(n int64) { p.Silence = time.Duration(n) * time.Hour }},
		{"GUANXI_REFUND_BRAND_FEN", func(n int64) { p.BrandSingle = money.Fen(n) }},
	} {
		n, err := strconv.ParseInt(v[one.name], 10, 64)
		if err != nil || n < 1 || n > int64(money.Max) || n > 1_000_000 && one.name[len(one.name)-4:] != "_FEN" {
			return p, fmt.Errorf("%s: must be a positive number", one.name)
		}
		one.take(n)
	}
	p, err = p.WithDefaults()
	if err != nil {
		return p, fmt.Errorf("GUANXI_REFUND_*: %w", err)
	}
	return p, nil
}
