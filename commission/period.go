package commission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Period is one closed month of a book, id <book>/<2026-10>. An entry belongs to the month in which it was sealed, which
// is the month it was posted in; so a period is a stretch of the chain, and what is corrected after the close lands in the
// open month by itself (its notes or its order link it to what it corrects). The month is Shanghai's.
type Period struct {
	docstore.Doc `bson:",inline"`
	Month        string         `bson:"month"`
	First        int64          `bson:"first"` // seals; Last < First when the month had none
	Last         int64          `bson:"last"`
	Entries      int64          `bson:"entries"`
	Members      int64          `bson:"members"`  // who has a statement of this month
	Accounts     []AccountTotal `bson:"accounts"` // the trial balance: the closing amounts sum to zero
	By           string         `bson:"by"`
	ClosedAt     time.Time      `bson:"closed_at,omitempty"`
	Closing      string         `bson:"closing,omitempty"` // the close has begun and is not finished
}

// AccountTotal is one row of a trial balance. Members' and staff's accounts are summed by pot: "member:*:pending".
type AccountTotal struct {
	Account Account   `bson:"account"`
	Opening money.Fen `bson:"opening"`
	Out     money.Fen `bson:"out"` // what left, negative or zero
	In      money.Fen `bson:"in"`
	Closing money.Fen `bson:"closing"`
}

// PeriodStatement is one member's month, frozen by the close: id <book>/<month>/<member>.
type PeriodStatement struct {
	docstore.Doc `bson:",inline"`
	Member       string      `bson:"member"`
	Month        string      `bson:"month"`
	Opening      Balance     `bson:"opening"`
	Kinds        []KindTotal `bson:"kinds"`
	Closing      Balance     `bson:"closing"`
	FirstLine    int64       `bson:"first_line"` // numbers in the member's statement: every figure's entries
	LastLine     int64       `bson:"last_line"`
}

// KindTotal is what one kind of entry did in a month.
type KindTotal struct {
	Kind   Kind    `bson:"kind"`
	Count  int64   `bson:"count"`
	Change Balance `bson:"change"`
}

const monthForm = "2006-01"

// ClosePeriod closes a month: it fixes the month's stretch of the chain, then freezes a statement for everybody the
// month moved and the trial balance of the book. Months are closed in order. Repeating is harmless and finishes what a
// crash left.
// Codes: COM_PERIOD_INVALID, COM_PERIOD_OPEN (the month is not over), COM_PERIOD_ORDER (an earlier one is still open).
func (s *Service) ClosePeriod(ctx context.Context, month, by string) (*Period, error) {
	start, err := time.ParseInLocation(monthForm, month, clock.Shanghai())
	if err != nil || !book.Named(by) {
		return nil, ErrPeriodInvalid
	}
	end := start.AddDate(0, 1, 0)
	if s.clock.Now().Before(end) {
		return nil, ErrPeriodOpen
	}
	p, err := s.periods.Get(ctx, s.periodID(month))
	if book.Missing(err) {
		p, err = s.beginClose(ctx, &Period{Month: month, By: by}, start, end)
	}
	if err != nil {
		return nil, fmt.Errorf("close period: %w", err)
	}
	p, err = s.finishClose(ctx, p)
	return p, wrap("close period", err)
}

func (s *Service) periodID(month string) string { return s.config.Book + "/" + month }

// beginClose writes the intent: from now on the month's stretch is fixed.
func (s *Service) beginClose(ctx context.Context, p *Period, start, end time.Time) (*Period, error) {
	if err := s.CatchUp(ctx); err != nil { // whatever was posted before the close belongs to the months before it
		return nil, err
	}
	before, err := s.newestPeriod(ctx)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if before.Closing != "" || before.Month != start.AddDate(0, -1, 0).Format(monthForm) {
			return nil, ErrPeriodOrder
		}
		p.First = before.Last + 1
	} else {
		early, err := s.SealAt(ctx, start)
		if err != nil {
			return nil, err
		}
		if early > 0 {
			return nil, ErrPeriodOrder
		}
		p.First = 1
	}
	if p.Last, err = s.SealAt(ctx, end); err != nil {
		return nil, err
	}
	p.Last = max(p.Last, p.First-1)
	p.ID, p.Closing = s.periodID(p.Month), p.Month
	if err = s.periods.Insert(ctx, p); docstore.Exists(err) {
		return s.periods.Get(ctx, p.ID)
	}
	return p, err
}

func (s *Service) newestPeriod(ctx context.Context) (*Period, error) {
	page, err := s.periods.Find(ctx, docstore.All().Between(s.config.Book+"/", s.config.Book+"0").Newest().First(1).Whole())
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}

// finishClose writes the statements and then says that the month is closed. All of it follows from the stretch.
func (s *Service) finishClose(ctx context.Context, p *Period) (*Period, error) {
	if p.Closing == "" {
		return p, nil
	}
	if err := s.step("period begun"); err != nil {
		return nil, err
	}
	sum := newMonthSum()
	err := s.streamStretch(ctx, p, func(_ *Seal, entries []*Entry) error {
		for _, e := range entries {
			sum.take(e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.writeStatements(ctx, p.Month, sum); err != nil {
		return nil, err
	}
	if err := s.step("statements written"); err != nil {
		return nil, err
	}
	opening, err := s.openings(ctx, p)
	if err != nil {
		return nil, err
	}
	p, err = s.periods.Update(ctx, p.ID, func(d *Period) error {
		if d.Closing == "" {
			return nil
		}
		d.Entries, d.Members, d.Accounts = sum.entries, int64(len(sum.members)), sum.accounts(opening)
		d.Closing, d.ClosedAt = "", s.clock.Now()
		d.Emit(EventPeriodClosed, PeriodClosed{Book: s.config.Book, Month: d.Month, At: d.ClosedAt})
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = s.SignCheckpoint(ctx)
	return p, err
}

func (s *Service) streamStretch(ctx context.Context, p *Period, visit func(*Seal, []*Entry) error) error {
	if p.Last < p.First {
		return nil
	}
	return s.StreamEntries(ctx, p.First, p.Last, visit)
}

// openings gives the closing amounts of the month before.
func (s *Service) openings(ctx context.Context, p *Period) (map[Account]money.Fen, error) {
	month, err := time.Parse(monthForm, p.Month)
	if err != nil {
		return nil, err
	}
	opening := map[Account]money.Fen{}
	before, err := s.periods.Get(ctx, s.periodID(month.AddDate(0, -1, 0).Format(monthForm)))
	if book.Missing(err) {
		return opening, nil
	}
	if err != nil {
		return nil, err
	}
	for _, a := range before.Accounts {
		opening[a.Account] = a.Closing
	}
	return opening, nil
}

// writeStatements freezes everybody's month. Ids and contents follow from the stretch, so what is there stays.
func (s *Service) writeStatements(ctx context.Context, month string, sum *monthSum) error {
	for members := range slices.Chunk(slices.Sorted(maps.Keys(sum.members)), 500) {
		docs := make([]*PeriodStatement, len(members))
		for i, member := range members {
			before, err := s.statementBefore(ctx, member, month)
			if err != nil {
				return err
			}
			d := sum.members[member]
			docs[i] = &PeriodStatement{
				Doc: docstore.Doc{ID: s.periodID(month) + "/" + member}, Member: member, Month: month,
				Opening: before.Closing, Closing: before.Closing, FirstLine: before.LastLine + 1, LastLine: before.LastLine + d.lines,
			}
			for _, kind := range slices.Sorted(maps.Keys(d.kinds)) {
				docs[i].Kinds = append(docs[i].Kinds, *d.kinds[kind])
				docs[i].Closing.Add(d.kinds[kind].Change)
			}
		}
		for _, err := range s.statements.InsertMany(ctx, docs) {
			if err != nil && !docstore.Exists(err) {
				return err
			}
		}
		if err := s.step("some statements written"); err != nil {
			return err
		}
	}
	return nil
}

// statementBefore is the newest statement before a month; an empty one when there is none.
func (s *Service) statementBefore(ctx context.Context, member, month string) (*PeriodStatement, error) {
	page, err := s.statements.Find(ctx, docstore.By("member", member).Between(nil, month).Newest().First(1).Whole())
	if err != nil || len(page.Items) == 0 {
		return &PeriodStatement{}, err
	}
	return page.Items[0], nil
}

// Periods lists the closed months, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Periods(ctx context.Context, page docstore.Paging) (docstore.Page[Period], error) {
	list, err := s.periods.List(ctx, docstore.All().Between(s.config.Book+"/", s.config.Book+"0").Newest(), page)
	return list, book.PageFault("periods", err)
}

// PeriodStatement gives a member's frozen month. A closed month that did not move the member has none of its own: the
// opening and closing balance are those of the month before.
// Codes: COM_MEMBER_INVALID, COM_PERIOD_INVALID, COM_PERIOD_OPEN.
func (s *Service) PeriodStatement(ctx context.Context, member, month string) (*PeriodStatement, error) {
	if !book.Named(member) {
		return nil, ErrMemberInvalid
	}
	if _, err := time.Parse(monthForm, month); err != nil {
		return nil, ErrPeriodInvalid
	}
	p, err := s.periods.Get(ctx, s.periodID(month))
	if book.Missing(err) || err == nil && p.Closing != "" {
		return nil, ErrPeriodOpen
	}
	if err != nil {
		return nil, fmt.Errorf("period statement: %w", err)
	}
	d, err := s.statements.Get(ctx, p.ID+"/"+member)
	if !book.Missing(err) {
		return d, wrap("period statement", err)
	}
	before, err := s.statementBefore(ctx, member, month)
	if err != nil {
		return nil, fmt.Errorf("period statement: %w", err)
	}
	return &PeriodStatement{
		Member: member, Month: month, Opening: before.Closing, Closing: before.Closing,
		FirstLine: before.LastLine + 1, LastLine: before.LastLine,
	}, nil
}

// PeriodStatements lists everybody's statement of a month, by member. Code: COM_PAGE_INVALID, COM_PERIOD_INVALID.
func (s *Service) PeriodStatements(ctx context.Context, month string, page docstore.Paging) (docstore.Page[PeriodStatement], error) {
	if _, err := time.Parse(monthForm, month); err != nil {
		return docstore.Page[PeriodStatement]{}, ErrPeriodInvalid
	}
	at := s.periodID(month)
	list, err := s.statements.List(ctx, docstore.All().Between(at+"/", at+"0"), page)
	return list, book.PageFault("period statements", err)
}

// monthSum adds up a stretch of the chain.
type monthSum struct {
	entries int64
	members map[string]*memberMonth
	totals  map[Account]*AccountTotal
}

type memberMonth struct {
	lines int64
	kinds map[Kind]*KindTotal
}

func newMonthSum() *monthSum {
	return &monthSum{members: map[string]*memberMonth{}, totals: map[Account]*AccountTotal{}}
}

func (m *monthSum) take(e *Entry) {
	m.entries++
	touched := map[string]*KindTotal{}
	for i := range e.Postings {
		p := &e.Postings[i]
		member, pot, ok := p.Account.Member()
		m.total(p, member, pot, ok)
		if !ok {
			continue
		}
		kind := touched[member]
		if kind == nil {
			kind = m.kind(member, e.Kind)
			touched[member] = kind
		}
		if amount := kind.Change.Pot(pot); amount != nil {
			*amount += p.Amount
		}
	}
}

// sumAccount is the row of the trial balance a purse counts in.
func sumAccount(member string, pot Pot) Account {
	if strings.HasPrefix(member, book.StaffPrefix) {
		return pot.Of(Staff("*"))
	}
	return pot.Of("*")
}

func (m *monthSum) total(p *Posting, member string, pot Pot, ok bool) {
	account := p.Account
	if ok {
		account = sumAccount(member, pot)
	}
	t := m.totals[account]
	if t == nil {
		t = &AccountTotal{Account: account}
		m.totals[account] = t
	}
	if p.Amount < 0 {
		t.Out += p.Amount
	} else {
		t.In += p.Amount
	}
}

// kind counts one statement line.
func (m *monthSum) kind(member string, kind Kind) *KindTotal {
	d := m.members[member]
	if d == nil {
		d = &memberMonth{kinds: map[Kind]*KindTotal{}}
		m.members[member] = d
	}
	d.lines++
	k := d.kinds[kind]
	if k == nil {
		k = &KindTotal{Kind: kind}
		d.kinds[kind] = k
	}
	k.Count++
	return k
}

func (m *monthSum) accounts(opening map[Account]money.Fen) []AccountTotal {
	for account := range opening {
		if m.totals[account] == nil {
			m.totals[account] = &AccountTotal{Account: account}
		}
	}
	all := make([]AccountTotal, 0, len(m.totals))
	for _, account := range slices.Sorted(maps.Keys(m.totals)) {
		t := *m.totals[account]
		t.Opening = opening[account]
		t.Closing = t.Opening + t.Out + t.In
		all = append(all, t)
	}
	return all
}
