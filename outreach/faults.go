package outreach

import "guanxi/internal/fault"

// The refusals of this domain. Match them with errors.Is.
var (
	ErrBadInput = fault.Define("OUT_BAD_INPUT", fault.Invalid,
		"通知内容有误", "some of the input is not valid")
	ErrKeyReused = fault.Define("OUT_KEY_REUSED", fault.Conflict,
		"同一个请求编号对应了不同的内容", "this idempotency key was used with other content")
)

// Faults lists every refusal of this domain for the error catalogue.
func Faults() []*fault.Fault { return []*fault.Fault{ErrBadInput, ErrKeyReused} }
