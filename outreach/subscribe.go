package outreach

import (
	"context"
	"errors"
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Subscription is a topic a member can be told about.
type Subscription struct {
	Topic    Topic
	Title    string
	Template string
	Credits  int    // messages that can still be sent
	Answer   Answer // the last one; "" when the member was never asked
}

// ReportInput is what a member answered to one prompt.
type ReportInput struct {
	Key     string // the client's: the same report again counts once
	Member  string
	Answers []TemplateAnswer // 1 to 10, each template once
}

// TemplateAnswer is the answer for one template.
type TemplateAnswer struct {
	Template string
	Answer   Answer
}

const maxAnswers = 10

func (in *ReportInput) check() error {
	bad, wrong := ErrBadInput, false
	refuse := func(name, why string) { bad, wrong = bad.With(name, why), true }
	if !id.ValidKey(in.Key) {
		refuse("key", "请求编号无效 / no key")
	}
	if !memberID(in.Member) {
		refuse("member", "会员编号无效 / no member id")
	}
	if len(in.Answers) == 0 || len(in.Answers) > maxAnswers {
		refuse("answers", "应有 1 至 10 个模板 / 1 to 10 templates")
	}
	seen := map[string]bool{}
	for _, a := range in.Answers {
		if a.Template == "" || len(a.Template) > maxTemplate || seen[a.Template] {
			refuse("template", "模板无效或重复 / no template, or twice")
		}
		if !slices.Contains(Answers(), a.Answer) {
			refuse("answer", "未知的回答 / unknown answer")
		}
		seen[a.Template] = true
	}
	if wrong {
		return bad
	}
	return nil
}

// Report counts what a member answered, and gives the subscriptions as they are now. A template that is not (any more) one
// of ours is passed over: the prompt was shown by a program that is older than the configuration. Errors: ErrBadInput,
// ErrKeyReused.
func (s *Service) Report(ctx context.Context, in ReportInput) ([]Subscription, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	for _, a := range in.Answers {
		if !s.ours(a.Template) {
			continue
		}
		_, err := s.credits.Upsert(ctx, creditID(in.Member, a.Template), func(c *Credit) error {
			c.Member, c.Template = in.Member, a.Template
			return c.grant(in.Key, a.Answer, s.clock.Now())
		})
		if err != nil {
			return nil, wrap("report acceptance", err)
		}
	}
	return s.Subscriptions(ctx, in.Member)
}

func (s *Service) ours(template string) bool {
	for _, t := range s.config.Templates {
		if t.ID == template {
			return true
		}
	}
	return false
}

// Subscriptions lists the topics that are on, with what the member has accepted. Topics of one template share its credits.
func (s *Service) Subscriptions(ctx context.Context, member string) ([]Subscription, error) {
	var all []Subscription
	var ids []string
	for i := range subjects {
		if t, on := s.config.Templates[subjects[i].Topic]; on {
			all = append(all, Subscription{Topic: subjects[i].Topic, Title: subjects[i].Title, Template: t.ID})
			ids = append(ids, creditID(member, t.ID))
		}
	}
	credits, err := s.credits.GetMany(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return nil, wrap("subscriptions", err)
	}
	for i, docID := range ids {
		if c := credits[docID]; c != nil {
			all[i].Credits, all[i].Answer = c.Free(), c.Answer
		}
	}
	return all, nil
}

// hold puts one of the member's credits into the notice's hand; false when there is none.
func (s *Service) hold(ctx context.Context, n *Notice) (held bool, err error) {
	_, err = s.credits.Update(ctx, creditID(n.Member, n.Template), func(c *Credit) error {
		held = c.take(n.ID, s.clock.Now())
		return nil
	})
	if err != nil {
		return false, missing(err)
	}
	return held, nil
}

// settle lets what follows from a notice's end happen to its credit, and then stops looking at the notice.
func (s *Service) settle(ctx context.Context, n *Notice) error {
	_, err := s.credits.Update(ctx, creditID(n.Member, n.Template), func(c *Credit) error {
		c.settle(n.ID, n.fate())
		return nil
	})
	if err = missing(err); err != nil {
		return wrap("settle credit", err)
	}
	_, _, err = s.change(ctx, n.ID, func(n *Notice, _ time.Time) error {
		n.NextAt = time.Time{}
		return nil
	})
	return wrap("settle notice", err)
}

// missing: who has no credit document has no credit.
func missing(err error) error {
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}
