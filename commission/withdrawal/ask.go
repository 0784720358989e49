package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// AskInput asks for money.
type AskInput struct {
	Key    string // idempotency key, 1 to 64 characters
	Member string // whose purse: a member, or staff:<id>
	Amount money.Fen
	Device string // whatever identifies the device, if known; stored as a keyed hash only
}

const maxDevice = 200

func (in *AskInput) check() error {
	bad := ErrBadInput
	if !memberID(in.Member) {
		bad = bad.With("member", "会员无效 / the member is not valid")
	}
	if !id.ValidKey(in.Key) {
		bad = bad.With("key", "请求编号应为 1 到 80 个字符 / the key must have 1 to 80 characters")
	}
	if in.Amount <= 0 || in.Amount > money.Max {
		bad = bad.With("amount", "金额不正确 / the amount is not valid")
	}
	if len(in.Device) > maxDevice {
		bad = bad.With("device", "设备标识太长 / the device is too long")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// Ask starts a withdrawal and takes it as far as it goes at once: held, or sent and usually waiting for the member. The
// same key with the same content answers the same withdrawal, whatever became of it. A withdrawal is answered in state
// asked when the money could not be reserved yet; the sweep goes on with it.
//
// Errors, with nothing reserved: ErrBadInput, ErrKeyReused, ErrTooSmall, ErrTooMuch, ErrDayLimit, ErrMonthLimit,
// ErrDayCount, ErrOpenOne, ErrTooNew, ErrPurseShort, ErrNeedsName, ErrNoWallet.
func (s *Service) Ask(ctx context.Context, in AskInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	number := id.Derive("withdrawal", in.Member, in.Key)
	content := id.Derive("withdrawal content", strconv.FormatInt(int64(in.Amount), 10))
	w, err := s.again(ctx, number, content)
	if w != nil || err != nil {
		return w, err
	}
	now := s.clock.Now()
	w = &Withdrawal{
		Doc: docstore.Doc{ID: number}, Member: in.Member, State: Asked, Gross: in.Amount, Content: content, AskedAt: now,
		NextAt: now.Add(s.config.Lease),
	}
	if in.Device != "" {
		w.Device = s.keys.Lookup("device", in.Device)
	}
	if err := s.precheck(ctx, w); err != nil {
		return nil, err
	}
	err = s.withdrawals.Insert(ctx, w)
	if docstore.Exists(err) {
		return s.again(ctx, number, content)
	}
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if done, err := s.begin(ctx, w); err == nil {
		return s.answer(done)
	}
	// It is written down: whatever the trouble was, the sweep goes on with it.
	if w, err = s.Get(ctx, number); err != nil {
		return nil, err
	}
	return s.answer(w)
}

// again answers a repeated request: the withdrawal, the refusal it ended in, ErrKeyReused, or nothing.
func (s *Service) again(ctx context.Context, number, content string) (*Withdrawal, error) {
	w, err := s.Get(ctx, number)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // nothing there and nothing wrong
	case err != nil:
		return nil, err
	case w.Content != content:
		return nil, ErrKeyReused
	}
	return s.answer(w)
}

// answer turns a refused withdrawal into its refusal.
func (s *Service) answer(w *Withdrawal) (*Withdrawal, error) {
	if w.State == Refused {
		return nil, Code(w.Code).refusal()
	}
	return w, nil
}

// precheck refuses what can be refused before anything is written, and finds the wallet.
func (s *Service) precheck(ctx context.Context, w *Withdrawal) error {
	known, err := s.known(ctx, w)
	if err != nil {
		return err
	}
	purse, err := s.deps.Ledger.Spendable(ctx, w.Member)
	if err != nil {
		return fmt.Errorf("ask: purse: %w", err)
	}
	known.purse = &purse
	if known.earlier, err = s.deskOf(ctx, w.Member); err != nil {
		return err
	}
	if found := s.config.assess(known); len(found.refuse) > 0 {
		return found.refuse[0].Code.refusal()
	}
	return nil
}

// known gathers the facts that are not on the desk and not in the purse, and writes the wallet's hash on w. With
// ErrNoWallet the other facts are there all the same.
func (s *Service) known(ctx context.Context, w *Withdrawal) (facts, error) {
	payee, err := s.Payee(ctx, w.Member)
	if err != nil {
		return facts{}, err
	}
	since, err := s.deps.Payees.MemberSince(ctx, w.Member)
	if err != nil {
		return facts{}, fmt.Errorf("member since: %w", err)
	}
	known := facts{now: s.clock.Now(), amount: w.Gross, since: since, named: payee.RealName != ""}
	wallet, err := s.wallet(ctx, w.Member)
	if err != nil {
		return known, err
	}
	w.Wallet = s.keys.Lookup("wallet", wallet)
	return known, nil
}

// wallet is the member's openid. Error: ErrNoWallet when there surely is none.
func (s *Service) wallet(ctx context.Context, member string) (string, error) {
	wallet, err := s.deps.Payees.OpenID(ctx, member)
	if f := fault.Of(err); f != nil && f.Kind != fault.Unavailable && f.Kind != fault.Internal || err == nil && wallet == "" {
		return "", ErrNoWallet.Because(err)
	}
	return wallet, wrap("wallet", err)
}

// begin takes an asked withdrawal over the desk and the reservation. The caller holds its lease. Every step is keyed by
// the number, so that beginning again goes on where it was left.
func (s *Service) begin(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	found, err := s.inspect(ctx, w)
	if err != nil {
		return w, err
	}
	if len(found.refuse) > 0 {
		return s.refuse(ctx, w.ID, found.refuse[0])
	}
	// Well inside the lease: when somebody else may go on, this call is over.
	reserving, done := context.WithTimeout(ctx, s.config.Lease/3)
	err = s.deps.Ledger.Reserve(reserving, commission.Hold{Member: w.Member, Number: w.ID, Amount: w.Gross, At: w.AskedAt})
	done()
	if errors.Is(err, commission.ErrPurseShort) {
		return s.refuse(ctx, w.ID, Finding{PurseShort, "可提现余额不足"})
	}
	if err != nil {
		return w, fmt.Errorf("reserve %s: %w", w.ID, err)
	}
	w, err = s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		switch {
		case w.State != Asked:
			return errUnchanged
		case len(found.hold) > 0:
			w.Findings, w.HeldAt = found.hold, now
			return w.move(byHolding)
		}
		w.DecidedAt = now
		return w.move(byPassing)
	})
	if err != nil {
		return w, err
	}
	if w.State == Refused { // we came too late: the money we took goes back
		return w, s.giveBack(ctx, w)
	}
	return s.proceed(ctx, w)
}

// inspect is the last look before the money is reserved. Once a request lies on the desk it refuses nothing any more: the
// reservation may have been made, and only the ledger knows.
func (s *Service) inspect(ctx context.Context, w *Withdrawal) (findings, error) {
	known, err := s.known(ctx, w)
	if err != nil && !errors.Is(err, ErrNoWallet) { // a wallet that went away is found by the sending
		return findings{}, err
	}
	payee, err := s.Payee(ctx, w.Member)
	if err != nil {
		return findings{}, err
	}
	for _, i := range [][2]string{{identityWallet, w.Wallet}, {identityPaper, payee.IDKey}} {
		shared, err := s.shared(ctx, i[0], i[1], w.Member)
		if err != nil {
			return findings{}, err
		}
		known.sharedIdentity = known.sharedIdentity || shared
	}
	if known.sharedDevice, err = s.shared(ctx, identityDevice, w.Device, w.Member); err != nil {
		return findings{}, err
	}
	return s.claim(ctx, w, known)
}

// refuse ends a request for which nothing was reserved.
func (s *Service) refuse(ctx context.Context, number string, f Finding) (*Withdrawal, error) {
	w, err := s.change(ctx, number, func(w *Withdrawal, now time.Time) error {
		if w.State != Asked {
			return errUnchanged
		}
		return w.end(byRefusal, now, string(f.Code), f.Words)
	})
	if err != nil {
		return w, err
	}
	return s.proceed(ctx, w)
}

// proceed does whatever can be done at once for a withdrawal that is written down.
func (s *Service) proceed(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	var err error
	if w.State == Approved {
		if w, err = s.send(ctx, w); err != nil {
			return w, err
		}
	}
	if w.unposted() {
		return s.post(ctx, w)
	}
	return w, nil
}
