package order

import (
	"context"
	"sync"
)

// gate lets callers of one key through one after the other: a double tap costs one placement. It is a courtesy of this
// process; what keeps attempts apart, here and in other processes, are their claims.
type gate struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// enter waits for its turn; call leave when done.
func (g *gate) enter(ctx context.Context, key string) (leave func(), err error) {
	for {
		g.mu.Lock()
		if g.busy == nil {
			g.busy = map[string]chan struct{}{}
		}
		ahead := g.busy[key]
		if ahead == nil {
			mine := make(chan struct{})
			g.busy[key] = mine
			g.mu.Unlock()
			return func() {
				g.mu.Lock()
				delete(g.busy, key)
				g.mu.Unlock()
				close(mine)
			}, nil
		}
		g.mu.Unlock()
		select {
		case <-ahead:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
