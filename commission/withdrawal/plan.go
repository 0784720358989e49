package withdrawal

import "time"

// plan sets when the sweep must look again. While asked, NextAt is the lease of who reserves the money and is set there.
func (w *Withdrawal) plan(now time.Time, c *Config) {
	switch {
	case w.State == Asked:
	case w.State == Held:
		w.NextAt = w.HeldAt.Add(time.Duration(c.ReviewDays) * 24 * time.Hour)
	case w.State == Approved, w.unposted():
		w.NextAt = now.Add(at(stepDelays(), w.Tries))
	case w.State == Sent:
		w.NextAt = now.Add(at(sentDelays(), w.Tries))
	case w.State == Waiting:
		w.NextAt = now.Add(at(waitingDelays(), w.Tries))
	default:
		w.NextAt, w.Tries = time.Time{}, 0
	}
	if ends, _ := w.stayEnds(); !ends.IsZero() && ends.After(now) && ends.Before(w.NextAt) && w.State != Asked {
		w.NextAt = ends
	}
}

// at takes the n-th delay, the last one for ever after.
func at(delays []time.Duration, n int) time.Duration { return delays[min(n, len(delays)-1)] }

// stepDelays are between tries of our own steps; the first leaves room for who is doing it.
func stepDelays() []time.Duration {
	return []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute}
}

// sentDelays are between questions about a transfer whose outcome is unknown; the first leaves room for the sending.
func sentDelays() []time.Duration {
	return []time.Duration{
		30 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour,
	}
}

// waitingDelays are between questions about a transfer the member has to confirm: usually a notification comes first.
func waitingDelays() []time.Duration {
	return []time.Duration{2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
}
