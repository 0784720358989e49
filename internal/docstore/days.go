package docstore

import (
	"context"
	"errors"
	"fmt"
)

// Days lists what happened on which business day where the day stands inside a list of a document and no index can reach it.
// A mark is written before the document that it points at says so: one too many does no harm, because readers look at the
// document; one too few cannot be.
type Days struct{ marks *Collection[dayMark] }

// dayMark says that something of a document happened on a day. Its id is <day>/<number>.
type dayMark struct {
	Doc `bson:",inline"`
	Of  string `bson:"of"` // the document
}

// wholeMark stands for "everything from before there were marks has one".
const wholeMark = "whole"

// OpenDays opens the marks under a collection's name of their own.
func OpenDays(ctx context.Context, store *Store, name string) (*Days, error) {
	marks, err := Open[dayMark](ctx, store, Spec{Name: name, ShardKey: "_id"})
	if err != nil {
		return nil, err
	}
	return &Days{marks}, nil
}

// Note marks that a number of a document happened on a day (2006-01-02). Marking twice is marking once.
func (d *Days) Note(ctx context.Context, day, number, of string) error {
	err := d.marks.Insert(ctx, &dayMark{Doc: Doc{ID: day + "/" + number}, Of: of})
	if err != nil && !Exists(err) {
		return fmt.Errorf("mark day: %w", err)
	}
	return nil
}

// Each gives the documents marked on a day, at most a page at a time, each once a page.
func (d *Days) Each(ctx context.Context, day string, page func(of []string) error) error {
	q := All().Between(day+"/", day+"0").First(500) // 0 comes after /
	for {
		found, err := d.marks.Find(ctx, q)
		if err != nil {
			return fmt.Errorf("marks of a day: %w", err)
		}
		of := make([]string, len(found.Items))
		for i, m := range found.Items {
			of[i] = m.Of
		}
		if of = unique(of); len(of) > 0 {
			if err := page(of); err != nil {
				return err
			}
		}
		if found.Next == "" {
			return nil
		}
		q = q.Continue(found.Next)
	}
}

// Once carries out fill, which marks what is from before there were marks, unless that has been done.
func (d *Days) Once(ctx context.Context, fill func() error) error {
	_, err := d.marks.Get(ctx, wholeMark)
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("marks: %w", err)
	}
	if err := fill(); err != nil {
		return err
	}
	if err := d.marks.Insert(ctx, &dayMark{Doc: Doc{ID: wholeMark}}); err != nil && !Exists(err) {
		return fmt.Errorf("marks: %w", err)
	}
	return nil
}
