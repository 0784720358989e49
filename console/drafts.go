package console

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"guanxi/commission/policy"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/staff"
)

const draftOfPolicy = "policy"

type (
	// DraftPath names a draft.
	DraftPath = room.DraftPath
	// DraftView is a draft without its content.
	DraftView   = room.DraftView
	draftsInput = room.DraftsInput
	draftWrite  = room.DraftWrite
	dropInput   = room.DropInput
)

type draftInput struct {
	edge.Keyed
	Body struct {
		Title  string      `json:"title" minLength:"1" maxLength:"100" doc:"给复核人看的标题"`
		Policy PolicyRules `json:"policy"`
	}
}

type draftOutput struct {
	Body struct {
		People
		DraftView
		Policy *PolicyRules `json:"policy,omitempty"`
		Recalling
	}
}

// policyDraft is the content of a draft: rules to publish, or a version to recall.
type policyDraft struct {
	PolicyRules
	Recalling
}

// Recalling is a draft that takes back a version which has not taken effect.
type Recalling struct {
	Recall int    `json:"recall_version,omitempty" doc:"这份草稿要撤回的版本；为空则是发布"`
	Why    string `json:"recall_why,omitempty" doc:"为什么撤回"`
}

type recallBody struct {
	Why string `json:"why" minLength:"1" maxLength:"200" doc:"为什么撤回"`
}

type recallPolicyInput struct {
	edge.Keyed
	PolicyPath
	Body recallBody
}

func viewDraft(d *staff.Draft) DraftView { return room.ViewDraft(d) }

func (c *Console) declareDrafts() {
	edge.Register(c.edge, edge.Operation{
		ID: "policy-drafts", Method: "GET", Path: "/console/api/policy-drafts", Tag: tagPolicies, Summary: "规则草稿",
		Permission: string(staff.PolicyRead),
	}, func(ctx context.Context, in *draftsInput) (*room.DraftsOutput, error) {
		return c.room.Drafts(ctx, draftOfPolicy, in)
	})
	edge.Register(c.edge, edge.Operation{
		ID: "policy-draft", Method: "GET", Path: "/console/api/policy-drafts/{draft}", Tag: tagPolicies, Summary: "草稿内容",
		Permission: string(staff.PolicyRead),
	}, func(ctx context.Context, in *DraftPath) (*draftOutput, error) {
		d, err := c.draftOf(ctx, draftOfPolicy, in.Draft)
		return c.showDraft(ctx, d, err)
	})
	write(c, edge.Operation{
		ID: "draft-policy", Method: "POST", Path: "/console/api/policy-drafts", Tag: tagPolicies, Summary: "提交规则草稿，待他人复核发布",
		Permission: string(staff.PolicyDraft), Status: 201, MaxBody: policyBody,
	}, func(ctx context.Context, in *draftInput, d *deed) (*draftOutput, error) {
		// A date that is too early now need not be when the draft is published: a version may be recalled meanwhile.
		if _, err := c.ledger.Policies.Check(ctx, in.Body.Policy.policy()); err != nil && !errors.Is(err, policy.ErrPolicyPast) {
			return nil, err
		}
		draft, err := c.writeDraft(ctx, staff.DraftInput{Key: in.Key, Kind: draftOfPolicy, Title: in.Body.Title}, in.Body.Policy, d)
		return c.showDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "publish-policy", Method: "POST", Path: "/console/api/policy-drafts/{draft}/publish", Tag: tagPolicies,
		Summary: "复核并发布草稿（不能是经办人）", Permission: string(staff.PolicyPublish),
	}, c.publish)
	write(c, edge.Operation{
		ID: "recall-policy", Method: "POST", Path: "/console/api/policies/{version}/recall", Tag: tagPolicies, Status: 201,
		Summary: "提议撤回尚未生效的一版：成为草稿，由另一人复核（publish）后撤回", Permission: string(staff.PolicyDraft),
	}, func(ctx context.Context, in *recallPolicyInput, d *deed) (*draftOutput, error) {
		if err := c.ledger.Policies.CheckRecall(ctx, in.Version); err != nil {
			return nil, err
		}
		title := "撤回第 " + strconv.Itoa(in.Version) + " 版佣金规则"
		draft, err := c.writeDraft(ctx, staff.DraftInput{Key: in.Key, Kind: draftOfPolicy, Title: title},
			policyDraft{Recalling: Recalling{in.Version, in.Body.Why}}, d)
		return c.showDraft(ctx, draft, err)
	})
	c.declareDropping()
}

func (c *Console) declareDropping() {
	write(c, edge.Operation{
		ID: "refuse-draft", Method: "POST", Path: "/console/api/policy-drafts/{draft}/refuse", Tag: tagPolicies, Summary: "驳回草稿",
		Permission: string(staff.PolicyPublish),
	}, func(ctx context.Context, in *dropInput, d *deed) (*draftOutput, error) {
		draft, err := c.refuseDraft(ctx, draftOfPolicy, in, d)
		return c.showDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "withdraw-draft", Method: "POST", Path: "/console/api/policy-drafts/{draft}/withdraw", Tag: tagPolicies, Summary: "撤回自己的草稿",
		Permission: string(staff.PolicyDraft),
	}, func(ctx context.Context, in *draftWrite, _ *deed) (*draftOutput, error) {
		draft, err := c.withdrawDraft(ctx, draftOfPolicy, in.Draft)
		return c.showDraft(ctx, draft, err)
	})
}

func (c *Console) showDraft(ctx context.Context, d *staff.Draft, err error) (*draftOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &draftOutput{}
	out.Body.DraftView = viewDraft(d)
	content, err := contentOf[policyDraft](d)
	if err != nil {
		return nil, err
	}
	if out.Body.Recalling = content.Recalling; content.Recall == 0 {
		out.Body.Policy = &content.PolicyRules
	}
	out.Body.People, err = c.peopleOf(ctx, d.Maker, d.Checker)
	return out, err
}

func (c *Console) publish(ctx context.Context, in *draftWrite, d *deed) (*draftOutput, error) {
	draft, err := c.carryOut(ctx, draftOfPolicy, in.Draft, d, func(draft *staff.Draft) (string, error) {
		content, err := contentOf[policyDraft](draft)
		if err != nil {
			return "", err
		}
		if content.Recall > 0 {
			_, err := c.ledger.Policies.Recall(ctx, content.Recall, policy.Recall{Maker: draft.Maker, Checker: edge.Caller(ctx), Why: content.Why})
			return policySubject(content.Recall), err
		}
		mark := "（草稿 " + draft.ID + "）"
		published, err := c.publishedAs(ctx, mark)
		if err == nil && published == nil {
			p := content.policy()
			p.By, p.Note = edge.Caller(ctx), p.Note+mark
			published, err = c.ledger.Policies.Publish(ctx, p)
		}
		if err != nil {
			return "", err
		}
		return policySubject(published.Version), nil
	})
	return c.showDraft(ctx, draft, err)
}

// publishedAs finds the version that was made of a draft.
func (c *Console) publishedAs(ctx context.Context, mark string) (*policy.Policy, error) {
	all, err := c.ledger.Policies.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if strings.HasSuffix(p.Note, mark) {
			return p, nil
		}
	}
	return nil, nil //nolint:nilnil // none yet: that is an answer
}
