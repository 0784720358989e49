package commission

import (
	"context"
	"fmt"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
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
	Maker        string       `bson:"maker"`
	MadeAt       time.Time    `bson:"made_at"`
	State        VoucherState `bson:"state"`
	Checker      string       `bson:"checker,omitempty"`
	CheckedAt    time.Time    `bson:"checked_at,omitempty"`
	Why          string       `bson:"why,omitempty"`      // the checker's words
	Unposted     string       `bson:"unposted,omitempty"` // approved, but its entry may not be there yet
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
		return from == Adjustment && to.available() || from.available() && to == Adjustment || from.staff() && to == Payroll
	},
	Incentive: func(from, to Account) bool { return from == StaffIncentive && to.staff() },
	Transfer: func(from, to Account) bool {
		return from != to && strings.HasPrefix(string(from), "brand:") && strings.HasPrefix(string(to), "brand:") &&
			from.known() && to.known()
	},
}

func (a Account) available() bool {
	member, pot, ok := a.Member()
	return ok && pot == Available && named(member)
}

func (a Account) staff() bool { return strings.HasPrefix(string(a), staffPrefix) && a.available() }

const maxReason = 500 // characters

func (in *VoucherInput) check() error {
	f := ErrVoucherInvalid
	if !named(in.Maker) || !id.ValidKey(in.Key) {
		f = f.With("maker", "缺少经办人或幂等键 / the maker or the key is missing")
	}
	if sides := voucherSides[in.Kind]; sides == nil || !sides(in.From, in.To) {
		f = f.With("from", "这类凭证不能在这两个科目之间入账 / this kind of voucher cannot stand between these accounts")
	}
	if !payable(in.Amount) {
		f = f.With("amount_fen", "金额不正确 / not a valid amount")
	}
	if !legible(strings.TrimSpace(in.Reason), 2, maxReason) {
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
// Codes: COM_VOUCHER_INVALID, COM_VOUCHER_CONFLICT (the key is known with another content), COM_ENTRY_NOT_FOUND (Corrects).
func (s *Service) ProposeVoucher(ctx context.Context, in VoucherInput) (*Voucher, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.Corrects != "" {
		corrected, err := s.entry(ctx, in.Corrects)
		if err != nil {
			return nil, fmt.Errorf("propose voucher: %w", err)
		}
		if corrected == nil {
			return nil, ErrEntryMissing
		}
	}
	v := &Voucher{
		Doc: docstore.Doc{ID: id.Derive("voucher", in.Maker, in.Key)}, Kind: in.Kind, From: in.From, To: in.To,
		Amount: in.Amount, Reason: strings.TrimSpace(in.Reason), Corrects: in.Corrects, Dispute: in.Dispute,
		Maker: in.Maker, MadeAt: s.clock.Now(), State: VoucherProposed,
	}
	err := s.vouchers.Insert(ctx, v)
	if !docstore.Exists(err) {
		return v, wrap("propose voucher", err)
	}
	stored, err := s.vouchers.Get(ctx, v.ID)
	if err != nil {
		return nil, fmt.Errorf("propose voucher: %w", err)
	}
	if stored.Kind != v.Kind || stored.From != v.From || stored.To != v.To || stored.Amount != v.Amount ||
		stored.Reason != v.Reason || stored.Corrects != v.Corrects {
		return nil, ErrVoucherReused
	}
	return stored, nil
}

// ApproveVoucher posts a proposal. The checker is another person than the maker. Repeating it is harmless.
// Codes: COM_VOUCHER_NOT_FOUND, COM_VOUCHER_OWN, COM_VOUCHER_DECIDED.
func (s *Service) ApproveVoucher(ctx context.Context, voucher, checker, why string) (*Voucher, error) {
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
	if !named(d.checker) || !legible(d.why, 0, maxReason) {
		return nil, ErrVoucherInvalid
	}
	v, err := s.vouchers.Update(ctx, voucher, func(v *Voucher) error {
		switch {
		case v.State == d.state && v.Checker == d.checker:
			return nil
		case v.State != VoucherProposed:
			return ErrVoucherDecided
		case d.state == VoucherApproved && v.Maker == d.checker:
			return ErrVoucherOwn
		}
		v.State, v.Checker, v.Why, v.CheckedAt = d.state, d.checker, strings.TrimSpace(d.why), s.clock.Now()
		if d.state == VoucherApproved {
			v.Unposted = v.ID
		}
		return nil
	})
	if missing(err) || noID(err) {
		return nil, ErrVoucherMissing
	}
	return v, wrap("voucher", err)
}

// entry is what an approved voucher says, and nothing else.
func (v *Voucher) entry() *Entry {
	e := &Entry{
		ID: numberID(v.Kind, v.ID), Kind: v.Kind, Number: v.ID, At: v.CheckedAt,
		Notes:    []Note{{"maker", v.Maker}, {"checker", v.Checker}, {"reason", v.Reason}},
		Postings: []Posting{{Account: v.From, Amount: -v.Amount}, {Account: v.To, Amount: v.Amount}},
	}
	for _, n := range []Note{{"corrects", v.Corrects}, {"dispute", v.Dispute}} {
		if n.Value != "" {
			e.Notes = append(e.Notes, n)
		}
	}
	return e
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
	if missing(err) || noID(err) {
		return nil, ErrVoucherMissing
	}
	return v, wrap("voucher", err)
}

// Vouchers lists vouchers of a state, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Vouchers(ctx context.Context, state VoucherState, page docstore.Paging) (docstore.Page[Voucher], error) {
	list, err := s.vouchers.List(ctx, docstore.By("state", string(state)).Newest(), page)
	return list, pageFault("vouchers", err)
}
