package commission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
)

// Accrue posts the commission of a confirmed sale to the beneficiaries' pending pots, under the policy in force at
// Sale.At. Accruing the same sale again is a success; a sale without commission leaves an entry without postings, so
// that "why nothing?" can be answered.
// Codes: COM_SALE_INVALID, COM_POLICY_MISSING, COM_ENTRY_CONFLICT, COM_REFUND_MISMATCH (an earlier refund does not
// belong to this sale; the sale is accrued).
func (s *Service) Accrue(ctx context.Context, sale Sale) error {
	sale.At = clock.Milli(sale.At)
	if err := sale.Check(); err != nil {
		return err
	}
	policy, err := s.Policies.At(ctx, sale.At)
	if err != nil {
		return fmt.Errorf("accrue: %w", err)
	}
	e := s.Policies.Compute(policy, &sale)
	if err = s.post(ctx, e); errors.Is(err, ErrEntryConflict) {
		err = s.recompute(ctx, sale, e.Policy, err)
	}
	if err != nil {
		return fmt.Errorf("accrue: %w", err)
	}
	if err := s.step("accrued"); err != nil {
		return err
	}
	return wrap("accrue", s.follow(ctx, e))
}

// recompute forgives a conflict that comes only from another policy, or from facts that were not told when the sale was
// accrued by an older release: the stored entry counts.
func (s *Service) recompute(ctx context.Context, sale Sale, tried int, conflict error) error {
	stored, err := s.book.Entry(ctx, book.AccrueID(sale.Order))
	if err != nil || stored == nil {
		return errors.Join(err, conflict)
	}
	older := without(&sale, stored)
	if stored.Policy == tried && !older {
		return conflict
	}
	policy, err := s.Policies.Version(ctx, stored.Policy)
	if err != nil {
		return err
	}
	again := s.Policies.Compute(policy, &sale)
	again.Book = stored.Book
	if book.HashOf(again.ID, again.Text()) != stored.Hash {
		return conflict
	}
	return nil
}

// follow carries out what was recorded about the order before its accrual was there.
func (s *Service) follow(ctx context.Context, accrual *Entry) error {
	_, err := s.settlements.Get(ctx, accrual.Order)
	if book.Missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	settlement, err := s.settlements.Update(ctx, accrual.Order, func(d *Settlement) error {
		return d.adopt(accrual, &s.config)
	})
	if err != nil {
		return err
	}
	if err := s.step("adopted"); err != nil {
		return err
	}
	return s.postAll(ctx, settlement.entries(accrual))
}

func (s *Service) postAll(ctx context.Context, entries []*Entry) error {
	for chunk := range slices.Chunk(entries, 500) {
		for _, err := range s.postMany(ctx, chunk) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// StartWindow starts the window of an order at its receipt. AfterSaleEnds is when the order's own after-sale window is
// over: no line of it settles before, however short Config.Window is; zero when nobody knows. Only the first receipt
// counts; repeating is harmless, and it may come before the accrual.
// Code: COM_WINDOW_INVALID.
func (s *Service) StartWindow(ctx context.Context, order string, receivedAt, afterSaleEnds time.Time) error {
	if !book.Named(order) || receivedAt.IsZero() || afterSaleEnds.Sub(receivedAt) > 366*day {
		return ErrWindowInvalid
	}
	at, ends := clock.Milli(receivedAt), clock.Milli(afterSaleEnds)
	err := s.decide(ctx, order, func(d *Settlement, _ *Entry) error {
		d.receive(at, ends)
		return nil
	})
	return wrap("start window", err)
}

// ClawBack takes commission back for refunded lines: from each beneficiary of the line in proportion to what the buyer
// got back, before settlement from pending, afterwards from available (which may go negative). Repeating is harmless;
// refunds may arrive in any order, and before the accrual.
// Codes: COM_REFUND_INVALID, COM_REFUND_CONFLICT, COM_REFUND_MISMATCH, COM_REFUND_TOO_MANY.
func (s *Service) ClawBack(ctx context.Context, r Refund) error {
	if err := r.check(); err != nil {
		return err
	}
	r.At = clock.Milli(r.At)
	err := s.decide(ctx, r.Order, func(d *Settlement, accrual *Entry) error { return d.refund(r, accrual) })
	return wrap("claw back", err)
}

// HoldLines keeps lines of an order from settling while an after-sale case of theirs is open: refund is its number. The
// other lines go their way, and what has settled stays settled. Repeating is harmless, and so is a case that has ended
// before it was told to be open; it may come before the accrual and before the receipt.
// Codes: COM_REFUND_INVALID, COM_REFUND_TOO_MANY.
func (s *Service) HoldLines(ctx context.Context, order, refund string, lines []int) error {
	wrong := func(line int) bool { return line < 1 || line > book.MaxLine }
	if !book.Named(order) || !book.Named(refund) || len(lines) == 0 || len(lines) > MaxLines || slices.ContainsFunc(lines, wrong) {
		return ErrRefundInvalid
	}
	err := s.decide(ctx, order, func(d *Settlement, _ *Entry) error { return d.hold(refund, lines) })
	return wrap("hold lines", err)
}

// ReleaseLines ends what HoldLines began. Lines whose window is over meanwhile settle at once. A refund that is done
// needs no release: ClawBack ends its case in the same write.
// Codes: COM_REFUND_INVALID, COM_REFUND_TOO_MANY.
func (s *Service) ReleaseLines(ctx context.Context, order, refund string) error {
	if !book.Named(order) || !book.Named(refund) {
		return ErrRefundInvalid
	}
	now := s.clock.Now()
	err := s.decide(ctx, order, func(d *Settlement, accrual *Entry) error {
		if err := d.release(refund); err != nil || accrual == nil {
			return err
		}
		if err := d.adopt(accrual, &s.config); err != nil {
			return err
		}
		d.settle(now)
		return nil
	})
	return wrap("release lines", err)
}

// decide changes an order's settlement and posts what follows from it. When the accrual was not there before the
// change, it is looked for once more after it: see Settlement.
func (s *Service) decide(ctx context.Context, order string, change func(*Settlement, *Entry) error) error {
	accrual, err := s.book.Entry(ctx, book.AccrueID(order))
	if err != nil {
		return err
	}
	if err := s.step("read"); err != nil {
		return err
	}
	settlement, err := s.settlements.Upsert(ctx, order, func(d *Settlement) error {
		if err := change(d, accrual); err != nil || accrual == nil {
			return err
		}
		return d.adopt(accrual, &s.config)
	})
	if err != nil {
		return err
	}
	if err := s.step("decided"); err != nil {
		return err
	}
	if accrual != nil {
		return s.postAll(ctx, settlement.entries(accrual))
	}
	if accrual, err = s.book.Entry(ctx, book.AccrueID(order)); err != nil || accrual == nil {
		return err
	}
	return s.follow(ctx, accrual)
}
