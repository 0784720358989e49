package outreach

import (
	"context"
	"errors"
	"fmt"
)

// Members gives the platform's name of a member. A fault of kind NotFound means that there is no such member any more.
type Members interface {
	OpenID(ctx context.Context, member string) (string, error)
}

// Message is one subscribe message.
type Message struct {
	OpenID, Template, Page string
	Fields                 []Field
}

// Sender hands a message to the platform. Nil means that the platform has taken it. A *Refusal means that it said no and
// nobody was told anything; ErrNotSent that the message surely did not reach it or was not looked at; anything else that
// nobody knows.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrNotSent is what a Sender wraps when the message surely was not sent and may be tried again.
var ErrNotSent = errors.New("outreach: surely not sent")

// Refusal is the platform's no.
type Refusal struct {
	Reason Reason // NoCredit, NoTemplate or Refused
	Code   string // the platform's
}

// Error names reason and code.
func (r *Refusal) Error() string {
	return fmt.Sprintf("outreach: the platform says no: %s (%s)", r.Reason, r.Code)
}
