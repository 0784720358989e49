package event

import (
	"sync"
	"time"
)

// A platform that fails this often in a row is left alone for a while.
const (
	circuitAfter = 5
	circuitFirst = 5 * time.Second
	circuitMost  = time.Minute
	circuitFull  = 8 // calls at a time after which a platform counts as well again
)

// circuit watches one platform. Closed, everybody may call. After circuitAfter failures in a row it opens: nobody calls
// for a time that doubles up to circuitMost. Then one call tries, and with every success one more may run beside the
// others, so that a platform that comes back is not run over by all that waited for it.
type circuit struct {
	random func(n int64) int64

	mu       sync.Mutex
	failures int           // in a row
	wait     time.Duration // of the last opening
	until    time.Time     // open until
	limit    int           // calls at a time while it recovers; 0 = it is well
	running  int
}

// enter asks for a call; when it is refused, wait is how long not to ask again. Errors: errCircuit, errRecovers.
func (c *circuit) enter(now time.Time) (wait time.Duration, err error) {
	if c == nil {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := c.until.Sub(now); left > 0 {
		return left, errCircuit
	}
	if c.limit > 0 && c.running >= c.limit {
		return time.Second + time.Duration(c.random(int64(4*time.Second))), errRecovers
	}
	c.running++
	return 0, nil
}

// verdict is what a call says about the platform.
type verdict int

const (
	noWord   verdict = iota // it was not the platform's doing
	answered                // it answered, be it no
	silent                  // it is away, busy, or did not answer
)

// leave ends a call.
func (c *circuit) leave(now time.Time, v verdict) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	switch {
	case v == answered:
		c.failures, c.wait = 0, 0
		if c.limit > 0 && now.After(c.until) {
			if c.limit++; c.limit > circuitFull {
				c.limit = 0
			}
		}
	case v == silent && now.Before(c.until): // it opened while this call ran
	case v == silent:
		if c.failures++; c.failures >= circuitAfter || c.limit > 0 {
			c.wait = min(max(2*c.wait, circuitFirst), circuitMost)
			c.until, c.limit, c.failures = now.Add(c.wait/2+time.Duration(c.random(int64(c.wait/2)+1))), 1, 0
		}
	}
}

// open reports whether nobody may call now.
func (c *circuit) open(now time.Time) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until.After(now)
}
