package distribution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Share makes a share link, or answers the one that the sharer and key have already.
// Codes: DIST_INVALID, DIST_KEY_REUSED.
func (s *Service) Share(ctx context.Context, in ShareInput) (*Share, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	share := in.share(s.clock.Now())
	err := s.shares.Insert(ctx, share)
	if docstore.Exists(err) {
		var there *Share
		if there, err = s.shares.Get(ctx, share.ID); err == nil {
			if !there.same(share) {
				return nil, ErrKeyReused
			}
			share = there
		}
	}
	if err != nil {
		return nil, fmt.Errorf("distribution share: %w", err)
	}
	return share, nil
}

// GetShare loads a share.
// Codes: DIST_SHARE_NOT_FOUND.
func (s *Service) GetShare(ctx context.Context, share string) (*Share, error) {
	found, err := s.shares.Get(ctx, share)
	if err != nil {
		return nil, fmt.Errorf("distribution get share: %w", asFault(err, ErrShareNotFound))
	}
	return found, nil
}

// OpenInput says who opened what.
type OpenInput struct {
	Share   string
	Visitor string // a member
	Scene   int    // WeChat's scene number, 0 to 99999; 0 = not told
}

// Opened is what an opening led to.
type Opened struct {
	Share Share
	Touch Touch
	Bond  *Standing // in force after this opening; nil when nobody holds it, or when Again
	Again bool      // the same share was opened by the same visitor earlier this day: nothing changed
}

// Open records that somebody opened a share and decides their bond: two writes, the touch with its event and the
// bond. Opening it again the same business day is one read.
// Codes: DIST_INVALID, DIST_SHARE_NOT_FOUND.
func (s *Service) Open(ctx context.Context, in OpenInput) (*Opened, error) {
	if !isID(in.Visitor) {
		return nil, ErrInvalid.With("visitor", "无法识别 (not an id)")
	}
	if in.Scene < 0 || in.Scene > 99_999 {
		return nil, ErrInvalid.With("scene", "须在 0 到 99999 之间 (0 to 99999)")
	}
	now := s.clock.Now()
	touch, err := s.touches.Get(ctx, touchID(in.Share, in.Visitor, now))
	if err == nil {
		return &Opened{Share: touch.share(), Touch: *touch, Again: true}, nil
	}
	if !errors.Is(err, docstore.ErrNotFound) {
		return nil, fmt.Errorf("distribution open: %w", err)
	}
	share, err := s.GetShare(ctx, in.Share)
	if err != nil {
		return nil, err
	}
	touch, again, err := s.record(ctx, share, in, now)
	if err != nil {
		return nil, fmt.Errorf("distribution open: %w", err)
	}
	opened := &Opened{Share: *share, Touch: *touch, Again: again}
	if touch.Self || again {
		return opened, nil
	}
	bond, err := s.settle(ctx, touch.Visitor, touch.fact())
	if err != nil {
		return nil, fmt.Errorf("distribution open: %w", err)
	}
	if bond.Current.In(now) {
		opened.Bond = bond.Current
	}
	return opened, nil
}

// record writes the touch with its event. Again tells that somebody else's call wrote it a moment before.
func (s *Service) record(ctx context.Context, share *Share, in OpenInput, now time.Time) (t *Touch, again bool, err error) {
	known, err := s.bonds.GetWhole(ctx, []string{in.Visitor})
	if err != nil {
		return nil, false, err
	}
	t = &Touch{
		Doc: docstore.Doc{ID: touchID(in.Share, in.Visitor, now)}, Share: share.ID, Sharer: share.Sharer,
		Visitor: in.Visitor, Kind: share.Kind, Target: share.Target, Community: share.Community, Host: share.Host,
		Scene: in.Scene, Self: share.Sharer == in.Visitor, At: now,
	}
	t.Emit(EventTouchRecorded, TouchRecorded{
		Touch: t.ID, Share: t.Share, Sharer: t.Sharer, Visitor: t.Visitor, Community: t.Community,
		Fresh: known[in.Visitor] == nil, At: now,
	})
	err = s.touches.Insert(ctx, t)
	if docstore.Exists(err) {
		t, err = s.touches.Get(ctx, t.ID)
		return t, true, err
	}
	return t, false, err
}

// Consider makes sure that a recorded touch has had its effect on the bond, also when the process died right after
// recording it, and looks once more for a circle. It is made for the touch's event and may be called any number
// of times, late and in any order.
// Codes: DIST_TOUCH_NOT_FOUND.
func (s *Service) Consider(ctx context.Context, touch string) error {
	t, err := s.touches.Get(ctx, touch)
	if err != nil {
		return fmt.Errorf("distribution consider: %w", asFault(err, ErrTouchNotFound))
	}
	if t.Self {
		return nil
	}
	if _, err := s.settle(ctx, t.Visitor, t.fact()); err != nil {
		return fmt.Errorf("distribution consider: %w", err)
	}
	return nil
}
