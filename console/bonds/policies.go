package bonds

import (
	"context"
	"slices"
	"time"

	"guanxi/console/room"
	"guanxi/distribution"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// BondRules is what a version of the rules of bonds says.
type BondRules struct {
	Version        string                `json:"version" minLength:"1" maxLength:"40" pattern:"^[A-Za-z0-9._-]+$"`
	From           time.Time             `json:"from,omitzero" doc:"何时生效；不填则尽快"`
	Mode           distribution.Mode     `json:"mode" enum:"first-touch,last-touch,permanent"`
	ValidityDays   int                   `json:"validity_days,omitempty" minimum:"0" maximum:"3650" doc:"permanent 时为 0"`
	ProtectionDays int                   `json:"protection_days,omitempty" minimum:"0" maximum:"3650" doc:"仅 last-touch"`
	SelfPurchase   distribution.SelfRule `json:"self_purchase" enum:"self,upline,nobody" doc:"团长自购归谁"`
	SecondLevel    bool                  `json:"second_level,omitempty"`
	Words          string                `json:"words,omitempty" maxLength:"2000"`
}

// BondPolicy is a published version.
type BondPolicy struct {
	BondRules
	PublishedAt time.Time   `json:"published_at,omitzero"`
	Recalled    *BondRecall `json:"recalled,omitempty" doc:"生效前已由两人撤回"`
}

// BondRecall is how two people took a version back.
type BondRecall struct {
	At      time.Time `json:"at"`
	Maker   string    `json:"maker"`
	Checker string    `json:"checker"`
	Why     string    `json:"why"`
}

// BondRuling is a version to publish, or one to recall.
type BondRuling struct {
	Policy *BondRules `json:"policy,omitempty"`
	Recall string     `json:"recall_version,omitempty" doc:"这份草稿要撤回的版本；为空则是发布"`
	Why    string     `json:"recall_why,omitempty"`
}

type bondPoliciesOutput struct {
	Body struct {
		room.People
		InForce  string       `json:"in_force" doc:"现行版本"`
		Policies []BondPolicy `json:"policies" doc:"按生效时间，从新到旧"`
	}
}

type checkBondPolicyInput struct{ Body BondRules }

type checkedBondPolicyOutput struct {
	Body struct {
		Good bool      `json:"good"`
		From time.Time `json:"from" doc:"现在发布的话，何时生效"`
	}
}

type draftBondPolicyInput struct {
	edge.Keyed
	Body struct {
		Title  string    `json:"title" minLength:"1" maxLength:"100" doc:"给复核人看的标题"`
		Policy BondRules `json:"policy"`
	}
}

// VersionPath names a version of the rules.
type VersionPath struct {
	Version string `path:"version" minLength:"1" maxLength:"40" pattern:"^[A-Za-z0-9._-]+$"`
}

// Subject is the thing's name in the audit log.
func (p VersionPath) Subject() string { return "bond-policy/" + p.Version }

type recallBondPolicyInput struct {
	edge.Keyed
	VersionPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"200" doc:"为什么撤回"`
	}
}

func (d *desk) declarePolicies() {
	r, read, draft := d.room, string(staff.BondRead), string(staff.PolicyDraft)
	room.Read(r, edge.Operation{
		ID: "bond-policies", Method: "GET", Path: "/console/api/bond-policies", Tag: tag, Summary: "各版归属规则", Permission: read,
	}, d.policies)
	room.Read(r, edge.Operation{
		ID: "check-bond-policy", Method: "POST", Path: "/console/api/bond-policies/check", Tag: tag,
		Summary: "检查归属规则是否可以发布（不保存）", Permission: read,
	}, func(ctx context.Context, in *checkBondPolicyInput) (*checkedBondPolicyOutput, error) {
		p, err := d.bonds.CheckPolicy(ctx, in.Body.policy())
		if err != nil {
			return nil, err
		}
		out := &checkedBondPolicyOutput{}
		out.Body.Good, out.Body.From = true, p.From
		return out, nil
	})
	rules := d.rules()
	room.Write(r, edge.Operation{
		ID: "draft-bond-policy", Method: "POST", Path: "/console/api/bond-policies", Tag: tag, Status: 202, Permission: draft,
		Summary: "提议一版归属规则，待他人确认后发布",
	}, func(ctx context.Context, in *draftBondPolicyInput, deed *room.Deed) (*room.DraftOutput[BondRuling], error) {
		made, err := rules.Offer(ctx, in.Key, in.Body.Title, BondRuling{Policy: &in.Body.Policy}, deed)
		return rules.Show(ctx, made, err)
	})
	room.Write(r, edge.Operation{
		ID: "recall-bond-policy", Method: "POST", Path: "/console/api/bond-policies/{version}/recall", Tag: tag, Status: 202, Permission: draft,
		Summary: "提议撤回尚未生效的一版归属规则，待他人确认",
	}, func(ctx context.Context, in *recallBondPolicyInput, deed *room.Deed) (*room.DraftOutput[BondRuling], error) {
		made, err := rules.Offer(ctx, in.Key, "撤回归属规则 "+in.Version+"："+in.Body.Why, BondRuling{Recall: in.Version, Why: in.Body.Why}, deed)
		return rules.Show(ctx, made, err)
	})
	rules.Declare()
}

func (d *desk) rules() *room.TwoPeople[BondRuling] {
	return &room.TwoPeople[BondRuling]{
		Room: d.room, Kind: "bond-policy", Tag: tag, What: "归属规则",
		Read: staff.BondRead, Propose: staff.PolicyDraft, Confirm: staff.PolicyPublish,
		About: func(BondRuling) []string { return nil },
		Check: func(ctx context.Context, c BondRuling) error {
			if c.Recall != "" {
				return d.known(ctx, c.Recall)
			}
			_, err := d.bonds.CheckPolicy(ctx, c.Policy.policy())
			return err
		},
		Do: func(ctx context.Context, draft *staff.Draft, c BondRuling) (room.Done, error) {
			if c.Recall != "" {
				err := d.bonds.RecallPolicy(ctx, c.Recall, distribution.Recall{Maker: draft.Maker, Checker: edge.Caller(ctx), Why: c.Why})
				return room.Done{Result: VersionPath{c.Recall}.Subject()}, err
			}
			p, err := d.bonds.PublishPolicy(ctx, c.Policy.policy())
			return room.Done{Result: VersionPath{p.Version}.Subject()}, err
		},
	}
}

// known answers nil when there is a published version of that name. Codes: DIST_POLICY_NOT_FOUND.
func (d *desk) known(ctx context.Context, version string) error {
	all, err := d.bonds.Policies(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(p distribution.Published) bool { return p.Version == version && !p.At.IsZero() }) {
		return distribution.ErrPolicyMissing
	}
	return nil
}

func (d *desk) policies(ctx context.Context, _ *struct{}) (*bondPoliciesOutput, error) {
	all, err := d.bonds.Policies(ctx)
	if err != nil {
		return nil, err
	}
	now, err := d.bonds.Policy(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	out := &bondPoliciesOutput{}
	b := &out.Body
	b.InForce = now.Version
	var people []string
	b.Policies = room.Each(all[:min(len(all), 200)], func(p distribution.Published) BondPolicy {
		v := BondPolicy{
			BondRules{p.Version, p.From, p.Mode, p.ValidityDays, p.ProtectionDays, p.SelfPurchase, p.SecondLevel, p.Words},
			p.At, (*BondRecall)(p.Recalled),
		}
		if p.Recalled != nil {
			people = append(people, p.Recalled.Maker, p.Recalled.Checker)
		}
		return v
	})
	b.People, err = d.room.PeopleOf(ctx, people...)
	return out, err
}

func (r *BondRules) policy() distribution.Policy {
	return distribution.Policy{
		Version: r.Version, From: r.From, Mode: r.Mode, ValidityDays: r.ValidityDays, ProtectionDays: r.ProtectionDays,
		SelfPurchase: r.SelfPurchase, SecondLevel: r.SecondLevel, Words: r.Words,
	}
}
