package flow

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/outreach"
)

// TestWhatMembersAreTold: every topic has exactly the values that templates may show, and words that a person understands.
func TestWhatMembersAreTold(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	told := []outreach.Told{
		waitingWords(withdrawal.WaitingEvent{Number: "w1", Member: "ann", Gross: 10000, Tax: 400, Net: 9600, Until: at}),
		paidWords(withdrawal.PaidEvent{Number: "w1", Member: "ann", Gross: 10000, Net: 10000, PaidAt: at}),
		returnedWords(withdrawal.ReturnedEvent{Number: "w1", Member: "ann", Gross: 10000, Why: "逾期未确认", At: at}),
		sharedWords(sharing.Done{Order: "o1", Number: "o1S00", Member: "ann", Amount: 599, At: at}),
		leftWords(sharing.Left{Order: "o1", Number: "o1S00", Member: "ann", Amount: 599, Why: "没有可收款的微信账户", At: at}),
	}
	texts := []string{
		"您申请的提现 100.00元 已备好，到账 96.00元（代扣个税 4.00元）。请在 2026年3月2日 10:00 前确认收款，逾期会自动退回可提现。",
		"提现 100.00元 已付到您的微信零钱，到账 100.00元。",
		"提现 100.00元 已退回您的可提现金额，可以重新申请。原因：逾期未确认。",
		"佣金 5.99元 已从订单货款直接付到您的微信零钱。",
		"佣金 5.99元 没有随订单直接付出，已留在您的可提现金额，可以申请提现。原因：没有可收款的微信账户。",
	}
	for i, s := range outreach.Subjects() {
		var names []string
		for _, v := range s.Values {
			names = append(names, v.Name)
			value := told[i].Values[v.Name]
			if v.Name != "title" && (value == "" || v.Kind == outreach.Amount && !strings.HasSuffix(value, "元")) {
				t.Errorf("%s: %s is %q", s.Topic, v.Name, value)
			}
		}
		told[i].Values["title"] = s.Title // filled in by the row
		slices.Sort(names)
		if diff := cmp.Diff(names, slices.Sorted(maps.Keys(told[i].Values))); diff != "" || told[i].Topic != s.Topic {
			t.Errorf("%s, %s: %s", told[i].Topic, s.Topic, diff)
		}
		if told[i].Text != texts[i] || told[i].Number == "" || told[i].Member != "ann" || told[i].Until.IsZero() {
			t.Errorf("%s: %+v", s.Topic, told[i])
		}
	}
}
