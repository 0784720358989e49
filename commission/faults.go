package commission

import (
	"guanxi/commission/internal/book"
	"guanxi/commission/voucher"
	"guanxi/internal/fault"
)

// What commission refuses.
var (
	ErrRefundInvalid = fault.Define("COM_REFUND_INVALID", fault.Invalid, "退款数据不完整或不正确。", "The refund is incomplete or not valid.")
	ErrRefundReused  = fault.Define("COM_REFUND_CONFLICT", fault.Conflict, "同一退款单号已登记了不同的内容。", "This refund number is known with another content.")
	ErrRefundForeign = fault.Define("COM_REFUND_MISMATCH", fault.Conflict, "退款行与该订单的佣金记录对不上。", "The refunded lines do not belong to the sale as it was accrued.")
	ErrRefundMany    = fault.Define("COM_REFUND_TOO_MANY", fault.Conflict, "该订单的退款次数超过上限。", "The order has reached the limit of refunds.")
	ErrWindowInvalid = fault.Define("COM_WINDOW_INVALID", fault.Invalid, "收货数据不完整或不正确。", "The order or the time of receipt is not valid.")

	ErrPayoutInvalid = fault.Define("COM_PAYOUT_INVALID", fault.Invalid, "提现数据不完整或不正确。", "The payout is incomplete or not valid.")
	ErrPayoutUnknown = fault.Define("COM_PAYOUT_UNKNOWN", fault.Conflict, "账上没有这样一笔提现。", "The ledger knows no such payout.")
	ErrPurseShort    = fault.Define("COM_PURSE_SHORT", fault.Conflict, "可提现余额不足。", "There is not enough to withdraw.")
	ErrPurseBusy     = fault.Define("COM_PURSE_BUSY", fault.Unavailable, "账户正在重新核算，请稍后再试。", "The purse is being recomputed; try again soon.")

	ErrVoucherInvalid = fault.Define("COM_VOUCHER_INVALID", fault.Invalid, "凭证内容不完整或不正确。", "The voucher is incomplete or not valid.")
	ErrVoucherReused  = fault.Define("COM_VOUCHER_CONFLICT", fault.Conflict, "同一幂等键已提交过不同内容的凭证。", "This key is known with another voucher.")
	ErrVoucherMissing = fault.Define("COM_VOUCHER_NOT_FOUND", fault.NotFound, "找不到这张凭证。", "There is no such voucher.")
	ErrVoucherOwn     = fault.Define("COM_VOUCHER_OWN", fault.Denied, "经办人不能复核自己提交的凭证。", "Who made a voucher cannot approve it.")
	ErrVoucherBenefit = fault.Define("COM_VOUCHER_BENEFIT", fault.Denied, "不能经办或复核给自己的凭证。", "Nobody makes or checks a voucher about their own purse.")
	ErrVoucherDecided = fault.Define("COM_VOUCHER_DECIDED", fault.Conflict, "这张凭证已有结论。", "The voucher has been decided already.")
	ErrDisputeInvalid = fault.Define("COM_DISPUTE_INVALID", fault.Invalid, "申诉内容不完整或不正确。", "The dispute is incomplete or not valid.")
	ErrDisputeMissing = fault.Define("COM_DISPUTE_NOT_FOUND", fault.NotFound, "找不到这条申诉。", "There is no such dispute.")
	ErrDisputeDecided = fault.Define("COM_DISPUTE_DECIDED", fault.Conflict, "这条申诉已有答复。", "The dispute has been answered already.")
	ErrPeriodInvalid  = fault.Define("COM_PERIOD_INVALID", fault.Invalid, "会计期间不正确。", "Not a valid period.")
	ErrPeriodOpen     = fault.Define("COM_PERIOD_OPEN", fault.Conflict, "这个月还没有结账。", "The month is not over or not closed yet.")
	ErrPeriodOrder    = fault.Define("COM_PERIOD_ORDER", fault.Conflict, "请先结清更早的月份。", "An earlier month has to be closed first.")

	ErrPolicyMissing     = fault.Define("COM_POLICY_MISSING", fault.Conflict, "当时还没有生效的佣金规则。", "No commission policy was in force at that time.")
	ErrPolicyInvalid     = fault.Define("COM_POLICY_INVALID", fault.Invalid, "佣金规则不正确。", "The commission policy is not valid.")
	ErrPolicyAmbiguous   = fault.Define("COM_POLICY_AMBIGUOUS", fault.Invalid, "同一对象有两条规则，无法判断用哪一条。", "Two rules name the same thing; it is not clear which one counts.")
	ErrPolicyPast        = fault.Define("COM_POLICY_PAST", fault.Invalid, "新规则不能在过去生效：已入账的佣金不会被改写。", "A policy cannot take effect in the past: accrued commission is never rewritten.")
	ErrPolicyFar         = fault.Define("COM_POLICY_FAR", fault.Invalid, "生效时间太远。", "A policy cannot take effect so far ahead.")
	ErrPolicyRole        = fault.Define("COM_POLICY_ROLE", fault.Invalid, "规则里有订单不会带上的角色，付不到任何人。", "A rule pays a role that no order can name anybody in.")
	ErrPolicyNobody      = fault.Define("COM_POLICY_NOBODY", fault.Invalid, "按这份规则付不到任何人；要停发佣金，请把上限设为 0 且不写任何受益人。", "The policy would pay nobody; to stop commission set the cap to 0 and name no beneficiary.")
	ErrPolicyInForce     = fault.Define("COM_POLICY_IN_FORCE", fault.Conflict, "这一版已经生效或即将生效，不能撤回；请发布新的一版。", "This version is in force or about to be, and cannot be recalled; publish another.")
	ErrPolicyOwn         = fault.Define("COM_POLICY_OWN", fault.Denied, "撤回须由两个人完成。", "Recalling a version takes two people.")
	ErrPolicyRaced       = fault.Define("COM_POLICY_RACED", fault.Conflict, "刚刚有另一版规则发布，请重新核对后再发布。", "Another policy was published just now; look again before publishing.")
	ErrPolicySecondLevel = fault.Define("COM_POLICY_SECOND_LEVEL_OFF", fault.Invalid, "规则含第二级佣金，但第二级没有开启。", "A rule pays the second level, but the second level is off.")
	ErrPolicyDepth       = fault.Define("COM_POLICY_DEPTH", fault.Invalid,
		"计酬层级最多两级（含直接推荐）：三级及以上计酬属于《禁止传销条例》所禁止的团队计酬。",
		"At most two paid levels, the direct one included: paying a third level is pyramid selling under the Regulations on the Prohibition of Pyramid Selling.")
	ErrPolicyRecruiting = fault.Define("COM_POLICY_RECRUITING", fault.Invalid,
		"不得按发展人数或入门费计酬：《禁止传销条例》第七条禁止以拉人头、收取入门费牟利。",
		"Paying for recruits or entry fees is forbidden by article 7 of the Regulations on the Prohibition of Pyramid Selling.")
)

// Faults lists every refusal of this package, for the catalogue.
func Faults() []*fault.Fault {
	return append(append(book.Faults(), voucher.Faults()...),
		ErrRefundInvalid, ErrRefundReused, ErrRefundForeign, ErrRefundMany,
		ErrWindowInvalid, ErrPayoutInvalid, ErrPayoutUnknown,
		ErrPurseShort, ErrPurseBusy, ErrVoucherInvalid, ErrVoucherReused, ErrVoucherMissing, ErrVoucherOwn, ErrVoucherBenefit, ErrVoucherDecided,
		ErrDisputeInvalid, ErrDisputeMissing, ErrDisputeDecided, ErrPeriodInvalid, ErrPeriodOpen, ErrPeriodOrder, ErrPolicyMissing, ErrPolicyInvalid,
		ErrPolicyAmbiguous, ErrPolicyFar, ErrPolicyRole, ErrPolicyNobody, ErrPolicyInForce, ErrPolicyOwn, ErrPolicyPast, ErrPolicyRaced, ErrPolicySecondLevel, ErrPolicyDepth, ErrPolicyRecruiting,
	)
}
