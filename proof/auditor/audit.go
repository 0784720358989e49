package auditor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Balance is what stands in the four pots, in fen.
type Balance struct {
	Pending     int64 `bson:"pending"`
	Available   int64 `bson:"available"`
	Withdrawing int64 `bson:"withdrawing"`
	Withdrawn   int64 `bson:"withdrawn"`
}

func (b *Balance) add(c Balance) {
	b.Pending, b.Available = b.Pending+c.Pending, b.Available+c.Available
	b.Withdrawing, b.Withdrawn = b.Withdrawing+c.Withdrawing, b.Withdrawn+c.Withdrawn
}

func (b *Balance) put(pot string, amount int64) {
	switch pot {
	case "pending":
		b.Pending += amount
	case "available":
		b.Available += amount
	case "withdrawing":
		b.Withdrawing += amount
	case "withdrawn":
		b.Withdrawn += amount
	}
}

func (b Balance) String() string {
	return fmt.Sprintf("pending %s, available %s, withdrawing %s, withdrawn %s", yuan(b.Pending), yuan(b.Available), yuan(b.Withdrawing), yuan(b.Withdrawn))
}

func yuan(f int64) string { return money.Fen(f).Yuan() }

// Difference is a purse that is not what the facts say.
type Difference struct {
	Member string
	Facts  Balance
	Purse  Balance
	First  Source // where the ledger first parts from the facts; the zero value when it nowhere does
	Text   string // the same in words; "" beyond the first 100 differences
	Doubt  string // why it may be no difference at all: something is still on its way
}

// Report is the result of an audit.
type Report struct {
	Orders, Withdrawals, Sharings, Vouchers, Purses int64
	Differences                                     []Difference // by member
	More                                            int64        // differences beyond the first 1000
	Early                                           []string     // lines that settled too early, at most 1000
	Waiting                                         int64        // members something is on its way for
}

// Good tells whether every purse is what the facts say.
func (r *Report) Good() bool { return len(r.Differences) == 0 && len(r.Early) == 0 }

// Certain tells whether a difference is one beyond doubt.
func (r *Report) Certain() bool {
	return len(r.Early) > 0 || r.More > 0 || slices.ContainsFunc(r.Differences, func(d Difference) bool { return d.Doubt == "" })
}

func (r *Report) early(format string, args ...any) {
	if len(r.Early) < maxDifferences {
		r.Early = append(r.Early, fmt.Sprintf(format, args...))
	}
}

// Progress tells how far an audit is.
type Progress struct{ Orders int64 }

const (
	maxDifferences = 1000
	maxExplained   = 100
)

// ErrRebuilding: the purses are being rebuilt and show less than the truth. Let the rebuild finish first.
var ErrRebuilding = errors.New("auditor: the purses are being rebuilt")

// standing is what is known of one member.
type standing struct {
	facts, purse Balance
	version      int64 // of the purse's document
	doubt        string
}

// Audit recomputes every purse. Progress may be nil. Errors: ErrRebuilding, and those of the store.
func Audit(ctx context.Context, store *docstore.Store, progress func(Progress)) (*Report, error) {
	a, err := openArchive(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	report := &Report{}
	all, err := a.readPurses(ctx, report)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	w := &walker{archive: a, report: report, progress: progress, visit: func(m movement) error {
		s := all.of(m.member)
		s.facts.add(m.change)
		s.hesitate(m.doubt)
		return nil
	}}
	for _, step := range []func() error{
		func() error { return w.run(ctx) },
		func() error { return a.readUnsealed(ctx, all) },
		func() error { return a.compare(ctx, all, report) },
		func() error { return a.explain(ctx, report) },
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	return report, nil
}

type standings map[string]*standing

func (all standings) of(member string) *standing {
	s := all[member]
	if s == nil {
		s = &standing{}
		all[strings.Clone(member)] = s
	}
	return s
}

func (s *standing) hesitate(doubt string) {
	if s.doubt == "" {
		s.doubt = doubt
	}
}

// readPurses comes first: whatever moves a purse after it is noticed at the end by its version.
func (a *archive) readPurses(ctx context.Context, report *Report) (standings, error) {
	err := a.books.Each(ctx, docstore.All(), func(b *book) error {
		if b.Folded < b.Target {
			return ErrRebuilding
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := standings{}
	return all, a.purses.Each(ctx, docstore.All(), func(p *purse) error {
		report.Purses++
		s := all.of(p.ID)
		s.purse, s.version = p.Balance, p.Version
		return nil
	})
}

// readUnsealed finds entries that are in no purse yet.
func (a *archive) readUnsealed(ctx context.Context, all standings) error {
	folded, err := a.justFolded(ctx)
	if err != nil {
		return err
	}
	return a.entries.Each(ctx, docstore.By("unsealed"), func(e *entry) error {
		if folded[e.ID] {
			return nil
		}
		read, err := readPaper(e)
		if err != nil {
			return err
		}
		for _, p := range read.posts {
			all.of(p.who).hesitate("entry " + e.ID + " is not sealed yet")
		}
		return nil
	})
}

const maxUncleared = 10_000 // seals

// justFolded lists the entries that are in purses although they do not say so yet.
func (a *archive) justFolded(ctx context.Context) (map[string]bool, error) {
	folded := map[string]bool{}
	return folded, a.books.Each(ctx, docstore.All(), func(b *book) error {
		for n := max(b.Cleared+1, b.Folded-maxUncleared); n <= b.Folded; n++ {
			s, err := a.seals.Get(ctx, fmt.Sprintf("%s/%010d", b.ID, n))
			if errors.Is(err, docstore.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			for _, id := range strings.Split(s.Entries, "\n") {
				folded[id] = true
			}
		}
		return nil
	})
}

func (a *archive) compare(ctx context.Context, all standings, report *Report) error {
	for _, member := range sortedKeys(all) {
		s := all[member]
		if s.doubt != "" {
			report.Waiting++
		}
		if s.facts == s.purse {
			continue
		}
		now, err := a.purses.Get(ctx, member)
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return err
		}
		if err == nil && now.Version != s.version {
			s.hesitate("the purse moved while it was being audited")
		}
		if len(report.Differences) >= maxDifferences {
			report.More++
			continue
		}
		report.Differences = append(report.Differences, Difference{Member: member, Facts: s.facts, Purse: s.purse, Doubt: s.doubt})
	}
	return nil
}

// trace is one source as the facts and as the ledger's entries tell it.
type trace struct {
	at             time.Time
	facts, entries Balance
}

// explain looks, for the first differences, for the first source where facts and entries part.
func (a *archive) explain(ctx context.Context, report *Report) error {
	if len(report.Differences) == 0 {
		return nil
	}
	traces := map[string]map[Source]*trace{}
	for i := range min(len(report.Differences), maxExplained) {
		traces[report.Differences[i].Member] = map[Source]*trace{}
	}
	at := func(member string, s Source, when time.Time) *trace {
		known, wanted := traces[member]
		if !wanted {
			return &trace{}
		}
		if known[s] == nil {
			known[s] = &trace{at: when}
		}
		return known[s]
	}
	w := &walker{archive: a, report: &Report{}, visit: func(m movement) error {
		at(m.member, m.source, m.at).facts.add(m.change)
		return nil
	}}
	if err := w.run(ctx); err != nil {
		return err
	}
	err := a.entries.Each(ctx, docstore.All().First(docstore.MaxLimit/2), func(e *entry) error {
		read, err := readPaper(e)
		if err != nil {
			return err
		}
		for _, p := range read.posts {
			at(p.who, source(e.ID), read.when).entries.put(p.pot, p.amount)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range min(len(report.Differences), maxExplained) {
		report.Differences[i].say(traces[report.Differences[i].Member])
	}
	return nil
}

func (d *Difference) say(traces map[Source]*trace) {
	parted := make([]Source, 0, len(traces))
	for s, t := range traces {
		if t.facts != t.entries {
			parted = append(parted, s)
		}
	}
	if len(parted) == 0 {
		d.Text = "every entry agrees with the facts: the purse itself is wrong, a rebuild heals it"
		return
	}
	d.First = slices.MinFunc(parted, func(a, b Source) int {
		return cmp.Or(traces[a].at.Compare(traces[b].at), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	t := traces[d.First]
	d.Text = fmt.Sprintf("%s of %s: by the facts %s; by the entries %s", d.First, t.at.UTC().Format(time.DateTime), t.facts, t.entries)
	if len(parted) > 1 {
		d.Text += "; and " + strconv.Itoa(len(parted)-1) + " more"
	}
}
