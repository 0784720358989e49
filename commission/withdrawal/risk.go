package withdrawal

import (
	"fmt"
	"time"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// Code names a check.
type Code string

// The checks, and what stands in the way of a withdrawal.
const (
	TooSmall       Code = "TOO_SMALL"
	TooMuch        Code = "TOO_MUCH"
	DayLimit       Code = "DAY_LIMIT"
	MonthLimit     Code = "MONTH_LIMIT"
	DayCount       Code = "DAY_COUNT"
	OpenOne        Code = "OPEN_ONE"
	TooNew         Code = "TOO_NEW"
	PurseShort     Code = "PURSE_SHORT"
	PurseNegative  Code = "PURSE_NEGATIVE" // a refund took back what was already paid out
	PurseHeld      Code = "PURSE_HELD"     // part of the purse is asked for already
	NeedsName      Code = "NEEDS_NAME"
	NoWallet       Code = "NO_WALLET"
	OverAuto       Code = "OVER_AUTO"
	Velocity       Code = "VELOCITY"
	SharedIdentity Code = "SHARED_IDENTITY"
	SharedDevice   Code = "SHARED_DEVICE"
)

// Effect is what a finding does to a request.
type Effect string

// The effects.
const (
	EffectIgnore Effect = "ignore"
	EffectHold   Effect = "hold"   // a person must look
	EffectRefuse Effect = "refuse" // not now
)

func (e Effect) known() bool { return e == EffectIgnore || e == EffectHold || e == EffectRefuse }

// checks is what each check does by itself, whether the brand may change it, and the refusal it becomes.
var checks = [...]struct {
	code    Code
	effect  Effect
	tunable bool
	fault   *fault.Fault
}{
	{TooSmall, EffectRefuse, false, ErrTooSmall},
	{TooMuch, EffectRefuse, false, ErrTooMuch},
	{DayLimit, EffectRefuse, false, ErrDayLimit},
	{MonthLimit, EffectRefuse, false, ErrMonthLimit},
	{DayCount, EffectRefuse, false, ErrDayCount},
	{OpenOne, EffectRefuse, false, ErrOpenOne},
	{PurseNegative, EffectRefuse, false, ErrPurseShort},
	{PurseShort, EffectRefuse, false, ErrPurseShort},
	{NeedsName, EffectRefuse, false, ErrNeedsName},
	{NoWallet, EffectRefuse, false, ErrNoWallet},
	{TooNew, EffectRefuse, true, ErrTooNew},
	{OverAuto, EffectHold, false, nil},
	{Velocity, EffectHold, true, ErrDayCount},
	{SharedIdentity, EffectHold, true, ErrBadPayee},
	{SharedDevice, EffectHold, true, ErrBadPayee},
}

func (c Code) standard() Effect {
	for _, k := range checks {
		if k.code == c {
			return k.effect
		}
	}
	return ""
}

func (c Code) tunable() bool {
	for _, k := range checks {
		if k.code == c {
			return k.tunable
		}
	}
	return false
}

// refusal is the fault a refused request is answered with.
func (c Code) refusal() error {
	for _, k := range checks {
		if k.code == c && k.fault != nil {
			return k.fault
		}
	}
	return ErrWrongState
}

func (c *Config) effect(code Code) Effect {
	if e, ok := c.Effects[code]; ok {
		return e
	}
	return code.standard()
}

// facts is what the checks look at.
type facts struct {
	now                          time.Time
	amount                       money.Fen
	since                        time.Time             // of the membership
	named                        bool                  // a real name is known
	purse                        *commission.Spendable // nil: the reservation decides
	earlier                      []deskItem            // the member's other requests
	sharedIdentity, sharedDevice bool
}

// findings are sorted by effect.
type findings struct {
	refuse []Finding
	hold   []Finding
}

func (f *findings) add(c *Config, code Code, format string, args ...any) {
	finding := Finding{Code: code, Words: fmt.Sprintf(format, args...)}
	switch c.effect(code) {
	case EffectRefuse:
		f.refuse = append(f.refuse, finding)
	case EffectHold:
		f.hold = append(f.hold, finding)
	}
}

// assess carries out every check. It is a pure function.
func (c *Config) assess(in facts) findings {
	var f findings
	switch {
	case in.amount < c.Min:
		f.add(c, TooSmall, "单笔最低提现 %s 元", c.Min.Yuan())
	case in.amount > c.MaxPerTime:
		f.add(c, TooMuch, "单笔最多提现 %s 元", c.MaxPerTime.Yuan())
	}
	if in.amount >= c.RealNameFrom && !in.named {
		f.add(c, NeedsName, "单笔 %s 元及以上需先填写真实姓名", c.RealNameFrom.Yuan())
	}
	if until := c.oldEnough(in.since); in.now.Before(until) {
		f.add(c, TooNew, "注册满 %d 天后可提现（%s 起）", c.NewAccountDays, minute(until))
	}
	c.assessPurse(in, &f)
	c.assessDesk(in, &f)
	switch {
	case in.amount > c.AutoLimit:
		f.add(c, OverAuto, "超过 %s 元，需人工审核", c.AutoLimit.Yuan())
	case in.amount >= c.TwoPersonLimit && c.AutoLimit < money.Max: // two people cannot look at what is not held
		f.add(c, OverAuto, "%s 元及以上，需两人审核", c.TwoPersonLimit.Yuan())
	}
	if in.sharedIdentity {
		f.add(c, SharedIdentity, "同一收款身份被多个会员使用")
	}
	if in.sharedDevice {
		f.add(c, SharedDevice, "同一设备被多个会员使用")
	}
	return f
}

func (c *Config) assessPurse(in facts, f *findings) {
	switch {
	case in.purse == nil:
	case in.purse.Free < 0:
		f.add(c, PurseNegative, "可提现余额为负（%s 元）：已提现的佣金因退款被扣回，后续收入会先补足", in.purse.Free.Yuan())
	case in.purse.Free < in.amount:
		f.add(c, PurseShort, "可提现余额只有 %s 元", in.purse.Free.Yuan())
	}
}

func (c *Config) assessDesk(in facts, f *findings) {
	u := usageOf(in.earlier, in.now, time.Duration(c.VelocityHours)*time.Hour)
	if u.open > 0 && !c.Several {
		f.add(c, OpenOne, "还有一笔提现未完成")
	}
	if u.today+in.amount > c.MaxPerDay {
		f.add(c, DayLimit, "今日还可提现 %s 元", max(0, c.MaxPerDay-u.today).Yuan())
	}
	if u.month+in.amount > c.MaxMonthly {
		f.add(c, MonthLimit, "本月还可提现 %s 元", max(0, c.MaxMonthly-u.month).Yuan())
	}
	if u.count >= c.MaxCount {
		f.add(c, DayCount, "每天最多提现 %d 次", c.MaxCount)
	}
	if u.count < c.MaxCount && u.tries >= deskTries {
		f.add(c, DayCount, "每天最多申请提现 %d 次（含已取消的）", deskTries)
	}
	if u.recent >= c.VelocityCount {
		f.add(c, Velocity, "%d 小时内已申请 %d 次", c.VelocityHours, u.recent)
	}
}

// oldEnough is from when a member may withdraw.
func (c *Config) oldEnough(since time.Time) time.Time {
	return since.Add(time.Duration(c.NewAccountDays) * 24 * time.Hour)
}

// minute writes a moment for people in China.
func minute(t time.Time) string { return t.In(clock.Shanghai()).Format("2006-01-02 15:04") }
