package console

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/staff"
)

const draftOfPolicy = "policy"

// DraftPath names a draft.
type DraftPath struct {
	Draft string `path:"draft" minLength:"1" maxLength:"64"`
}

func (p DraftPath) subject() string { return "draft/" + p.Draft }

type draftInput struct {
	edge.Keyed
	Body struct {
		Title  string      `json:"title" minLength:"1" maxLength:"100" doc:"给复核人看的标题"`
		Policy PolicyRules `json:"policy"`
	}
}

// DraftView is a draft without its content.
type DraftView struct {
	ID        string           `json:"id"`
	Title     string           `json:"title"`
	Maker     string           `json:"maker" doc:"经办人"`
	MadeAt    time.Time        `json:"made_at"`
	State     staff.DraftState `json:"state" enum:"open,taking,taken,dropped"`
	Checker   string           `json:"checker,omitempty" doc:"复核人"`
	CheckedAt time.Time        `json:"checked_at,omitzero"`
	Result    string           `json:"result,omitempty" doc:"发布成的版本，如 policy/7"`
	Why       string           `json:"why,omitempty"`
}

type draftOutput struct {
	Body struct {
		People
		DraftView
		Policy PolicyRules `json:"policy"`
	}
}

type draftsInput struct {
	edge.Paged
	State staff.DraftState `query:"state" enum:"open,taking,taken,dropped" default:"open"`
}

type draftsOutput struct {
	Body struct {
		People
		Drafts []DraftView `json:"drafts" doc:"从新到旧"`
		Next   string      `json:"next,omitempty"`
	}
}

type draftWrite struct {
	edge.Keyed
	DraftPath
}

type dropInput struct {
	edge.Keyed
	DraftPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"200"`
	}
}

func viewDraft(d *staff.Draft) DraftView {
	return DraftView{d.ID, d.Title, d.Maker, d.MadeAt, d.State, d.Checker, d.CheckedAt, d.Result, d.Why}
}

func (c *Console) declareDrafts() {
	edge.Register(c.edge, edge.Operation{
		ID: "policy-drafts", Method: "GET", Path: "/console/api/policy-drafts", Tag: tagPolicies, Summary: "规则草稿",
		Permission: string(staff.PolicyRead),
	}, c.drafts)
	edge.Register(c.edge, edge.Operation{
		ID: "policy-draft", Method: "GET", Path: "/console/api/policy-drafts/{draft}", Tag: tagPolicies, Summary: "草稿内容",
		Permission: string(staff.PolicyRead),
	}, func(ctx context.Context, in *DraftPath) (*draftOutput, error) {
		d, err := c.staff.Draft(ctx, in.Draft)
		return c.showDraft(ctx, d, err)
	})
	write(c, edge.Operation{
		ID: "draft-policy", Method: "POST", Path: "/console/api/policy-drafts", Tag: tagPolicies, Summary: "提交规则草稿，待他人复核发布",
		Permission: string(staff.PolicyDraft), Status: 201, MaxBody: policyBody,
	}, func(ctx context.Context, in *draftInput, d *deed) (*draftOutput, error) {
		p := in.Body.Policy.policy()
		if err := p.Check(); err != nil {
			return nil, err
		}
		content, err := json.Marshal(in.Body.Policy)
		if err != nil {
			return nil, err
		}
		draft, err := c.staff.WriteDraft(ctx, staff.DraftInput{
			Key: in.Key, Maker: edge.Caller(ctx), Kind: draftOfPolicy, Title: in.Body.Title, Content: string(content),
		})
		if err == nil {
			d.say("draft/"+draft.ID, "", staff.Digest(content))
		}
		return c.showDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "publish-policy", Method: "POST", Path: "/console/api/policy-drafts/{draft}/publish", Tag: tagPolicies,
		Summary: "复核并发布草稿（不能是经办人）", Permission: string(staff.PolicyPublish),
	}, c.publish)
	c.declareDropping()
}

func (c *Console) declareDropping() {
	write(c, edge.Operation{
		ID: "refuse-draft", Method: "POST", Path: "/console/api/policy-drafts/{draft}/refuse", Tag: tagPolicies, Summary: "驳回草稿",
		Permission: string(staff.PolicyPublish),
	}, func(ctx context.Context, in *dropInput, d *deed) (*draftOutput, error) {
		d.After = in.Body.Why
		draft, err := c.staff.DropDraft(ctx, in.Draft, edge.Caller(ctx), in.Body.Why)
		return c.showDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "withdraw-draft", Method: "POST", Path: "/console/api/policy-drafts/{draft}/withdraw", Tag: tagPolicies, Summary: "撤回自己的草稿",
		Permission: string(staff.PolicyDraft),
	}, func(ctx context.Context, in *draftWrite, _ *deed) (*draftOutput, error) {
		draft, err := c.staff.Draft(ctx, in.Draft)
		if err == nil && draft.Maker != edge.Caller(ctx) {
			err = ErrNotYours
		}
		if err == nil {
			draft, err = c.staff.DropDraft(ctx, in.Draft, edge.Caller(ctx), "")
		}
		return c.showDraft(ctx, draft, err)
	})
}

func (c *Console) drafts(ctx context.Context, in *draftsInput) (*draftsOutput, error) {
	page, err := c.staff.Drafts(ctx, draftOfPolicy, in.State, paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &draftsOutput{}
	out.Body.Drafts, out.Body.Next = each(page.Items, viewDraft), page.Next
	var people []string
	for _, d := range page.Items {
		people = append(people, d.Maker, d.Checker)
	}
	out.Body.People, err = c.peopleOf(ctx, people...)
	return out, err
}

func (c *Console) showDraft(ctx context.Context, d *staff.Draft, err error) (*draftOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &draftOutput{}
	out.Body.DraftView = viewDraft(d)
	if out.Body.Policy, err = rulesOf(d); err != nil {
		return nil, err
	}
	out.Body.People, err = c.peopleOf(ctx, d.Maker, d.Checker)
	return out, err
}

func rulesOf(d *staff.Draft) (PolicyRules, error) {
	var rules PolicyRules
	if err := json.Unmarshal([]byte(d.Content), &rules); err != nil {
		return rules, ErrDraft.Because(err)
	}
	return rules, nil
}

// publish takes the draft, publishes it and says so on the draft. Whoever died in between can repeat it: the policy that
// this checker made of this draft is then found and not made again.
func (c *Console) publish(ctx context.Context, in *draftWrite, d *deed) (*draftOutput, error) {
	checker := edge.Caller(ctx)
	draft, err := c.staff.TakeDraft(ctx, in.Draft, checker)
	if err != nil || draft.State == staff.DraftTaken {
		return c.showDraft(ctx, draft, err)
	}
	rules, err := rulesOf(draft)
	if err != nil {
		return nil, err
	}
	mark := "（草稿 " + draft.ID + "）"
	published, err := c.publishedAs(ctx, mark)
	if err != nil {
		return nil, err
	}
	if published == nil {
		p := rules.policy()
		p.By, p.Note = checker, p.Note+mark
		if published, err = c.ledger.PublishPolicy(ctx, p); err != nil {
			return nil, c.giveBack(ctx, draft, checker, err)
		}
	}
	result := policySubject(published.Version)
	d.say(in.subject(), staff.Digest([]byte(draft.Content)), result)
	draft, err = c.staff.FinishDraft(ctx, in.Draft, checker, result)
	return c.showDraft(ctx, draft, err)
}

// publishedAs finds the version that was made of a draft.
func (c *Console) publishedAs(ctx context.Context, mark string) (*commission.Policy, error) {
	all, err := c.ledger.Policies(ctx)
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

// giveBack opens a draft again that the ledger refused. After an unclear answer the draft stays with its checker.
func (c *Console) giveBack(ctx context.Context, draft *staff.Draft, checker string, err error) error {
	if f := fault.Of(err); f == nil || f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		return err
	}
	if _, failed := c.staff.ReturnDraft(ctx, draft.ID, checker); failed != nil {
		return failed
	}
	return err
}
