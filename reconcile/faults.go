package reconcile

import "guanxi/internal/fault"

// The ways reconcile says no.
var (
	// ErrNotFound: no such run or task.
	ErrNotFound = fault.Define("REC_NOT_FOUND", fault.NotFound,
		"没有找到这条对账记录。", "There is no such reconciliation record.")
	// ErrDay: not a statement, or not a business day.
	ErrDay = fault.Define("REC_DAY_INVALID", fault.Invalid,
		"账单类型或日期不正确。", "This is not a statement of a business day.")
	// ErrTooEarly: the platform gives the bill from 10:00 of the next day.
	ErrTooEarly = fault.Define("REC_TOO_EARLY", fault.Conflict,
		"账单次日上午十点后才能获取。", "The bill is ready from ten in the morning of the next day.")
	// ErrTooOld: the platform has forgotten the bill and we never had it.
	ErrTooOld = fault.Define("REC_TOO_OLD", fault.Conflict,
		"账单已超过三个月，平台不再提供。", "The bill is more than three months old and no longer available.")
	// ErrBusy: the day is being matched right now.
	ErrBusy = fault.Define("REC_BUSY", fault.Conflict,
		"该日对账正在进行，请稍后再试。", "This day is being matched right now; try again later.")
	// ErrWrongState: the record does not allow this now.
	ErrWrongState = fault.Define("REC_WRONG_STATE", fault.Conflict,
		"当前状态不允许此操作。", "The record's state does not allow this.")
	// ErrInvalid: an explanation that cannot be taken.
	ErrInvalid = fault.Define("REC_INVALID", fault.Invalid,
		"请填写处理人和说明。", "Who resolves it and why must be said.")
	// ErrPage: a page size or place that cannot be.
	ErrPage = fault.Define("REC_PAGE_INVALID", fault.Invalid,
		"分页参数不正确。", "The page cannot be read.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrNotFound, ErrDay, ErrTooEarly, ErrTooOld, ErrBusy, ErrWrongState, ErrInvalid, ErrPage,
	}
}
