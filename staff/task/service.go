package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/text"
	"guanxi/staff"
)

// Gone reports whether the cause of a task is gone, and in words why. It must not change anything.
type Gone func(ctx context.Context, t *Task) (gone bool, words string, err error)

// Source reports causes that no event tells of, each time it is asked.
type Source func(ctx context.Context, report func(Finding) error) error

// Deps is what a Service works with. Gone and Sources may be nil.
type Deps struct {
	Store   *docstore.Store
	Clock   clock.Clock
	Gone    map[string]Gone // by the first word of a kind
	Sources []Source
}

// Service is the list. Its methods are safe for concurrent use. Besides the faults named at each method, the store's own
// errors come through wrapped.
type Service struct {
	tasks   *docstore.Collection[Task]
	clock   clock.Clock
	gone    map[string]Gone
	sources []Source
	counted atomic.Pointer[Overview]
}

// The indexes tasks are found by.
const (
	indexState = "state" // by time of opening
	indexKind  = "kind"
	indexOwner = "owner"
	indexRole  = "role"
)

// New opens the collection.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil {
		return nil, errors.New("task: store and clock are required")
	}
	tasks, err := docstore.Open[Task](ctx, d.Store, docstore.Spec{
		Name: "staff_tasks", ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: indexState, Fields: []string{"state", "opened_at"}},
			{Name: indexKind, Fields: []string{"kind", "state", "opened_at"}},
			{Name: indexOwner, Fields: []string{"owner", "state", "opened_at"}},
			{Name: indexRole, Fields: []string{"role", "state", "opened_at"}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	return &Service{tasks: tasks, clock: d.Clock, gone: d.Gone, sources: d.Sources}, nil
}

// Report makes a cause a task. The same cause again changes nothing while its task is open; a closed one opens again only for
// a cause that is younger than its end. A kind the table lacks is an error of the program.
func (s *Service) Report(ctx context.Context, f Finding) (*Task, error) {
	rule, known := KindOf(f.Kind)
	if !known || f.Subject == "" {
		return nil, fmt.Errorf("task: nobody knows the kind %q", f.Kind)
	}
	if f.At.IsZero() {
		f.At = s.clock.Now()
	}
	var seen *Task
	t, err := s.tasks.Upsert(ctx, f.ID(), func(t *Task) error {
		seen = t
		now := s.clock.Now()
		switch {
		case t.Fresh():
			t.Kind, t.Subject, t.Detail = f.Kind, f.Subject, f.Detail
		case t.State == Open && !f.At.After(t.CauseAt), t.State != Open && !f.At.After(t.ClosedAt):
			return errUnchanged
		}
		if t.State != Open {
			if !t.Fresh() {
				t.Reopened++
				t.turn(now, Turn{What: DidReturn})
			}
			if err := t.open(&rule, now); err != nil {
				return err
			}
		}
		t.CauseAt, t.Evidence = f.At, bounded(f.Evidence)
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return seen, nil
	}
	if err != nil {
		return nil, fmt.Errorf("report task: %w", err)
	}
	return t, nil
}

func bounded(all []Evidence) []Evidence {
	all = slices.Clone(all[:min(len(all), maxEvidence)])
	for i := range all {
		all[i].Value = strings.ToValidUTF8(all[i].Value[:min(len(all[i].Value), maxValue)], "")
	}
	return all
}

// errUnchanged ends a change that finds nothing to do.
var errUnchanged = errors.New("task: unchanged")

// change updates a task; fn answers errUnchanged when it finds its work done.
func (s *Service) change(ctx context.Context, task string, fn func(t *Task, now time.Time) error) (*Task, error) {
	var seen *Task
	t, err := s.tasks.Update(ctx, task, func(t *Task) error {
		seen = t
		return fn(t, s.clock.Now())
	})
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, errUnchanged):
		return seen, nil
	case errors.Is(err, docstore.ErrNotFound):
		return nil, ErrNotFound
	}
	return nil, err
}

// Get loads a task. Codes: TSK_NOT_FOUND.
func (s *Service) Get(ctx context.Context, task string) (*Task, error) {
	t, err := s.tasks.Get(ctx, task)
	switch {
	case errors.Is(err, docstore.ErrNotFound), errors.Is(err, docstore.ErrInvalid):
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("get task: %w", err)
	}
	return t, nil
}

// Filter narrows a list; at most one of Kind, Owner and Role.
type Filter struct {
	State State
	Kind  string
	Owner string
	Role  staff.Role
}

// List gives tasks in one state, newest first. Codes: TSK_PAGE_INVALID.
func (s *Service) List(ctx context.Context, f Filter, p docstore.Paging) (docstore.Page[Task], error) {
	q, named := docstore.By(indexState, string(f.State)), 0
	for _, by := range []struct{ index, value string }{{indexKind, f.Kind}, {indexOwner, f.Owner}, {indexRole, string(f.Role)}} {
		if by.value != "" {
			q, named = docstore.By(by.index, by.value, string(f.State)), named+1
		}
	}
	if named > 1 || !f.State.Known() {
		return docstore.Page[Task]{}, ErrPage
	}
	page, err := s.tasks.List(ctx, q.Newest(), p)
	switch {
	case errors.Is(err, docstore.ErrPage):
		return page, ErrPage.Because(err)
	case err != nil:
		return page, fmt.Errorf("list tasks: %w", err)
	}
	return page, nil
}

// Take makes somebody the owner. Taking what one has is fine. Codes: TSK_NOT_FOUND, TSK_WRONG_STATE, TSK_TAKEN.
func (s *Service) Take(ctx context.Context, task, by string) (*Task, error) {
	return s.change(ctx, task, func(t *Task, now time.Time) error {
		switch {
		case t.State != Open:
			return ErrWrongState
		case t.Owner == by:
			return errUnchanged
		case t.Owner != "":
			return ErrTaken
		}
		t.Owner = by
		t.turn(now, Turn{By: by, What: DidTake})
		return nil
	})
}

// Word is what somebody says about a task.
type Word struct {
	Task  string
	By    string
	To    string // of handing over: the colleague, whom the caller has checked
	Words string
	Link  string // of resolving: an adjustment, a ticket
}

func (w *Word) check() error {
	var ok bool
	w.Words, ok = text.Words(w.Words, 1, MaxWords)
	w.Link = text.Plain(w.Link)
	switch {
	case !ok:
		return ErrInvalid.With("words", "须填写说明，最多 500 字 (an explanation of at most 500 characters)")
	case len(w.Link) > MaxLink:
		return ErrInvalid.With("link", "链接过长 (the link is too long)")
	}
	return nil
}

// HandOver gives a task to a colleague, whoever has it now. Repeating it is fine.
// Codes: TSK_INVALID, TSK_NOT_FOUND, TSK_WRONG_STATE.
func (s *Service) HandOver(ctx context.Context, w Word) (*Task, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	return s.change(ctx, w.Task, func(t *Task, now time.Time) error {
		switch {
		case t.State != Open:
			return ErrWrongState
		case t.Owner == w.To:
			return errUnchanged
		}
		t.Owner = w.To
		t.turn(now, Turn{By: w.By, What: DidHandOver, To: w.To, Words: w.Words})
		return nil
	})
}

// Resolve closes a task with a person's words; who resolves one nobody has taken takes it by that. Repeating it is fine.
// Codes: TSK_INVALID, TSK_NOT_FOUND, TSK_WRONG_STATE, TSK_TAKEN.
func (s *Service) Resolve(ctx context.Context, w Word) (*Task, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	return s.change(ctx, w.Task, func(t *Task, now time.Time) error {
		if t.State == Resolved && t.By == w.By && t.Words == w.Words && t.Link == w.Link {
			return errUnchanged
		}
		if t.State == Open && t.Owner != "" && t.Owner != w.By {
			return ErrTaken
		}
		if err := t.close(Resolved, now, w.By, w.Words, w.Link); err != nil {
			return err
		}
		t.Owner = w.By
		t.turn(now, Turn{By: w.By, What: DidResolve, Words: w.Words})
		return nil
	})
}

// Reopen opens a closed task again, for who asks. Codes: TSK_INVALID, TSK_NOT_FOUND, TSK_WRONG_STATE.
func (s *Service) Reopen(ctx context.Context, w Word) (*Task, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	return s.change(ctx, w.Task, func(t *Task, now time.Time) error {
		rule, known := KindOf(t.Kind)
		if t.State == Open || !known {
			return ErrWrongState
		}
		if err := t.open(&rule, now); err != nil {
			return err
		}
		t.Reopened++
		t.Owner, t.CauseAt, t.LookAt = w.By, now, farOff // a person wants it: only a person closes it
		t.turn(now, Turn{By: w.By, What: DidReopen, Words: w.Words})
		return nil
	})
}

// farOff is a look that never comes.
var farOff = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
