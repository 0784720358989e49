package commission

import (
	"slices"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
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
)

// Faults lists every refusal of this package, for the catalogue.
func Faults() []*fault.Fault {
	return slices.Concat(book.Faults(), policy.Faults(), voucher.Faults(), []*fault.Fault{
		ErrRefundInvalid, ErrRefundReused, ErrRefundForeign, ErrRefundMany,
		ErrWindowInvalid, ErrPayoutInvalid, ErrPayoutUnknown,
		ErrPurseShort, ErrPurseBusy, ErrVoucherInvalid, ErrVoucherReused, ErrVoucherMissing, ErrVoucherOwn, ErrVoucherBenefit, ErrVoucherDecided,
		ErrDisputeInvalid, ErrDisputeMissing, ErrDisputeDecided, ErrPeriodInvalid, ErrPeriodOpen, ErrPeriodOrder,
	})
}
