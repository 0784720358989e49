package order

import "time"

// silences are the moments, counted from the prepay, at which a payment nobody has told us of is asked for.
func silences() []time.Duration {
	return []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute}
}

// lookAfterPrepay is the next question about a silent payment; zero when only the expiry is left.
func lookAfterPrepay(prepaid time.Time, looks int) time.Time {
	if all := silences(); looks < len(all) {
		return prepaid.Add(all[looks])
	}
	return time.Time{}
}

// closeDelay backs off while the platform does not answer a close: 10 s doubling to 10 min.
func closeDelay(tries int) time.Duration {
	return min(10*time.Second<<min(tries, 10), 10*time.Minute)
}

// refundDelay backs off while a refund is not known to be done: 1 min doubling to 6 h. The platform wants a
// minute between two refunds of one order.
func refundDelay(tries int) time.Duration {
	return min(time.Minute<<min(tries, 12), 6*time.Hour)
}

// lapsesAt is when an unpaid order is given up: by then its time is over on everybody's clock.
func (o *Order) lapsesAt() time.Time { return o.ExpiresAt.Add(ClockSkew) }

// plan writes down when the order needs the next automatic look, and since when it waits for the brand. It depends on
// nothing but the document, and on how long a host may be silent about requests from before that was written on them.
func (o *Order) plan(silence time.Duration) {
	next := time.Time{}
	earliest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	switch o.State {
	case StatePlaced:
		earliest(o.lapsesAt())
		earliest(o.LookAt)
	case StateClosing:
		earliest(o.LookAt)
	case StateShipped:
		if !o.refundPending() { // an open case stops the clock
			earliest(o.Shipment.ReceiveBy)
		}
	case StateReceived:
		if !o.refundPending() {
			earliest(o.WindowEnds)
		}
	}
	o.BrandAt = time.Time{}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		switch {
		case r.Stage.open():
			earliest(r.NextAt)
		case r.waitsForHost():
			earliest(r.deadline(silence))
		case r.Stage == StageRequested && (o.BrandAt.IsZero() || r.BrandAt.Before(o.BrandAt)):
			o.BrandAt = r.BrandAt
		}
	}
	o.eachStay(func(ends time.Time, _ string) { earliest(ends) })
	o.NextAt = next
}

// refundPending tells whether a refund waits for the host or the platform.
func (o *Order) refundPending() bool {
	for i := range o.Refunds {
		if s := o.Refunds[i].Stage; s == StageRequested || s.open() {
			return true
		}
	}
	return false
}
