package event

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"guanxi/internal/docstore"
)

// delivery is one message on its way through its consumers: those inside one after the other, in table order, then all
// outside ones side by side. A consumer that fails does not keep the message from the others.
type delivery struct {
	parcel
	relay   *Relay
	inside  []Consumer      // still to be called
	outside []Consumer      // still to be called
	inner   func()          // called once when the inside part is over; may be nil
	end     func(*delivery) // called once when everything is

	mu        sync.Mutex
	open      int // outside calls that are queued or run
	taken     []string
	troubles  []trouble
	elsewhere bool // another process is calling one of the consumers, or has removed the message
	stopped   bool // the relay was stopped in the middle
	dead      bool // abandoned as by the death of the process (tests)
}

// trouble is a consumer that did not take the message this time.
type trouble struct {
	consumer Consumer
	err      error
	putOff   time.Duration // at least so long; the consumer was not called
	quiet    bool          // only remembered as not done: the relay is stopping
}

// deliveryOf lists the consumers that are due.
func (r *Relay) deliveryOf(p parcel) *delivery {
	d := &delivery{parcel: p, relay: r, taken: slices.Clone(p.message.Done)}
	now := r.config.Clock.Now()
	for _, c := range r.consumers[p.message.Name] {
		try := tryOf(&p.message, c.Name)
		switch {
		case slices.Contains(p.message.Done, c.Name), try.Parked, try.Next.After(now):
		case c.outside():
			d.outside = append(d.outside, c)
		default:
			d.inside = append(d.inside, c)
		}
	}
	return d
}

// tryOf gives a consumer's record in a message; the zero Try when it has none.
func tryOf(m *docstore.Message, consumer string) docstore.Try {
	for _, t := range m.Tries {
		if t.Consumer == consumer {
			return t
		}
	}
	return docstore.Try{Consumer: consumer}
}

// begin starts a fresh delivery without ever waiting; false when its first consumer's line is full.
func (d *delivery) begin() bool {
	if len(d.inside) == 0 {
		return d.relay.lanes.spawn(d.next)
	}
	c, rest := d.inside[0], d.inside
	d.inside = rest[1:]
	if d.queue(c, false) != nil {
		d.inside = rest
		return false
	}
	return true
}

func (d *delivery) queue(c Consumer, begun bool) error {
	return d.relay.lanes.send(c.Name, task{at: d.message.At, last: begun, run: func() {
		d.call(c)
		d.next()
	}, drop: func() {
		d.halt()
		d.inside = nil
		d.next()
	}})
}

// next goes on with the next consumer inside, or fans out to those outside.
func (d *delivery) next() {
	for len(d.inside) > 0 && !d.gone() {
		c := d.inside[0]
		d.inside = d.inside[1:]
		if d.queue(c, true) == nil { // it always is: a delivery that has begun is let through
			return
		}
	}
	outside := d.outside
	if d.gone() {
		outside = nil
	}
	d.mu.Lock()
	d.open += 1 + len(outside)
	d.mu.Unlock()
	for _, c := range outside {
		err := d.relay.lanes.send(c.Name, task{at: d.message.At, run: func() {
			d.call(c)
			d.over()
		}, drop: func() {
			d.note(trouble{consumer: c, quiet: true})
			d.over()
		}})
		if err != nil {
			d.note(trouble{consumer: c, err: err, putOff: time.Second, quiet: errors.Is(err, errClosed)})
			d.over()
		}
	}
	d.over()
	if d.inner != nil {
		d.inner()
	}
}

// over ends one of the parts; the last one ends the delivery.
func (d *delivery) over() {
	d.mu.Lock()
	d.open--
	last := d.open == 0
	d.mu.Unlock()
	if last {
		d.end(d)
	}
}

func (d *delivery) gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead || d.stopped
}

func (d *delivery) halt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
}

func (d *delivery) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *delivery) note(t trouble) {
	d.mu.Lock()
	d.troubles = append(d.troubles, t)
	d.mu.Unlock()
	if t.putOff > 0 || t.quiet {
		d.relay.lanes.count(t.consumer.Name, func(n *tally) { n.putOff++ })
		return
	}
	d.relay.counts.failed.Add(1)
	d.relay.lanes.count(t.consumer.Name, func(n *tally) { n.failed++ })
}

func (d *delivery) take(consumer string) {
	d.mu.Lock()
	d.taken = append(d.taken, consumer)
	d.mu.Unlock()
	d.relay.counts.delivered.Add(1)
	d.relay.lanes.count(consumer, func(n *tally) { n.delivered++ })
}

// call hands the message to one consumer, outside ones behind their platform's circuit and under a claim.
func (d *delivery) call(c Consumer) {
	r := d.relay
	if d.gone() {
		return
	}
	if r.at("before consumer "+c.Name) != nil {
		d.die()
		return
	}
	line := r.lanes.lines[c.Name]
	wait, err := line.circuit.enter(r.config.Clock.Now())
	if err != nil {
		d.note(trouble{consumer: c, err: err, putOff: wait})
		return
	}
	v := noWord
	defer func() { line.circuit.leave(r.config.Clock.Now(), v) }()
	if c.outside() && !d.claim(c) {
		return
	}
	err = r.hand(r.life, c, r.eventOf(d.parcel))
	switch {
	case err == nil:
		v = answered
		d.take(c.Name)
	case r.life.Err() != nil:
		d.halt() // stopped in the middle: that is nobody's failed attempt
		return
	default:
		v = verdictOf(err)
		d.note(trouble{consumer: c, err: err})
	}
	if r.at("after consumer "+c.Name) != nil {
		d.die()
	}
}

// claim writes into the message, before an outside call, that somebody is calling this consumer and until when. So of several
// processes that found the message only one calls, and what the inside consumers did is remembered on the way.
func (d *delivery) claim(c Consumer) bool {
	r := d.relay
	if r.at("before claim") != nil {
		d.die()
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.life), r.config.Timeout)
	defer cancel()
	var free, done bool
	err := r.tend(ctx, d, func(doc *docstore.Doc) error {
		free, done = false, false
		now := r.config.Clock.Now()
		i := slices.IndexFunc(doc.Outbox, func(m docstore.Message) bool { return m.ID == d.message.ID })
		if i < 0 {
			return nil
		}
		m := &doc.Outbox[i]
		try := tryOf(m, c.Name)
		if done = slices.Contains(m.Done, c.Name); done || try.Parked || try.Next.After(now) {
			return nil
		}
		free = true
		d.mu.Lock()
		m.Done = union(m.Done, d.taken)
		d.mu.Unlock()
		try.Next = now.Add(r.config.Timeout + claimGrace)
		setTry(m, try)
		doc.Waiting = r.due(doc, now)
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, docstore.ErrNotFound):
		d.note(trouble{consumer: c, err: err})
		return false
	case done:
		d.take(c.Name) // by another process
		return false
	case !free:
		d.mu.Lock()
		d.elsewhere = true
		d.mu.Unlock()
		return false
	}
	if r.at("after claim") != nil {
		d.die()
		return false
	}
	return true
}

// tend changes the envelope of a delivery's document without reading the rest of it, which may be unreadable.
func (r *Relay) tend(ctx context.Context, d *delivery, edit func(*docstore.Doc) error) error {
	return r.outboxes()[d.collection].TendMany(ctx, []string{d.document}, edit)[0]
}

func setTry(m *docstore.Message, t docstore.Try) {
	if i := slices.IndexFunc(m.Tries, func(old docstore.Try) bool { return old.Consumer == t.Consumer }); i >= 0 {
		m.Tries[i] = t
		return
	}
	m.Tries = append(m.Tries, t)
}

func dropTry(m *docstore.Message, consumer string) {
	m.Tries = slices.DeleteFunc(m.Tries, func(t docstore.Try) bool { return t.Consumer == consumer })
	if len(m.Tries) == 0 {
		m.Tries = nil
	}
}
