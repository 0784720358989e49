// Package lease lets one process at a time do what only one should do, and lets the store refuse what another does late.
//
// A lease is one small document: who holds it, a fencing token that grows with every new holder, and a counter the holder
// moves with every heartbeat. It lives in the store, never in Redis: what decides about writes stands beside what is written.
//
//   - A Keeper is one process's share in the leases. Its heartbeat (Run) renews all it holds with one write, looks at all it
//     seeks with one read, and takes what is free or abandoned.
//   - A lease is abandoned when its counter has not moved for two of the observer's own beats, measured on the observer's
//     monotonic clock while it looked. No time is stored and no two clocks are compared: a machine whose clock is wrong, or
//     that was stopped for a while, takes nothing from anybody by that. A dead holder is replaced within four beats (10 s).
//   - A holder that was stopped believes that it holds the lease until its next beat. It may act on that belief, for a
//     belief is not enough: what it writes carries its token, and a document that has seen a newer one refuses (Fenced). A
//     lease saves work and keeps order; the token keeps it right.
//
// What only the holder may write embeds Fenced:
//
//	type board struct {
//		docstore.Doc `bson:",inline"`
//		lease.Fenced `bson:",inline"`
//		…
//	}
//	_, err := boards.Update(ctx, id, func(b *board) error {
//		if err := b.Admit(token); err != nil {
//			return err // lease.ErrLost: somebody else has taken over and has written here
//		}
//		…
//	})
package lease
