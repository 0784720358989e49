package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Deps is what a Service works with. Everything but Config is required.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	IDs    id.Source
	Bills  Bills
	Ours   Ours
	Config Config
}

// Config are the tunable rules. Zero values mean the defaults.
type Config struct {
	// Since is the first business day to reconcile (2006-01-02). Empty: the day before the first Tend. Never more
	// than the three months the platform keeps.
	Since string
	// Runs bounds the runs one Tend works on. Default 4.
	Runs int
	// Lease is how long a process that was not heard of keeps a run. Default 5 min.
	Lease time.Duration
	// MaxTasks bounds the tasks of one run; differences beyond it are counted. Default 10,000.
	MaxTasks int
	// Index bounds the lines whose numbers are in memory at once, 8 bytes each. Default 1,048,576.
	Index int
	// Looks is how often a run with open tasks is matched again by itself, a day apart: late notifications and the
	// next day's bill explain most differences. Default 3; negative = never.
	Looks int
	// FeeRate is the agreed fee of the trade bill, in basis points. 0: fees are added up, not checked.
	FeeRate money.BasisPoints
	// Expected are names of movements in the fund-flow bill (its 业务名称, its 业务类型, or both with a space between) that are
	// the brand's own business and no difference, such as top-ups and its withdrawals to the bank. Default (nil): Expected().
	Expected []string
	// Apps are the app ids of our own programs. Rows of others under the same merchant whose number we do not know are
	// counted apart and are no difference. Default none: every row is ours.
	Apps []string
	// Accounts are the merchant's accounts whose fund bills are read, each in a run of its own; Funds must be among them.
	// Default Funds and Operation.
	Accounts []Statement
}

// foreign reports whether a line belongs to another program of the merchant.
func (c *Config) foreign(l *Line) bool {
	return l.App != "" && len(c.Apps) > 0 && !slices.Contains(c.Apps, l.App)
}

// statements are the bills of a day, those first that others lean on.
func (c *Config) statements() []Statement {
	all := []Statement{Trade}
	for _, s := range []Statement{Operation, Fees, Funds} {
		if slices.Contains(c.Accounts, s) {
			all = append(all, s)
		}
	}
	return all
}

func (c Config) withDefaults() (Config, error) {
	if c.Since != "" {
		if _, _, err := span(c.Since); err != nil {
			return c, errors.New("reconcile: Since must be a day")
		}
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&c.Runs, 4}, {&c.MaxTasks, 10_000}, {&c.Index, 1 << 20}, {&c.Looks, 3}} {
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	if c.Lease == 0 {
		c.Lease = 5 * time.Minute
	}
	c.Looks = max(c.Looks, 0)
	if c.Expected == nil {
		c.Expected = Expected()
	}
	if c.Accounts == nil {
		c.Accounts = []Statement{Funds, Operation}
	}
	if !slices.Contains(c.Accounts, Funds) || slices.ContainsFunc(c.Accounts, func(s Statement) bool { return s == Trade || !s.valid() }) {
		return c, errors.New("reconcile: Accounts are funds, operation and fees, funds always")
	}
	if c.Runs < 0 || c.MaxTasks < 0 || c.Index < 0 || c.Lease < 0 || c.FeeRate < 0 || c.MaxTasks > 1_000_000 {
		return c, errors.New("reconcile: bounds must be positive, MaxTasks at most 1,000,000")
	}
	return c, nil
}

// Service is the reconciliation domain. Its methods are safe for concurrent use.
//
// Besides the faults named at each method, the store's own errors (docstore.ErrUnavailable, ErrUnclear,
// ErrContended) come through wrapped.
type Service struct {
	collections
	clock  clock.Clock
	ids    id.Source
	bills  Bills
	ours   Ours
	config Config
}

// New checks the dependencies and opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.IDs == nil || d.Bills == nil || d.Ours == nil {
		return nil, errors.New("reconcile: store, clock, ids, bills and our books are required")
	}
	config, err := d.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	return &Service{collections: opened, clock: d.Clock, ids: d.IDs, bills: d.Bills, ours: d.Ours, config: config}, nil
}

// Get loads the run of a statement's day. Codes: REC_DAY_INVALID, REC_NOT_FOUND.
func (s *Service) Get(ctx context.Context, statement Statement, day string) (*Run, error) {
	if _, _, err := span(day); err != nil || !statement.valid() {
		return nil, ErrDay
	}
	r, err := s.runs.Get(ctx, runID(statement, day))
	if err != nil {
		return nil, fmt.Errorf("reconcile get: %w", asFault(err))
	}
	return r, nil
}

// Runs lists a statement's runs, newest day first. Codes: REC_DAY_INVALID, REC_PAGE_INVALID.
func (s *Service) Runs(ctx context.Context, statement Statement, p docstore.Paging) (docstore.Page[Run], error) {
	if !statement.valid() {
		return docstore.Page[Run]{}, ErrDay
	}
	return list(ctx, s.runs, docstore.By(indexDay, string(statement)).Newest(), p)
}

// Again asks for a day to be matched once more, from a fresh bill while the platform has it, else from the kept one. Tasks
// that were resolved open again if they still differ. Asking twice before it ran is asking once.
// Codes: REC_DAY_INVALID, REC_TOO_EARLY, REC_TOO_OLD, REC_BUSY.
func (s *Service) Again(ctx context.Context, statement Statement, day string) (*Run, error) {
	ready, err := readyAt(day)
	if err != nil || !statement.valid() {
		return nil, ErrDay
	}
	now := s.clock.Now()
	if now.Before(ready) {
		return nil, ErrTooEarly
	}
	r, err := s.runs.Upsert(ctx, runID(statement, day), func(r *Run) error {
		switch {
		case gone(day, now) && r.Evidence == 0:
			return ErrTooOld
		case r.Fresh():
			*r = Run{Doc: r.Doc, Statement: statement, Day: day, State: Waiting, MadeAt: now, Round: 1}
		case r.State == Matching && now.Before(r.NextAt):
			return ErrBusy
		}
		if r.NextAt = now; r.Asked || r.FinishedAt.IsZero() {
			return nil // it has not run since
		}
		if r.State == Matching { // its process died
			if err := r.move(byTrouble); err != nil {
				return err
			}
		}
		if err := r.move(byLook); err != nil {
			return err
		}
		r.Asked, r.Round, r.Looks, r.Failures, r.Problem, r.Lease = true, r.Round+1, 0, 0, "", ""
		r.Fetched = gone(day, now)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reconcile again: %w", err)
	}
	return r, nil
}

// Lines gives the kept lines of a bill in their order. Codes: REC_DAY_INVALID, REC_NOT_FOUND (also while there is no bill yet).
func (s *Service) Lines(ctx context.Context, statement Statement, day string, each func(Line) error) error {
	r, err := s.Get(ctx, statement, day)
	if err != nil {
		return err
	}
	if r.Evidence == 0 {
		return ErrNotFound
	}
	err = s.eachPage(ctx, r, func(lines []Line) error {
		for _, l := range lines {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reconcile lines: %w", err)
	}
	return nil
}

func list[T any](ctx context.Context, from *docstore.Collection[T], q docstore.Query, p docstore.Paging) (docstore.Page[T], error) {
	found, err := from.List(ctx, q, p)
	switch {
	case errors.Is(err, docstore.ErrPage):
		return found, ErrPage.Because(err)
	case err != nil:
		return found, fmt.Errorf("reconcile list: %w", err)
	}
	return found, nil
}

// asFault turns the store's "not found" into the domain's word for it.
func asFault(err error) error {
	if errors.Is(err, docstore.ErrNotFound) {
		return ErrNotFound.Because(err)
	}
	return err
}

// problemOf is what a run says about an error: a code, never the platform's words.
func problemOf(err error) string {
	switch f := fault.Of(err); {
	case errors.Is(err, ErrNotYet):
		return "not-yet"
	case errors.Is(err, errAfterOthers):
		return "after-others"
	case errors.As(err, new(*Unreadable)):
		return "unreadable"
	case f != nil:
		return f.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "stopped"
	}
	return "failed"
}
