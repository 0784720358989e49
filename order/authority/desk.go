package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// desk is what a host has returned on her own word lately. Id = host.
type desk struct {
	docstore.Doc `bson:",inline"`
	Words        []word `bson:"words"`
}

type word struct {
	Refund string    `bson:"refund"` // <order>/<key of the refund>
	Amount money.Fen `bson:"amount"`
	At     time.Time `bson:"at"`
}

// MaxWords bounds a desk: more refunds than that within one period are the brand's to look at.
const MaxWords = 500

// Turnover sums what a host's orders since then have earned, net of refunds and of her own orders. It may stop when that is
// enough.
type Turnover func(ctx context.Context, host string, since time.Time, enough money.Fen) (money.Fen, error)

// Desks keeps the words. Its methods are safe for concurrent use by several processes.
type Desks struct {
	desks    *docstore.Collection[desk]
	clock    clock.Clock
	policy   Policy
	turnover Turnover
}

// OpenDesks opens the collection.
func OpenDesks(ctx context.Context, store *docstore.Store, c clock.Clock, p Policy, t Turnover) (*Desks, error) {
	desks, err := docstore.Open[desk](ctx, store, docstore.Spec{Name: "refund_desks", ShardKey: "_id"})
	if err != nil {
		return nil, err
	}
	return &Desks{desks, c, p, t}, nil
}

// errKept ends a change that gives no word: no write.
var errKept = errors.New("authority: nothing to keep")

// Give counts a refund on a host's word, or says that the brand must decide. The same refund is counted once, with its
// largest amount.
func (d *Desks) Give(ctx context.Context, host, refund string, amount money.Fen) (granted bool, err error) {
	now := d.clock.Now()
	since := now.Add(-d.policy.Period)
	for range 8 { // the turnover is read outside the change, as far as it may be needed: read further when that was too short
		k, err := d.desks.Get(ctx, host)
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return false, fmt.Errorf("refund desk: %w", err)
		}
		enough := d.policy.needed(2 * (k.others(refund, since) + amount))
		sum := money.Fen(0)
		if enough > 0 {
			if sum, err = d.turnover(ctx, host, since, enough); err != nil {
				return false, err
			}
		}
		most, short := d.policy.most(sum), false
		_, err = d.desks.Upsert(ctx, host, func(k *desk) error {
			granted, short = false, false
			if k.others(refund, since)+amount > most {
				short = sum >= enough
				return errKept
			}
			granted = k.give(word{refund, amount, now}, since)
			return changedIf(granted)
		})
		if err != nil && !errors.Is(err, errKept) {
			return false, fmt.Errorf("refund desk: %w", err)
		}
		if !short {
			return granted, nil
		}
	}
	return false, nil
}

// others sums what was given since then for other refunds.
func (k *desk) others(refund string, since time.Time) (given money.Fen) {
	if k == nil {
		return 0
	}
	for _, w := range k.Words {
		if w.Refund != refund && !w.At.Before(since) {
			given += w.Amount
		}
	}
	return given
}

// give puts a word on the desk; there is room for MaxWords.
func (k *desk) give(w word, since time.Time) bool {
	k.Words = slices.DeleteFunc(k.Words, func(old word) bool { return old.At.Before(since) })
	if i := slices.IndexFunc(k.Words, func(old word) bool { return old.Refund == w.Refund }); i >= 0 {
		k.Words[i].Amount = max(k.Words[i].Amount, w.Amount)
		return true
	}
	if len(k.Words) >= MaxWords {
		return false
	}
	k.Words = append(k.Words, w)
	return true
}

func changedIf(granted bool) error {
	if granted {
		return nil
	}
	return errKept
}
