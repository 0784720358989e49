package withdrawal

import "guanxi/internal/fault"

// The refusals of this domain. Match them with errors.Is.
var (
	ErrNotFound = fault.Define("WDR_NOT_FOUND", fault.NotFound,
		"没有找到这笔提现", "there is no such withdrawal")
	ErrBadInput = fault.Define("WDR_BAD_INPUT", fault.Invalid,
		"提现信息有误，请检查后重试", "some of the input is not valid")
	ErrKeyReused = fault.Define("WDR_KEY_REUSED", fault.Conflict,
		"同一个请求编号对应了不同的内容", "this idempotency key was used with other content")
	ErrTooSmall = fault.Define("WDR_TOO_SMALL", fault.Invalid,
		"低于最低提现金额", "less than the smallest amount that can be withdrawn")
	ErrTooMuch = fault.Define("WDR_TOO_MUCH", fault.Conflict,
		"超过单笔提现上限", "more than can be withdrawn at one time")
	ErrDayLimit = fault.Define("WDR_DAY_LIMIT", fault.Conflict,
		"超过今日提现额度", "more than can still be withdrawn today")
	ErrMonthLimit = fault.Define("WDR_MONTH_LIMIT", fault.Conflict,
		"超过本月提现额度", "more than can still be withdrawn this month")
	ErrDayCount = fault.Define("WDR_DAY_COUNT", fault.Exhausted,
		"今日提现次数已用完", "no more withdrawals today")
	ErrOpenOne = fault.Define("WDR_OPEN_ONE", fault.Conflict,
		"还有一笔提现未完成，请先处理", "another withdrawal is still open")
	ErrTooNew = fault.Define("WDR_TOO_NEW", fault.Conflict,
		"新账户暂不能提现，请过几天再来", "the account is too new")
	ErrPurseShort = fault.Define("WDR_PURSE_SHORT", fault.Conflict,
		"可提现余额不足", "the purse has not enough")
	ErrNeedsName = fault.Define("WDR_NEEDS_NAME", fault.Conflict,
		"单笔 2000 元及以上需先填写真实姓名", "from 2,000 yuan a real name is required")
	ErrNoWallet = fault.Define("WDR_NO_WALLET", fault.Conflict,
		"没有可收款的微信账户，请重新登录小程序", "there is no wallet to pay to")
	ErrBusy = fault.Define("WDR_BUSY", fault.Conflict,
		"提现正在处理，请稍后再试", "the withdrawal is being worked on; try again in a moment")
	ErrWrongState = fault.Define("WDR_WRONG_STATE", fault.Conflict,
		"提现当前状态不能进行此操作", "the state of the withdrawal does not allow this")
	ErrSameReviewer = fault.Define("WDR_SAME_REVIEWER", fault.Denied,
		"同一人不能审核两次，也不能审核自己的提现", "nobody may review twice, or review their own withdrawal")
	ErrOutcomeMismatch = fault.Define("WDR_OUTCOME_MISMATCH", fault.Conflict,
		"平台结果与提现不符，已记录", "the platform's outcome does not match the withdrawal; this was recorded")
	ErrBadPayee = fault.Define("WDR_BAD_PAYEE", fault.Invalid,
		"收款人信息有误，请检查", "the payee's particulars are not valid")
)

// Faults lists every refusal of this domain for the error catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrNotFound, ErrBadInput, ErrKeyReused, ErrTooSmall, ErrTooMuch, ErrDayLimit, ErrMonthLimit, ErrDayCount, ErrOpenOne,
		ErrTooNew, ErrPurseShort, ErrNeedsName, ErrNoWallet, ErrBusy, ErrWrongState, ErrSameReviewer, ErrOutcomeMismatch,
		ErrBadPayee,
	}
}
