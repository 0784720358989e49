package distribution

import "guanxi/internal/fault"

// The ways distribution says no.
var (
	// ErrInvalid: fields that cannot be taken.
	ErrInvalid = fault.Define("DIST_INVALID", fault.Invalid,
		"填写的内容不符合要求。", "Some of the content is not acceptable.")
	// ErrShareNotFound: no such share link.
	ErrShareNotFound = fault.Define("DIST_SHARE_NOT_FOUND", fault.NotFound,
		"这个分享链接不存在。", "There is no such share link.")
	// ErrTouchNotFound: no such touch.
	ErrTouchNotFound = fault.Define("DIST_TOUCH_NOT_FOUND", fault.NotFound,
		"没有找到这次打开记录。", "There is no such touch.")
	// ErrKeyReused: the idempotency key was used with another content.
	ErrKeyReused = fault.Define("DIST_KEY_REUSED", fault.Conflict,
		"同一请求标识已用于不同的内容。", "The idempotency key was already used with another content.")
	// ErrLoop: the bond would close a circle.
	ErrLoop = fault.Define("DIST_LOOP", fault.Conflict,
		"这样绑定会形成循环，不能执行。", "This bond would close a circle.")
	// ErrChainLong: too many people stand above the new holder to be looked at; whether it is a circle is not known.
	ErrChainLong = fault.Define("DIST_CHAIN_LONG", fault.Conflict,
		"归属链条太长，无法判断是否循环。", "The line of people above is too long to be checked for a circle.")
	// ErrSelf: nobody can be bonded to themselves.
	ErrSelf = fault.Define("DIST_SELF", fault.Invalid,
		"不能把会员绑定给自己。", "A member cannot be bonded to themselves.")
	// ErrPolicyInvalid: a policy that contradicts itself.
	ErrPolicyInvalid = fault.Define("DIST_POLICY_INVALID", fault.Invalid,
		"绑定规则不符合要求。", "The bond policy is not acceptable.")
	// ErrPolicyExists: the version, or the moment it starts at, is taken by another policy.
	ErrPolicyExists = fault.Define("DIST_POLICY_EXISTS", fault.Conflict,
		"该版本或生效时间已有其他规则。", "Another policy has this version or starting time.")
	// ErrPolicyTooSoon: a policy must be published ahead of its start.
	ErrPolicyTooSoon = fault.Define("DIST_POLICY_TOO_SOON", fault.Invalid,
		"规则须提前发布，不能追溯生效。", "A policy must be published ahead of its start.")
	// ErrPolicyFar: it would start beyond the horizon.
	ErrPolicyFar = fault.Define("DIST_POLICY_FAR", fault.Invalid,
		"规则的生效时间太远。", "A policy cannot start so far ahead.")
	// ErrPolicyMissing: no such policy.
	ErrPolicyMissing = fault.Define("DIST_POLICY_NOT_FOUND", fault.NotFound,
		"没有这一版绑定规则。", "There is no such bond policy.")
	// ErrPolicyInForce: it has started, or is about to.
	ErrPolicyInForce = fault.Define("DIST_POLICY_IN_FORCE", fault.Conflict,
		"这一版已经生效或即将生效，不能撤回；请发布新的一版。", "This policy is in force or about to be, and cannot be recalled; publish another.")
	// ErrPolicyOwn: one person cannot recall alone.
	ErrPolicyOwn = fault.Define("DIST_POLICY_OWN", fault.Denied,
		"撤回须由两个人完成。", "Recalling a policy takes two people.")
	// ErrPageInvalid: a page size or place that cannot be.
	ErrPageInvalid = fault.Define("DIST_PAGE_INVALID", fault.Invalid,
		"分页参数不正确。", "The page cannot be read.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrInvalid, ErrShareNotFound, ErrTouchNotFound, ErrKeyReused, ErrLoop, ErrChainLong, ErrSelf, ErrPolicyInvalid, ErrPolicyExists,
		ErrPolicyTooSoon, ErrPolicyFar, ErrPolicyMissing, ErrPolicyInForce, ErrPolicyOwn, ErrPageInvalid,
	}
}
