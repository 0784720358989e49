package bench

import "context"

func runIdle(ctx context.Context, o Options, emit func(Row)) error  { return nil }
func runFlash(ctx context.Context, o Options, emit func(Row)) error { return nil }
func runFeed(ctx context.Context, o Options, emit func(Row)) error  { return nil }
func runGrow(ctx context.Context, o Options, emit func(Row)) error  { return nil }
