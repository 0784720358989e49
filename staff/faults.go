package staff

import "guanxi/internal/fault"

// The ways staff says no.
var (
	// ErrLoginRefused: unknown, wrong, disabled or run out; it does not say which.
	ErrLoginRefused = fault.Define("STF_LOGIN_REFUSED", fault.Unauthenticated,
		"账号或密码不正确。", "The login or password is wrong.")
	// ErrSessionInvalid: no such session, or it has ended.
	ErrSessionInvalid = fault.Define("STF_SESSION_INVALID", fault.Unauthenticated,
		"登录已过期，请重新登录。", "You are signed out; please sign in again.")
	// ErrChangeFirst: the password was made by somebody else.
	ErrChangeFirst = fault.Define("STF_CHANGE_PASSWORD_FIRST", fault.Denied,
		"请先修改初始密码。", "Change your temporary password first.")
	// ErrDenied: none of the roles may do this.
	ErrDenied = fault.Define("STF_DENIED", fault.Denied,
		"您的岗位没有这项权限。", "Your roles do not allow this.")
	// ErrOwnAccount: somebody tried to change what they may do themselves.
	ErrOwnAccount = fault.Define("STF_OWN_ACCOUNT", fault.Denied,
		"不能改动自己的账号，请由另一位管理员操作。", "You cannot change your own account; ask another administrator.")
	// ErrNotFound: no such operator.
	ErrNotFound = fault.Define("STF_NOT_FOUND", fault.NotFound,
		"没有这位员工。", "There is no such operator.")
	// ErrLoginTaken: the login name belongs to somebody, perhaps disabled.
	ErrLoginTaken = fault.Define("STF_LOGIN_TAKEN", fault.Conflict,
		"这个登录名已被使用，登录名不会重复分配。", "This login name is taken; login names are never given twice.")
	// ErrLoginInvalid: not a login name.
	ErrLoginInvalid = fault.Define("STF_LOGIN_INVALID", fault.Invalid,
		"登录名须以字母开头，只含小写字母、数字、点、横线，2 至 32 位。", "A login name begins with a letter and has 2 to 32 of a-z, 0-9, dot and dash.")
	// ErrNameInvalid: no display name, or too long.
	ErrNameInvalid = fault.Define("STF_NAME_INVALID", fault.Invalid,
		"姓名须为 1 至 40 个字。", "The name must have 1 to 40 characters.")
	// ErrRoleUnknown: no role at all, one twice, or one that does not exist.
	ErrRoleUnknown = fault.Define("STF_ROLE_UNKNOWN", fault.Invalid,
		"岗位不存在、重复或为空。", "The roles are empty, doubled or unknown.")
	// ErrPasswordWeak: too short, too long, or the login name itself.
	ErrPasswordWeak = fault.Define("STF_PASSWORD_WEAK", fault.Invalid,
		"密码须为 12 至 128 个字符，不能包含登录名，不能过于重复。", "A password has 12 to 128 characters, does not contain the login name and is not one character repeated.")
	// ErrPasswordSame: the new one is the old one.
	ErrPasswordSame = fault.Define("STF_PASSWORD_SAME", fault.Invalid,
		"新密码不能与旧密码相同。", "The new password must differ from the old one.")
	// ErrPasswordWrong: the present password was not given rightly.
	ErrPasswordWrong = fault.Define("STF_PASSWORD_WRONG", fault.Denied,
		"当前密码不正确。", "The present password is not right.")
	// ErrSlow: too many wrong passwords lately for this name at this address; Retry-After says how long to wait.
	ErrSlow = fault.Define("STF_SLOW_DOWN", fault.Exhausted,
		"尝试过于频繁，请稍候再试。", "Too many attempts; wait a moment.")
	// ErrTwoPeople: what gives power or an entry is proposed by one and confirmed by another.
	ErrTwoPeople = fault.Define("STF_TWO_PEOPLE", fault.Denied,
		"须由一位管理员提出、另一位管理员确认。", "One administrator proposes this, another one confirms it.")
	// ErrCooling: one of the two handed the other an enrolment code lately.
	ErrCooling = fault.Define("STF_COOLING", fault.Denied,
		"您最近经手过对方的登录码（或对方经手过您的），暂不能复核彼此提交的事项，请由其他同事复核。",
		"One of you handed the other an enrolment code lately; a third person must check this.")
	// ErrMemberInvalid: not a member's id.
	ErrMemberInvalid = fault.Define("STF_MEMBER_INVALID", fault.Invalid,
		"会员编号不正确。", "Not a member's id.")
	// ErrLocked: too many wrong passwords; told only to whom is signed in.
	ErrLocked = fault.Define("STF_LOCKED", fault.Exhausted,
		"密码错误次数过多，请稍后再试。", "Too many wrong passwords; try again later.")
	// ErrMove: the account is not in a state that allows it.
	ErrMove = fault.Define("STF_STATE", fault.Conflict,
		"账号当前状态不允许此操作。", "The account's state does not allow this.")
	// ErrQuery: a page, a size or a filter that cannot be.
	ErrQuery = fault.Define("STF_QUERY_INVALID", fault.Invalid,
		"查询条件有误。", "The query is not valid.")
	// ErrDeed: a deed without an actor or an operation, or an outcome given twice.
	ErrDeed = fault.Define("STF_DEED_INVALID", fault.Invalid,
		"操作记录有误。", "The record of the deed is not valid.")
	// ErrDraftInvalid: no title, no content, or too much of it.
	ErrDraftInvalid = fault.Define("STF_DRAFT_INVALID", fault.Invalid,
		"草稿缺少标题或内容，或内容过长。", "The draft has no title or content, or too much of it.")
	// ErrDraftReused: the key is known with another content.
	ErrDraftReused = fault.Define("STF_DRAFT_CONFLICT", fault.Conflict,
		"同一操作编号已提交过不同内容的草稿。", "This key is known with another draft.")
	// ErrDraftMissing: no such draft.
	ErrDraftMissing = fault.Define("STF_DRAFT_NOT_FOUND", fault.NotFound,
		"没有这份草稿。", "There is no such draft.")
	// ErrDraftOwn: who made it cannot decide it.
	ErrDraftOwn = fault.Define("STF_DRAFT_OWN", fault.Denied,
		"经办人不能复核自己提交的草稿。", "Who made a draft cannot approve it.")
	// ErrDraftState: it has been decided already.
	ErrDraftState = fault.Define("STF_DRAFT_STATE", fault.Conflict,
		"这份草稿已有结论。", "The draft has been decided already.")
	// ErrDraftBusy: another checker is at it.
	ErrDraftBusy = fault.Define("STF_DRAFT_BUSY", fault.Conflict,
		"另一位同事正在处理这份草稿，请稍后再试。", "A colleague is working on this draft; try again in a moment.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrLoginRefused, ErrSessionInvalid, ErrChangeFirst, ErrDenied, ErrOwnAccount, ErrNotFound, ErrLoginTaken,
		ErrLoginInvalid, ErrNameInvalid, ErrRoleUnknown, ErrPasswordWeak, ErrPasswordSame, ErrPasswordWrong, ErrLocked,
		ErrSlow, ErrTwoPeople, ErrCooling, ErrMemberInvalid, ErrMove, ErrQuery, ErrDeed, ErrDraftInvalid, ErrDraftReused, ErrDraftMissing, ErrDraftOwn, ErrDraftState, ErrDraftBusy,
	}
}
