package console

import (
	"context"
	"slices"
	"strconv"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// PolicyRules is what a policy says.
type PolicyRules struct {
	From           time.Time          `json:"from,omitzero" doc:"何时生效；不填则尽快"`
	Note           string             `json:"note,omitempty" maxLength:"160"`
	SecondLevel    bool               `json:"second_level,omitempty" doc:"是否允许第二级，默认不允许；更多级无法表达"`
	Cap            money.BasisPoints  `json:"cap_bp" minimum:"0" maximum:"10000" doc:"每笔销售佣金合计上限，占实付的万分比"`
	MarginFloor    *money.BasisPoints `json:"margin_floor_bp,omitempty" minimum:"0" maximum:"10000" doc:"品牌至少保留的毛利，占实付的万分比；不填则不限"`
	NoSelfPurchase bool               `json:"no_self_purchase,omitempty" doc:"买家在自己的订单里以任何角色都不计佣，其上级也不计"`
	Rail           string             `json:"rail,omitempty" enum:"profit-sharing" doc:"付款方式：不填由会员提现；profit-sharing 为全部结算后从本单货款分账"`
	Rules          []PolicyRule       `json:"rules" minItems:"1" maxItems:"5000"`
}

// PolicyRule says what one kind of line pays. At most one of its subjects is set; none makes the default rule.
type PolicyRule struct {
	SKU       string      `json:"sku,omitempty" maxLength:"64"`
	Product   string      `json:"product,omitempty" maxLength:"64"`
	Campaign  string      `json:"campaign,omitempty" maxLength:"64"`
	Category  string      `json:"category,omitempty" maxLength:"64"`
	Community string      `json:"community,omitempty" maxLength:"64"`
	Grade     string      `json:"grade,omitempty" maxLength:"64"`
	Pays      []PolicyPay `json:"pays" maxItems:"8"`
}

// PolicyPay is what one role gets. The role is checked by the ledger, which gives the legal reason when it is forbidden.
type PolicyPay struct {
	Role  commission.Role   `json:"role" minLength:"1" maxLength:"40" doc:"direct, upline（须绑定规则也开启第二级）, host, pickup"`
	Rate  money.BasisPoints `json:"rate_bp,omitempty" minimum:"0" maximum:"10000" doc:"占基数的万分比"`
	Fixed money.Fen         `json:"fixed_fen,omitempty" minimum:"0" doc:"每件定额"`
}

// PolicyView is a published version.
type PolicyView struct {
	PolicyRules
	Version     int       `json:"version"`
	PublishedAt time.Time `json:"published_at"`
	By          string    `json:"by,omitempty" doc:"复核发布的员工"`

	Recalled *RecallView `json:"recalled,omitempty" doc:"生效前已由两人撤回"`
}

// RecallView is how two people took a version back before it took effect.
type RecallView struct {
	At      time.Time `json:"at"`
	Maker   string    `json:"maker"`
	Checker string    `json:"checker"`
	Why     string    `json:"why"`
}

type policiesOutput struct {
	Body struct {
		People
		Policies []policySummary `json:"policies" doc:"从新到旧"`
	}
}

type policySummary struct {
	Version     int       `json:"version"`
	From        time.Time `json:"from"`
	PublishedAt time.Time `json:"published_at"`
	By          string    `json:"by,omitempty"`
	Note        string    `json:"note,omitempty"`
	Rules       int       `json:"rules" doc:"规则条数"`
	Recalled    bool      `json:"recalled,omitempty" doc:"生效前已撤回"`
}

type policyOutput struct{ Body PolicyView }

// PolicyPath names a version.
type PolicyPath struct {
	Version int `path:"version" minimum:"1" maximum:"99999999"`
}

type checkPolicyInput struct{ Body PolicyRules }

type checkedOutput struct {
	Body struct {
		Good  bool      `json:"good"`
		From  time.Time `json:"from" doc:"现在发布的话，何时生效"`
		Rules []string  `json:"rules" doc:"各规则的名称，按判断顺序"`
	}
}

const (
	tagPolicies = "佣金规则"
	policyBody  = 1 << 20
)

func (c *Console) declarePolicies() {
	edge.Register(c.edge, edge.Operation{
		ID: "policies", Method: "GET", Path: "/console/api/policies", Tag: tagPolicies, Summary: "各版佣金规则",
		Permission: string(staff.PolicyRead),
	}, c.policies)
	edge.Register(c.edge, edge.Operation{
		ID: "policy", Method: "GET", Path: "/console/api/policies/{version}", Tag: tagPolicies, Summary: "一版规则的内容",
		Permission: string(staff.PolicyRead),
	}, func(ctx context.Context, in *PolicyPath) (*policyOutput, error) {
		all, err := c.ledger.Policies.List(ctx)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(p *policy.Policy) bool { return p.Version == in.Version })
		if i < 0 {
			return nil, ErrNoPolicy
		}
		return &policyOutput{viewPolicy(all[i])}, nil
	})
	edge.Register(c.edge, edge.Operation{
		ID: "check-policy", Method: "POST", Path: "/console/api/policies/check", Tag: tagPolicies,
		Summary: "检查规则是否可以发布（不保存）", Permission: string(staff.PolicyRead), MaxBody: policyBody,
	}, func(ctx context.Context, in *checkPolicyInput) (*checkedOutput, error) {
		p, err := c.ledger.Policies.Check(ctx, in.Body.policy())
		if err != nil {
			return nil, err
		}
		out := &checkedOutput{}
		out.Body.Good, out.Body.From = true, p.From
		out.Body.Rules = each(p.Rules, policy.Rule.Name)
		return out, nil
	})
}

func (c *Console) policies(ctx context.Context, _ *readInput) (*policiesOutput, error) {
	all, err := c.ledger.Policies.List(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	all = all[:min(len(all), 200)]
	out := &policiesOutput{}
	out.Body.Policies = each(all, func(p *policy.Policy) policySummary {
		return policySummary{p.Version, p.From, p.PublishedAt, p.By, p.Note, len(p.Rules), p.Recalled != nil}
	})
	out.Body.People, err = c.peopleOf(ctx, each(all, func(p *policy.Policy) string { return p.By })...)
	return out, err
}

// policy is the ledger's form of the rules.
func (r *PolicyRules) policy() policy.Policy {
	p := policy.Policy{
		From: r.From, Note: r.Note, SecondLevel: r.SecondLevel, Cap: r.Cap, NoSelfPurchase: r.NoSelfPurchase,
		Rail: r.Rail, Rules: each(r.Rules, PolicyRule.rule),
	}
	if r.MarginFloor != nil {
		p.MarginFloor, p.HasMarginFloor = *r.MarginFloor, true
	}
	return p
}

func (r PolicyRule) rule() policy.Rule {
	return policy.Rule{
		SKU: r.SKU, Product: r.Product, Campaign: r.Campaign, Category: r.Category, Community: r.Community, Grade: r.Grade,
		Pays: each(r.Pays, func(p PolicyPay) policy.Pay { return policy.Pay{Role: p.Role, Rate: p.Rate, Fixed: p.Fixed} }),
	}
}

func viewPolicy(p *policy.Policy) PolicyView {
	v := PolicyView{
		PolicyRules: PolicyRules{
			From: p.From, Note: p.Note, SecondLevel: p.SecondLevel, Cap: p.Cap, NoSelfPurchase: p.NoSelfPurchase,
			Rail: p.Rail, Rules: each(p.Rules, viewRule),
		},
		Version: p.Version, PublishedAt: p.PublishedAt, By: p.By, Recalled: (*RecallView)(p.Recalled),
	}
	if p.HasMarginFloor {
		floor := p.MarginFloor
		v.MarginFloor = &floor
	}
	return v
}

func viewRule(r policy.Rule) PolicyRule {
	return PolicyRule{
		SKU: r.SKU, Product: r.Product, Campaign: r.Campaign, Category: r.Category, Community: r.Community, Grade: r.Grade,
		Pays: each(r.Pays, func(p policy.Pay) PolicyPay { return PolicyPay{p.Role, p.Rate, p.Fixed} }),
	}
}

// policySubject is how a published version is written as the subject of a deed.
func policySubject(version int) string { return "policy/" + strconv.Itoa(version) }
