package member

import "guanxi/internal/fault"

// The ways member says no.
var (
	// ErrPlatformAway: the platform that knows the person cannot be asked now.
	ErrPlatformAway = fault.Define("MEM_PLATFORM_AWAY", fault.Unavailable,
		"微信暂时没有回应，请稍后再试。", "WeChat does not answer at the moment; please try again.")
	// ErrCodeRefused: the platform refuses the code: used, old or foreign.
	ErrCodeRefused = fault.Define("MEM_CODE_REFUSED", fault.Invalid,
		"登录凭证已失效，请重新进入小程序。", "The login code is no longer valid; please open the mini-program again.")
	// ErrSessionInvalid: no such session, or it has ended.
	ErrSessionInvalid = fault.Define("MEM_SESSION_INVALID", fault.Unauthenticated,
		"登录已过期，请重新登录。", "You are signed out; please sign in again.")
	// ErrNotFound: no such member.
	ErrNotFound = fault.Define("MEM_NOT_FOUND", fault.NotFound,
		"没有找到这位会员。", "There is no such member.")
	// ErrPhoneTaken: the number belongs to another member.
	ErrPhoneTaken = fault.Define("MEM_PHONE_TAKEN", fault.Conflict,
		"这个手机号已绑定其他会员，请联系客服处理。", "This number belongs to another member; please contact service.")
	// ErrPhoneInvalid: what the platform gave is not a phone number.
	ErrPhoneInvalid = fault.Define("MEM_PHONE_INVALID", fault.Invalid,
		"手机号无法识别，请重新授权。", "The phone number could not be read; please authorise again.")
	// ErrConsentInvalid: unknown kind or malformed version.
	ErrConsentInvalid = fault.Define("MEM_CONSENT_INVALID", fault.Invalid,
		"授权内容无法识别。", "The consent could not be understood.")
	// ErrConsentLimit: the record is full; only a withdrawal is still taken.
	ErrConsentLimit = fault.Define("MEM_CONSENT_LIMIT", fault.Exhausted,
		"授权变更过于频繁，请联系客服。", "Consent was changed too often; please contact service.")
	// ErrProfileInvalid: a nickname or avatar that cannot be taken.
	ErrProfileInvalid = fault.Define("MEM_PROFILE_INVALID", fault.Invalid,
		"昵称或头像不符合要求。", "The nickname or avatar is not acceptable.")
	// ErrTooMany: more members asked for at once than MaxProfiles.
	ErrTooMany = fault.Define("MEM_TOO_MANY", fault.Invalid,
		"一次查询的会员过多。", "Too many members were asked for at once.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrPlatformAway, ErrCodeRefused, ErrSessionInvalid, ErrNotFound, ErrPhoneTaken, ErrPhoneInvalid,
		ErrConsentInvalid, ErrConsentLimit, ErrProfileInvalid, ErrTooMany,
	}
}
