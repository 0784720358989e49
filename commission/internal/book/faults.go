package book

import "guanxi/internal/fault"

// What every room refuses alike.
var (
	ErrSaleInvalid   = fault.Define("COM_SALE_INVALID", fault.Invalid, "这笔销售的数据不完整或不正确。", "The sale is incomplete or not valid.")
	ErrEntryConflict = fault.Define("COM_ENTRY_CONFLICT", fault.Conflict, "同一笔账已按不同内容入账。", "This entry is already in the ledger with another content.")
	ErrEntryMissing  = fault.Define("COM_ENTRY_NOT_FOUND", fault.NotFound, "找不到这笔账。", "There is no such entry, or it is not yours.")
	ErrMemberInvalid = fault.Define("COM_MEMBER_INVALID", fault.Invalid, "会员编号不正确。", "Not a member id.")
	ErrPageInvalid   = fault.Define("COM_PAGE_INVALID", fault.Invalid, "翻页参数不正确。", "The page cursor or size is not valid.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{ErrSaleInvalid, ErrEntryConflict, ErrEntryMissing, ErrMemberInvalid, ErrPageInvalid}
}
