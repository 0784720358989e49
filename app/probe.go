package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/redisx"
)

// Probe tries everything serve will need and says in words what does not work. It writes nothing.
func Probe(ctx context.Context, v Values) []string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var wrong []string
	add := func(what string, err error) { wrong = append(wrong, fmt.Sprintf("%s: %v", what, err)) }
	store, err := ReadStore(ctx, v)
	switch {
	case errors.Is(err, docstore.ErrAbsent): // the first serve makes it
	case err != nil:
		add("the store cannot be opened", err)
	default:
		if err := store.Ping(ctx); err != nil {
			add("the store does not answer", err)
		}
		wrong = append(wrong, store.Warnings()...)
		if err := store.Close(); err != nil {
			add("the store cannot be closed", err)
		}
	}
	redis, err := redisx.Open(redisx.Config{URL: v["GUANXI_REDIS_URL"], Clock: clock.System{}})
	if err != nil {
		add("Redis cannot be opened", err)
		return wrong
	}
	if err := redis.Ping(ctx); err != nil {
		add("Redis does not answer (guanxi works without it, slower)", err)
	}
	if _, err := openPlatforms(v, redis); err != nil {
		add("the platforms' settings are not right", err)
	}
	if err := redis.Close(); err != nil {
		add("Redis cannot be closed", err)
	}
	for _, name := range []string{"GUANXI_LISTEN", "GUANXI_OPS_LISTEN", "GUANXI_CONSOLE_ADDR"} {
		address := v[name]
		if address == "" {
			continue // the console stands beside the public edge
		}
		l, err := Listen(ctx, address)
		if err != nil {
			add(name+" cannot be listened on", err)
			continue
		}
		_ = l.Close() // it was opened only to see whether it can be
	}
	return wrong
}
