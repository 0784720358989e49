package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// maxRounds bounds how often a decision starts over because others decided at the same time.
const maxRounds = 16

// maxCircle bounds the look afterwards: chains that were each within MaxChain may have been joined at once.
const maxCircle = 8 * MaxChain

// errAsk ends an update whose outcome would hand the bond to somebody whose chain has not been walked yet.
var errAsk = errors.New("distribution: chain not walked yet")

// settle adds a fact to a member's bond, decides it, and looks for circles before and after. A fact that is known
// already is not added, but the look afterwards is taken again, for whoever died before taking it.
func (s *Service) settle(ctx context.Context, member string, f Fact) (*Bond, error) {
	b, moved, err := s.change(ctx, member, func(b *Bond) []Fact {
		if b.knows(f) {
			return nil
		}
		return b.with(f)
	})
	if err != nil {
		return nil, err
	}
	if moved || b.Current != nil && b.Current.Touch == f.ID {
		return s.lookAgain(ctx, b)
	}
	return b, nil
}

// change replaces the facts of a bond (edit answers nil for "as they are") and decides anew. Before the bond
// changes hands the chain above the new holder is walked; who would close a circle has their fact marked, and the
// rest decides without it. Moved tells whether another member holds the bond now.
func (s *Service) change(ctx context.Context, member string, edit func(*Bond) []Fact) (b *Bond, moved bool, err error) {
	rules, err := s.rulebook(ctx)
	if err != nil {
		return nil, false, err
	}
	now := s.clock.Now()
	free := map[string]bool{}
	for range maxRounds {
		var ask string
		b, err = s.bonds.Upsert(ctx, member, func(b *Bond) error {
			facts := edit(b)
			if moved = false; facts == nil {
				return nil
			}
			next, unknown := elect(b, facts, rules, free, now)
			if ask = unknown; ask != "" {
				return errAsk
			}
			if moved = holder(b.Current, now) != holder(next.Current, now); moved {
				b.Emit(EventBondMoved, moving(b, &next, now))
			}
			b.Facts, b.Current, b.Settled, b.SettledTo, b.Past = next.Facts, next.Current, next.Settled, next.SettledTo, next.Past
			return nil
		})
		if !errors.Is(err, errAsk) {
			return b, moved, err
		}
		if free[ask], _, err = s.free(ctx, member, ask, now); err != nil {
			return nil, false, err
		}
	}
	return nil, false, fmt.Errorf("bond of %s: %w", member, docstore.ErrContended)
}

// elect decides facts until the bond stays where it is or goes to somebody free. Unknown names a new holder whose
// chain must be walked first.
func elect(b *Bond, facts []Fact, rules rulebook, free map[string]bool, now time.Time) (next Bond, unknown string) {
	facts = slices.Clone(facts)
	for range len(facts) + 1 {
		next = Bond{Settled: b.Settled, SettledTo: b.SettledTo, Past: slices.Clone(b.Past)}
		next.take(slices.Clone(facts), rules)
		to := holder(next.Current, now)
		if to == "" || to == holder(b.Current, now) {
			return next, ""
		}
		ok, walked := free[to]
		if !walked {
			return next, to
		}
		at := slices.IndexFunc(facts, func(f Fact) bool { return f.ID == next.Current.Touch })
		if ok || at < 0 {
			return next, ""
		}
		facts[at].Loop = true
	}
	return next, ""
}

func holder(s *Standing, at time.Time) string {
	if s.In(at) {
		return s.By
	}
	return ""
}

func moving(before, after *Bond, now time.Time) BondMoved {
	m := BondMoved{Member: before.ID, From: holder(before.Current, now), To: holder(after.Current, now), At: now, Why: WhyNone}
	if m.To != "" {
		m.Why = after.Current.Why
	}
	return m
}

// link is one step of a chain: the member, and the bond that leads on from there.
type link struct {
	member string
	bond   *Bond
}

// chain walks upwards from a member over bonds in force. Circle is set when it comes back to home; full when
// it was still going on after the given steps.
func (s *Service) chain(ctx context.Context, from, home string, steps int, now time.Time) (links []link, circle, full bool, err error) {
	for range steps {
		if from == home && len(links) > 0 {
			return links, true, false, nil
		}
		b, err := s.load(ctx, from)
		if err != nil {
			return nil, false, false, err
		}
		if !b.Current.In(now) {
			return links, false, false, nil
		}
		links, from = append(links, link{from, b}), b.Current.By
	}
	return links, false, true, nil
}

// free tells whether member may be bonded to holder: the chain above holder ends, and not at member. Known is false when
// it is too long to be walked: that is no circle, and nobody is told that it were one.
func (s *Service) free(ctx context.Context, member, holder string, now time.Time) (ok, known bool, err error) {
	if member == holder {
		return false, true, nil
	}
	links, _, full, err := s.chain(ctx, holder, "", MaxChain, now)
	if err != nil || full {
		return false, false, err
	}
	return !slices.ContainsFunc(links, func(l link) bool { return l.bond.Current.By == member }), true, nil
}

// lookAgain walks the chain after a bond has changed hands and, where it closes a circle, takes back the youngest
// link of it. All who see the circle choose the same link.
func (s *Service) lookAgain(ctx context.Context, b *Bond) (*Bond, error) {
	now := s.clock.Now()
	for range maxRounds {
		links, circle, _, err := s.chain(ctx, b.ID, b.ID, maxCircle, now)
		if err != nil || !circle {
			return b, err
		}
		youngest := slices.MaxFunc(links, func(x, y link) int { return x.bond.Current.younger(y.bond.Current) })
		if _, _, err := s.change(ctx, youngest.member, takeBack(youngest.bond.Current.Touch, now)); err != nil {
			return nil, err
		}
		if b, err = s.load(ctx, b.ID); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("bond of %s: circle: %w", b.ID, docstore.ErrContended)
}

// takeBack marks the fact behind a bond. One that is settled already cannot be marked: a fact of the house's own
// then ends the bond.
func takeBack(touch string, now time.Time) func(*Bond) []Fact {
	return func(b *Bond) []Fact {
		if b.Current == nil || b.Current.Touch != touch {
			return nil
		}
		facts := slices.Clone(b.Facts)
		at := slices.IndexFunc(facts, func(f Fact) bool { return f.ID == touch })
		if at < 0 {
			return b.with(Fact{ID: "circle/" + touch, At: now, Staff: systemStaff, Reason: "循环绑定，自动解除"})
		}
		facts[at].Loop = true
		return facts
	}
}

// systemStaff signs what the house does by itself.
const systemStaff = "system"

func (s *Standing) younger(o *Standing) int {
	if c := s.Since.Compare(o.Since); c != 0 {
		return c
	}
	switch {
	case s.Touch < o.Touch:
		return -1
	case s.Touch > o.Touch:
		return 1
	}
	return 0
}

// load gives a bond; a member without one has an empty one.
func (s *Service) load(ctx context.Context, member string) (*Bond, error) {
	b, err := s.bonds.Get(ctx, member)
	if errors.Is(err, docstore.ErrNotFound) {
		return &Bond{Doc: docstore.Doc{ID: member}}, nil
	}
	return b, err
}
