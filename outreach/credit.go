package outreach

import (
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Answer is what a member said when asked for a template.
type Answer string

// The answers, as wx.requestSubscribeMessage gives them.
const (
	Accept Answer = "accept" // one more message
	Reject Answer = "reject"
	Ban    Answer = "ban"    // the platform has blocked the template
	Filter Answer = "filter" // another template of the same title was asked for
)

// Answers lists them.
func Answers() []Answer { return []Answer{Accept, Reject, Ban, Filter} }

const (
	maxCredits = 50 // of one member and template; more acceptances are not counted
	maxReports = 32 // keys remembered of one member and template
	maxSettled = 64 // notices remembered as settled
	// holdLives is longer than any notice is worked on: an older hold was left behind and is let go.
	holdLives = MaxValidity + 24*time.Hour
)

// Credit counts what one member has accepted of one template; id = member/template.
type Credit struct {
	docstore.Doc `bson:",inline"`
	Member       string `bson:"member"`
	Template     string `bson:"template"`
	Left         int    `bson:"left"`            // acceptances not used up, held ones included
	Holds        []hold `bson:"holds,omitempty"` // by notices on their way
	Granted      int64  `bson:"granted"`         // acceptances ever
	// Settled are the notices that need no credit any more, the newest: a process that comes late takes none for them.
	Settled []string `bson:"settled,omitempty"`

	Answer     Answer    `bson:"answer"` // the last one
	AnsweredAt time.Time `bson:"answered_at"`
	Reports    []report  `bson:"reports,omitempty"` // the newest
}

// hold is a credit in a notice's hand.
type hold struct {
	Notice  string    `bson:"notice"`
	At      time.Time `bson:"at"`
	Granted int64     `bson:"granted"` // acceptances ever, by then
}

type report struct {
	Key    string `bson:"key"` // derived from the client's
	Answer Answer `bson:"answer"`
}

func creditID(member, template string) string { return member + "/" + template }

// Free is how many messages can still be sent.
func (c *Credit) Free() int { return max(0, c.Left-len(c.Holds)) }

// grant takes one answer under the client's key. The same key again changes nothing. Error: ErrKeyReused.
func (c *Credit) grant(key string, answer Answer, now time.Time) error {
	key = id.Derive("report", key)
	for _, r := range c.Reports {
		if r.Key == key {
			if r.Answer != answer {
				return ErrKeyReused
			}
			return nil
		}
	}
	if len(c.Reports) >= maxReports {
		c.Reports = slices.Delete(c.Reports, 0, len(c.Reports)-maxReports+1)
	}
	c.Reports = append(c.Reports, report{key, answer})
	c.Answer, c.AnsweredAt = answer, now
	if answer == Accept && c.Left < maxCredits {
		c.Left++
		c.Granted++
	}
	return nil
}

// take puts a credit into a notice's hand, or keeps it there. It is false when there is none.
func (c *Credit) take(notice string, now time.Time) bool {
	c.Holds = slices.DeleteFunc(c.Holds, func(h hold) bool { return h.Notice == notice || now.Sub(h.At) > holdLives })
	if c.Free() == 0 || slices.Contains(c.Settled, notice) {
		return false
	}
	c.Holds = append(c.Holds, hold{notice, now, c.Granted})
	return true
}

// fate is what becomes of a held credit.
type fate int

const (
	released fate = iota // nothing was sent
	spent                // sent, or perhaps sent: rather ask the member once more than promise what is not there
	emptied              // the platform has none: only what was accepted since can be there
)

// settle takes the credit out of a notice's hand, for good. Once it has happened it does not happen again.
func (c *Credit) settle(notice string, what fate) {
	if slices.Contains(c.Settled, notice) {
		return
	}
	if len(c.Settled) >= maxSettled {
		c.Settled = slices.Delete(c.Settled, 0, len(c.Settled)-maxSettled+1)
	}
	c.Settled = append(c.Settled, notice)
	at := slices.IndexFunc(c.Holds, func(h hold) bool { return h.Notice == notice })
	if at < 0 {
		return
	}
	held := c.Holds[at]
	c.Holds = slices.Delete(c.Holds, at, at+1)
	switch what {
	case released:
	case spent:
		c.Left = max(0, c.Left-1)
	case emptied:
		c.Left = min(c.Left, int(min(c.Granted-held.Granted, maxCredits)))
	}
}
