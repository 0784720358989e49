package docstore

import (
	"context"
	"errors"
	"strings"
	"time"
)

// OnWritten adds a listener that hears in which collections this process has just written something. It must not block.
// Loops that wait for what is due use it to look again: what other processes write, those processes' loops look after.
func (s *Store) OnWritten(listen func(collection string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = append(s.written, listen)
}

// telling is a driver that tells what was written, or may have been.
type telling struct {
	Driver
	store *Store
}

func (t telling) Write(ctx context.Context, ops []Op) []error {
	answers := t.Driver.Write(ctx, ops)
	t.store.mu.Lock()
	listeners := t.store.written
	t.store.mu.Unlock()
	last := ""
	for i, op := range ops {
		if op.Collection == last || answers[i] != nil && !errors.Is(answers[i], ErrUnclear) {
			continue
		}
		last = op.Collection
		for _, listen := range listeners {
			listen(op.Collection)
		}
	}
	return answers
}

// FirstDue tells the earliest time in a declared index whose first field is a time; ok is false when the index is empty. It
// costs one reading.
func (s *Store) FirstDue(ctx context.Context, collection, index string) (at time.Time, ok bool, err error) {
	s.mu.Lock()
	field := ""
	for _, box := range s.outboxes {
		if o, mine := box.(outbox); mine && o.spec.Name == collection {
			for _, declared := range o.spec.Indexes {
				if declared.Name == index {
					field = declared.Fields[0]
				}
			}
		}
	}
	s.mu.Unlock()
	if field == "" {
		return at, false, ErrInvalid
	}
	records, _, err := s.driver.Find(ctx, collection, By(index).First(1))
	if err != nil || len(records) == 0 {
		return at, false, err
	}
	value, err := records[0].Body.LookupErr(strings.Split(field, ".")...)
	if err != nil {
		return at, false, ErrInvalid
	}
	at, ok = value.TimeOK()
	if !ok {
		return at, false, ErrInvalid
	}
	return at.UTC(), true, nil
}
