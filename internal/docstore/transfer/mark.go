package transfer

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
)

// marks is the collection with the one document that says how a store came about, if it was not from nothing.
const marks = "transfers"

const onlyMark = "store"

// State of a store that is, or was, filled from elsewhere.
type State string

// The states of a mark.
const (
	Filling State = "filling" // nobody may serve from it
	Filled  State = "filled"
)

// Mark says where a store was copied or restored from.
type Mark struct {
	docstore.Doc `bson:",inline"`
	State        State  `bson:"state"`
	From         string `bson:"from"`
}

// Errors of filling a store.
var (
	ErrOccupied = errors.New("transfer: the target holds something already")
	ErrHalf     = errors.New("transfer: the store is half filled: a copy or a restore into it has not ended")
)

func openMarks(ctx context.Context, store *docstore.Store) (*docstore.Collection[Mark], error) {
	return docstore.Open[Mark](ctx, store, docstore.Spec{Name: marks})
}

// Begin marks a store as being filled from a place. A store that was begun from the same place goes on; one that holds anything
// else is refused. Errors: ErrOccupied.
func Begin(ctx context.Context, store *docstore.Store, to docstore.Driver, specs map[string]docstore.Spec, from string) error {
	c, err := openMarks(ctx, store)
	if err != nil {
		return err
	}
	known, err := c.Get(ctx, onlyMark)
	switch {
	case err == nil && known.From != from:
		return fmt.Errorf("%w: it was filled from %s", ErrOccupied, known.From)
	case err == nil && known.State == Filling:
		return nil
	case err == nil:
		return fmt.Errorf("%w: it was filled from %s, and that has ended", ErrOccupied, known.From)
	case !errors.Is(err, docstore.ErrNotFound):
		return err
	}
	for name, spec := range specs {
		if passed(name) {
			continue
		}
		if err := to.Ensure(ctx, spec); err != nil {
			return err
		}
		found, _, err := to.Find(ctx, name, docstore.Query{Limit: 1})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("%w: there are %s in it", ErrOccupied, name)
		}
	}
	return c.Insert(ctx, &Mark{Doc: docstore.Doc{ID: onlyMark}, State: Filling, From: from})
}

// End says that the store is whole.
func End(ctx context.Context, store *docstore.Store) error {
	c, err := openMarks(ctx, store)
	if err != nil {
		return err
	}
	_, err = c.Update(ctx, onlyMark, func(m *Mark) error { m.State = Filled; return nil })
	return err
}

// Whole checks that nobody is filling the store. Error: ErrHalf.
func Whole(ctx context.Context, store *docstore.Store) error {
	c, err := openMarks(ctx, store)
	if err != nil {
		return err
	}
	m, err := c.Get(ctx, onlyMark)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	case m.State == Filling:
		return fmt.Errorf("%w (from %s)", ErrHalf, m.From)
	}
	return nil
}
