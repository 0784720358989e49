package staff

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

// Outcome is how a deed ended.
type Outcome string

// The outcomes. A deed that is still Begun long after was cut off: look at the thing itself.
const (
	Begun   Outcome = "begun"
	Done    Outcome = "done"
	Refused Outcome = "refused" // nothing was changed; Code says why
	Unclear Outcome = "unclear" // a store or a platform did not answer; Code says which kind
)

// outcomes is the one move a deed makes.
var outcomes = map[Outcome]map[Outcome]bool{Begun: {Done: true, Refused: true, Unclear: true}}

// Deed is one line of the audit log.
type Deed struct {
	docstore.Doc `bson:",inline"`
	By           string    `bson:"by"` // operator, or System
	At           time.Time `bson:"at"`
	Operation    string    `bson:"operation"`
	Subject      string    `bson:"subject"` // what it was done to: operator/<id>, policy/<number>, withdrawal/<number>
	Request      string    `bson:"request"` // request id
	From         Source    `bson:"from"`
	Before       string    `bson:"before"` // words or a digest; "" when there is nothing to say
	After        string    `bson:"after"`
	Outcome      Outcome   `bson:"outcome"`
	Code         string    `bson:"code"` // of the refusal
	EndedAt      time.Time `bson:"ended_at,omitempty"`
}

// Source is where a deed came from: the caller's address by the rule for trusted proxies, the program they used, their
// session. A deed of the machine itself has none.
type Source struct {
	Address string `bson:"address,omitempty"`
	Agent   string `bson:"agent,omitempty"` // shortened
	Session string `bson:"session,omitempty"`
}

// Change is what a deed did, in words or digests of at most 500 characters; longer ones are cut.
type Change struct {
	Subject       string // when it is known only afterwards
	Before, After string
}

const maxWords = 500

// SubjectOf is how an operator is written as the subject of a deed.
func SubjectOf(operator string) string { return "operator/" + operator }

// Digest stands for a content that is too long or too private for the log: the same content, the same digest.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:12])
}

// Words writes two lists of roles as a change.
func Words(before, after []Role) Change {
	join := func(roles []Role) string {
		text := make([]string, len(roles))
		for i, r := range roles {
			text[i] = string(r)
		}
		return strings.Join(text, " ")
	}
	return Change{Before: join(before), After: join(after)}
}

// Begin stores that somebody is about to do something, before it is done. By and Operation are required.
// Codes: STF_DEED_INVALID.
func (s *Service) Begin(ctx context.Context, d Deed) (deed string, err error) {
	d.Outcome, d.Code, d.EndedAt = Begun, "", time.Time{}
	return s.insert(ctx, d)
}

// Finish stores how it ended, once. Code is the fault's code when it was refused.
// Codes: STF_DEED_INVALID.
func (s *Service) Finish(ctx context.Context, deed string, end Outcome, code string, c Change) error {
	_, err := s.deeds.Update(ctx, deed, func(d *Deed) error {
		if !outcomes[d.Outcome][end] {
			return ErrDeed
		}
		d.Outcome, d.Code, d.EndedAt = end, code, s.clock.Now()
		d.Before, d.After = cut(c.Before), cut(c.After)
		if c.Subject != "" {
			d.Subject = cut(c.Subject)
		}
		return nil
	})
	if err != nil {
		return asFault("finish deed", err, ErrDeed)
	}
	return nil
}

// Note stores a deed that is over: done, unless Outcome says otherwise. Codes: STF_DEED_INVALID.
func (s *Service) Note(ctx context.Context, d Deed) error {
	if d.Outcome == "" {
		d.Outcome = Done
	}
	d.EndedAt = s.clock.Now()
	_, err := s.insert(ctx, d)
	return err
}

// noteSystem stores what was done from outside the console; what operators do is stored by the console.
func (s *Service) noteSystem(ctx context.Context, by, operation, operator, request string, c Change) error {
	if by != System {
		return nil
	}
	return s.Note(ctx, Deed{
		By: by, Operation: operation, Subject: SubjectOf(operator), Request: request, Before: c.Before, After: c.After,
	})
}

func (s *Service) insert(ctx context.Context, d Deed) (string, error) {
	if d.By == "" || d.Operation == "" {
		return "", ErrDeed
	}
	d.At = s.clock.Now()
	d.ID = s.ids.New(d.At)
	d.Subject, d.Before, d.After, d.Request = cut(d.Subject), cut(d.Before), cut(d.After), cut(d.Request)
	d.From = Source{cut(d.From.Address), cut(d.From.Agent), cut(d.From.Session)}
	if err := s.deeds.Insert(ctx, &d); err != nil {
		return "", fmt.Errorf("staff write deed: %w", err)
	}
	return d.ID, nil
}

// cut keeps words storable: valid UTF-8 of at most maxWords characters.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "�")
	if utf8.RuneCountInString(text) <= maxWords {
		return text
	}
	return string([]rune(text)[:maxWords-1]) + "…"
}

// AuditQuery asks for deeds, newest first. At most one of By and Subject may be given.
type AuditQuery struct {
	By, Subject string
	From, To    time.Time // From <= At < To; zero = open
	docstore.Paging
}

// Audit gives one page of the audit log. Codes: STF_QUERY_INVALID.
func (s *Service) Audit(ctx context.Context, q AuditQuery) (docstore.Page[Deed], error) {
	if (q.By != "" && q.Subject != "") || len(q.By) > 200 || len(q.Subject) > 600 {
		return docstore.Page[Deed]{}, ErrQuery
	}
	query := docstore.By("at")
	if q.By != "" {
		query = docstore.By("by", q.By)
	}
	if q.Subject != "" {
		query = docstore.By("subject", q.Subject)
	}
	page, err := s.deeds.List(ctx, query.Between(bound(q.From), bound(q.To)).Newest(), q.Paging)
	if err != nil {
		return page, asFault("audit", err, ErrQuery)
	}
	return page, nil
}

func bound(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// OutcomeOf says how a deed ended that returned err: refused when the fault is the caller's or the state's business,
// unclear when something may have happened.
func OutcomeOf(err error) (Outcome, string) {
	if err == nil {
		return Done, ""
	}
	f := fault.Of(err)
	switch {
	case f == nil:
		return Unclear, ""
	case f.Kind == fault.Unavailable, f.Kind == fault.Internal:
		return Unclear, f.Code
	}
	return Refused, f.Code
}
