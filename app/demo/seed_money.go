package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
	"guanxi/platform/sandbox"
)

// end is what becomes of a sample withdrawal.
type end int

const (
	endPaid    end = iota
	endFailed      // the wallet cannot receive
	endExpired     // nobody confirms
	endOpen        // waits: for the person, or for staff when it is large
)

// payout is one withdrawal of the sample.
type payout struct {
	by     *phone
	at     time.Time
	amount money.Fen // at most this; 0 = everything
	large  bool      // staff has to look, and agrees
	end    end
	number string
}

const (
	reviewAfter  = 6 * time.Minute // a window later
	confirmAfter = 2 * reviewAfter
)

// day is a time of a day before or after today.
func (s *seeder) day(n int, hour float64) time.Time {
	return midnight(s.now).AddDate(0, 0, n).Add(hours(hour))
}

// planMoney is the story of the money: who withdraws, what goes wrong, and what the brand's staff does.
//
// The first campaigns settle from 30 days before today on. 老陈 (host 2) withdraws everything and then has to give a batch
// of tea back, so his purse is negative for two days; 敏敏妈 (host 3) meets a wallet that cannot receive and a transfer she
// forgets to confirm; 王姐 (host 1) asks for so much that staff has to look.
func (s *seeder) planMoney() {
	s.purses = s.hosts
	wang, chen, minmin := s.hosts[0], s.hosts[1], s.hosts[2]
	s.plan.add(s.day(-26, 12), s.named)
	payouts := []*payout{
		{by: wang, at: s.day(-25, 9.5), amount: 100_00},
		{by: minmin, at: s.day(-24, 9.5), amount: 80_00, end: endFailed},
		{by: minmin, at: s.day(-24, 20), amount: 80_00},
		{by: chen, at: s.day(-22, 9), large: true},
		{by: minmin, at: s.day(-18, 12.5), amount: 20_00, end: endExpired},
		{by: chen, at: s.day(-12, 12.5), amount: 15_00},
		{by: wang, at: s.day(-1, 8), end: endOpen},
		{by: minmin, at: s.now.Add(-2 * time.Hour), amount: 66_00, end: endOpen},
	}
	for i, code := range []string{"sunny", "sunny", "harbor", "mama", "school"} {
		by := s.communities[code].people[i%keen]
		payouts = append(payouts, &payout{by: by, at: s.day(-21, 12).Add(time.Duration(i) * 10 * time.Minute), amount: 10_00})
	}
	for _, p := range payouts {
		s.planPayout(p)
	}
	for _, c := range s.campaigns {
		switch c.Code {
		case "tea":
			s.plan.add(s.day(-21, 10), func(ctx context.Context) error { return s.takeTeaBack(ctx, c) })
		case "crab":
			at := c.drafted().Add(10 * time.Minute)
			s.plan.add(at, func(ctx context.Context) error { return s.crabPolicy(ctx, c) })
		}
	}
	s.planOffice(chen, minmin)
	s.planMonths()
}

// planOffice is a dispute that staff makes good, one that is still open, and money on the merchant's account that no book
// of ours knows.
func (s *seeder) planOffice(chen, minmin *phone) {
	s.plan.add(s.day(-14, 20), func(ctx context.Context) error {
		return s.dispute(ctx, minmin, commission.Accrue, "这一单我带来的邻居一共买了三份，客服说按三份补我 5 元，账上还没看到。")
	})
	s.plan.add(s.day(-13, 10), func(ctx context.Context) error { return s.makeGood(ctx, minmin) })
	s.plan.add(s.day(-2, 21), func(ctx context.Context) error {
		return s.dispute(ctx, chen, commission.ClawBack, "这批茶是品牌仓库受潮的，不该扣我的佣金，麻烦核对一下。")
	})
	s.plan.add(s.day(-6, 15), func(context.Context) error {
		s.app.Sandbox.TopUp(20_000_00)
		s.app.Sandbox.Move(sandbox.Movement{Name: "交易保障扣款", Kind: "其他", Fen: -35_00, Note: "平台扣款，账上没有来由"})
		return nil
	})
}

// planMonths closes every month that is over, on the first day of the next one.
func (s *seeder) planMonths() {
	first := s.start.AddDate(0, 0, 1-s.start.Day())
	for range 3 {
		month := first.Format("2006-01")
		first = first.AddDate(0, 1, 0)
		s.plan.add(midnight(first).Add(10*time.Hour), func(ctx context.Context) error {
			s.months = append(s.months, month)
			return s.office.do(ctx, "checker", "/periods/"+month+"/close", nil, nil)
		})
	}
}

func (s *seeder) planPayout(p *payout) {
	s.plan.add(p.at, func(ctx context.Context) error { return s.withdraw(ctx, p) })
	if p.large {
		s.plan.add(p.at.Add(reviewAfter), func(ctx context.Context) error { return s.approve(ctx, p) })
	}
	switch p.end {
	case endPaid, endFailed:
		s.plan.add(p.at.Add(confirmAfter), func(context.Context) error { return s.receiveMoney(p) })
	case endExpired:
		s.plan.add(p.at.Add(24*time.Hour+10*time.Minute), nil)
	case endOpen:
	}
}

// named gives the hosts' real names, which WeChat knows too.
func (s *seeder) named(ctx context.Context) error {
	for i, name := range []string{"王秀兰", "陈海生", "李敏"} {
		host := s.hosts[i]
		s.app.Sandbox.SetRealName(host.name, name)
		_, err := s.app.Withdrawals.SetPayee(ctx, withdrawal.PayeeInput{Member: host.member, RealName: name, By: host.member})
		if err != nil {
			return fmt.Errorf("%s says who to pay: %w", host.name, err)
		}
	}
	return nil
}

// withdraw asks for as much as there is, up to the amount. Somebody with nothing asks for nothing.
func (s *seeder) withdraw(ctx context.Context, p *payout) error {
	o, err := s.app.Withdrawals.Outlook(ctx, p.by.member)
	if err != nil {
		return fmt.Errorf("%s looks at the purse: %w", p.by.name, err)
	}
	amount := o.Now
	if p.amount > 0 {
		amount = min(amount, p.amount)
	}
	if amount < o.Min {
		return nil
	}
	w, err := s.app.Withdrawals.Ask(ctx, withdrawal.AskInput{
		Key: "demo-" + p.at.UTC().Format("20060102-1504"), Member: p.by.member, Amount: amount, Device: "demo-" + p.by.name,
	})
	if err != nil {
		return fmt.Errorf("%s withdraws: %w", p.by.name, err)
	}
	p.number = w.Number()
	return nil
}

// approve lets staff look at a withdrawal that was held.
func (s *seeder) approve(ctx context.Context, p *payout) error {
	w, err := s.app.Withdrawals.Get(ctx, p.number)
	if err != nil || w.State != withdrawal.Held {
		return err
	}
	body := map[string]any{"why": "金额与账本一致，同意"}
	return s.office.do(ctx, "checker", "/withdrawals/"+p.number+"/approve", body, nil)
}

// receiveMoney taps "receive" in WeChat.
func (s *seeder) receiveMoney(p *payout) error {
	if p.number == "" {
		return nil
	}
	if p.end == endFailed {
		s.app.Sandbox.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionFail, Code: "PAYEE_ACCOUNT_ABNORMAL"})
	}
	err := s.app.Sandbox.ConfirmTransfer(sandbox.ConfirmInput{Number: p.number, OpenID: s.app.Sandbox.OpenID(p.by.name)})
	if err != nil {
		return fmt.Errorf("%s receives: %w", p.by.name, err)
	}
	return nil
}

const damp = 5 // orders of tea that come back

// takeTeaBack is a batch of damp tea, weeks after the commission was paid out: that late it is the brand who refunds.
func (s *seeder) takeTeaBack(ctx context.Context, c *campaign) error {
	left := damp
	for _, b := range c.buys {
		if b.order == "" || b.fate != fatePaid || b.after != afterNothing || !strings.HasPrefix(b.lines[0].sku, "tea/") {
			continue
		}
		err := s.office.do(ctx, "service", "/orders/"+b.order+"/refunds", map[string]any{
			"lines": []any{map[string]any{"line": 1, "units": b.lines[0].units}}, "reason": "这批茶受潮了，全部退",
		}, nil)
		if err != nil {
			return because(err, b, "gets the tea refunded")
		}
		if left--; left == 0 {
			break
		}
	}
	return nil
}

// dispute doubts the newest entry of a kind in somebody's statement.
func (s *seeder) dispute(ctx context.Context, by *phone, kind commission.Kind, words string) error {
	page := commission.Page{Size: 100}
	found, err := s.app.Commission.Statement(ctx, by.member, page)
	if err != nil {
		return fmt.Errorf("%s reads the statement: %w", by.name, err)
	}
	for _, l := range found.Lines {
		if l.Kind != kind {
			continue
		}
		d, err := s.app.Commission.OpenDispute(ctx, commission.DisputeInput{
			Key: "demo", Member: by.member, Entry: l.Entry, Words: words,
		})
		if err != nil {
			return fmt.Errorf("%s doubts: %w", by.name, err)
		}
		s.doubts[by.name] = d.ID
		return nil
	}
	return nil
}

// makeGood answers a dispute: one person of staff proposes the correction, another approves it, a third one writes back.
func (s *seeder) makeGood(ctx context.Context, by *phone) error {
	id := s.doubts[by.name]
	if id == "" {
		return nil
	}
	d, err := s.app.Commission.Dispute(ctx, id)
	if err != nil {
		return fmt.Errorf("demo: seed: dispute: %w", err)
	}
	var voucher struct{ ID string }
	err = s.office.do(ctx, "maker", "/adjustments", map[string]any{
		"kind": commission.Adjust, "from": commission.Adjustment, "to": commission.Available.Of(by.member), "amount_fen": 500,
		"reason": "客服承诺按三份补，已核对聊天记录", "corrects": d.Entry, "dispute": d.ID,
	}, &voucher)
	if err != nil {
		return err
	}
	body := map[string]any{"why": "聊天记录属实，同意补 5 元"}
	if err := s.office.do(ctx, "checker", "/adjustments/"+voucher.ID+"/approve", body, nil); err != nil {
		return err
	}
	return s.office.do(ctx, "service", "/disputes/"+d.ID+"/answer", map[string]any{
		"state": commission.DisputeUpheld, "words": "您说得对，已补 5 元到可提现，抱歉久等。", "voucher": voucher.ID,
	}, nil)
}
