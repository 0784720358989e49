package event

import (
	"sync"
	"time"

	"guanxi/internal/clock"
)

// livelyFor is how long a collection is looked at often after something was emitted there, or was seen waiting.
const livelyFor = 30 * time.Second

// lively knows in which collections something may wait: where this process has emitted something, and where something was
// waiting when it looked last. All others can only hold what another process has left behind.
type lively struct {
	mu    sync.Mutex
	since map[string]clock.Stopwatch // by collection: since it was last seen alive
	ever  map[string]bool            // those in which this process has ever seen something
	known clock.Stopwatch            // since those were looked at
	full  clock.Stopwatch            // since all of them were looked at
}

// fullRests is after how many rests also collections are looked at in which this process has never seen anything.
const fullRests = 8

// emitted notes that something was stored in an outbox of the collection. It reports whether the sweeper has been at rest.
func (l *lively) emitted(collection string) (rested bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since == nil {
		l.since, l.ever = map[string]clock.Stopwatch{}, map[string]bool{}
	}
	l.ever[collection] = true
	rested = len(l.since) == 0
	l.since[collection] = clock.StartStopwatch()
	return rested
}

// look names what is to be looked at now: everything when all is true.
func (l *lively) look(every time.Duration) (some map[string]bool, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	some = map[string]bool{}
	for collection, since := range l.since {
		if since.Elapsed() > livelyFor {
			delete(l.since, collection)
			continue
		}
		some[collection] = true
	}
	if l.known.Elapsed() >= every {
		l.known = clock.StartStopwatch()
		for collection := range l.ever {
			some[collection] = true
		}
	}
	if all = l.full.Elapsed() >= min(fullRests*every, 5*time.Minute); all {
		l.full = clock.StartStopwatch()
	}
	return some, all
}

// next is how long the sweeper may rest.
func (l *lively) next(often, every time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.since) > 0 {
		return often
	}
	return max(every-l.known.Elapsed(), often)
}
