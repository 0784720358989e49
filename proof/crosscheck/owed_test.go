package crosscheck

import (
	"context"
	"testing"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
	"guanxi/order"
)

type fakeCampaigns map[string]time.Time

func (f fakeCampaigns) Doomed(context.Context, []string) (map[string]time.Time, error) { return f, nil }

// What must go back and has not is named, order by order; what is on its way is not.
func TestWhatIsOwedIsNamed(t *testing.T) {
	t.Parallel()
	long, now := start.Add(-48*time.Hour), start
	paid := func(state order.State, refunds ...order.Refund) *order.Order {
		return &order.Order{
			Doc: docstore.Doc{ID: "o"}, Campaign: "dead", State: state, Amount: 1000, Refunds: refunds,
			Lines:   []order.Line{{SKU: "tea", Units: 10, Price: 100, Paid: 1000}},
			Payment: &order.Settlement{PaidAt: long, SettledAt: long},
		}
	}
	back := func(stage order.RefundStage, amount int64, asked time.Time) order.Refund {
		return order.Refund{Number: "or1", Stage: stage, Amount: money.Fen(amount), AskedAt: asked, NextAt: now}
	}
	late := paid(order.StateRefunding)
	late.Payment.Late = true
	alive := paid(order.StatePaid)
	alive.Campaign = "alive"
	for name, c := range map[string]struct {
		o    *order.Order
		owed bool
	}{
		"the campaign died, nothing went":       {paid(order.StatePaid), true},
		"fifty small ones went, the rest stays": {paid(order.StateConfirmed, back(order.StageDone, 500, long)), true},
		"everything is on its way":              {paid(order.StateRefunding, back(order.StageProcessing, 1000, long)), false},
		"under way for weeks":                   {paid(order.StateRefunding, back(order.StageProcessing, 1000, now.Add(-8*24*time.Hour))), true},
		"the platform refuses":                  {paid(order.StateRefunding, back(order.StageAbnormal, 1000, long)), true},
		"a part the platform refuses":           {paid(order.StateShipped, back(order.StageAbnormal, 100, long)), true},
		"closed, and no number after it":        {paid(order.StateRefunding, back(order.StageClosed, 1000, long)), true},
		"paid after the close":                  {late, true},
		"a request only":                        {paid(order.StateShipped, back(order.StageRequested, 1000, long)), false},
		"back":                                  {paid(order.StateRefunded, back(order.StageDone, 1000, long)), false},
		"a campaign that lives":                 {alive, false},
	} {
		s := newShop(t)
		s.orders["o"] = c.o
		report, err := Run(t.Context(), Deps{Orders: s.orders, Ledger: s.ledger, Clock: s.clock, Campaigns: fakeCampaigns{"dead": long}}, nil)
		must(t, err)
		if got := len(report.Differences) == 1 && report.Differences[0].Rule == ruleOwed; got != c.owed || len(report.Differences) > 1 {
			t.Errorf("%s: %v", name, report.Differences)
		}
	}
}
