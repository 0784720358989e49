package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"guanxi/internal/money"
)

// matching is one process at work on one run, under a lease.
type matching struct {
	s        *Service
	run      *Run // as it was when the lease was taken, plus what this attempt has counted
	from, to time.Time
	renewAt  time.Time

	doubles  map[uint64][]Line // numbers the bill seems to have more than once, with their lines
	findings []finding         // not stored yet
	guests   []guest           // whose own days are not visited yet
	wake     map[string]bool   // runs that should look again: they have billed a line of ours too
	nudge    map[string]bool   // runs that should when they wait for this one; true: also when they differ
	kinds    map[string]*finding
	trade    *tradeSide // what the trade bills say of a fund bill; nil until it is needed
}

// maxKinds bounds the kinds of unexplained movements of a day; what is beyond them shares one task.
const maxKinds = 200

const flushFindings = 200

// errLost says that the lease ended and somebody else may be at work.
var errLost = errors.New("reconcile: lease lost")

// work carries a run from its bill to its end.
func (m *matching) work(ctx context.Context) error {
	if !m.run.Fetched {
		if err := m.fetch(ctx); err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
	}
	if err := m.awaitOthers(ctx); err != nil {
		return err
	}
	m.run.Bill, m.run.Ours, m.run.Seen = Totals{}, Totals{}, Seen{}
	m.run.Matched, m.run.Strays, m.run.Differences, m.run.Beyond = 0, 0, 0, 0
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"count", m.count},
		{"match ours with the bill", m.reverse},
		{"match the bill with ours", m.forward},
		{"match doubled lines", m.settleDoubles},
		{"visit other days", m.visitHomes},
		{"compare totals", m.summary},
		{"list unexplained kinds", m.unexplained},
		{"store tasks", m.flush},
		{"close tasks", m.sweepTasks},
		{"forget strays", m.sweepStrays},
		{"remove old pages", func(ctx context.Context) error { return m.s.sweepPages(ctx, m.run) }},
		{"wake other days", m.wakeOthers},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// fetch downloads the bill into pages of this attempt.
func (m *matching) fetch(ctx context.Context) error {
	k, row := &keeper{m: m}, int64(0)
	said, err := m.download(ctx, func(line func(row int64) Line) error {
		row++
		return k.add(ctx, line(row))
	})
	empty := errors.Is(err, ErrNoStatement)
	if empty && row > 0 {
		return errors.New("a bill that does not exist had lines")
	}
	if err != nil && !empty {
		return err
	}
	if err := k.flush(ctx); err != nil {
		return err
	}
	return m.hold(ctx, func(r *Run) {
		r.Fetched, r.FetchedAt, r.Evidence = true, m.s.clock.Now(), m.run.Attempt
		r.Pages, r.Empty, r.Said, r.Bill = k.pages, empty, said, k.total
	})
}

func (m *matching) download(ctx context.Context, each func(func(int64) Line) error) (Totals, error) {
	if m.run.Statement == Trade {
		return m.s.bills.Trade(ctx, m.run.Day, func(l TradeLine) error { return each(l.line) })
	}
	return m.s.bills.Funds(ctx, m.run.Statement, m.run.Day, func(l FundLine) error { return each(l.line) })
}

// count adds up the bill as it is kept: the pages are the evidence, not what was counted while downloading.
func (m *matching) count(ctx context.Context) error {
	return m.s.eachPage(ctx, m.run, func(lines []Line) error {
		for _, l := range lines {
			m.run.Bill.add(l)
			m.run.Seen.add(&l)
		}
		return nil
	})
}

// forward compares every line of the bill with ours.
func (m *matching) forward(ctx context.Context) error {
	return m.s.eachPage(ctx, m.run, func(lines []Line) error {
		if err := m.beat(ctx); err != nil {
			return err
		}
		single := make([]Line, 0, len(lines))
		for _, l := range lines {
			fp := fingerprint(l.Move, l.Number)
			if known, twice := m.doubles[fp]; twice && l.Move.matched() && l.Number != "" {
				if len(known) < MaxLines {
					m.doubles[fp] = append(known, l)
				}
				continue
			}
			single = append(single, l)
		}
		return m.compare(ctx, single)
	})
}

// compare judges lines of one page, each on its own.
func (m *matching) compare(ctx context.Context, lines []Line) error {
	facts, err := m.lookup(ctx, lines)
	if err != nil {
		return err
	}
	strays, err := m.straysOf(ctx, lines)
	if err != nil {
		return err
	}
	rate := m.s.config.FeeRate
	if m.run.Statement != Trade {
		rate = 0
	}
	var guests []guest
	for _, l := range lines {
		ours := facts[factKey{l.Move, l.Number}]
		passed, err := m.pass(ctx, l, ours, rate)
		if err != nil {
			return err
		}
		if !passed {
			continue
		}
		g, err := m.place(ctx, l, ours, strays[strayID(m.run.Statement.home(), l.Move, l.Number)])
		if err != nil {
			return err
		}
		if g != nil {
			guests = append(guests, *g)
		}
	}
	if len(guests) == 0 {
		return nil
	}
	return m.keepStrays(ctx, guests)
}

// pass judges a line and keeps what is wrong with it; false: it is none of ours, and was only counted.
func (m *matching) pass(ctx context.Context, l Line, ours *Fact, rate money.BasisPoints) (bool, error) {
	kind, foreign := judge(l, ours, rate), false
	switch {
	case ours == nil && kind == MissingOurs && m.s.config.foreign(&l):
		foreign = true
	case l.Move == Other && isExpected(m.s.config.Expected, &l):
		kind = ""
	default:
		var err error
		if kind, foreign, err = m.reconsider(ctx, &l, ours, kind); err != nil {
			return false, err
		}
	}
	switch {
	case foreign:
		m.run.Seen.Foreign++
		m.run.Seen.foreignAmount(&l)
		return false, nil
	case kind == Unexplained:
		m.unexplain(l)
	case kind != "":
		return true, m.found(ctx, m.finding(kind, l, ours))
	default:
		m.run.Matched++
	}
	return true, nil
}

// unexplain adds a movement nobody knows to its kind: one task a kind and day, however many rows there are.
func (m *matching) unexplain(l Line) {
	kind := words(l)
	if l.Move.matched() {
		kind += " 无业务凭证号"
	}
	f := m.kinds[kind]
	if f == nil && len(m.kinds) >= maxKinds {
		kind = "其他"
		f = m.kinds[kind]
	}
	if f == nil {
		f = &finding{kind: Unexplained, move: l.Move, number: kind, counted: &Totals{}}
		m.kinds[kind] = f
	}
	f.counted.add(l)
	if len(f.lines) < MaxLines {
		f.lines = append(f.lines, l)
	}
}

// unexplained turns the kinds into findings.
func (m *matching) unexplained(ctx context.Context) error {
	for _, kind := range slices.Sorted(maps.Keys(m.kinds)) {
		if err := m.found(ctx, *m.kinds[kind]); err != nil {
			return err
		}
	}
	return nil
}

// place says whether a line our books know is at home in this bill, and if not, that it is a guest.
func (m *matching) place(ctx context.Context, l Line, ours *Fact, known *stray) (*guest, error) {
	if ours == nil {
		return nil, nil
	}
	elsewhere := known != nil && known.Run != m.run.ID && known.Done && l.State == LineDone
	if counts(*ours, m.from, m.to) {
		if elsewhere {
			m.wake[known.Run] = true
		}
		if l.State == LineOpen { // remembered as such: see Reconsider
			return &guest{line: l, ours: *ours, home: m.run.Day}, nil
		}
		return nil, nil
	}
	m.run.Strays++
	if elsewhere {
		first := Line{Move: l.Move, State: LineDone, Number: l.Number, Words: known.Run}
		return nil, m.found(ctx, finding{
			kind: Doubled, move: l.Move, number: l.Number, lines: []Line{first, l}, ours: ours,
		})
	}
	g := &guest{line: l, ours: *ours}
	if ours.State == FactDone {
		g.home = dayOf(ours.At)
		if m.guests = append(m.guests, *g); len(m.guests) >= maxGuests {
			return g, m.visitHomes(ctx)
		}
	}
	return g, nil
}

// finding makes one line's difference.
func (m *matching) finding(kind Difference, l Line, ours *Fact) finding {
	return finding{kind: kind, move: l.Move, number: l.Number, lines: []Line{l}, ours: ours}
}

// settleDoubles turns the lines that share a number into one finding each.
func (m *matching) settleDoubles(ctx context.Context) error {
	groups := map[factKey][]Line{}
	for _, lines := range m.doubles {
		for _, l := range lines {
			key := factKey{l.Move, l.Number}
			groups[key] = append(groups[key], l)
		}
	}
	var alone []Line
	keys := make([]factKey, 0, len(groups))
	for key, lines := range groups {
		done := 0
		for _, l := range lines {
			if l.State == LineDone {
				done++
			}
		}
		if done < 2 { // two numbers with one fingerprint
			alone = append(alone, lines...)
			continue
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b factKey) int { return strings.Compare(string(a.move)+a.number, string(b.move)+b.number) })
	for batch := range slices.Chunk(keys, LookupBatch) {
		first := make([]Line, len(batch))
		for i, key := range batch {
			first[i] = groups[key][0]
		}
		facts, err := m.lookup(ctx, first)
		if err != nil {
			return err
		}
		for _, key := range batch {
			if facts[key] == nil && !slices.ContainsFunc(groups[key], func(l Line) bool { return !m.s.config.foreign(&l) }) {
				m.run.Seen.Foreign += int64(len(groups[key]))
				continue
			}
			if err := m.found(ctx, finding{
				kind: Doubled, move: key.move, number: key.number, lines: groups[key], ours: facts[key],
			}); err != nil {
				return err
			}
		}
	}
	return m.compare(ctx, alone)
}

// summary holds the bill's own totals against its lines.
func (m *matching) summary(ctx context.Context) error {
	if m.run.Said == m.run.Bill {
		return nil
	}
	said, counted := m.run.Said, m.run.Bill
	return m.found(ctx, finding{kind: SummaryOff, number: m.run.Day, said: &said, counted: &counted})
}

func words(l Line) string { return strings.TrimSpace(l.Words) }
