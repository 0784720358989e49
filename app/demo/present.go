package demo

import (
	"context"
	"strconv"

	"guanxi/app"
	"guanxi/commission/withdrawal"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const few = 5 // units left that are worth a warning

// refresh says what is going on in a scene at this moment.
func refresh(ctx context.Context, program *app.App, scene *Scene) error {
	c, err := program.Campaigns.Get(ctx, scene.Campaign)
	if err != nil {
		return err
	}
	p, err := program.Campaigns.Progress(ctx, scene.Campaign)
	if err != nil {
		return err
	}
	skus := make([]string, len(c.Items))
	for i, it := range c.Items {
		skus[i] = it.SKU
	}
	free, err := program.Catalog.Available(ctx, skus)
	if err != nil {
		return err
	}
	left := int64(0)
	for _, units := range free {
		left += units
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch {
	case c.State == groupbuy.Scheduled:
		scene.Words = c.StartsAt.In(clock.Shanghai()).Format("1月2日 15:04") + " 开团"
	case c.State != groupbuy.Open:
		scene.Words, scene.Over = "已结束", true
	case left == 0:
		scene.Words = "已售罄"
	case left <= few:
		scene.Words = "只剩最后 " + number(left) + " 件"
	case !p.Formed && p.MinSeats > p.Seats:
		scene.Words = "还差 " + number(p.MinSeats-p.Seats) + " 人成团"
	default:
		scene.Words = "已接龙 " + number(p.Seats) + " 人次"
	}
	return nil
}

// States of a purse without an open withdrawal.
const (
	purseReady = "ready"
	purseEmpty = "empty"
)

// refresh says how a purse stands at this moment.
func (p *Purse) refresh(ctx context.Context, program *app.App, member string) error {
	newest, err := program.Withdrawals.Mine(ctx, member, docstore.Paging{First: 1})
	if err != nil {
		return err
	}
	if len(newest.Items) > 0 && !newest.Items[0].State.Ended() {
		w := newest.Items[0]
		p.State, p.Number, p.Words = string(w.State), w.Number(), "提现 ¥"+w.Gross.Yuan()+" 正在处理"
		switch w.State {
		case withdrawal.Held:
			p.Words = "提现 ¥" + w.Gross.Yuan() + " 等品牌审核"
		case withdrawal.Waiting:
			p.Words = "提现 ¥" + w.Gross.Yuan() + " 等本人在微信里确认"
		}
		return nil
	}
	o, err := program.Withdrawals.Outlook(ctx, member)
	if err != nil {
		return err
	}
	p.State, p.Number, p.Words = purseReady, "", "现在可提 ¥"+o.Now.Yuan()
	if o.Now == 0 {
		p.State, p.Words = purseEmpty, "现在没有可提的"
	}
	return nil
}
