package withdrawal

import (
	"context"
	"time"

	"guanxi/internal/id"
)

// ReviewInput is a staff member's word on a withdrawal.
type ReviewInput struct {
	Number string
	By     string // staff id
	Why    string // 1 to 200 characters
}

func (in *ReviewInput) check() error {
	bad := ErrBadInput
	if !id.Valid(in.By) || len(in.By) > 64 {
		bad = bad.With("by", "审核人无效 / the reviewer is not valid")
	}
	if n := len([]rune(in.Why)); n == 0 || n > 200 {
		bad = bad.With("why", "请填写理由，不超过 200 字 / a reason is required, at most 200 characters")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// own tells whether somebody would judge their own money: a staff member's purse is named staff:<id>.
func (w *Withdrawal) own(by string) bool { return w.Member == by || w.Member == "staff:"+by }

func said(opinions []Opinion, by string) bool {
	for _, o := range opinions {
		if o.By == by {
			return true
		}
	}
	return false
}

// Needs is how many people must approve a held withdrawal altogether.
func (s *Service) Needs(w *Withdrawal) int {
	if w.Gross > s.config.TwoPersonLimit {
		return 2
	}
	return 1
}

// Approve is one reviewer's yes to a held withdrawal; with the last one needed it is sent. Repeating the yes that sent it
// answers the withdrawal. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) Approve(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		switch {
		case w.own(in.By):
			return ErrSameReviewer
		case w.State != Held && said(w.Approvals, in.By):
			return errUnchanged
		case w.State != Held:
			return ErrWrongState
		case said(w.Approvals, in.By):
			return ErrSameReviewer
		}
		w.Approvals = append(w.Approvals, Opinion{in.By, now, in.Why})
		if len(w.Approvals) < s.Needs(w) {
			return nil
		}
		w.DecidedAt = now
		return w.move(byApproval)
	})
	if err != nil {
		return nil, wrap("approve", err)
	}
	return s.onward(ctx, w)
}

// Reject is a reviewer's no: the money goes back. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) Reject(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		if w.own(in.By) {
			return ErrSameReviewer
		}
		if w.State == Rejected && w.Objection != nil && w.Objection.By == in.By {
			return errUnchanged
		}
		w.Objection = &Opinion{in.By, now, in.Why}
		return w.end(byRejection, now, codeUnwanted, "审核未通过："+in.Why)
	})
	if err != nil {
		return nil, wrap("reject", err)
	}
	return s.onward(ctx, w)
}

// Return says that paid money came back to the brand (the wallet gave it back, the bank reversed it). Two different people
// must say so; the second puts it into the purse, tax included. Errors: ErrBadInput, ErrNotFound, ErrWrongState,
// ErrSameReviewer.
func (s *Service) Return(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		switch {
		case w.own(in.By):
			return ErrSameReviewer
		case w.State == Returned && said(w.Returning, in.By):
			return errUnchanged
		case w.State != Paid || w.Posted != Paid: // the payment's own entry comes first
			return ErrWrongState
		case said(w.Returning, in.By):
			return ErrSameReviewer
		}
		w.Returning = append(w.Returning, Opinion{in.By, now, in.Why})
		if len(w.Returning) < 2 {
			return nil
		}
		w.ReturnedAt = now
		return w.move(byReturn)
	})
	if err != nil {
		return nil, wrap("return", err)
	}
	return s.onward(ctx, w)
}

// DeclareLost says that the platform never moved anything under a number it has forgotten: two different people who have
// looked into the platform's bills must say so, then the money goes back. It is refused as long as the platform can be
// asked. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) DeclareLost(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		switch {
		case w.own(in.By):
			return ErrSameReviewer
		case w.State == Failed && said(w.Lost, in.By):
			return errUnchanged
		case w.State != Sent && w.State != Waiting || !w.suffered(Forgotten):
			return ErrWrongState
		case said(w.Lost, in.By):
			return ErrSameReviewer
		}
		w.Lost = append(w.Lost, Opinion{in.By, now, in.Why})
		if len(w.Lost) < 2 {
			return nil
		}
		return w.end(byFailure, now, codeLost, "平台确认没有转账记录，金额已退回可提现")
	})
	if err != nil {
		return nil, wrap("declare lost", err)
	}
	return s.onward(ctx, w)
}

// onward goes on with a withdrawal whose change is written. Trouble from here on is the sweep's: the caller's wish is
// granted.
func (s *Service) onward(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	done, err := s.proceed(ctx, w)
	if err == nil {
		return done, nil
	}
	return s.Get(ctx, w.ID)
}

// Cancel takes a member's withdrawal back: at once before it was sent; afterwards the platform is asked to cancel, and its
// final word counts, which may still be that the member was paid. Repeating is harmless. Errors: ErrNotFound, ErrBusy while
// the money is being reserved, ErrWrongState when it has ended otherwise.
func (s *Service) Cancel(ctx context.Context, member, number string) (*Withdrawal, error) {
	if _, err := s.GetMine(ctx, member, number); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, number, func(w *Withdrawal, now time.Time) error {
		switch w.State {
		case Asked:
			return ErrBusy
		case Held, Approved:
			return w.end(byCancelling, now, codeCancelled, "已取消，金额已退回可提现")
		case Sent, Waiting:
			if !w.CancelAt.IsZero() {
				return errUnchanged
			}
			w.CancelAt, w.Tries = now, 0
			return nil
		case Cancelled:
			return errUnchanged
		}
		return ErrWrongState
	})
	if err != nil {
		return nil, wrap("cancel", err)
	}
	if w.State == Sent || w.State == Waiting {
		if done, err := s.revoke(ctx, w); err == nil {
			return done, nil
		}
		return s.Get(ctx, number) // the sweep asks again
	}
	return s.onward(ctx, w)
}

// revoke asks the platform to cancel a transfer.
func (s *Service) revoke(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	rail, err := s.rail(w)
	if err != nil {
		return w, err
	}
	o, err := rail.Cancel(ctx, w.ID)
	if err != nil {
		return w, wrap("cancel "+w.ID, err) // whatever it was, the query tells the truth
	}
	o.Number = w.ID
	return s.Settle(ctx, o)
}
