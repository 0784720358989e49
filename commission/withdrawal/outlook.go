package withdrawal

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/money"
)

// Outlook is what a member could withdraw at this moment, and what stands in the way of more.
type Outlook struct {
	Member    string
	Now       money.Fen // the most that could be asked for at once; 0 when nothing
	Free      money.Fen // what the purse could give; negative after a late refund
	Min       money.Fen
	LeftTimes int       // requests left today
	LeftToday money.Fen // of the daily limit
	LeftMonth money.Fen
	Needs     money.Fen // from this amount a real name must be known; 0 when it is
	Reasons   []Finding // what stands in the way, for the member; empty when all of Free can be asked for
}

// Outlook tells how much a member can withdraw now and every reason why it is not more. What is pending, and until when, is
// the ledger's to tell.
func (s *Service) Outlook(ctx context.Context, member string) (Outlook, error) {
	if !memberID(member) {
		return Outlook{}, ErrBadInput.With("member", "会员无效 / the member is not valid")
	}
	probe := &Withdrawal{Member: member, Gross: s.config.Min}
	known, err := s.known(ctx, probe)
	noWallet := errors.Is(err, ErrNoWallet)
	if err != nil && !noWallet {
		return Outlook{}, wrap("outlook", err)
	}
	purse, err := s.deps.Ledger.Spendable(ctx, member)
	if err != nil {
		return Outlook{}, wrap("outlook: purse", err)
	}
	known.purse = &purse
	if known.earlier, err = s.deskOf(ctx, member); err != nil {
		return Outlook{}, err
	}
	o := s.config.outlook(member, known)
	if noWallet {
		o.Now, o.Reasons = 0, append(o.Reasons, Finding{NoWallet, ErrNoWallet.ZH})
	}
	return o, nil
}

// outlook is the pure part: known.amount is the smallest amount.
func (c *Config) outlook(member string, known facts) Outlook {
	u := usageOf(known.earlier, known.now, time.Hour)
	o := Outlook{
		Member: member, Free: known.purse.Free, Min: c.Min, LeftTimes: max(0, c.MaxCount-u.count),
		LeftToday: max(0, c.MaxPerDay-u.today), LeftMonth: max(0, c.MaxMonthly-u.month),
	}
	if !known.named {
		o.Needs = c.RealNameFrom
	}
	o.Reasons = c.assess(known).refuse
	if known.purse.Held > 0 {
		o.Reasons = append(o.Reasons, Finding{PurseHeld, "有 " + known.purse.Held.Yuan() + " 元已申请提现，正在入账"})
	}
	if len(c.assess(known).refuse) > 0 {
		return o
	}
	o.Now = min(known.purse.Free, c.MaxPerTime, o.LeftToday, o.LeftMonth)
	limit := func(code Code, at money.Fen, words string) {
		if o.Free > at {
			o.Reasons = append(o.Reasons, Finding{code, words + " " + at.Yuan() + " 元"})
		}
	}
	limit(TooMuch, c.MaxPerTime, "单笔最多提现")
	limit(DayLimit, o.LeftToday, "今日还可提现")
	limit(MonthLimit, o.LeftMonth, "本月还可提现")
	if !known.named && o.Now >= c.RealNameFrom {
		o.Now = c.RealNameFrom - 1
		o.Reasons = append(o.Reasons, Finding{NeedsName, "单笔 " + c.RealNameFrom.Yuan() + " 元及以上需先填写真实姓名"})
	}
	return o
}
