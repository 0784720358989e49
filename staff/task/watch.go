package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// Overview is what the last Watch or Counted of this process counted.
type Overview struct {
	At      time.Time
	Open    map[string]int // by kind, every kind of the table
	Overdue map[string]int // of them, those past their due time
	Untaken int
	Oldest  time.Time // of the open ones; zero when there is none
}

// Overview does no I/O; nil before the first Watch.
func (s *Service) Overview() *Overview { return s.counted.Load() }

// countedFor is how old a count may be: twice as old as it becomes where Watch runs.
const countedFor = 2 * time.Minute

// Counted is the newest count, or a new one when that is too old: another process watches.
func (s *Service) Counted(ctx context.Context) (*Overview, error) {
	now := s.clock.Now()
	if seen := s.counted.Load(); seen != nil && now.Sub(seen.At) < countedFor {
		return seen, nil
	}
	seen, err := s.count(ctx, now, func(*Task) bool { return false })
	if err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	s.counted.Store(seen)
	return seen, nil
}

// count goes through the open tasks; closed tells which of them are open no more.
func (s *Service) count(ctx context.Context, now time.Time, closed func(*Task) bool) (*Overview, error) {
	seen := &Overview{At: now, Open: map[string]int{}, Overdue: map[string]int{}}
	for _, r := range rules {
		seen.Open[r.Kind], seen.Overdue[r.Kind] = 0, 0
	}
	q := docstore.By(indexState, string(Open)).First(watchPage)
	for {
		page, err := s.tasks.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			if !closed(t) {
				seen.add(t, now)
			}
		}
		if page.Next == "" {
			return seen, nil
		}
		q = q.Continue(page.Next)
	}
}

func (o *Overview) add(t *Task, now time.Time) {
	o.Open[t.Kind]++
	if now.After(t.DueAt) {
		o.Overdue[t.Kind]++
	}
	if t.Owner == "" {
		o.Untaken++
	}
	if o.Oldest.IsZero() || t.OpenedAt.Before(o.Oldest) {
		o.Oldest = t.OpenedAt
	}
}

// watchPage is how many open tasks are read at once.
const watchPage = 500

// Watch asks every source for causes, asks of the open tasks whose turn it is whether their cause is gone, and counts. Any
// number of processes may watch. Healed counts the tasks that closed by themselves. What fails does not stop the rest.
func (s *Service) Watch(ctx context.Context) (healed int, err error) {
	var failed []error
	for _, source := range s.sources {
		if err := source(ctx, func(f Finding) error {
			_, err := s.Report(ctx, f)
			return err
		}); err != nil {
			failed = append(failed, fmt.Errorf("tasks: source: %w", err))
		}
	}
	now := s.clock.Now()
	seen, err := s.count(ctx, now, func(t *Task) (closed bool) {
		closed, err := s.look(ctx, t, now)
		if err != nil {
			failed = append(failed, fmt.Errorf("task %s: %w", t.ID, err))
		}
		if closed {
			healed++
		}
		return closed
	})
	if err != nil {
		return healed, errors.Join(append(failed, fmt.Errorf("watch tasks: %w", err))...)
	}
	s.counted.Store(seen)
	return healed, errors.Join(failed[:min(len(failed), 5)]...)
}

// look asks whether an open task's cause is gone, when it is time to.
func (s *Service) look(ctx context.Context, t *Task, now time.Time) (closed bool, err error) {
	room, _, _ := strings.Cut(t.Kind, "/")
	ask := s.gone[room]
	if ask == nil || now.Before(t.LookAt) {
		return false, nil
	}
	gone, words, err := ask(ctx, t)
	if err != nil {
		return false, err
	}
	seen := t.CauseAt
	changed, err := s.change(ctx, t.ID, func(t *Task, now time.Time) error {
		switch {
		case t.State != Open, now.Before(t.LookAt):
			return errUnchanged
		case !gone || t.CauseAt.After(seen):
			t.Looks++
			t.LookAt = now.Add(lookDelay(t.Looks))
			return nil
		}
		t.turn(now, Turn{What: DidHeal, Words: words})
		return t.close(Healed, now, "", words, "")
	})
	if err != nil {
		return false, err
	}
	return changed.State != Open, nil
}
