package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/docstore"
)

// Codes of withdrawals that ended without the platform.
const (
	codeYearFull  = "YEAR_FULL"     // more than taxyear.Most in a tax year
	codeTooLittle = "NET_TOO_SMALL" // nothing worth sending is left after tax
	codeUnwanted  = "REJECTED"
	codeNoReview  = "REVIEW_TIMEOUT"
	codeCancelled = "CANCELLED"
	codeReturned  = "RETURNED"
	codeLost      = "DECLARED_LOST"
)

// parcel is what the sending fixes.
type parcel struct {
	withheld tax.Withholding
	kind     tax.Kind
	wallet   string
	name     string
	unfit    Finding // when it cannot be sent
}

// pack computes the tax and gathers what the platform must know.
func (s *Service) pack(ctx context.Context, w *Withdrawal) (*parcel, error) {
	p := &parcel{}
	payee, err := s.Payee(ctx, w.Member)
	if err != nil {
		return nil, err
	}
	p.wallet, err = s.wallet(ctx, w.Member)
	if errors.Is(err, ErrNoWallet) {
		p.unfit = Finding{NoWallet, ErrNoWallet.ZH}
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.withheld, p.kind, err = s.withhold(ctx, w, payee.Kind)
	if errors.Is(err, errYearFull) {
		p.unfit = Finding{codeYearFull, "本年度提现笔数已达上限"}
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tax: %w", err)
	}
	net := w.Gross - p.withheld.Tax
	if net >= s.config.RealNameFrom {
		if p.name = payee.RealName.Reveal(); p.name == "" {
			p.unfit = Finding{NeedsName, ErrNeedsName.ZH}
		}
	}
	if net < s.config.Min {
		p.unfit = Finding{codeTooLittle, "扣税后不足 " + s.config.Min.Yuan() + " 元，无法转账"}
	}
	return p, nil
}

// send writes down that an approved withdrawal is being sent, with everything the transfer needs, and then sends it.
// Whoever dies in between leaves a document that says so.
func (s *Service) send(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	number := w.ID
	p, err := s.pack(ctx, w)
	if errors.Is(err, ErrWrongState) {
		return s.Get(ctx, number)
	}
	if err != nil {
		return w, fmt.Errorf("send %s: %w", number, err)
	}
	mine := false
	w, err = s.change(ctx, number, func(w *Withdrawal, now time.Time) error {
		mine = false
		if w.State != Approved {
			return errUnchanged
		}
		if p.unfit.Code != "" {
			return w.end(byUnfitness, now, string(p.unfit.Code), p.unfit.Words)
		}
		mine = true
		return w.fill(p, &s.config, now)
	})
	if err != nil || !mine {
		return w, wrap("send "+number, err)
	}
	return s.dispatch(ctx, w)
}

func (w *Withdrawal) fill(p *parcel, c *Config, now time.Time) error {
	w.Tax, w.Net, w.Kind = p.withheld.Tax, w.Gross-p.withheld.Tax, p.kind
	w.Regime, w.TaxCarried = p.withheld.Mode, p.withheld.Carried
	w.TaxTable, w.TaxSteps = p.withheld.Table, p.withheld.Steps
	w.OpenID, w.RealName = docstore.Encrypted(p.wallet), docstore.Encrypted(p.name)
	w.Remark, w.Rail, w.SentAt, w.Tries = c.Remark, c.Rail, now, 0
	return w.move(bySending)
}

// dispatch hands the transfer to the platform: always the same number with the same content.
func (s *Service) dispatch(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	rail, err := s.rail(w)
	if err != nil {
		return w, err
	}
	o, err := rail.Send(ctx, Transfer{
		Number: w.ID, OpenID: w.OpenID.Reveal(), Amount: w.Net, RealName: w.RealName.Reveal(), Remark: w.Remark,
	})
	var refusal *Refusal
	if errors.As(err, &refusal) {
		o, err = s.refused(ctx, w, refusal)
	}
	if err != nil {
		return s.notSent(ctx, w, fmt.Errorf("send %s: %w", w.ID, err))
	}
	o.Number = w.ID
	return s.Settle(ctx, o)
}

// refused is what a refusal means: the first one is certain. When an earlier sending may have arrived, the no is to this
// request and not to the transfer, so the platform is asked what it has under the number.
func (s *Service) refused(ctx context.Context, w *Withdrawal, r *Refusal) (Outcome, error) {
	no := Outcome{State: TransferFailed, Reason: r.Code}
	if w.State == Sent && w.Tries == 0 && w.Platform == "" {
		return no, nil
	}
	o, err := s.query(ctx, w)
	if errors.Is(err, ErrUnknownNumber) && w.State == Sent {
		return no, nil
	}
	return o, err
}

// refusalsTold is after how many coded refusals in a row people are told: with sentDelays, within two minutes.
const refusalsTold = 3

// notSent writes down how a sending failed. A code that keeps coming means that no waiting will help: people must act.
func (s *Service) notSent(ctx context.Context, w *Withdrawal, trouble error) (*Withdrawal, error) {
	var coded Coded
	code := ""
	if errors.As(trouble, &coded) {
		code = coded.PlatformCode()
	}
	seen, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		if w.State != Sent && w.State != Waiting {
			return errUnchanged
		}
		w.Tries++
		w.LastSendAt = now
		if code == "" {
			w.Doubtful = true
			return nil
		}
		if w.Refusals++; w.Refusals >= refusalsTold {
			w.incident(SendRefused, code, now)
		}
		w.RefusedAs = code
		return nil
	})
	if err != nil {
		return w, errors.Join(trouble, err)
	}
	return seen, trouble
}

// later plans the next look after trouble and passes the trouble on.
func (s *Service) later(ctx context.Context, w *Withdrawal, trouble error) (*Withdrawal, error) {
	state := w.State
	seen, err := s.change(ctx, w.ID, func(w *Withdrawal, _ time.Time) error {
		if w.State != state {
			return errUnchanged
		}
		w.Tries++
		return nil
	})
	if err != nil {
		return w, errors.Join(trouble, err)
	}
	return seen, trouble
}
