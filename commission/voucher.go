package commission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/voucher"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/internal/text"
)

// Voucher (凭证) is a posting people want that follows from no sale and no withdrawal. One person proposes it, another
// one approves it; only then it is an entry, <kind>/<id>, which names both and the reason.
type Voucher struct {
	docstore.Doc `bson:",inline"`
	Kind         Kind         `bson:"kind"` // Adjust, Incentive or Transfer
	From         Account      `bson:"from"` // Amount leaves here
	To           Account      `bson:"to"`   // and arrives here
	Amount       money.Fen    `bson:"amount"`
	Reason       string       `bson:"reason"`
	Corrects     string       `bson:"corrects,omitempty"` // id of the entry it corrects
	Dispute      string       `bson:"dispute,omitempty"`  // id of the dispute it answers
	Needs        int          `bson:"needs,omitempty"`    // checkers; 0 is one
	Approvals    []Approval   `bson:"approvals,omitempty"`
	Maker        string       `bson:"maker"`
	MadeAt       time.Time    `bson:"made_at"`
	State        VoucherState `bson:"state"`
	Checker      string       `bson:"checker,omitempty"` // who decided; with two checkers the second
	CheckedAt    time.Time    `bson:"checked_at,omitempty"`
	Why          string       `bson:"why,omitempty"`      // the checker's words
	Unposted     string       `bson:"unposted,omitempty"` // approved, but its entry may not be there yet
}

// Approval is one checker's yes.
type Approval struct {
	By  string    `bson:"by"`
	At  time.Time `bson:"at"`
	Why string    `bson:"why,omitempty"`
}

// VoucherState is where a voucher stands.
type VoucherState string

// The states of a voucher.
const (
	VoucherProposed VoucherState = "proposed"
	VoucherApproved VoucherState = "approved"
	VoucherRejected VoucherState = "rejected"
)

// VoucherInput proposes a voucher. Key makes it idempotent: the same maker and key is the same voucher.
type VoucherInput struct {
	Key, Maker string
	Kind       Kind
	From, To   Account
	Amount     money.Fen
	Reason     string
	Corrects   string
	Dispute    string
}

// voucherSides says which accounts each kind of voucher may stand between; it is the whole rule.
var voucherSides = map[Kind]func(from, to Account) bool{
	Adjust: func(from, to Account) bool {
		return from == Adjustment && to.Available() || from.Available() && to == Adjustment || from.Staff() && to == Payroll
	},
	Incentive: func(from, to Account) bool { return from == StaffIncentive && to.Staff() },
	Transfer: func(from, to Account) bool {
		return from != to && strings.HasPrefix(string(from), "brand:") && strings.HasPrefix(string(to), "brand:") &&
			from.Known() && to.Known()
	},
}

const maxReason = 500 // characters

func (in *VoucherInput) check() error {
	f := ErrVoucherInvalid
	if !book.Named(in.Maker) || !id.ValidKey(in.Key) {
		f = f.With("maker", "缺少经办人或幂等键 / the maker or the key is missing")
	}
	if sides := voucherSides[in.Kind]; sides == nil || !sides(in.From, in.To) {
		f = f.With("from", "这类凭证不能在这两个科目之间入账 / this kind of voucher cannot stand between these accounts")
	}
	if !book.Payable(in.Amount) {
		f = f.With("amount_fen", "金额不正确 / not a valid amount")
	}
	if !legible(in.Reason, 2, maxReason) {
		f = f.With("reason", "须写明原因，2 到 500 字 / a reason of 2 to 500 characters")
	}
	if len(in.Corrects) > 200 || len(in.Dispute) > 64 {
		f = f.With("corrects", "所更正的分录不正确 / not an entry")
	}
	if len(f.Fields) > 0 {
		return f
	}
	return nil
}

// ProposeVoucher stores a proposal; nothing is posted. Repeating it with the same key is harmless.
// Codes: COM_VOUCHER_INVALID, COM_VOUCHER_CONFLICT (the key is known with another content), COM_ENTRY_NOT_FOUND (Corrects),
// COM_VOUCHER_BENEFIT, COM_VOUCHER_CEILING, COM_VOUCHER_DAY, COM_VOUCHER_TOO_MUCH.
func (s *Service) ProposeVoucher(ctx context.Context, in VoucherInput) (*Voucher, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	v := &Voucher{
		Doc: docstore.Doc{ID: id.Derive("voucher", in.Maker, in.Key)}, Kind: in.Kind, From: in.From, To: in.To,
		Amount: in.Amount, Reason: text.Plain(in.Reason), Corrects: in.Corrects, Dispute: in.Dispute,
		Maker: in.Maker, MadeAt: s.clock.Now(), State: VoucherProposed,
		Needs: s.config.Vouchers.Needs(in.Kind == Transfer, in.Amount),
	}
	stored, err := s.vouchers.Get(ctx, v.ID)
	if book.Missing(err) {
		if err := s.mayPropose(ctx, v); err != nil {
			return nil, err
		}
		if err = s.vouchers.Insert(ctx, v); !docstore.Exists(err) {
			return v, wrap("propose voucher", err)
		}
		stored, err = s.vouchers.Get(ctx, v.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("propose voucher: %w", err)
	}
	if stored.Kind != v.Kind || stored.From != v.From || stored.To != v.To || stored.Amount != v.Amount ||
		stored.Reason != v.Reason || stored.Corrects != v.Corrects {
		return nil, ErrVoucherReused
	}
	return stored, nil
}

// ApproveVoucher is one checker's yes to a proposal; with the last one it takes, it is posted. Checkers are other people
// than the maker and each other, and whom it is about is none of them. Repeating it is harmless.
// Codes: COM_VOUCHER_NOT_FOUND, COM_VOUCHER_OWN, COM_VOUCHER_BENEFIT, COM_VOUCHER_DECIDED, COM_VOUCHER_TOO_MUCH.
func (s *Service) ApproveVoucher(ctx context.Context, voucher, checker, why string) (*Voucher, error) {
	seen, err := s.Voucher(ctx, voucher)
	if err != nil {
		return nil, err
	}
	if err := s.take(ctx, seen, checker); err != nil {
		return nil, err
	}
	v, err := s.decideVoucher(ctx, voucher, decision{VoucherApproved, checker, why})
	if err != nil {
		return nil, err
	}
	if err := s.step("voucher approved"); err != nil {
		return nil, err
	}
	return v, wrap("approve voucher", s.postVoucher(ctx, v))
}

// RejectVoucher ends a proposal; nothing was or will be posted. Also the maker may take it back.
// Codes: COM_VOUCHER_NOT_FOUND, COM_VOUCHER_DECIDED.
func (s *Service) RejectVoucher(ctx context.Context, voucher, checker, why string) (*Voucher, error) {
	return s.decideVoucher(ctx, voucher, decision{VoucherRejected, checker, why})
}

type decision struct {
	state        VoucherState
	checker, why string
}

func (s *Service) decideVoucher(ctx context.Context, voucher string, d decision) (*Voucher, error) {
	if !book.Named(d.checker) || !legible(d.why, 0, maxReason) {
		return nil, ErrVoucherInvalid
	}
	v, err := s.vouchers.Update(ctx, voucher, func(v *Voucher) error {
		switch {
		case v.State == d.state && (v.Checker == d.checker || d.state == VoucherApproved && v.approved(d.checker)):
			return nil
		case v.State != VoucherProposed:
			return ErrVoucherDecided
		case d.state == VoucherApproved && v.Maker == d.checker:
			return ErrVoucherOwn
		case d.state == VoucherApproved && v.benefits(d.checker):
			return ErrVoucherBenefit
		case d.state == VoucherApproved && !v.approve(d, s.clock.Now()):
			return nil // another checker has to say yes, too
		}
		v.State, v.Checker, v.Why, v.CheckedAt = d.state, d.checker, text.Plain(d.why), s.clock.Now()
		if d.state == VoucherApproved {
			v.Unposted = v.ID
		}
		return nil
	})
	if book.Missing(err) || book.NoID(err) {
		return nil, ErrVoucherMissing
	}
	return v, wrap("voucher", err)
}

// approved reports whether somebody has said yes.
func (v *Voucher) approved(by string) bool {
	return slices.ContainsFunc(v.Approvals, func(a Approval) bool { return a.By == by })
}

// approve adds a yes and reports whether they are enough.
func (v *Voucher) approve(d decision, now time.Time) bool {
	if !v.approved(d.checker) {
		v.Approvals = append(v.Approvals, Approval{d.checker, now, text.Plain(d.why)})
	}
	return len(v.Approvals) >= v.Needs
}

// benefits reports whether a voucher is about somebody's own purse.
func (v *Voucher) benefits(who string) bool {
	for _, a := range []Account{v.From, v.To} {
		if owner, _, ok := a.Member(); ok && (owner == who || owner == Staff(who)) {
			return true
		}
	}
	return false
}

// proper reports whether enough different people made and checked it.
func (v *Voucher) proper() bool {
	people := []string{v.Maker, v.Checker}
	if len(v.Approvals) > 0 {
		people = []string{v.Maker}
		for _, a := range v.Approvals {
			people = append(people, a.By)
		}
	}
	slices.Sort(people)
	return len(slices.Compact(slices.Clone(people))) == len(people) && len(people) > max(v.Needs, 1)
}

// entry is what an approved voucher says, and nothing else.
func (v *Voucher) entry() *Entry {
	checkers := []Note{{Key: "checker", Value: v.Checker}}
	if len(v.Approvals) > 1 {
		checkers = []Note{{Key: "checker", Value: v.Approvals[0].By}, {Key: "second-checker", Value: v.Approvals[1].By}}
	}
	e := &Entry{
		ID: book.NumberID(v.Kind, v.ID), Kind: v.Kind, Number: v.ID, At: v.CheckedAt,
		Notes:    append(append([]Note{{Key: "maker", Value: v.Maker}}, checkers...), Note{Key: "reason", Value: v.Reason}),
		Postings: []Posting{{Account: v.From, Amount: -v.Amount}, {Account: v.To, Amount: v.Amount}},
	}
	for _, n := range []Note{{Key: "corrects", Value: v.Corrects}, {Key: "dispute", Value: v.Dispute}} {
		if n.Value != "" {
			e.Notes = append(e.Notes, n)
		}
	}
	return e
}

// mayPropose checks what a new voucher must not be, and counts it against its maker's day.
func (s *Service) mayPropose(ctx context.Context, v *Voucher) error {
	if v.benefits(v.Maker) {
		return ErrVoucherBenefit
	}
	paid, _, err := s.paidTo(ctx, v)
	if err != nil {
		return wrap("propose voucher", err)
	}
	if paid != nil && v.Amount > *paid {
		return voucher.ErrTaken
	}
	return s.desk.Propose(ctx, v.Maker, v.ID, v.Kind == Transfer, v.Amount)
}

// paidTo is what may be taken back at most by a voucher that takes: what was paid into the purse and is not back yet, and no
// more than the corrected entry paid. Nil for a voucher that gives. Codes: COM_ENTRY_NOT_FOUND.
func (s *Service) paidTo(ctx context.Context, v *Voucher) (paid *money.Fen, purse *book.PurseDoc, err error) {
	var corrected *Entry
	if v.Corrects != "" {
		if corrected, err = s.book.Entry(ctx, v.Corrects); err != nil {
			return nil, nil, err
		}
		if corrected == nil {
			return nil, nil, ErrEntryMissing
		}
	}
	member, _, ok := v.From.Member()
	if !ok {
		return nil, nil, nil
	}
	if purse, err = s.book.Purse(ctx, member); err != nil {
		return nil, nil, err
	}
	purse.ID = member
	most := max(0, purse.Available+purse.Withdrawing+purse.Withdrawn)
	if corrected != nil {
		by := money.Fen(0)
		for _, p := range corrected.Postings {
			if owner, _, ok := p.Account.Member(); ok && owner == member {
				by += p.Amount
			}
		}
		most = min(most, max(0, by))
	}
	return &most, purse, nil
}

// take counts what a voucher takes back before it is approved, so that two approved at once cannot take more than there is.
func (s *Service) take(ctx context.Context, v *Voucher, checker string) error {
	if v.State != VoucherProposed || v.Maker == checker || v.benefits(checker) {
		return nil // nothing will be taken: the decision says why
	}
	paid, purse, err := s.paidTo(ctx, v)
	if err != nil || paid == nil {
		return wrap("approve voucher", err)
	}
	open, err := s.desk.Open(ctx, purse.ID)
	if err != nil {
		return wrap("approve voucher", err)
	}
	folded := map[string]bool{}
	for _, one := range open {
		e, err := s.book.Entry(ctx, book.NumberID(v.Kind, one))
		if err != nil {
			return wrap("approve voucher", err)
		}
		if folded[one] = e != nil && e.Seal != 0 && e.Seal <= purse.Mark(s.config.Book); folded[one] || one == v.ID {
			continue
		}
		other, err := s.Voucher(ctx, one)
		if err != nil {
			return err
		}
		folded[one] = other.State == VoucherRejected // it will never take anything
	}
	return s.desk.Take(ctx, voucher.Taking{Member: purse.ID, Voucher: v.ID, Amount: v.Amount, Paid: *paid, Folded: folded})
}

func (s *Service) postVoucher(ctx context.Context, v *Voucher) error {
	if v.Unposted == "" {
		return nil
	}
	if err := s.post(ctx, v.entry()); err != nil {
		return err
	}
	if err := s.step("voucher posted"); err != nil {
		return err
	}
	_, err := s.vouchers.Update(ctx, v.ID, func(v *Voucher) error {
		v.Unposted = ""
		return nil
	})
	return err
}

// tendVouchers posts what was approved by a process that died before it could.
func (s *Service) tendVouchers(ctx context.Context) error {
	page, err := s.vouchers.Find(ctx, docstore.By("unposted").First(100))
	if err != nil {
		return err
	}
	for _, v := range page.Items {
		if err := s.postVoucher(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// Voucher gives one voucher. Code: COM_VOUCHER_NOT_FOUND.
func (s *Service) Voucher(ctx context.Context, voucher string) (*Voucher, error) {
	v, err := s.vouchers.Get(ctx, voucher)
	if book.Missing(err) || book.NoID(err) {
		return nil, ErrVoucherMissing
	}
	return v, wrap("voucher", err)
}

// Vouchers lists vouchers of a state, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Vouchers(ctx context.Context, state VoucherState, page docstore.Paging) (docstore.Page[Voucher], error) {
	list, err := s.vouchers.List(ctx, docstore.By("state", string(state)).Newest(), page)
	return list, book.PageFault("vouchers", err)
}
