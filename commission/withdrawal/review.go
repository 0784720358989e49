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
	Member string // who By is as a member, when that is known
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

// own reports whether somebody would judge their own money: a staff member's purse is named staff:<id>, and staff are
// members as well.
func (w *Withdrawal) own(in *ReviewInput) bool {
	return w.Member == in.By || w.Member == "staff:"+in.By || in.Member != "" && w.Member == in.Member
}

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
	if w.Gross >= s.config.TwoPersonLimit {
		return 2
	}
	return 1
}

// ballot is a decision that takes several people, each once.
type ballot struct {
	name   string
	voices func(*Withdrawal) *[]Opinion
	taken  func(*Withdrawal) bool                   // it has been decided: who said so may say it again
	open   func(*Withdrawal) bool                   // it can be decided
	needs  int                                      // voices; 0 = as many as the amount asks for
	decide func(w *Withdrawal, now time.Time) error // with the last voice
}

// vote adds one voice to a ballot. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) vote(ctx context.Context, in ReviewInput, b ballot) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		voices, needs := b.voices(w), b.needs
		if needs == 0 {
			needs = s.Needs(w)
		}
		switch {
		case w.own(&in):
			return ErrSameReviewer
		case b.taken(w) && said(*voices, in.By):
			return errUnchanged
		case !b.open(w):
			return ErrWrongState
		case said(*voices, in.By):
			return ErrSameReviewer
		}
		*voices = append(*voices, Opinion{in.By, now, in.Why})
		if len(*voices) < needs {
			return nil
		}
		return b.decide(w, now)
	})
	if err != nil {
		return nil, wrap(b.name, err)
	}
	return s.onward(ctx, w)
}

// Approve is one reviewer's yes to a held withdrawal; with the last one needed it is sent. Repeating the yes that sent it
// answers the withdrawal. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) Approve(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	return s.vote(ctx, in, ballot{
		name:   "approve",
		voices: func(w *Withdrawal) *[]Opinion { return &w.Approvals },
		taken:  func(w *Withdrawal) bool { return w.State != Held },
		open:   func(w *Withdrawal) bool { return w.State == Held },
		decide: func(w *Withdrawal, now time.Time) error {
			w.DecidedAt = now
			return w.move(byApproval)
		},
	})
}

// Reject is a reviewer's no: the money goes back. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) Reject(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		if w.own(&in) {
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
	return s.vote(ctx, in, ballot{
		name: "return", needs: 2,
		voices: func(w *Withdrawal) *[]Opinion { return &w.Returning },
		taken:  func(w *Withdrawal) bool { return w.State == Returned },
		open:   func(w *Withdrawal) bool { return w.State == Paid && w.Posted == Paid }, // the payment's own entry comes first
		decide: func(w *Withdrawal, now time.Time) error {
			w.ReturnedAt = now
			return w.move(byReturn)
		},
	})
}

// DeclareLost says that the platform never moved anything under a number it has forgotten: two different people who have
// looked into the platform's bills must say so, then the money goes back. It is refused as long as the platform can be
// asked. Errors: ErrBadInput, ErrNotFound, ErrWrongState, ErrSameReviewer.
func (s *Service) DeclareLost(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	return s.vote(ctx, in, ballot{
		name: "declare lost", needs: 2,
		voices: func(w *Withdrawal) *[]Opinion { return &w.Lost },
		taken:  func(w *Withdrawal) bool { return w.State == Failed },
		open:   func(w *Withdrawal) bool { return (w.State == Sent || w.State == Waiting) && w.suffered(Forgotten) },
		decide: func(w *Withdrawal, now time.Time) error {
			return w.end(byFailure, now, codeLost, "平台确认没有转账记录，金额已退回可提现")
		},
	})
}

// Stop is one person's halt to a payout that has not reached the wallet: what was not sent goes back at once, for what
// waits for the member the platform is asked to cancel, and its final word counts, which may still be that the member was
// paid. The member is told the reason and can no longer confirm. Repeating it is harmless.
// Errors: ErrBadInput, ErrNotFound, ErrBusy while the money is being reserved, ErrWrongState, ErrSameReviewer.
func (s *Service) Stop(ctx context.Context, in ReviewInput) (*Withdrawal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w, err := s.change(ctx, in.Number, func(w *Withdrawal, now time.Time) error {
		if w.own(&in) {
			return ErrSameReviewer
		}
		if w.Stopped != nil {
			if w.Stopped.By == in.By {
				return errUnchanged
			}
			return ErrWrongState
		}
		w.Stopped = &Opinion{in.By, now, in.Why}
		return w.cancel(now)
	})
	if err != nil {
		return nil, wrap("stop", err)
	}
	return s.cancelled(ctx, w)
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
		if w.State == Cancelled {
			return errUnchanged
		}
		return w.cancel(now)
	})
	if err != nil {
		return nil, wrap("cancel", err)
	}
	return s.cancelled(ctx, w)
}

// cancel ends what was not sent, and notes the wish to end what was.
func (w *Withdrawal) cancel(now time.Time) error {
	switch w.State {
	case Asked:
		return ErrBusy
	case Held, Approved:
		return w.end(byCancelling, now, codeCancelled, w.cancelledWords())
	case Sent, Waiting:
		if !w.CancelAt.IsZero() && w.Stopped == nil {
			return errUnchanged
		}
		w.CancelAt, w.Package, w.Tries = now, "", 0
		return nil
	}
	return ErrWrongState
}

// cancelledWords tell the member who took it back.
func (w *Withdrawal) cancelledWords() string {
	if w.Stopped != nil {
		return "商家已停止付款：" + w.Stopped.Why + "，金额已退回可提现"
	}
	return "已取消，金额已退回可提现"
}

// cancelled carries on after a wish to cancel was written down.
func (s *Service) cancelled(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	if w.State == Sent || w.State == Waiting {
		if done, err := s.revoke(ctx, w); err == nil {
			return done, nil
		}
		return s.Get(ctx, w.ID) // the sweep asks again
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
