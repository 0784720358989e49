package flow

import (
	"context"
	"fmt"
	"time"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/internal/event"
	"guanxi/outreach"
)

// stale is how long after it happened a member is still told what needs nothing to be done.
const stale = 24 * time.Hour

// tell makes a row that plans a message. Sending it is outreach's own, at most once; so the row is harmless to repeat.
func tell[P any](name, consumer string, d Deps, words func(P) outreach.Told) event.Consumer {
	return event.Consumer{Event: name, Name: consumer, Effect: event.Inside, Take: func(ctx context.Context, e event.Event) error {
		var payload P
		err := e.Decode(&payload)
		if err == nil {
			told := words(payload)
			if told.At.IsZero() {
				told.At = e.At
			}
			told.Values["title"] = told.Topic.Title()
			err = d.Outreach.Plan(ctx, told)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", consumer, err)
		}
		return nil
	}}
}

func waitingWords(w withdrawal.WaitingEvent) outreach.Told {
	net, until := outreach.Yuan(w.Net), outreach.Clock(w.Until)
	text := "您申请的提现 " + outreach.Yuan(w.Gross) + " 已备好，到账 " + net
	if w.Tax > 0 {
		text += "（代扣个税 " + outreach.Yuan(w.Tax) + "）"
	}
	return outreach.Told{
		Topic: outreach.WithdrawalWaiting, Number: w.Number, Member: w.Member, Until: w.Until,
		Text: text + "。请在 " + until + " 前确认收款，逾期会自动退回可提现。",
		Values: map[string]string{
			"hint": "请确认收款，逾期退回可提现", "amount": outreach.Yuan(w.Gross), "tax": outreach.Yuan(w.Tax), "net": net, "until": until,
			"number": w.Number,
		},
	}
}

func paidWords(w withdrawal.PaidEvent) outreach.Told {
	net := outreach.Yuan(w.Net)
	text := "提现 " + outreach.Yuan(w.Gross) + " 已付到您的微信零钱，到账 " + net
	if w.Tax > 0 {
		text += "（代扣个税 " + outreach.Yuan(w.Tax) + "）"
	}
	return outreach.Told{
		Topic: outreach.WithdrawalPaid, Number: w.Number, Member: w.Member, At: w.PaidAt, Until: w.PaidAt.Add(stale), Text: text + "。",
		Values: map[string]string{
			"hint": "已付到微信零钱", "amount": outreach.Yuan(w.Gross), "tax": outreach.Yuan(w.Tax), "net": net,
			"at": outreach.Clock(w.PaidAt), "number": w.Number,
		},
	}
}

func returnedWords(w withdrawal.ReturnedEvent) outreach.Told {
	why := w.Why
	if why == "" {
		why = "提现没有完成"
	}
	return outreach.Told{
		Topic: outreach.WithdrawalReturned, Number: w.Number, Member: w.Member, At: w.At, Until: w.At.Add(stale),
		Quiet: w.State == withdrawal.Cancelled,
		Text:  "提现 " + outreach.Yuan(w.Gross) + " 已退回您的可提现金额，可以重新申请。原因：" + why + "。",
		Values: map[string]string{
			"hint": "已退回可提现，可重新申请", "amount": outreach.Yuan(w.Gross), "why": why, "at": outreach.Clock(w.At), "number": w.Number,
		},
	}
}

func sharedWords(s sharing.Done) outreach.Told {
	amount := outreach.Yuan(s.Amount)
	return outreach.Told{
		Topic: outreach.SharingDone, Number: s.Number, Member: s.Member, At: s.At, Until: s.At.Add(stale),
		Text: "佣金 " + amount + " 已从订单货款直接付到您的微信零钱。",
		Values: map[string]string{
			"hint": "已付到微信零钱", "amount": amount, "at": outreach.Clock(s.At), "number": s.Number, "order": s.Order,
		},
	}
}

func leftWords(s sharing.Left) outreach.Told {
	amount := outreach.Yuan(s.Amount)
	return outreach.Told{
		Topic: outreach.SharingLeft, Number: s.Number, Member: s.Member, At: s.At, Until: s.At.Add(stale),
		Text: "佣金 " + amount + " 没有随订单直接付出，已留在您的可提现金额，可以申请提现。原因：" + s.Why + "。",
		Values: map[string]string{
			"hint": "已留在可提现，可以申请提现", "amount": amount, "why": s.Why, "at": outreach.Clock(s.At), "number": s.Number,
			"order": s.Order,
		},
	}
}
