package hosting

import "guanxi/internal/fault"

// The ways hosting says no.
var (
	// ErrNotApproved: the member has not been approved to host.
	ErrNotApproved = fault.Define("HST_NOT_APPROVED", fault.Denied,
		"还没有通过团长审核，请先申请。", "You are not an approved host; please apply first.")
	// ErrRevoked: the approval was taken back.
	ErrRevoked = fault.Define("HST_REVOKED", fault.Denied,
		"团长资格已被暂停，已付款的订单请继续完成，其余请联系品牌。", "Your hosting was revoked; please fulfil what is paid, and contact the brand.")
	// ErrUnderReview: a host from before the rule; nothing new until staff has looked.
	ErrUnderReview = fault.Define("HST_UNDER_REVIEW", fault.Denied,
		"团长资格正在复核，进行中的接龙不受影响，复核后可开新的。", "Your hosting is under review; what runs goes on, new things wait.")
	// ErrNotFound: the member never applied.
	ErrNotFound = fault.Define("HST_NOT_FOUND", fault.NotFound,
		"没有这位会员的团长申请。", "There is no application of this member.")
	// ErrState: the step does not fit where the hosting stands.
	ErrState = fault.Define("HST_STATE", fault.Conflict,
		"当前状态不能进行此操作。", "The state does not allow this.")
	// ErrInvalid: fields that cannot be taken.
	ErrInvalid = fault.Define("HST_INVALID", fault.Invalid,
		"填写的内容不符合要求。", "Some of the content is not acceptable.")
	// ErrOwn: nobody decides about their own hosting.
	ErrOwn = fault.Define("HST_OWN", fault.Denied,
		"不能审核自己的团长资格，请由另一位同事操作。", "You cannot decide about your own hosting; ask a colleague.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{ErrNotApproved, ErrRevoked, ErrUnderReview, ErrNotFound, ErrState, ErrInvalid, ErrOwn}
}
