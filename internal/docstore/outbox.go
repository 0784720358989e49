package docstore

import (
	"context"
	"time"
)

type outbox[T any] struct{ *Collection[T] }

func (o outbox[T]) Due(ctx context.Context, limit int) ([]string, error) {
	q := By(WaitingIndex).Between(nil, o.store.clock.Now().Add(time.Millisecond)).First(limit)
	records, _, err := o.store.driver.Find(ctx, o.spec.Name, q)
	if err != nil {
		return nil, o.fail("find due", "", err)
	}
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	return ids, nil
}

func (o outbox[T]) Depth(ctx context.Context, limit int) (int, error) {
	return o.Count(ctx, By(WaitingIndex), limit)
}

func (o outbox[T]) Tend(ctx context.Context, docID string, edit func(*Doc) error) error {
	_, err := o.Update(ctx, docID, func(doc *T) error {
		meta := o.meta(doc)
		if err := edit(meta); err != nil {
			return err
		}
		if len(meta.Outbox) == 0 {
			meta.Outbox, meta.Waiting = nil, time.Time{}
		}
		return nil
	})
	return err
}
