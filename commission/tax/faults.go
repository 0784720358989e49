package tax

import "guanxi/internal/fault"

// The refusals of this package. Match them with errors.Is.
var (
	ErrBadTable = fault.Define("TAX_BAD_TABLE", fault.Invalid,
		"税表内容有误，请检查", "the tax table is not valid")
	ErrTablePast = fault.Define("TAX_TABLE_PAST", fault.Conflict,
		"税表的生效时间太早", "the tax table would take effect too early")
	ErrTableFar = fault.Define("TAX_TABLE_FAR", fault.Invalid,
		"税表的生效时间太远", "the tax table would take effect too far ahead")
	ErrTableInForce = fault.Define("TAX_TABLE_IN_FORCE", fault.Conflict,
		"这版税表已经生效或即将生效，不能撤回；请发布新的一版", "this table is in force or about to be, and cannot be recalled; publish another")
	ErrTableOwn = fault.Define("TAX_TABLE_OWN", fault.Denied,
		"撤回须由两个人完成", "recalling a table takes two people")
	ErrTableRaced = fault.Define("TAX_TABLE_RACED", fault.Conflict,
		"同时有人发布了另一版税表，请刷新后重试", "somebody else published a table at this moment")
	ErrTableMissing = fault.Define("TAX_TABLE_MISSING", fault.NotFound,
		"没有找到这版税表", "there is no such tax table")
	ErrBadPayment = fault.Define("TAX_BAD_PAYMENT", fault.Invalid,
		"付款金额或收款人类型有误", "the amount or the kind of payee is not valid")
)

// Faults lists every refusal of this package for the error catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{ErrBadTable, ErrTablePast, ErrTableFar, ErrTableInForce, ErrTableOwn, ErrTableRaced, ErrTableMissing, ErrBadPayment}
}
