package distribution

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Explanation tells what led to the present bond.
type Explanation struct {
	Member  string
	Current *Standing // in force now; nil = nobody
	Summary string    // one sentence
	Lines   []Line    // oldest first
}

// Line is one thing that happened. The people in it are named by id beside the text, so that whoever shows it can put
// today's names.
type Line struct {
	At     time.Time
	Code   string // an Outcome, or "self" or "pending"
	Text   string
	By     string // the sharer, or whom staff bonded to
	Staff  string // who decided, for a staff decision
	Share  string
	Touch  string
	Policy string
}

// maxTouches is how many of the latest touches an explanation looks at.
const maxTouches = 100

// Why gives the touches and decisions that led to a member's present bond, in words.
func (s *Service) Why(ctx context.Context, member string) (*Explanation, error) {
	rules, err := s.rulebook(ctx)
	if err != nil {
		return nil, fmt.Errorf("distribution why: %w", err)
	}
	b, err := s.load(ctx, member)
	if err != nil {
		return nil, fmt.Errorf("distribution why: %w", err)
	}
	touches, err := s.touches.Find(ctx, docstore.By("visitor", member).Newest().First(maxTouches))
	if err != nil {
		return nil, fmt.Errorf("distribution why: %w", err)
	}
	seen := make(map[string]*Touch, len(touches.Items))
	for _, t := range touches.Items {
		seen[t.ID] = t
	}
	e := &Explanation{Member: member}
	for _, d := range b.decisions(rules) {
		e.Lines = append(e.Lines, d.line(seen[d.Fact.ID]))
		delete(seen, d.Fact.ID)
	}
	for _, t := range seen {
		if t.Self || t.At.After(b.SettledTo) {
			e.Lines = append(e.Lines, t.undecided())
		}
	}
	slices.SortStableFunc(e.Lines, func(x, y Line) int { return x.At.Compare(y.At) })
	if b.Current.In(s.clock.Now()) {
		e.Current = b.Current
	}
	e.Summary = e.Current.summary()
	return e, nil
}

func (s *Standing) summary() string {
	if s == nil {
		return "目前没有有效的归属；下单时归活动团长。"
	}
	text := "目前归属自 " + moment(s.Since) + " 起，依据：" + whyWords(s.Why) + "（规则版本 " + s.Policy + "）；"
	if s.Until.IsZero() {
		return text + "长期有效。"
	}
	text += "有效至 " + moment(s.Until)
	if s.ProtectedUntil.After(s.Since) {
		text += "，保护期至 " + moment(s.ProtectedUntil)
	}
	return text + "。"
}

func whyWords(why string) string {
	switch why {
	case string(FirstTouch):
		return "首次打开的分享"
	case string(LastTouch):
		return "最近一次打开的分享"
	case string(Permanent):
		return "首次打开的分享，永久绑定"
	case WhyStaff:
		return "工作人员调整"
	}
	return why
}

// line puts a decision into words; t may be nil when the touch is older than what was read.
func (d Decision) line(t *Touch) Line {
	l := Line{
		At: d.Fact.At, Code: string(d.Outcome), By: d.Fact.By, Staff: d.Fact.Staff, Share: d.Fact.Share,
		Touch: d.Fact.ID, Policy: d.Policy,
	}
	if d.Fact.Staff != "" {
		l.Text = "工作人员调整归属（原因：" + d.Fact.Reason + "），" + outcomeWords(d)
		return l
	}
	l.Text = "打开了分享" + t.scene() + "，" + outcomeWords(d)
	return l
}

func outcomeWords(d Decision) string {
	until := "，有效至 " + moment(d.Until) + "。"
	if d.Until.IsZero() {
		until = "，长期有效。"
	}
	switch d.Outcome {
	case Bonded:
		return "当时没有有效的归属，归属于这位分享人" + until
	case Renewed:
		return "归属不变，有效期顺延" + until
	case TookOver:
		return "原归属已过保护期，改归这位分享人" + until
	case Unchanged:
		return "归属不变" + until
	case KeptFirst:
		return "首次触达的归属仍然有效，不变更" + until
	case Protected:
		return "原归属仍在保护期内，不变更" + until
	case KeptGood:
		return "归属是永久的，不变更。"
	case Refused:
		return "会形成循环归属，不予采纳。"
	case Moved:
		return "改为新的归属" + until
	case Freed:
		return "归属解除。"
	}
	return string(d.Outcome)
}

func (t *Touch) undecided() Line {
	l := Line{At: t.At, Code: "pending", By: t.Sharer, Share: t.Share, Touch: t.ID, Text: "打开了分享" + t.scene() + "，尚在处理。"}
	if t.Self {
		l.Code, l.Text = "self", "打开了自己的分享"+t.scene()+"，只记录，不影响归属。"
	}
	return l
}

func (t *Touch) scene() string {
	if t == nil {
		return ""
	}
	switch t.Scene {
	case 0:
		return ""
	case 1007:
		return "（单人聊天）"
	case 1008, 1044:
		return "（群聊）"
	case 1047, 1048, 1049:
		return "（小程序码）"
	case 1154, 1155:
		return "（朋友圈）"
	}
	return "（场景 " + strconv.Itoa(t.Scene) + "）"
}

// moment is a time as people in the business read it.
func moment(t time.Time) string { return t.In(clock.Shanghai()).Format("2006-01-02 15:04") }
