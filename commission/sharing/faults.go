package sharing

import "guanxi/internal/fault"

// The refusals of this domain. Match them with errors.Is.
var (
	ErrNotFound = fault.Define("SHR_NOT_FOUND", fault.NotFound, "没有找到这笔分账", "there is no such sharing")
	ErrBadOrder = fault.Define("SHR_BAD_ORDER", fault.Invalid, "订单信息有误，不能分账", "the order cannot be shared as it is")
)

// Faults lists every refusal of this domain for the error catalogue.
func Faults() []*fault.Fault { return []*fault.Fault{ErrNotFound, ErrBadOrder} }
