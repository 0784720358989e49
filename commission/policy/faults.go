package policy

import "guanxi/internal/fault"

// What is refused of a policy.
var (
	ErrPolicyMissing     = fault.Define("COM_POLICY_MISSING", fault.Conflict, "当时还没有生效的佣金规则。", "No commission policy was in force at that time.")
	ErrPolicyInvalid     = fault.Define("COM_POLICY_INVALID", fault.Invalid, "佣金规则不正确。", "The commission policy is not valid.")
	ErrPolicyAmbiguous   = fault.Define("COM_POLICY_AMBIGUOUS", fault.Invalid, "同一对象有两条规则，无法判断用哪一条。", "Two rules name the same thing; it is not clear which one counts.")
	ErrPolicyPast        = fault.Define("COM_POLICY_PAST", fault.Invalid, "新规则不能在过去生效：已入账的佣金不会被改写。", "A policy cannot take effect in the past: accrued commission is never rewritten.")
	ErrPolicyFar         = fault.Define("COM_POLICY_FAR", fault.Invalid, "生效时间太远。", "A policy cannot take effect so far ahead.")
	ErrPolicyRole        = fault.Define("COM_POLICY_ROLE", fault.Invalid, "规则里有订单不会带上的角色，付不到任何人。", "A rule pays a role that no order can name anybody in.")
	ErrPolicyNobody      = fault.Define("COM_POLICY_NOBODY", fault.Invalid, "按这份规则付不到任何人；要停发佣金，请把上限设为 0 且不写任何受益人。", "The policy would pay nobody; to stop commission set the cap to 0 and name no beneficiary.")
	ErrPolicyInForce     = fault.Define("COM_POLICY_IN_FORCE", fault.Conflict, "这一版已经生效或即将生效，不能撤回；请发布新的一版。", "This version is in force or about to be, and cannot be recalled; publish another.")
	ErrPolicyOwn         = fault.Define("COM_POLICY_OWN", fault.Denied, "撤回须由两个人完成。", "Recalling a version takes two people.")
	ErrPolicyRaced       = fault.Define("COM_POLICY_RACED", fault.Conflict, "刚刚有另一版规则发布，请重新核对后再发布。", "Another policy was published just now; look again before publishing.")
	ErrPolicySecondLevel = fault.Define("COM_POLICY_SECOND_LEVEL_OFF", fault.Invalid, "规则含第二级佣金，但第二级没有开启。", "A rule pays the second level, but the second level is off.")
	ErrPolicyDepth       = fault.Define("COM_POLICY_DEPTH", fault.Invalid,
		"计酬层级最多两级（含直接推荐）：三级及以上计酬属于《禁止传销条例》所禁止的团队计酬。",
		"At most two paid levels, the direct one included: paying a third level is pyramid selling under the Regulations on the Prohibition of Pyramid Selling.")
	ErrPolicyRecruiting = fault.Define("COM_POLICY_RECRUITING", fault.Invalid,
		"不得按发展人数或入门费计酬：《禁止传销条例》第七条禁止以拉人头、收取入门费牟利。",
		"Paying for recruits or entry fees is forbidden by article 7 of the Regulations on the Prohibition of Pyramid Selling.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrPolicyMissing, ErrPolicyInvalid, ErrPolicyAmbiguous, ErrPolicyPast, ErrPolicyFar, ErrPolicyRole, ErrPolicyNobody,
		ErrPolicyInForce, ErrPolicyOwn, ErrPolicyRaced, ErrPolicySecondLevel, ErrPolicyDepth, ErrPolicyRecruiting,
	}
}
