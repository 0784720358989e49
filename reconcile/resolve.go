package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/text"
)

// Resolution is a person's explanation of a difference.
type Resolution struct {
	Task  string
	By    string // who
	Words string // why it is all right, or what was done; at most MaxWords characters
	Link  string // what it points at (an adjustment, a ticket); optional, at most MaxLink bytes
}

// Bounds of a resolution.
const (
	MaxWords = 500
	MaxLink  = 300
)

func (in Resolution) check() (Resolution, error) {
	var ok bool
	in.Words, ok = text.Words(in.Words, 1, MaxWords)
	in.By, in.Link = text.Plain(in.By), text.Plain(in.Link)
	switch {
	case in.By == "" || len(in.By) > 100:
		return in, ErrInvalid.With("by", "须写明处理人 (who resolves it)")
	case !ok:
		return in, ErrInvalid.With("words", "须填写说明，最多 500 字 (an explanation of at most 500 characters)")
	case len(in.Link) > MaxLink:
		return in, ErrInvalid.With("link", "链接过长 (the link is too long)")
	}
	return in, nil
}

// Resolve closes an open task with a person's explanation; the day is resolved with its last task. Repeating it with the same words is
// fine. Codes: REC_INVALID, REC_NOT_FOUND, REC_WRONG_STATE (explained otherwise before, or gone by itself).
func (s *Service) Resolve(ctx context.Context, in Resolution) (*Task, error) {
	in, err := in.check()
	if err != nil {
		return nil, err
	}
	t, err := s.tasks.Update(ctx, in.Task, func(t *Task) error {
		if t.State == TaskResolved && t.By == in.By && t.Words == in.Words && t.Link == in.Link {
			return nil
		}
		if t.State == TaskOpen {
			t.By, t.Words, t.Link, t.ClosedAt = in.By, in.Words, in.Link, s.clock.Now()
		}
		return t.move(TaskResolved)
	})
	if err != nil {
		return nil, fmt.Errorf("reconcile resolve: %w", asFault(err))
	}
	if err := s.settle(ctx, t.Run); err != nil {
		return nil, fmt.Errorf("reconcile resolve: %w", err)
	}
	return t, nil
}

// Task loads a task. Codes: REC_NOT_FOUND.
func (s *Service) Task(ctx context.Context, task string) (*Task, error) {
	t, err := s.tasks.Get(ctx, task)
	if err != nil {
		return nil, fmt.Errorf("reconcile task: %w", asFault(err))
	}
	return t, nil
}

// Tasks lists tasks in one state, of all days, newest first. Codes: REC_PAGE_INVALID.
func (s *Service) Tasks(ctx context.Context, in TaskState, p docstore.Paging) (docstore.Page[Task], error) {
	return list(ctx, s.tasks, docstore.By(indexState, string(in)).Newest(), p)
}

// TasksOf lists the tasks of one statement's day, by state: healed, open, resolved. Codes: REC_DAY_INVALID,
// REC_PAGE_INVALID.
func (s *Service) TasksOf(ctx context.Context, statement Statement, day string, p docstore.Paging) (docstore.Page[Task], error) {
	if _, _, err := span(day); err != nil || !statement.valid() {
		return docstore.Page[Task]{}, ErrDay
	}
	return list(ctx, s.tasks, docstore.By(indexRun, runID(statement, day)), p)
}

// open tells whether a run has open tasks.
func (s *Service) open(ctx context.Context, run string) (bool, error) {
	n, err := s.tasks.Count(ctx, docstore.By(indexRun, run, string(TaskOpen)), 1)
	return n > 0, err
}

// settle closes a differing run when none of its tasks is open any more.
func (s *Service) settle(ctx context.Context, run string) error {
	open, err := s.open(ctx, run)
	if err != nil || open {
		return err
	}
	_, err = s.runs.Update(ctx, run, func(r *Run) error {
		if r.State != Differing || r.Beyond > 0 {
			return nil
		}
		r.NextAt = time.Time{}
		return r.move(byAnswers)
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}

// settleAll is the net under settle: a process may die between a task and its run.
func (s *Service) settleAll(ctx context.Context) error {
	found, err := s.runs.Find(ctx, docstore.By(indexState, string(Differing)).First(maxPlan))
	if err != nil {
		return err
	}
	for _, r := range found.Items {
		if err := s.settle(ctx, r.ID); err != nil {
			return err
		}
	}
	return nil
}
