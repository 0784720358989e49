package groupbuy

import (
	"sync"
	"time"
)

// known keeps campaigns this process has read for at most a second, so that thousands who join at once do not
// each read the same document. Stale data can do no harm there:
//   - start and end are compared with the clock on every call, so a campaign opens and ends on time;
//   - what can change behind our back is an early close or a cancellation, by another process (our own writes
//     are learned at once). Admitted up to a second late, an order of a closed campaign is honoured like one
//     admitted just before: settling waits settleLag and then for every claim. One of a cancelled campaign is
//     stranded when it is paid, because TakeSeat reads the campaign afresh, and is refunded;
//   - items and prices change only before the start, and an offer is honoured as it was made;
//   - limits are counted in the store, never here.
type known = recent[*Campaign]

// recent remembers what was read within life, by campaign.
type recent[T any] struct {
	mu   sync.Mutex
	life time.Duration
	of   map[string]seen[T]
}

type seen[T any] struct {
	what T // never changed
	read time.Time
}

const maxKnown = 1024

func newRecent[T any](life time.Duration) *recent[T] {
	return &recent[T]{life: life, of: map[string]seen[T]{}}
}

func (k *recent[T]) get(campaign string, now time.Time) (what T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, ok := k.of[campaign]
	if !ok || now.Sub(one.read) >= k.life || now.Before(one.read) {
		return what
	}
	return one.what
}

// put remembers what was read at that time; the caller must not change it afterwards.
func (k *recent[T]) put(campaign string, what T, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.of) >= maxKnown {
		clear(k.of)
	}
	k.of[campaign] = seen[T]{what, at}
}

// forget is called after our own writes.
func (k *recent[T]) forget(campaign string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, campaign)
}
