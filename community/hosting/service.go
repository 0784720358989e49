package hosting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Deps is what a Service works with; both are required.
type Deps struct {
	Store *docstore.Store
	Clock clock.Clock
}

// Service keeps who may host. Its methods are safe for concurrent use. Besides the faults named at each method, the
// store's own errors come through wrapped.
type Service struct {
	hostings *docstore.Collection[Hosting]
	rules    *docstore.Collection[rule]
	clock    clock.Clock
}

// rule remembers that the hosts from before it were listed.
type rule struct {
	docstore.Doc `bson:",inline"`
	Since        time.Time `bson:"since"`
}

const ruleID = "approval"

// New opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil {
		return nil, errors.New("hosting: store and clock are required")
	}
	hostings, err := docstore.Open[Hosting](ctx, d.Store, docstore.Spec{
		Name: "hostings", Emits: true, ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{{Name: "state", Fields: []string{"state", "since"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("hosting: %w", err)
	}
	rules, err := docstore.Open[rule](ctx, d.Store, docstore.Spec{Name: "hosting_rules", ShardKey: "_id", Chained: true})
	if err != nil {
		return nil, fmt.Errorf("hosting: %w", err)
	}
	return &Service{hostings: hostings, rules: rules, clock: d.Clock}, nil
}

// ApplyInput asks to host.
type ApplyInput struct {
	Member string
	Words  string // who for and why, 1 to 500 characters
}

// Apply asks the brand; asking again while it waits replaces the words.
// Codes: HST_INVALID, HST_STATE (approved, revoked or carried: nothing to apply for).
func (s *Service) Apply(ctx context.Context, in ApplyInput) (*Hosting, error) {
	if !id.Valid(in.Member) || len(in.Member) > 100 {
		return nil, ErrInvalid.With("member", "无法识别 (not an id)")
	}
	var ok bool
	if in.Words, ok = text.Words(in.Words, 1, MaxWords); !ok {
		return nil, ErrInvalid.With("words", "须为 1 到 500 个字 (1 to 500 characters)")
	}
	return s.change(ctx, in.Member, func(h *Hosting) error {
		changed, err := h.move(Move{Step: StepApply, At: s.clock.Now()})
		if err == nil && !changed && h.Words == in.Words {
			err = errUnchanged
		}
		h.Words = in.Words
		return err
	})
}

// Decision is one step of staff.
type Decision struct {
	Member string
	Step   Step   // StepApprove, StepRefuse, StepRevoke or StepReinstate
	By     string // the person of staff
	Reason string // 1 to 200 characters
}

// Decide carries out a step of staff; deciding the same again changes nothing. It counts at once, for orders placed from
// now on. Codes: HST_NOT_FOUND, HST_INVALID, HST_STATE, HST_OWN.
func (s *Service) Decide(ctx context.Context, d Decision) (*Hosting, error) {
	switch d.Step {
	case StepApprove, StepRefuse, StepRevoke, StepReinstate:
	default:
		return nil, ErrInvalid.With("step", "无法识别 (not a decision)")
	}
	if d.By == "" || !id.Valid(d.By) {
		return nil, ErrInvalid.With("by", "须说明由谁决定 (who decided is missing)")
	}
	var ok bool
	if d.Reason, ok = text.Words(d.Reason, 1, MaxReason); !ok {
		return nil, ErrInvalid.With("reason", "须为 1 到 200 个字 (1 to 200 characters)")
	}
	if d.By == d.Member {
		return nil, ErrOwn
	}
	if !id.Valid(d.Member) {
		return nil, ErrNotFound
	}
	return s.change(ctx, d.Member, func(h *Hosting) error {
		if h.State == None {
			return ErrNotFound
		}
		changed, err := h.move(Move{Step: d.Step, By: d.By, Reason: d.Reason, At: s.clock.Now()})
		if err == nil && !changed {
			err = errUnchanged
		}
		return err
	})
}

// CarryOver lists, once for a store, the hosts that were there before the rule: hosts walks them, as often as it likes.
// Whoever has a standing keeps it. It may be repeated and interrupted; several processes may run it at once.
func (s *Service) CarryOver(ctx context.Context, hosts func(ctx context.Context, visit func(host string) error) error) error {
	if _, err := s.rules.Get(ctx, ruleID); err == nil || !errors.Is(err, docstore.ErrNotFound) {
		return wrap("carry over", err)
	}
	err := hosts(ctx, func(host string) error {
		_, err := s.change(ctx, host, func(h *Hosting) error {
			changed, err := h.move(Move{Step: StepCarry, At: s.clock.Now()})
			if err == nil && !changed {
				err = errUnchanged
			}
			return err
		})
		return err
	})
	if err != nil {
		return wrap("carry over", err)
	}
	_, err = s.rules.Upsert(ctx, ruleID, func(r *rule) error {
		if r.Since.IsZero() {
			r.Since = s.clock.Now()
		}
		return nil
	})
	return wrap("carry over", err)
}

// Standing gives a member's hosting; one who never applied has an empty one.
func (s *Service) Standing(ctx context.Context, member string) (*Hosting, error) {
	if !id.Valid(member) {
		return &Hosting{}, nil
	}
	h, err := s.hostings.Get(ctx, member)
	if errors.Is(err, docstore.ErrNotFound) {
		return &Hosting{Doc: docstore.Doc{ID: member}}, nil
	}
	return h, wrap("standing", err)
}

// ByState lists hostings, those that have waited longest first. Codes: HST_INVALID.
func (s *Service) ByState(ctx context.Context, in State, p docstore.Paging) (docstore.Page[Hosting], error) {
	page, err := s.hostings.List(ctx, docstore.By("state", in), p)
	if errors.Is(err, docstore.ErrPage) {
		return page, ErrInvalid.With("page", "翻页标记无效 (the page cannot be read)").Because(err)
	}
	return page, wrap("list", err)
}

// MayStart answers nil when a member may begin something new as a host: a community, a pick, a campaign.
// Codes: HST_NOT_APPROVED, HST_REVOKED, HST_UNDER_REVIEW.
func (s *Service) MayStart(ctx context.Context, member string) error {
	h, err := s.Standing(ctx, member)
	switch {
	case err != nil:
		return err
	case h.State == Carried:
		return ErrUnderReview
	}
	return h.runs()
}

// MayRun answers nil when a member's campaigns take orders and the member decides about them.
// Codes: HST_NOT_APPROVED, HST_REVOKED.
func (s *Service) MayRun(ctx context.Context, member string) error {
	h, err := s.Standing(ctx, member)
	if err != nil {
		return err
	}
	return h.runs()
}

func (h *Hosting) runs() error {
	switch h.State {
	case Approved, Carried:
		return nil
	case Revoked:
		return ErrRevoked
	}
	return ErrNotApproved
}

// errUnchanged ends a change that finds its work done already: no write.
var errUnchanged = errors.New("hosting: nothing to change")

func (s *Service) change(ctx context.Context, member string, fn func(*Hosting) error) (*Hosting, error) {
	var seen Hosting
	h, err := s.hostings.Upsert(ctx, member, func(h *Hosting) error {
		err := fn(h)
		seen = *h
		return err
	})
	if errors.Is(err, errUnchanged) {
		return &seen, nil
	}
	return h, wrap("change", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("hosting %s: %w", what, err)
}
