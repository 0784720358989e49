package task

import "guanxi/internal/fault"

// The ways a task says no.
var (
	// ErrNotFound: no such task.
	ErrNotFound = fault.Define("TSK_NOT_FOUND", fault.NotFound, "没有这条待办。", "There is no such task.")
	// ErrTaken: a colleague works on it.
	ErrTaken = fault.Define("TSK_TAKEN", fault.Conflict,
		"这条待办已由其他同事处理，请先转交。", "A colleague works on this task; let it be handed over first.")
	// ErrWrongState: it is closed, or open.
	ErrWrongState = fault.Define("TSK_WRONG_STATE", fault.Conflict, "待办当前状态不允许此操作。", "The task's state does not allow this.")
	// ErrInvalid: words are missing or too long.
	ErrInvalid = fault.Define("TSK_INVALID", fault.Invalid, "请填写说明，最多 500 字。", "An explanation of at most 500 characters is needed.")
	// ErrPage: a page size or place that cannot be, or a filter nobody knows.
	ErrPage = fault.Define("TSK_PAGE_INVALID", fault.Invalid, "筛选或分页参数不正确。", "The filter or the page cannot be read.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{ErrNotFound, ErrTaken, ErrWrongState, ErrInvalid, ErrPage}
}
