package outreach

import (
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Notice is one thing to be told to one member; id = topic/number.
type Notice struct {
	docstore.Doc `bson:",inline"`
	Topic        Topic     `bson:"topic"`
	Number       string    `bson:"number"`
	Member       string    `bson:"member"`
	At           time.Time `bson:"at"`    // when it happened
	Until        time.Time `bson:"until"` // worth telling until then
	Text         string    `bson:"text"`  // Chinese, for the program
	Quiet        bool      `bson:"quiet,omitempty"`

	Template string  `bson:"template"`
	Page     string  `bson:"page,omitempty"`
	Fields   []Field `bson:"fields,omitempty"` // none: they could not be filled

	State     State     `bson:"state"`
	Reason    Reason    `bson:"reason,omitempty"` // when unsent
	Code      string    `bson:"code,omitempty"`   // the platform's, when it said one
	Tries     int       `bson:"tries,omitempty"`  // that surely did not arrive, or could not begin
	SendingAt time.Time `bson:"sending_at,omitempty"`
	EndedAt   time.Time `bson:"ended_at,omitempty"`
	NextAt    time.Time `bson:"next_at,omitempty"` // when to look again; none once all that follows from the end is done
}

// Field is one filled field of a template.
type Field struct {
	Key   string `bson:"key"`
	Value string `bson:"value"`
}

// Told is a thing that happened and that a member should be told.
type Told struct {
	Topic  Topic
	Number string // of what it happened to: with the topic, the notice's identity
	Member string
	At     time.Time // when it happened
	Until  time.Time // worth telling until then; at most MaxValidity after At counts
	Text   string    // Chinese, at most 500 characters: read in the program
	Quiet  bool      // only to be read there: the member did it himself
	Values map[string]string
}

const maxText = 500

// NoticeID is the id a thing's notice has.
func NoticeID(topic Topic, number string) string { return string(topic) + "/" + number }

// check names everything that is wrong. Who tells is code of ours, so this is a mistake and no refusal to a person.
func (t *Told) check() error {
	bad, wrong := ErrBadInput, false
	for _, rule := range []struct {
		ok        bool
		name, why string
	}{
		{t.Topic.subject() != nil, "topic", "未知主题 / unknown topic"},
		{t.Number != "" && !strings.Contains(t.Number, "/") && id.Valid(NoticeID(t.Topic, t.Number)), "number", "编号无效 / no number"},
		{memberID(t.Member), "member", "会员编号无效 / no member id"},
		{!t.At.IsZero() && !t.Until.IsZero(), "at", "缺少时间 / a time is missing"},
		{t.Text != "" && len([]rune(t.Text)) <= maxText, "text", "正文为空或过长 / no text, or too long"},
	} {
		if !rule.ok {
			bad, wrong = bad.With(rule.name, rule.why), true
		}
	}
	if wrong {
		return bad
	}
	return nil
}

// notice is the document of a thing told by a template.
func (t *Told) notice(by Template, now time.Time) *Notice {
	n := &Notice{
		Topic: t.Topic, Number: t.Number, Member: t.Member, At: t.At, Until: t.Until, Text: t.Text, Quiet: t.Quiet, Template: by.ID,
		State: Planned, NextAt: now,
	}
	if last := t.At.Add(MaxValidity); n.Until.After(last) {
		n.Until = last
	}
	n.ID = NoticeID(t.Topic, t.Number)
	n.Page, n.Fields = by.show(t.Values)
	return n
}

// end gives a notice its end; its credit is still to be settled.
func (n *Notice) end(by cause, why Reason, code string, now time.Time) error {
	if err := n.move(by); err != nil {
		return err
	}
	n.Reason, n.Code, n.EndedAt, n.NextAt = why, code, now, now
	return nil
}

// fate is what becomes of the credit of a notice that has ended.
func (n *Notice) fate() fate {
	switch {
	case n.State == Sent, n.Reason == Unknown:
		return spent
	case n.Reason == NoCredit && !n.SendingAt.IsZero():
		return emptied
	}
	return released
}

// overtaking are the ids of the notices that would leave nothing to tell of this one.
func (n *Notice) overtaking() []string {
	s := n.Topic.subject()
	if s == nil {
		return nil
	}
	ids := make([]string, len(s.Over))
	for i, topic := range s.Over {
		ids[i] = NoticeID(topic, n.Number)
	}
	return ids
}

func memberID(member string) bool {
	return id.Valid(member) && len(member) <= 64 && !strings.Contains(member, "/")
}
