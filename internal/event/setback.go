package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

var (
	// ErrPermanent is wrapped by a consumer whose failure does not pass by itself: a person has to look.
	ErrPermanent = errors.New("event: will not pass by itself")
	// ErrLater is wrapped by an outside consumer whose platform has answered, but cannot do it yet.
	ErrLater = errors.New("event: the platform says not yet")

	errFull     = errors.New("put off: too many wait for this consumer")
	errClosed   = errors.New("put off: the relay is stopping")
	errCircuit  = errors.New("put off: its platform is away")
	errRecovers = errors.New("put off: its platform is coming back, and is not to be run over")
	errStale    = errors.New("given up: too old")
)

const (
	claimGrace = 5 * time.Second // beyond a consumer's time-out
	handGrace  = 5 * time.Second // what nobody has tried yet is in somebody's hands
)

// passes tells whether a failure may pass by itself, so that counting attempts says nothing: a platform, the store or the
// process is away or busy. Of an outside consumer that is every failure that is not known to stay.
func passes(c Consumer, err error) bool {
	if errors.Is(err, ErrPermanent) {
		return false
	}
	if own := ourStore(err); own {
		return true
	}
	if f := fault.Of(err); f != nil {
		return f.Kind == fault.Unavailable || f.Kind == fault.Exhausted || f.Kind == fault.Internal && c.outside()
	}
	return c.outside() || errors.Is(err, context.DeadlineExceeded)
}

func ourStore(err error) bool {
	return errors.Is(err, docstore.ErrUnavailable) || errors.Is(err, docstore.ErrUnclear) || errors.Is(err, docstore.ErrContended)
}

// verdictOf tells what a failed call says about the platform.
func verdictOf(err error) verdict {
	switch {
	case ourStore(err):
		return noWord
	case errors.Is(err, ErrLater):
		return answered
	case passes(Consumer{Effect: Repeatable}, err):
		return silent
	}
	return answered
}

// setBack remembers in one write who has taken a message and when the others are asked again; consumers that are given
// up on are parked. It reports whether the message moved on in a way that a person would call progress.
func (r *Relay) setBack(ctx context.Context, d *delivery) (moved bool) {
	ctx = context.WithoutCancel(ctx) // the failure may be the cancellation itself
	if r.at("before setback") != nil {
		return false
	}
	tries := make([]docstore.Try, 0, len(d.troubles))
	for _, t := range d.troubles {
		if !t.quiet {
			tries = append(tries, r.judge(&d.message, t))
		}
	}
	if lost := given(tries); len(lost) > 0 {
		if err := r.park(ctx, d, lost); errors.Is(err, errAbandoned) {
			return false
		} else if err != nil {
			r.config.Log.Error("event could not be parked", "event", d.message.ID, "error", err)
			for i := range tries {
				tries[i].Parked = false // it stays where it is and is parked after the next round
			}
		}
	}
	if r.at("before setback is stored") != nil {
		return false
	}
	err := r.tend(ctx, d, func(doc *docstore.Doc) error {
		r.noteSetback(doc, d, tries)
		return nil
	})
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		// Nothing is lost: the message is still in the outbox and due after its lease.
		r.config.Log.Warn("event setback not stored", "collection", d.collection, "document", d.document, "error", err)
	}
	_ = r.at("after setback")
	return d.message.Attempts == 0 || len(given(tries)) > 0
}

func given(tries []docstore.Try) (lost []docstore.Try) {
	for _, t := range tries {
		if t.Parked {
			lost = append(lost, t)
		}
	}
	return lost
}

// judge decides when a consumer that failed is asked again, or that it is given up on.
func (r *Relay) judge(m *docstore.Message, t trouble) docstore.Try {
	now, try := r.config.Clock.Now(), tryOf(m, t.consumer.Name)
	try.Attempts++
	try.Error = brief(t.err)
	if try.Since.IsZero() {
		try.Since = now
	}
	limit := r.config.Attempts
	if t.consumer.outside() {
		limit = min(limit, r.config.Refusals)
	}
	if t.putOff == 0 && !passes(t.consumer, t.err) {
		try.Refused++
		try.Parked = try.Refused >= limit
	}
	if now.Sub(try.Since) >= r.config.GiveUp && try.Attempts >= r.config.Attempts {
		try.Parked, try.Error = true, brief(fmt.Errorf("%w: %w", errStale, t.err))
	}
	wait := r.backoff(try.Attempts)
	switch {
	case errors.Is(t.err, errRecovers):
		wait = t.putOff
	case errors.Is(t.err, errCircuit): // spread, so that not all come at the moment at which it closes
		wait = min(t.putOff+time.Duration(r.config.Random(int64(wait)+1)), max(r.config.BackoffMax, t.putOff))
	}
	try.Next = now.Add(max(wait, t.putOff))
	return try
}

func (r *Relay) noteSetback(doc *docstore.Doc, d *delivery, tries []docstore.Try) {
	now := r.config.Clock.Now()
	i := slices.IndexFunc(doc.Outbox, func(m docstore.Message) bool { return m.ID == d.message.ID })
	if i < 0 {
		return
	}
	m := &doc.Outbox[i]
	m.Done = union(m.Done, d.taken)
	for _, try := range tries {
		if !slices.Contains(m.Done, try.Consumer) {
			setTry(m, try)
		}
	}
	for _, name := range m.Done {
		dropTry(m, name)
	}
	for _, t := range d.troubles {
		if t.quiet {
			dropTry(m, t.consumer.Name) // the claim of a call that was never made
		}
	}
	if len(tries) > 0 {
		errs := make([]string, 0, len(m.Tries))
		m.Attempts = 0
		for _, t := range m.Tries {
			m.Attempts = max(m.Attempts, t.Attempts)
			if t.Error != "" {
				errs = append(errs, t.Consumer+": "+t.Error)
			}
		}
		m.Error = brief(errors.New(strings.Join(errs, "\n")))
	}
	if settled, parked := r.settled(m); settled && parked {
		doc.Outbox = slices.Delete(doc.Outbox, i, i+1)
	}
	doc.Waiting = r.due(doc, now)
}

// settled tells whether every consumer has taken the message or is given up on, and whether one is given up on.
func (r *Relay) settled(m *docstore.Message) (all, parked bool) {
	all = true
	for _, c := range r.consumers[m.Name] {
		if slices.Contains(m.Done, c.Name) {
			continue
		}
		if tryOf(m, c.Name).Parked {
			parked = true
			continue
		}
		all = false
	}
	return all, parked
}

// due is when the sweeper has to look at a document next: at the first consumer's time. What nobody has tried yet is in
// somebody's hands: the time that was set for it stands.
func (r *Relay) due(doc *docstore.Doc, now time.Time) time.Time {
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for i := range doc.Outbox {
		m := &doc.Outbox[i]
		fresh := true
		for _, c := range r.consumers[m.Name] {
			try := tryOf(m, c.Name)
			if try.Next.IsZero() || try.Parked || slices.Contains(m.Done, c.Name) {
				continue
			}
			fresh = false
			sooner(try.Next)
		}
		switch {
		case !fresh:
		case doc.Waiting.After(now):
			sooner(doc.Waiting)
		default:
			sooner(now.Add(handGrace))
		}
	}
	return next
}

// backoff doubles with each failed round up to the ceiling; half of it is drawn, so that what failed together
// does not come back together.
func (r *Relay) backoff(attempts int) time.Duration {
	wait := r.config.BackoffMax
	if shift := attempts - 1; shift < 30 && r.config.Backoff<<shift < wait {
		wait = r.config.Backoff << shift
	}
	return wait/2 + time.Duration(r.config.Random(int64(wait/2)+1))
}

func union(a, b []string) []string {
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(a, name)
		}
	}
	return a
}

// brief cuts an error to what a person reads in a list.
func brief(err error) string {
	text := []rune(err.Error())
	return string(text[:min(len(text), 300)])
}
