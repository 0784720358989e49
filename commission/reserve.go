package commission

import (
	"context"
	"fmt"
	"slices"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// Hold asks for money out of a member's available pot.
type Hold struct {
	Member string
	Number string // of the withdrawal: [A-Za-z0-9], at most 32
	Amount money.Fen
	At     time.Time
	Notes  []Note
}

// Payout is what became of a withdrawal. Amount is gross, as it was reserved; Tax is the part of it that is withheld.
type Payout struct {
	Member, Number string
	Amount, Tax    money.Fen
	At             time.Time
	Notes          []Note
}

// Spendable is what a member could ask for at this moment.
type Spendable struct {
	Balance
	Held money.Fen // asked for, but not yet out of Available
	Free money.Fen // Available - Held; negative when refunds took more than there was
}

// Reserve takes the amount out of available, so that nobody can ask for it again: the only posting that is refused when
// there is not enough. The purse is a fold that lags by a moment, so the money is first held inside the purse's document
// (one compare-and-swap), then posted as entry withdraw/<number>; the fold that takes the entry lets the hold go. A
// process that dies in between leaves a hold; repeating the call finishes it. Repeating is harmless.
// Codes: COM_PAYOUT_INVALID, COM_PURSE_SHORT, COM_PURSE_BUSY (the purses are being rebuilt: later), COM_ENTRY_CONFLICT.
func (s *Service) Reserve(ctx context.Context, h Hold) error {
	h.At = clock.Milli(h.At)
	if !book.Named(h.Member) || !payoutNumber(h.Number) || !book.Payable(h.Amount) || h.At.IsZero() || !validNotes(h.Notes) {
		return ErrPayoutInvalid
	}
	e := &Entry{
		ID: book.NumberID(Withdraw, h.Number), Book: s.config.Book, Kind: Withdraw, Number: h.Number, At: h.At, Notes: h.Notes,
		Postings: []Posting{{Account: Available.Of(h.Member), Amount: -h.Amount}, {Account: Withdrawing.Of(h.Member), Amount: h.Amount}},
	}
	stored, err := s.book.Entries.Get(ctx, e.ID)
	if err == nil {
		return wrap("reserve", same(stored, e))
	}
	if !book.Missing(err) {
		return fmt.Errorf("reserve: %w", err)
	}
	if err := s.hold(ctx, h); err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	if err := s.step("held"); err != nil {
		return err
	}
	return wrap("reserve", s.post(ctx, e))
}

func (s *Service) hold(ctx context.Context, h Hold) error {
	mark, err := s.book.Bookmark(ctx)
	if err != nil {
		return err
	}
	if mark.Rebuilding() {
		return ErrPurseBusy
	}
	_, err = s.book.Purses.Upsert(ctx, h.Member, func(p *book.PurseDoc) error {
		if p.Epoch > mark.Epoch {
			return ErrPurseBusy
		}
		p.Begin(mark.Epoch) // a purse no seal of this epoch has touched is empty
		return holdIn(p, h.Number, h.Amount)
	})
	return err
}

// holdIn keeps the amount, once per number.
func holdIn(p *book.PurseDoc, number string, amount money.Fen) error {
	if i := slices.IndexFunc(p.Holds, func(h book.PurseHold) bool { return h.Number == number }); i >= 0 {
		if p.Holds[i].Amount != amount { // what is held must cover what will be posted
			return ErrEntryConflict
		}
		return nil
	}
	if slices.Contains(p.Spent, number) {
		return nil
	}
	if p.Available-p.Held() < amount {
		return ErrPurseShort
	}
	if len(p.Holds) >= book.MaxHolds { // there may be enough: that many reservations are not sealed yet
		return ErrPurseBusy
	}
	p.Holds = append(p.Holds, book.PurseHold{Number: number, Amount: amount})
	return nil
}

// Spendable tells what a member could ask for. Code: COM_MEMBER_INVALID.
func (s *Service) Spendable(ctx context.Context, member string) (Spendable, error) {
	doc, err := s.book.Purse(ctx, member)
	if err != nil {
		return Spendable{}, err
	}
	held := doc.Held()
	return Spendable{Balance: doc.Balance, Held: held, Free: doc.Available - held}, nil
}

// ConfirmPayout posts that a reserved withdrawal was paid, and the tax that was withheld from it. Repeating is harmless;
// what was failed cannot be confirmed.
// Codes: COM_PAYOUT_INVALID, COM_PAYOUT_UNKNOWN (never reserved like this), COM_ENTRY_CONFLICT.
func (s *Service) ConfirmPayout(ctx context.Context, p Payout) error {
	if err := s.reserved(ctx, &p); err != nil {
		return fmt.Errorf("confirm payout: %w", err)
	}
	entries := []*Entry{p.entry(Confirm, []Posting{
		{Account: Withdrawing.Of(p.Member), Amount: p.Tax - p.Amount}, {Account: Withdrawn.Of(p.Member), Amount: p.Amount - p.Tax},
	})}
	if p.Tax > 0 {
		entries = append(entries, p.withheld())
	}
	return wrap("confirm payout", s.postInTurn(ctx, entries))
}

// FailPayout gives a reserved withdrawal back to available: it was refused, failed, expired or cancelled, and no money
// moved. Repeating is harmless; what was confirmed cannot fail.
// Codes: COM_PAYOUT_INVALID, COM_PAYOUT_UNKNOWN, COM_ENTRY_CONFLICT.
func (s *Service) FailPayout(ctx context.Context, p Payout) error {
	if err := s.reserved(ctx, &p); err != nil {
		return fmt.Errorf("fail payout: %w", err)
	}
	return wrap("fail payout", s.post(ctx, p.entry(Fail, []Posting{
		{Account: Withdrawing.Of(p.Member), Amount: -p.Amount}, {Account: Available.Of(p.Member), Amount: p.Amount},
	})))
}

// ReturnPayout posts that money that had been paid came back: all of it is available again and its tax is not owed.
// Codes: COM_PAYOUT_INVALID, COM_PAYOUT_UNKNOWN (also when it was never confirmed like this), COM_ENTRY_CONFLICT.
func (s *Service) ReturnPayout(ctx context.Context, p Payout) error {
	if err := s.reserved(ctx, &p); err != nil {
		return fmt.Errorf("return payout: %w", err)
	}
	paid, err := s.book.Entry(ctx, book.NumberID(Confirm, p.Number))
	if err != nil {
		return fmt.Errorf("return payout: %w", err)
	}
	if paid == nil || paid.Kind != Confirm || !paid.Moves(Withdrawn.Of(p.Member), p.Amount-p.Tax) {
		return fmt.Errorf("return payout: %w", ErrPayoutUnknown)
	}
	if p.Tax > 0 { // whoever confirmed may have died before it was posted, and what comes back stands behind it
		out := Payout{Member: p.Member, Number: p.Number, Tax: p.Tax, At: paid.At, Notes: paid.Notes}
		if err := s.post(ctx, out.withheld()); err != nil {
			return fmt.Errorf("return payout: %w", err)
		}
	}
	postings := []Posting{{Account: Withdrawn.Of(p.Member), Amount: p.Tax - p.Amount}}
	if p.Tax > 0 {
		postings = append(postings, Posting{Account: TaxPayable, Amount: -p.Tax})
	}
	postings = append(postings, Posting{Account: Available.Of(p.Member), Amount: p.Amount})
	return wrap("return payout", s.post(ctx, p.entry(Return, postings)))
}

// reserved checks a payout against what was reserved under its number.
func (s *Service) reserved(ctx context.Context, p *Payout) error {
	p.At = clock.Milli(p.At)
	if !book.Named(p.Member) || !payoutNumber(p.Number) || !book.Payable(p.Amount) || p.Tax < 0 || p.Tax >= p.Amount ||
		p.At.IsZero() || !validNotes(p.Notes) {
		return ErrPayoutInvalid
	}
	asked, err := s.book.Entry(ctx, book.NumberID(Withdraw, p.Number))
	if err != nil {
		return err
	}
	if asked == nil || !asked.Moves(Withdrawing.Of(p.Member), p.Amount) {
		return ErrPayoutUnknown
	}
	return nil
}

func (p *Payout) entry(kind Kind, postings []Posting) *Entry {
	return &Entry{ID: book.NumberID(kind, p.Number), Kind: kind, Number: p.Number, At: p.At, Notes: p.Notes, Postings: postings}
}

// withheld is the entry of a payout's tax.
func (p *Payout) withheld() *Entry {
	return p.entry(TaxWithheld, []Posting{
		{Account: Withdrawing.Of(p.Member), Amount: -p.Tax}, {Account: TaxPayable, Amount: p.Tax},
	})
}

// postInTurn posts one after the other: what comes later is only there when what comes first is.
func (s *Service) postInTurn(ctx context.Context, entries []*Entry) error {
	for _, e := range entries {
		if err := s.post(ctx, e); err != nil {
			return err
		}
		if err := s.step("posted " + string(e.Kind)); err != nil {
			return err
		}
	}
	return nil
}

func same(stored *book.EntryDoc, e *Entry) error {
	if stored.Text != e.Text() {
		return ErrEntryConflict.Because(fmt.Errorf("entry %s", e.ID))
	}
	return nil
}

// payoutNumber tells whether the payment platform would accept it as a number.
func payoutNumber(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func validNotes(notes []Note) bool {
	for _, n := range notes {
		for i := range len(n.Key) {
			if c := n.Key[i]; (c < 'a' || c > 'z') && c != '-' {
				return false
			}
		}
		if n.Key == "" || len(n.Key) > 20 || len(n.Value) > 2000 {
			return false
		}
	}
	return len(notes) <= 20
}
