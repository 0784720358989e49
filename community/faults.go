package community

import "guanxi/internal/fault"

// The ways community says no.
var (
	// ErrNotFound: no such community.
	ErrNotFound = fault.Define("COMM_NOT_FOUND", fault.NotFound,
		"没有找到这个社群。", "There is no such community.")
	// ErrNotHost: only the community's host may do this.
	ErrNotHost = fault.Define("COMM_NOT_HOST", fault.Denied,
		"只有团长可以进行此操作。", "Only the host of the community may do this.")
	// ErrNotMember: the person does not belong to the community.
	ErrNotMember = fault.Define("COMM_NOT_MEMBER", fault.NotFound,
		"该成员不在这个社群中。", "This person does not belong to the community.")
	// ErrRemoved: the host removed the person; only the host can let them in again.
	ErrRemoved = fault.Define("COMM_REMOVED", fault.Denied,
		"你已被移出这个社群，请联系团长。", "You were removed from this community; please contact its host.")
	// ErrHostStays: a host cannot leave or be removed.
	ErrHostStays = fault.Define("COMM_HOST_STAYS", fault.Conflict,
		"团长不能离开自己的社群。", "A host cannot leave their own community.")
	// ErrInvalid: fields that cannot be taken.
	ErrInvalid = fault.Define("COMM_INVALID", fault.Invalid,
		"填写的内容不符合要求。", "Some of the content is not acceptable.")
	// ErrKeyReused: the idempotency key was used with another content.
	ErrKeyReused = fault.Define("COMM_KEY_REUSED", fault.Conflict,
		"同一请求标识已用于不同的内容。", "The idempotency key was already used with another content.")
	// ErrPointNotFound: no such open pickup point in this community.
	ErrPointNotFound = fault.Define("COMM_POINT_NOT_FOUND", fault.NotFound,
		"没有找到这个自提点，或它已停用。", "There is no such pickup point, or it is closed.")
	// ErrPointsFull: the community has MaxPoints pickup points.
	ErrPointsFull = fault.Define("COMM_POINTS_FULL", fault.Conflict,
		"自提点数量已达上限。", "The community has as many pickup points as it may have.")
	// ErrPickNotFound: the product is not on the shelf.
	ErrPickNotFound = fault.Define("COMM_PICK_NOT_FOUND", fault.NotFound,
		"这个商品不在选品中。", "This product is not on the shelf.")
	// ErrPageInvalid: a page size or place that cannot be.
	ErrPageInvalid = fault.Define("COMM_PAGE_INVALID", fault.Invalid,
		"分页参数不正确。", "The page cannot be read.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrNotFound, ErrNotHost, ErrNotMember, ErrRemoved, ErrHostStays, ErrInvalid, ErrKeyReused, ErrPointNotFound,
		ErrPointsFull, ErrPickNotFound, ErrPageInvalid,
	}
}
