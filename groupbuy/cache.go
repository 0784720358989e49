package groupbuy

import (
	"sync"
	"time"

	"guanxi/internal/clock"
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
type known struct {
	mu        sync.Mutex
	life      time.Duration
	campaigns map[string]knownCampaign
}

type knownCampaign struct {
	campaign *Campaign // never changed
	read     time.Time
}

const maxKnown = 1024

func newKnown(life time.Duration) *known {
	return &known{life: life, campaigns: map[string]knownCampaign{}}
}

func (k *known) get(campaign string, c clock.Clock) *Campaign {
	now := c.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	one, ok := k.campaigns[campaign]
	if !ok || now.Sub(one.read) >= k.life || now.Before(one.read) {
		return nil
	}
	return one.campaign
}

// put remembers a campaign; the caller must not change it afterwards.
func (k *known) put(c *Campaign, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.campaigns) >= maxKnown {
		clear(k.campaigns)
	}
	k.campaigns[c.ID] = knownCampaign{c, at}
}

// forget is called after our own writes.
func (k *known) forget(campaign string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.campaigns, campaign)
}
