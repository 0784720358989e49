// Package redisx is the accelerator: it makes things faster and fairer, and may vanish at any moment with nothing
// lost and nothing wrong.
//
// Every truth stands in the store. What is here is an estimate (Gate), a courtesy (Limiter), a copy (Cache,
// TokenCache), a wish not to work twice (Lock) or a hint (Nudge). When Redis is away, slow, flushed or set back to
// an older state:
//
//   - Gate admits, and the store decides;
//   - Limiter keeps limiting inside each process;
//   - Cache misses, and never answers with something dropped longer ago than its bound;
//   - TokenCache answers from the process's memory;
//   - Lock locks inside the process, with tokens that still only grow;
//   - nudges are not heard, and the sweeps find the work anyway.
//
// Calls are cut off after 150 ms, and after a few failures a breaker answers for the dead server without asking
// it, until one probe succeeds. Without a URL a miniredis inside the process serves the same code; only what is asked
// with every request (Gate, Limiter) is then answered from memory, because nobody else could ask that server.
//
//	r, err := redisx.Open(redisx.Config{URL: os.Getenv("GUANXI_REDIS_URL"), Clock: clock.System{}})
//	gate := r.Gate(redisx.GateConfig{})
//	if !gate.Deal(ctx, campaign, 2) { return soldOut }
package redisx
