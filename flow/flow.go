// Package flow is the table of reactions: which domain does what when another one has told that something
// happened. Table is the whole of it; docs/flow.md is printed from it by a test.
//
// Every row must be harmless when it is carried out twice, late or in another order: the use cases it calls key their
// effects by ids from the payload.
package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/event"
	"guanxi/member"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
)

// Shipping tells the payment platform that goods are on their way (platform/weixin).
type Shipping interface {
	UploadShipping(ctx context.Context, s Parcel) error
}

// Parcel is what the platform has to know of a shipment.
type Parcel struct {
	TransactionID string
	OpenID        string
	Kind          order.ShipKind
	Company       string
	Tracking      string
	Words         string
	ShippedAt     time.Time
	// Receiver and Sender are masked phones, empty when none is bound. Some express companies want one of them.
	Receiver, Sender string
}

// Members gives the platform's name of a member, and what may be shown of several.
type Members interface {
	OpenID(ctx context.Context, member string) (string, error)
	Profiles(ctx context.Context, members []string) (map[string]member.Profile, error)
}

// Deps are the domains that react.
type Deps struct {
	Members      Members
	Communities  *community.Service
	Catalog      *catalog.Service
	Campaigns    *groupbuy.Service
	Orders       *order.Service
	Distribution *distribution.Service
	Commission   *commission.Service
	Sharings     *sharing.Service
	Outreach     *outreach.Service
	Tasks        Tasks
	Bills        Bills
	Shipping     Shipping
}

// Table lists every reaction.
func Table(d Deps) []event.Consumer {
	return []event.Consumer{
		on(distribution.EventTouchRecorded, "distribution.consider", event.Inside, d.considerTouch),
		on(distribution.EventTouchRecorded, "community.join", event.Inside, d.joinByShare),

		on(order.EventPaid, "catalog.commit", event.Inside, d.commitStock),
		on(order.EventPaid, "groupbuy.takeSeat", event.Inside, d.takeSeat),
		on(order.EventClosed, "catalog.release", event.Inside, d.releaseStock),
		on(order.EventClosed, "groupbuy.withdraw", event.Inside, d.withdrawClaim),

		on(groupbuy.EventTaken, "order.seated", event.Inside, d.seated),
		on(groupbuy.EventStranded, "order.refundStranded", event.Inside, d.refundStranded),
		on(groupbuy.EventFormed, "order.confirmCampaign", event.Inside, d.confirmCampaign),
		on(groupbuy.EventSettled, "order.confirmSettled", event.Inside, d.confirmSettled),
		on(groupbuy.EventFailed, "order.refundCampaign", event.Inside, d.refundCampaign),

		on(order.EventConfirmed, "commission.accrue", event.Inside, d.accrue),
		calls("weixin", on(order.EventShipped, "weixin.uploadShipping", event.SameNumber, d.uploadShipping)),
		on(order.EventReceived, "commission.startWindow", event.Inside, d.startWindow),
		on(order.EventCompleted, "sharing.begin", event.Inside, d.beginSharing),

		calls("weixinpay", on(order.EventRefundAsked, "weixinpay.refund", event.SameNumber, d.submitRefund)),
		on(order.EventRefunded, "catalog.restock", event.Inside, d.restock),
		on(order.EventRefunded, "groupbuy.leave", event.Inside, d.leaveSeat),
		on(order.EventRefunded, "commission.clawBack", event.Inside, d.clawBack),
		on(order.EventOpened, "commission.holdLines", event.Inside, d.holdLines),
		on(order.EventEnded, "commission.releaseLines", event.Inside, d.releaseLines),

		on(order.EventIncident, "task.order", event.Inside, d.reportOrder),
		on(order.EventIncident, "reconcile.reconsider", event.Inside, d.reconsiderBill),
		on(withdrawal.EventIncident, "task.withdrawal", event.Inside, d.reportWithdrawal),
		on(sharing.EventTrouble, "task.sharing", event.Inside, d.reportSharing),
		on(reconcile.EventTrouble, "task.bill", event.Inside, d.reportBillTrouble),
		on(reconcile.EventFinished, "task.differing", event.Inside, d.reportDiffering),

		tell(withdrawal.EventWaiting, "outreach.withdrawalWaiting", d, waitingWords),
		tell(withdrawal.EventPaid, "outreach.withdrawalPaid", d, paidWords),
		tell(withdrawal.EventReturned, "outreach.withdrawalReturned", d, returnedWords),
		tell(sharing.EventDone, "outreach.sharingDone", d, sharedWords),
		tell(sharing.EventLeft, "outreach.sharingLeft", d, leftWords),
	}
}

// calls says which platform an outside consumer calls.
func calls(platform string, row event.Consumer) event.Consumer {
	row.Platform = platform
	return row
}

// on makes a row from a function of the payload.
func on[P any](name, consumer string, effect event.Effect, take func(context.Context, P) error) event.Consumer {
	return event.Consumer{Event: name, Name: consumer, Effect: effect, Take: func(ctx context.Context, e event.Event) error {
		var payload P
		if err := e.Decode(&payload); err != nil {
			return fmt.Errorf("%s: %w", consumer, err)
		}
		if err := take(ctx, payload); err != nil {
			return fmt.Errorf("%s: %w", consumer, err)
		}
		return nil
	}}
}

func (d Deps) considerTouch(ctx context.Context, t distribution.TouchRecorded) error {
	return d.Distribution.Consider(ctx, t.Touch)
}

// joinByShare makes whoever opens a community's share for the first time a member of it.
func (d Deps) joinByShare(ctx context.Context, t distribution.TouchRecorded) error {
	if t.Community == "" || t.Visitor == t.Sharer {
		return nil
	}
	_, err := d.Communities.Join(ctx, community.JoinInput{Community: t.Community, Member: t.Visitor, Via: t.Share})
	if errors.Is(err, community.ErrNotFound) || errors.Is(err, community.ErrRemoved) {
		return nil // the community is gone, or its host has sent the visitor away
	}
	return err
}

func units(lines []order.SaleLine) []catalog.Units {
	out := make([]catalog.Units, len(lines))
	for i, l := range lines {
		out[i] = catalog.Units{SKU: l.SKU, Units: l.Units}
	}
	return out
}

// commitStock turns the hold into a sale. Goods that are gone although they were paid for are refunded.
func (d Deps) commitStock(ctx context.Context, p order.Paid) error {
	err := d.Catalog.Commit(ctx, p.Order, units(p.Lines))
	if errors.Is(err, catalog.ErrOversoldRefused) {
		return d.Orders.RefundWhole(ctx, p.Order, "oversold", "商品已售罄，款项原路退回")
	}
	return err
}

func (d Deps) takeSeat(ctx context.Context, p order.Paid) error {
	in := groupbuy.SeatInput{
		Order: p.Order, Campaign: p.Campaign, Member: p.Member, Amount: p.Amount, PaidAt: p.PaidAt,
	}
	for _, l := range p.Lines {
		in.Lines = append(in.Lines, groupbuy.Wish{SKU: l.SKU, Units: l.Units})
	}
	_, err := d.Campaigns.TakeSeat(ctx, in)
	return err
}

func (d Deps) releaseStock(ctx context.Context, c order.Closed) error {
	return d.Catalog.Release(ctx, c.Order, units(c.Lines))
}

func (d Deps) withdrawClaim(ctx context.Context, c order.Closed) error {
	return d.Campaigns.Withdraw(ctx, c.Campaign, c.Member, c.Order)
}

// seated tells the order its number. The campaign may form between the moment the seat was stored and the moment
// the order knows its number, so it is asked again afterwards.
func (d Deps) seated(ctx context.Context, s groupbuy.SeatTaken) error {
	if err := d.Orders.Seated(ctx, s.Order, s.Number, s.Formed); err != nil || s.Formed {
		return err
	}
	formed, err := d.Campaigns.Formed(ctx, s.Campaign)
	if err != nil || !formed {
		return err
	}
	return d.Orders.Seated(ctx, s.Order, s.Number, true)
}

// refundStranded gives the money back for a seat paid in a campaign that had failed already.
func (d Deps) refundStranded(ctx context.Context, s groupbuy.SeatStranded) error {
	return d.Orders.RefundWhole(ctx, s.Order, "stranded", failedWords(s.Reason, s.Cancelled))
}

// failedWords says why a campaign's money goes back. Events from before Cancelled was told are told apart by the reason.
func failedWords(reason string, cancelled bool) string {
	if cancelled || reason != "minimum" {
		return "团长取消了接龙：" + reason
	}
	return "接龙未成团，款项原路退回"
}

func (d Deps) confirmCampaign(ctx context.Context, f groupbuy.CampaignFormed) error {
	return d.Orders.ConfirmCampaign(ctx, f.Campaign)
}

// confirmSettled is the net under confirmCampaign: whatever slipped through while the campaign formed.
func (d Deps) confirmSettled(ctx context.Context, s groupbuy.CampaignSettled) error {
	return d.Orders.ConfirmCampaign(ctx, s.Campaign)
}

func (d Deps) refundCampaign(ctx context.Context, f groupbuy.CampaignFailed) error {
	return d.Orders.RefundCampaign(ctx, f.Campaign, failedWords(f.Reason, f.Cancelled))
}

func (d Deps) submitRefund(ctx context.Context, r order.RefundAsked) error {
	return d.Orders.SubmitRefund(ctx, r.Order, r.Refund)
}

func (d Deps) restock(ctx context.Context, r order.Refunded) error {
	if !r.Restock {
		return nil
	}
	lines := make([]catalog.Units, len(r.Lines))
	for i, l := range r.Lines {
		lines[i] = catalog.Units{SKU: l.SKU, Units: l.Units}
	}
	return d.Catalog.RestockOrder(ctx, r.Order, r.Refund, lines)
}

func (d Deps) leaveSeat(ctx context.Context, r order.Refunded) error {
	if !r.Whole {
		return nil
	}
	return d.Campaigns.Leave(ctx, r.Campaign, r.Order)
}

func (d Deps) uploadShipping(ctx context.Context, s order.Shipped) error {
	openID, err := d.Members.OpenID(ctx, s.Member)
	if err != nil {
		return err
	}
	people, err := d.Members.Profiles(ctx, []string{s.Member, s.Host})
	if err != nil {
		return err
	}
	return d.Shipping.UploadShipping(ctx, Parcel{
		TransactionID: s.TransactionID, OpenID: openID, Kind: s.Kind, Company: s.Company, Tracking: s.Tracking,
		Words: s.Words, ShippedAt: s.ShippedAt, Receiver: people[s.Member].MaskedPhone, Sender: people[s.Host].MaskedPhone,
	})
}

// beginSharing lets an order's commission be paid out of its payment, where the policy says so, and the rest be set free.
func (d Deps) beginSharing(ctx context.Context, c order.Completed) error {
	return d.Sharings.Begin(ctx, c.Order, c.CompletedAt)
}
