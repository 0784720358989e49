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
)

const maxTables = 1000

const indexFrom = "from" // by the time they take effect

// Book keeps the published tables. Its methods are safe for concurrent use.
type Book struct {
	tables *docstore.Collection[Table]
	clock  clock.Clock
}

// OpenBook opens the collection of tables.
func OpenBook(ctx context.Context, store *docstore.Store, c clock.Clock) (*Book, error) {
	tables, err := docstore.Open[Table](ctx, store, docstore.Spec{
		Name:    "tax_tables",
		Indexes: []docstore.Index{{Name: indexFrom, Fields: []string{"from"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("tax: %w", err)
	}
	return &Book{tables: tables, clock: c}, nil
}

// Publish makes a table the next version; from zero means at once. A version never takes effect before an older one, and
// only the first may reach into the past. The content of the newest version again answers that version.
// Errors: ErrBadTable, ErrTablePast, ErrTableRaced.
func (b *Book) Publish(ctx context.Context, t Table) (*Table, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	now := b.clock.Now()
	t.Doc, t.Number, t.PublishedAt, t.From = docstore.Doc{}, 1, now, clock.Milli(t.From)
	newest, err := b.newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("publish tax table: %w", err)
	}
	earliest := now
	if newest != nil {
		if newest.same(&t) {
			return newest, nil
		}
		t.Number = newest.Number + 1
		if newest.From.After(earliest) {
			earliest = newest.From
		}
	}
	switch {
	case t.Number > maxTables:
		return nil, ErrBadTable.With("number", "版本太多 / too many versions")
	case t.From.IsZero():
		t.From = earliest
	case newest != nil && t.From.Before(earliest):
		return nil, ErrTablePast
	}
	t.ID = tableID(t.Number)
	if err := b.tables.Insert(ctx, &t); docstore.Exists(err) {
		return nil, ErrTableRaced.Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("publish tax table: %w", err)
	}
	return &t, nil
}

// same compares what two tables say; a time is compared only when one was asked for.
func (t *Table) same(asked *Table) bool {
	return t.Name == asked.Name && reflect.DeepEqual(t.Rules, asked.Rules) &&
		(asked.From.IsZero() || asked.From.Equal(t.From))
}

// At gives the table in force at a moment; before the first one that is OffTable with number 0.
func (b *Book) At(ctx context.Context, at time.Time) (*Table, error) {
	t, err := b.tables.FindOne(ctx, docstore.By(indexFrom).Between(nil, clock.Milli(at).Add(time.Millisecond)).Newest())
	if errors.Is(err, docstore.ErrNotFound) {
		off := OffTable()
		return &off, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tax table: %w", err)
	}
	return t, nil
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

// Tables lists all versions, oldest first.
func (b *Book) Tables(ctx context.Context) ([]*Table, error) {
	page, err := b.tables.Find(ctx, docstore.All().First(maxTables))
	if err != nil {
		return nil, fmt.Errorf("tax tables: %w", err)
	}
	return page.Items, nil
}

func (b *Book) newest(ctx context.Context) (*Table, error) {
	t, err := b.tables.FindOne(ctx, docstore.All().Newest())
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil //nolint:nilnil // none published yet
	}
	return t, err
}

// tableID sorts by number.
func tableID(number int) string {
	digits := strconv.Itoa(number)
	return strings.Repeat("0", max(0, 6-len(digits))) + digits
}
