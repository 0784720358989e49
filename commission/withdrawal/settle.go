package withdrawal

import (
	"context"
	"time"

	"guanxi/internal/clock"
)

// Settle takes the platform's word on a transfer, from a notification or a query. It is harmless when repeated, late or
// out of order. What does not fit (amount, bill, a final word that changed) changes nothing, stays on the document as an
// incident and is answered ErrOutcomeMismatch. Errors: ErrNotFound, ErrOutcomeMismatch.
func (s *Service) Settle(ctx context.Context, o Outcome) (*Withdrawal, error) {
	mismatch := false
	w, err := s.change(ctx, o.Number, func(w *Withdrawal, now time.Time) error {
		mismatch = false
		kind, detail := w.objection(&o)
		if kind != "" {
			mismatch = true
			if !w.incident(kind, detail, now) {
				return errUnchanged
			}
			return nil
		}
		return w.hear(&o, now, &s.config)
	})
	if err != nil {
		return nil, wrap("settle", err)
	}
	if mismatch {
		return w, ErrOutcomeMismatch
	}
	return s.proceed(ctx, w)
}

// objection tells what is wrong with an outcome.
func (w *Withdrawal) objection(o *Outcome) (IncidentKind, string) {
	final := o.State.Final()
	switch {
	case w.SentAt.IsZero():
		return NeverSent, string(o.State)
	case o.Amount != 0 && o.Amount != w.Net:
		return WrongAmount, o.Amount.Yuan()
	case w.Bill != "" && o.Bill != "" && w.Bill != o.Bill:
		return WrongBill, o.Bill
	case w.State.Ended() && final && w.Platform.Final() && o.State != w.Platform:
		return Contradiction, string(w.Platform) + " then " + string(o.State)
	}
	return "", ""
}

// hear moves a sent withdrawal to what the platform says.
func (w *Withdrawal) hear(o *Outcome, now time.Time, c *Config) error {
	if w.State.Ended() { // a late echo
		return errUnchanged
	}
	before := *w
	w.Platform = o.State
	if o.Bill != "" {
		w.Bill = o.Bill
	}
	at := w.sane(o.At, now)
	switch o.State {
	case TransferSuccess:
		return w.end(bySuccess, at, "", "")
	case TransferCancelled:
		return w.end(byRevocation, at, codeCancelled, w.cancelledWords())
	case TransferFailed:
		if w.timedOut(o, at, c) {
			return w.end(byTimeout, at, o.Reason, "未在规定时间内确认收款，金额已退回可提现")
		}
		return w.end(byFailure, at, o.Reason, failureWords(o.Reason))
	case TransferWaiting:
		if o.Package != "" && w.CancelAt.IsZero() { // what is being cancelled is not confirmed
			w.Package = o.Package
		}
		if w.State == Sent {
			w.WaitingAt, w.Tries = at, 0
			w.Emit(EventWaiting, WaitingEvent{
				Number: w.ID, Member: w.Member, Gross: w.Gross, Tax: w.Tax, Net: w.Net, Until: at.Add(c.ConfirmWithin),
			})
			return w.move(byAsking)
		}
	}
	if before.Platform == w.Platform && before.Bill == w.Bill && before.Package == w.Package {
		return errUnchanged
	}
	return nil
}

// sane is the platform's time when it can be true, otherwise ours: a statement's month depends on it.
func (w *Withdrawal) sane(at, now time.Time) time.Time {
	at = clock.Milli(at)
	if at.Before(w.SentAt.Add(-time.Hour)) || at.After(now.Add(time.Hour)) {
		return now
	}
	return at
}

// overdue is the platform's code for a transfer nobody confirmed.
const overdue = "OVERDUE_CLOSE"

// timedOut tells a failure because nobody confirmed from every other one.
func (w *Withdrawal) timedOut(o *Outcome, at time.Time, c *Config) bool {
	if o.Reason == overdue {
		return true
	}
	return o.Reason == "" && w.State == Waiting && !at.Before(w.WaitingAt.Add(c.ConfirmWithin))
}

// failureWords says the platform's code for the member.
func failureWords(code string) string {
	words := "微信支付未能完成转账"
	switch code {
	case "ACCOUNT_FROZEN", "PAYEE_ACCOUNT_ABNORMAL", "RECEIVE_ACCOUNT_NOT_PERMMIT", "RECEIVE_ACCOUNT_NOT_CONFIGURE":
		words = "你的微信支付账户暂时不能收款"
	case "REAL_NAME_CHECK_FAIL", "ACCOUNT_NOT_EXIST":
		words = "你的微信支付账户尚未实名"
	case "NAME_NOT_CORRECT", "ID_CARD_NOT_CORRECT":
		words = "填写的姓名与微信支付实名不一致"
	case "OPENID_INVALID":
		words = "收款的微信账户无效"
	case "DAY_RECEIVED_QUOTA_EXCEED", "MONTH_RECEIVED_QUOTA_EXCEED", "DAY_RECEIVED_COUNT_EXCEED",
		"REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED", "TRANSFER_QUOTA_EXCEED":
		words = "超过微信支付的收款限额"
	case "TRANSFER_RISK":
		words = "微信支付判断有风险，没有放行"
	}
	return words + "，金额已退回可提现"
}
