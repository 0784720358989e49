package redisx

import (
	"context"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

const busChannel = "bus"

// Nudge tells the other instances that something is due under a topic (a collection, say). Best effort: it may be
// lost, and Redis being away is not an error worth hearing of.
func (r *Redis) Nudge(ctx context.Context, topic string) { r.tell(ctx, "nudge", topic) }

// OnNudge calls fn, quickly, for every nudge of another instance. Register before the first one is expected.
func (r *Redis) OnNudge(fn func(topic string)) { r.hear("nudge", fn) }

func (r *Redis) tell(ctx context.Context, kind, text string) {
	_ = r.do(ctx, func(ctx context.Context) error {
		return r.conn().Publish(ctx, r.config.Prefix+busChannel, r.self+" "+kind+" "+text).Err()
	})
}

func (r *Redis) hear(kind string, fn func(text string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners[kind] = append(r.listeners[kind], fn)
}

// listen serves the bus; the client reconnects by itself after an outage, and what was said meanwhile is missed.
func (r *Redis) listen() {
	r.mu.Lock()
	select {
	case <-r.quit:
		r.mu.Unlock()
		return
	default:
	}
	r.bus = r.ear.Subscribe(context.Background(), r.config.Prefix+busChannel)
	messages := r.bus.Channel(redis.WithChannelHealthCheckInterval(time.Second), redis.WithChannelSize(1000))
	r.mu.Unlock()
	for {
		select {
		case <-r.quit:
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			r.dispatch(m.Payload)
		}
	}
}

func (r *Redis) dispatch(payload string) {
	from, rest, _ := strings.Cut(payload, " ")
	kind, text, ok := strings.Cut(rest, " ")
	if !ok || from == r.self {
		return
	}
	r.mu.Lock()
	listeners := r.listeners[kind]
	r.mu.Unlock()
	for _, fn := range listeners {
		fn(text)
	}
}
