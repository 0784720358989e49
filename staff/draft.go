package staff

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// DraftState is where a draft stands.
type DraftState string

// The states.
const (
	DraftOpen    DraftState = "open"
	DraftTaking  DraftState = "taking" // a checker is carrying it out; whoever died at it is followed by another
	DraftTaken   DraftState = "taken"  // carried out; Result says what came of it
	DraftDropped DraftState = "dropped"
)

// draftMoves is every allowed move.
var draftMoves = map[DraftState][]DraftState{
	DraftOpen:   {DraftTaking, DraftDropped},
	DraftTaking: {DraftTaken, DraftOpen, DraftTaking},
}

// Draft is something one operator prepares and another decides, for domains that have no proposals of their own. Its
// content is text that only the console reads.
type Draft struct {
	docstore.Doc `bson:",inline"`
	Kind         string     `bson:"kind"` // policy, tax-table
	Title        string     `bson:"title"`
	Content      string     `bson:"content"`
	Maker        string     `bson:"maker"`
	MadeAt       time.Time  `bson:"made_at"`
	State        DraftState `bson:"state"`
	Checker      string     `bson:"checker,omitempty"`
	CheckedAt    time.Time  `bson:"checked_at,omitempty"`
	Result       string     `bson:"result,omitempty"`
	Why          string     `bson:"why,omitempty"` // of dropping it
}

// DraftInput stores a draft; the same maker and key is the same draft.
type DraftInput struct {
	Key, Maker, Kind, Title, Content string
}

const (
	maxTitle   = 100 // characters
	maxContent = 1 << 20
	// takingFor is how long a checker who took a draft is left alone with it.
	takingFor = time.Minute
)

// errSame ends a change that finds its work done.
var errSame = errors.New("staff: done already")

// WriteDraft stores a draft. Codes: STF_DRAFT_INVALID, STF_DRAFT_CONFLICT.
func (s *Service) WriteDraft(ctx context.Context, in DraftInput) (*Draft, error) {
	var ok bool
	in.Title, ok = text.Line(in.Title, 1, maxTitle)
	if in.Key == "" || in.Maker == "" || in.Kind == "" || !ok || in.Content == "" || len(in.Content) > maxContent ||
		!utf8.ValidString(in.Content) {
		return nil, ErrDraftInvalid
	}
	d := &Draft{
		Doc: docstore.Doc{ID: id.Derive("draft", in.Maker, in.Key)}, Kind: in.Kind, Title: in.Title, Content: in.Content,
		Maker: in.Maker, MadeAt: s.clock.Now(), State: DraftOpen,
	}
	err := s.drafts.Insert(ctx, d)
	if !docstore.Exists(err) {
		if err != nil {
			return nil, fmt.Errorf("staff write draft: %w", err)
		}
		return d, nil
	}
	stored, err := s.Draft(ctx, d.ID)
	if err == nil && (stored.Kind != d.Kind || stored.Title != d.Title || stored.Content != d.Content) {
		return nil, ErrDraftReused
	}
	return stored, err
}

// Draft shows one. Codes: STF_DRAFT_NOT_FOUND.
func (s *Service) Draft(ctx context.Context, draft string) (*Draft, error) {
	d, err := s.drafts.Get(ctx, draft)
	if err != nil {
		return nil, asFault("draft", err, ErrDraftMissing)
	}
	return d, nil
}

// Drafts lists those of a kind in a state, newest first. Codes: STF_QUERY_INVALID.
func (s *Service) Drafts(ctx context.Context, kind string, state DraftState, p docstore.Paging) (docstore.Page[Draft], error) {
	page, err := s.drafts.List(ctx, docstore.By("state", kind, string(state)).Newest(), p)
	if err != nil {
		return page, asFault("drafts", err, ErrDraftMissing)
	}
	return page, nil
}

// TakeDraft gives a draft to a checker to be carried out; FinishDraft or ReturnDraft end it. Somebody who died at it can
// take it again at once, others after a minute. One that is taken already is given as it is.
// Codes: STF_DRAFT_NOT_FOUND, STF_DRAFT_OWN, STF_COOLING, STF_DRAFT_STATE, STF_DRAFT_BUSY.
func (s *Service) TakeDraft(ctx context.Context, draft, checker string) (*Draft, error) {
	seen, err := s.Draft(ctx, draft)
	if err != nil {
		return nil, err
	}
	if err := s.MayCheck(ctx, checker, seen.Maker); err != nil {
		return nil, err
	}
	return s.moveDraft(ctx, draft, DraftTaking, func(d *Draft, now time.Time) error {
		switch {
		case d.Maker == checker:
			return ErrDraftOwn
		case d.State == DraftTaken && d.Checker == checker:
			return errSame
		case d.State == DraftTaking && d.Checker != checker && now.Before(d.CheckedAt.Add(takingFor)):
			return ErrDraftBusy
		}
		d.Checker, d.CheckedAt = checker, now
		return nil
	})
}

// FinishDraft says what came of a draft that the checker took. Codes: STF_DRAFT_NOT_FOUND, STF_DRAFT_STATE.
func (s *Service) FinishDraft(ctx context.Context, draft, checker, result string) (*Draft, error) {
	return s.moveDraft(ctx, draft, DraftTaken, func(d *Draft, _ time.Time) error {
		if d.Checker != checker {
			return ErrDraftState
		}
		d.Result = result
		return nil
	})
}

// ReturnDraft opens a draft again that could not be carried out. Codes: STF_DRAFT_NOT_FOUND, STF_DRAFT_STATE.
func (s *Service) ReturnDraft(ctx context.Context, draft, checker string) (*Draft, error) {
	return s.moveDraft(ctx, draft, DraftOpen, func(d *Draft, _ time.Time) error {
		if d.Checker != checker {
			return ErrDraftState
		}
		d.Checker, d.CheckedAt = "", time.Time{}
		return nil
	})
}

// DropDraft ends a draft that nobody will carry out; its maker may do it as well as a checker. Repeating it is fine.
// Codes: STF_DRAFT_NOT_FOUND, STF_DRAFT_STATE.
func (s *Service) DropDraft(ctx context.Context, draft, by, why string) (*Draft, error) {
	return s.moveDraft(ctx, draft, DraftDropped, func(d *Draft, now time.Time) error {
		if d.State == DraftDropped && d.Checker == by {
			return errSame
		}
		d.Checker, d.CheckedAt, d.Why = by, now, cut(text.Plain(why))
		return nil
	})
}

func (s *Service) moveDraft(ctx context.Context, draft string, to DraftState, fn func(*Draft, time.Time) error) (*Draft, error) {
	var seen *Draft
	d, err := s.drafts.Update(ctx, draft, func(d *Draft) error {
		seen = d
		if err := fn(d, s.clock.Now()); err != nil {
			return err
		}
		for _, next := range draftMoves[d.State] {
			if next == to {
				d.State = to
				return nil
			}
		}
		return ErrDraftState
	})
	switch {
	case errors.Is(err, errSame):
		return seen, nil // a refused copy is thrown away by the store: it is ours
	case err != nil:
		return nil, asFault("draft", err, ErrDraftMissing)
	}
	return d, nil
}
