package tax

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/text"
)

const maxTables = 1000

const indexFrom = "from" // by the time they take effect

const (
	// horizon is how far ahead a table may take effect when Book.Horizon does not say otherwise.
	horizon = 366 * 24 * time.Hour
	// recallLead is how long before it takes effect a table can be recalled at the latest: room for clocks that differ.
	recallLead = time.Minute
)

// Book keeps the published tables. Its methods are safe for concurrent use.
type Book struct {
	// Horizon is how far ahead a table may take effect; to be set before the book is used. Default 366 days.
	Horizon time.Duration

	tables *docstore.Collection[Table]
	clock  clock.Clock
}

// OpenBook opens the collection of tables.
func OpenBook(ctx context.Context, store *docstore.Store, c clock.Clock) (*Book, error) {
	tables, err := docstore.Open[Table](ctx, store, docstore.Spec{
		Name:    "tax_tables",
		Chained: true,
		Indexes: []docstore.Index{{Name: indexFrom, Fields: []string{"from"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("tax: %w", err)
	}
	return &Book{Horizon: horizon, tables: tables, clock: c}, nil
}

// Publish makes a table the next version; from zero means at once. A version never takes effect before an older one that
// was not recalled, nor beyond the horizon, and only the first may reach into the past. The content of the newest version
// again answers that version. Errors: those of Check, ErrTableRaced.
func (b *Book) Publish(ctx context.Context, t Table) (*Table, error) {
	next, published, err := b.next(ctx, t)
	if err != nil || published {
		return next, wrap("publish tax table", err)
	}
	if err := b.tables.Insert(ctx, next); docstore.Exists(err) {
		return nil, ErrTableRaced.Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("publish tax table: %w", err)
	}
	return next, nil
}

// Check gives the version a table would become if it were published now, or says why it cannot be: it is what Publish
// does before it writes. Errors: ErrBadTable, ErrTablePast, ErrTableFar.
func (b *Book) Check(ctx context.Context, t Table) (*Table, error) {
	next, _, err := b.next(ctx, t)
	return next, wrap("check tax table", err)
}

// next completes a table that may be published. Published says that it is the newest version already.
func (b *Book) next(ctx context.Context, t Table) (next *Table, published bool, err error) {
	if err := t.Check(); err != nil {
		return nil, false, err
	}
	all, err := b.Tables(ctx)
	if err != nil {
		return nil, false, err
	}
	now := b.clock.Now()
	t.Doc, t.Number, t.PublishedAt, t.From, t.Recalled = docstore.Doc{}, 1, now, clock.Milli(t.From), nil
	var newest *Table
	for _, one := range all {
		t.Number = max(t.Number, one.Number+1)
		if one.Recalled == nil && (newest == nil || one.Number > newest.Number) {
			newest = one
		}
	}
	earliest := now
	if newest != nil {
		if newest.same(&t) {
			return newest, true, nil
		}
		if newest.From.After(earliest) {
			earliest = newest.From
		}
	}
	switch {
	case t.Number > maxTables:
		return nil, false, ErrBadTable.With("number", "版本太多 / too many versions")
	case t.From.IsZero():
		t.From = earliest
	case newest != nil && t.From.Before(earliest):
		return nil, false, ErrTablePast
	case t.From.After(now.Add(b.Horizon)):
		return nil, false, ErrTableFar
	}
	t.ID = tableID(t.Number)
	return &t, false, nil
}

// Recall takes a published table back before it takes effect, by two people; its number is not used again. Recalling it
// again is a success. Errors: ErrTableMissing, ErrTableInForce, ErrTableOwn, ErrBadTable.
func (b *Book) Recall(ctx context.Context, number int, r Recall) (*Table, error) {
	if r.Maker == "" || r.Checker == "" || r.Maker == r.Checker {
		return nil, ErrTableOwn
	}
	var ok bool
	if r.Why, ok = text.Words(r.Why, 1, maxSource); !ok {
		return nil, ErrBadTable.With("why", "原因必填且不超过 200 字 / the reason is required, at most 200 characters")
	}
	r.At = b.clock.Now()
	t, err := b.tables.Update(ctx, tableID(number), func(t *Table) error {
		if t.Recalled != nil {
			return nil
		}
		t.Recalled = &r
		return recallable(t, r.At)
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrTableMissing
	}
	return t, wrap("recall tax table", err)
}

// CheckRecall tells whether a table could be recalled now. Errors: ErrTableMissing, ErrTableInForce.
func (b *Book) CheckRecall(ctx context.Context, number int) error {
	t, err := b.Table(ctx, number)
	if err != nil {
		return err
	}
	return recallable(t, b.clock.Now())
}

func recallable(t *Table, now time.Time) error {
	if t.From.Before(now.Add(recallLead)) {
		return ErrTableInForce
	}
	return nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// same compares what two tables say; a time is compared only when one was asked for.
func (t *Table) same(asked *Table) bool {
	return t.Name == asked.Name && reflect.DeepEqual(t.Rules, asked.Rules) &&
		(asked.From.IsZero() || asked.From.Equal(t.From))
}

// At gives the table in force at a moment; before the first one that is OffTable with number 0.
func (b *Book) At(ctx context.Context, at time.Time) (*Table, error) {
	q := docstore.By(indexFrom).Between(nil, clock.Milli(at).Add(time.Millisecond)).Newest().First(8)
	for { // bounded by maxTables: recalled ones are passed over
		page, err := b.tables.Find(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("tax table: %w", err)
		}
		for _, t := range page.Items {
			if t.Recalled == nil {
				return t, nil
			}
		}
		if page.Next == "" {
			off := OffTable()
			return &off, nil
		}
		q = q.Continue(page.Next)
	}
}

// Table gives one version; 0 is OffTable. Error: ErrTableMissing.
func (b *Book) Table(ctx context.Context, number int) (*Table, error) {
	if number == 0 {
		off := OffTable()
		return &off, nil
	}
	t, err := b.tables.Get(ctx, tableID(number))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrTableMissing
	}
	if err != nil {
		return nil, fmt.Errorf("tax table: %w", err)
	}
	return t, nil
}

// Tables lists all versions, recalled ones too, oldest first.
func (b *Book) Tables(ctx context.Context) ([]*Table, error) {
	page, err := b.tables.Find(ctx, docstore.All().First(maxTables).Whole())
	if err != nil {
		return nil, fmt.Errorf("tax tables: %w", err)
	}
	return page.Items, nil
}

// tableID sorts by number.
func tableID(number int) string {
	digits := strconv.Itoa(number)
	return strings.Repeat("0", max(0, 6-len(digits))) + digits
}
