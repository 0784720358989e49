package distribution

import (
	"cmp"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// Bond is who is credited for a member, and everything that led to it. Its id is the member.
//
// Current is what the facts decide under the policies; it is stored so that it can be read and found without
// deciding anew.
type Bond struct {
	docstore.Doc `bson:",inline"`
	Current      *Standing  `bson:"current,omitempty"`
	Facts        []Fact     `bson:"facts,omitempty"`   // the latest, in the order in which they happened
	Settled      *Standing  `bson:"settled,omitempty"` // what stood after all older facts
	SettledTo    time.Time  `bson:"settled_to"`        // facts up to here are settled
	Past         []Decision `bson:"past,omitempty"`    // decisions about settled facts, oldest first; the latest MaxPast
}

// Standing is one bond in force, or once in force.
type Standing struct {
	By             string    `bson:"by"` // the member credited
	Since          time.Time `bson:"since"`
	Until          time.Time `bson:"until,omitempty"` // exclusive; zero = for good
	ProtectedUntil time.Time `bson:"protected_until,omitempty"`
	Share          string    `bson:"share,omitempty"`
	Touch          string    `bson:"touch,omitempty"` // the fact that made it
	Policy         string    `bson:"policy"`
	Why            string    `bson:"why"` // first-touch, last-touch, permanent or staff
}

// WhyStaff is the reason of a bond that staff made; the other reasons are the modes.
const WhyStaff = "staff"

// In tells whether the bond is in force at a moment; nil never is.
func (s *Standing) In(at time.Time) bool {
	return s != nil && !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

// Fact is what a bond is decided from: a touch, or a decision of staff.
type Fact struct {
	ID     string    `bson:"id"` // of the touch or of the audit document
	At     time.Time `bson:"at"`
	By     string    `bson:"by"` // sharer, or whom staff bonds to ("" = nobody)
	Share  string    `bson:"share,omitempty"`
	Staff  string    `bson:"staff,omitempty"`  // who decided; empty for a touch
	Reason string    `bson:"reason,omitempty"` // staff's
	Loop   bool      `bson:"loop,omitempty"`   // would close a circle: counts for nothing
}

// Outcome is what a fact did.
type Outcome string

// The outcomes.
const (
	Bonded    Outcome = "bonded"     // nobody held the bond; now the sharer does
	Renewed   Outcome = "renewed"    // the holder touched again; it lasts longer
	TookOver  Outcome = "took-over"  // the last touch won
	Unchanged Outcome = "unchanged"  // the holder touched again; nothing to renew
	KeptFirst Outcome = "kept-first" // the first touch still holds
	Protected Outcome = "protected"  // the holder is protected
	KeptGood  Outcome = "kept"       // the bond is permanent
	Refused   Outcome = "refused"    // it would close a circle
	Moved     Outcome = "moved"      // staff bonded to somebody
	Freed     Outcome = "freed"      // staff ended the bond
)

// Decision is what was made of one fact.
type Decision struct {
	Fact    Fact      `bson:"fact"`
	Outcome Outcome   `bson:"outcome"`
	Policy  string    `bson:"policy"`
	Holder  string    `bson:"holder,omitempty"` // who holds the bond after it
	Until   time.Time `bson:"until,omitempty"`
}

// Bounds of a bond document.
const (
	MaxFacts = 32 // facts that may still arrive in another order
	MaxPast  = 40
	MaxChain = 256 // steps walked upwards when looking for a circle
)

// decide replays facts, sorted, on what stood before them.
func decide(stood *Standing, facts []Fact, rules rulebook) (*Standing, []Decision) {
	decisions := make([]Decision, 0, len(facts))
	for _, f := range facts {
		p := rules.at(f.At)
		var outcome Outcome
		stood, outcome = judge(stood, f, p)
		d := Decision{Fact: f, Outcome: outcome, Policy: p.Version}
		if stood.In(f.At) {
			d.Holder, d.Until = stood.By, stood.Until
		}
		decisions = append(decisions, d)
	}
	return stood, decisions
}

// judge is the rule: what one fact does to what stands, under the policy of its day.
func judge(stood *Standing, f Fact, p Policy) (*Standing, Outcome) {
	switch {
	case f.Loop:
		return stood, Refused
	case f.Staff != "" && f.By == "":
		return nil, Freed
	case f.Staff != "":
		return newStanding(f, p, WhyStaff), Moved
	case !stood.In(f.At):
		return newStanding(f, p, string(p.Mode)), Bonded
	}
	if stood.Until.IsZero() {
		return stood, KeptGood
	}
	holds := stood.By == f.By
	switch {
	case p.Mode == LastTouch && holds:
		return renewed(stood, f, p), Renewed
	case holds:
		return stood, Unchanged
	case p.Mode != LastTouch:
		return stood, KeptFirst
	case f.At.Before(stood.ProtectedUntil):
		return stood, Protected
	}
	return newStanding(f, p, string(p.Mode)), TookOver
}

func newStanding(f Fact, p Policy, why string) *Standing {
	s := &Standing{By: f.By, Since: f.At, Share: f.Share, Touch: f.ID, Policy: p.Version, Why: why}
	if p.Mode != Permanent {
		s.Until = f.At.Add(days(p.ValidityDays))
	}
	if p.ProtectionDays > 0 {
		s.ProtectedUntil = f.At.Add(days(p.ProtectionDays))
	}
	return s
}

// renewed lengthens a bond; it never shortens one that an older policy made longer.
func renewed(stood *Standing, f Fact, p Policy) *Standing {
	s := *stood
	if until := f.At.Add(days(p.ValidityDays)); until.After(s.Until) {
		s.Until = until
	}
	return &s
}

// At is what stood at a moment, judged by the facts up to it. For a moment before the window it is what stood at
// its beginning.
func (b *Bond) At(at time.Time, rules rulebook) *Standing {
	known, _ := slices.BinarySearchFunc(b.Facts, at, func(f Fact, at time.Time) int {
		if f.At.After(at) {
			return 1
		}
		return -1
	})
	stood := b.Current
	if known < len(b.Facts) {
		stood, _ = decide(b.Settled, b.Facts[:known], rules)
	}
	if !stood.In(at) {
		return nil
	}
	return stood
}

// knows tells whether a fact needs no more attention: it is there, or belongs to settled times.
func (b *Bond) knows(f Fact) bool {
	if len(b.Past) > 0 && !f.At.After(b.SettledTo) {
		return true
	}
	return slices.ContainsFunc(b.Facts, func(g Fact) bool { return g.ID == f.ID })
}

// with is the sorted facts with one more.
func (b *Bond) with(f Fact) []Fact {
	facts := append(slices.Clone(b.Facts), f)
	slices.SortFunc(facts, func(a, b Fact) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return facts
}

// take replaces the facts, decides, and settles what is beyond the window.
func (b *Bond) take(facts []Fact, rules rulebook) {
	if extra := len(facts) - MaxFacts; extra > 0 {
		// Facts of one moment are settled together, so that the window begins between two moments.
		for extra < len(facts)-1 && facts[extra].At.Equal(facts[extra-1].At) {
			extra++
		}
		var settled []Decision
		b.Settled, settled = decide(b.Settled, facts[:extra], rules)
		b.SettledTo = facts[extra-1].At
		b.Past = append(b.Past, settled...)
		b.Past = b.Past[max(0, len(b.Past)-MaxPast):]
		facts = facts[extra:]
	}
	b.Facts = facts
	b.Current, _ = decide(b.Settled, b.Facts, rules)
}

// decisions is the whole remembered history, oldest first.
func (b *Bond) decisions(rules rulebook) []Decision {
	_, recent := decide(b.Settled, b.Facts, rules)
	return append(slices.Clone(b.Past), recent...)
}
