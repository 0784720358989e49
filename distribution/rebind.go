package distribution

import (
	"context"
	"fmt"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// RebindInput is a decision of staff about a bond.
type RebindInput struct {
	Member string
	To     string // who is credited from now on; empty = nobody
	By     string // the staff member who decides
	Reason string // 1 to 200 characters; kept and shown
	Key    string // idempotency; empty: the same decision on the same business day is one decision
}

// MaxReason bounds a staff decision's reason, in characters.
const MaxReason = 200

func (in RebindInput) check() error {
	bad, ok := ErrInvalid, true
	flaw := func(wrong bool, field, why string) {
		if wrong {
			bad, ok = bad.With(field, why), false
		}
	}
	const notID = "无法识别 (not an id)"
	flaw(!isID(in.Member), "member", notID)
	flaw(in.To != "" && !isID(in.To), "to", notID)
	flaw(!isID(in.By) || in.By == systemStaff, "by", notID)
	_, fine := text.Words(in.Reason, 1, MaxReason)
	flaw(!fine, "reason", "须写明原因，最多 200 个字 (a reason of at most 200 characters)")
	flaw(in.Key != "" && !id.ValidKey(in.Key), "key", "最多 80 个字符 (at most 80 characters)")
	switch {
	case !ok:
		return bad
	case in.To == in.Member:
		return ErrSelf
	}
	return nil
}

// Rebind credits somebody else, or nobody, for a member from now on. The audit document is written first, then the
// bond. Validity and protection are those of the policy in force. It answers the bond in force afterwards, nil for
// nobody.
// Codes: DIST_INVALID, DIST_SELF, DIST_LOOP, DIST_KEY_REUSED.
func (s *Service) Rebind(ctx context.Context, in RebindInput) (*Standing, error) {
	in.Reason = text.Plain(in.Reason)
	if err := in.check(); err != nil {
		return nil, err
	}
	audit, err := s.audit(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("distribution rebind: %w", err)
	}
	f := Fact{ID: audit.ID, At: audit.At, By: in.To, Staff: in.By, Reason: in.Reason}
	b, err := s.settle(ctx, in.Member, f)
	if err != nil {
		return nil, fmt.Errorf("distribution rebind: %w", err)
	}
	for _, g := range b.Facts {
		if g.ID == f.ID && g.Loop {
			return nil, ErrLoop // two decisions met; the circle was found after the audit was written
		}
	}
	if !b.Current.In(s.clock.Now()) {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	return b.Current, nil
}

// audit writes the decision down, or finds it again when it is repeated. A decision that would close a circle is
// refused before anything is written.
func (s *Service) audit(ctx context.Context, in RebindInput) (*rebind, error) {
	now := s.clock.Now()
	a := &rebind{Member: in.Member, To: in.To, By: in.By, Reason: in.Reason, At: now}
	a.ID = id.Derive("rebind", in.Member, in.Key)
	if in.Key == "" {
		a.ID = id.Derive("rebind of", in.Member, in.To, in.By, in.Reason, clock.Day(now))
	}
	found, err := s.rebinds.GetWhole(ctx, []string{a.ID})
	if err != nil {
		return nil, err
	}
	if old := found[a.ID]; old != nil {
		return old.repeatedBy(in)
	}
	if in.To != "" {
		free, known, err := s.free(ctx, in.Member, in.To, now)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, ErrChainLong
		}
		if !free {
			return nil, ErrLoop
		}
	}
	b, err := s.load(ctx, in.Member)
	if err != nil {
		return nil, err
	}
	a.From = holder(b.Current, now)
	err = s.rebinds.Insert(ctx, a)
	if docstore.Exists(err) {
		old, err := s.rebinds.Get(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		return old.repeatedBy(in)
	}
	return a, err
}

func (a *rebind) repeatedBy(in RebindInput) (*rebind, error) {
	if a.Member != in.Member || a.To != in.To || a.By != in.By || a.Reason != in.Reason {
		return nil, ErrKeyReused
	}
	return a, nil
}
