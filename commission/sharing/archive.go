package sharing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// The indexes sharings are found by.
const (
	indexNext    = "next"    // due for an automatic look
	indexTrouble = "trouble" // people should look
	indexPaid    = "paid"    // by the newest part that was paid: a day's bill
)

func openSharings(ctx context.Context, store *docstore.Store) (*docstore.Collection[Sharing], error) {
	return docstore.Open[Sharing](ctx, store, docstore.Spec{
		Name: "sharings", Emits: true,
		Indexes: []docstore.Index{
			{Name: indexNext, Fields: []string{"next_at"}, Sparse: true},
			{Name: indexTrouble, Fields: []string{"trouble_at"}, Sparse: true},
			{Name: indexPaid, Fields: []string{"paid_last"}, Sparse: true},
		},
		ShardKey: "_id",
	})
}

// Archive reads the sharings of a store and nothing else: for verification, beside or without a Service.
type Archive struct {
	sharings *docstore.Collection[Sharing]
}

// OpenArchive opens the sharings for reading.
func OpenArchive(ctx context.Context, store *docstore.Store) (*Archive, error) {
	sharings, err := openSharings(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("sharing: %w", err)
	}
	return &Archive{sharings}, nil
}

// Get loads an order's sharing for the brand's own eyes. Error: ErrNotFound.
func (a *Archive) Get(ctx context.Context, order string) (*Sharing, error) {
	d, err := a.sharings.Get(ctx, order)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get sharing: %w", err)
	}
	return d, nil
}

// Find loads the sharing that has a part of this number. Error: ErrNotFound.
func (a *Archive) Find(ctx context.Context, number string) (*Sharing, *Part, error) {
	at := strings.LastIndexByte(number, 'S')
	if at < 1 || at != len(number)-3 {
		return nil, nil, ErrNotFound
	}
	d, err := a.Get(ctx, number[:at])
	if err != nil {
		return nil, nil, err
	}
	for i := range d.Parts {
		if d.Parts[i].Number == number {
			return d, &d.Parts[i], nil
		}
	}
	return nil, nil, ErrNotFound
}

// Each walks all sharings in the order of their orders, for verification.
func (a *Archive) Each(ctx context.Context, visit func(*Sharing) error) error {
	return a.sharings.Each(ctx, docstore.All(), visit)
}

// spread is how far apart the parts of one order may be paid: a sharing that is not over after a day is a task by then.
const spread = 7 * 24 * time.Hour

// PaidBetween gives the sharings that may have a part paid in [from, to): by their newest one, a week beyond.
func (a *Archive) PaidBetween(ctx context.Context, from, to time.Time, visit func(*Sharing) error) error {
	return a.sharings.Each(ctx, docstore.By(indexPaid).Between(from, to.Add(spread)), visit)
}
