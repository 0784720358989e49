package commission

import (
	"context"
	"sync"
	"time"

	"guanxi/internal/docstore"
)

// settling deals the due orders to everybody of this process who settles, so that no two take the same. It is memory
// only: the rounds in the store are what a crash leaves behind.
type settling struct {
	slots chan struct{} // one per round at work

	mu      sync.Mutex
	owner   string          // names this process in the rounds it writes
	rounds  map[string]bool // at work
	orders  map[string]bool // of them
	swept   bool            // nothing of ours is left behind
	listing time.Time       // everything due then is being listed; zero = start anew
	after   string          // how far
}

func (m *settling) init(s *Service) {
	if m.owner == "" {
		m.owner, m.rounds, m.orders = s.ids.New(s.clock.Now()), map[string]bool{}, map[string]bool{}
	}
}

// begin claims a round's orders; the lock is held.
func (m *settling) begin(round *settleRound) {
	m.rounds[round.ID] = true
	for _, order := range round.Orders {
		m.orders[order] = true
	}
}

// end lets them go. A round that failed is left behind for the next call.
func (m *settling) end(round *settleRound, err error) {
	m.mu.Lock()
	delete(m.rounds, round.ID)
	for _, order := range round.Orders {
		delete(m.orders, order)
	}
	m.swept = m.swept && err == nil
	m.mu.Unlock()
	<-m.slots
}

// leftRounds claims what a crashed or failed call left behind, and names the orders another process is at work on.
func (s *Service) leftRounds(ctx context.Context) (left []*settleRound, others map[string]bool, err error) {
	m := &s.settling
	m.mu.Lock()
	defer m.mu.Unlock()
	m.init(s)
	if m.swept && s.config.Alone {
		return nil, nil, nil
	}
	page, err := s.rounds.Find(ctx, docstore.All().First(maxRounds))
	if err != nil {
		return nil, nil, err
	}
	m.swept = page.Next == ""
	others = map[string]bool{}
	for _, round := range page.Items {
		switch mine := round.Owner == m.owner; {
		case m.rounds[round.ID]:
		case mine || s.config.Alone || s.clock.Now().Sub(round.At) >= settleLease:
			select {
			case m.slots <- struct{}{}:
				m.begin(round)
				left = append(left, round)
			default:
				m.swept = false
			}
		default:
			for _, order := range round.Orders {
				others[order] = true
			}
		}
	}
	return left, others, nil
}

// nextRound claims the next due orders and writes the round down; nil when there are none.
func (s *Service) nextRound(ctx context.Context, others map[string]bool) (*settleRound, error) {
	m := &s.settling
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	round, err := s.claimRound(ctx, others)
	if round == nil || err != nil {
		<-m.slots
		return nil, err
	}
	if err = s.rounds.Insert(ctx, round); err != nil {
		m.end(round, err)
		return nil, err
	}
	return round, nil
}

// claimRound lists on from where the last listing stopped, and from the beginning when it came to the end.
func (s *Service) claimRound(ctx context.Context, others map[string]bool) (*settleRound, error) {
	m := &s.settling
	m.mu.Lock()
	defer m.mu.Unlock()
	now, anew := s.clock.Now(), m.listing.IsZero()
	if anew {
		m.listing = now
	}
	round := &settleRound{Owner: m.owner, At: now}
	for range maxSkips {
		q := docstore.By("due").Between(nil, m.listing.Add(time.Millisecond)).First(s.config.SettlePage)
		page, err := s.settlements.Find(ctx, q.Continue(m.after))
		if err != nil {
			m.listing, m.after = time.Time{}, ""
			return nil, err
		}
		for _, d := range page.Items {
			if !m.orders[d.ID] && !others[d.ID] {
				round.Orders = append(round.Orders, d.ID)
			}
		}
		if m.after = page.Next; m.after == "" {
			m.listing = time.Time{}
		}
		switch {
		case len(round.Orders) > 0:
			round.ID = s.ids.New(now)
			m.begin(round)
			return round, nil
		case m.after == "" && anew:
			return nil, nil //nolint:nilnil // nothing is due and nothing is wrong
		case m.after == "":
			m.listing, anew = now, true
		}
	}
	return nil, nil //nolint:nilnil // others are at work on all of it
}
