package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"guanxi/flow"
	"guanxi/internal/event"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
	"guanxi/platform/weixin"
	"guanxi/platform/weixinpay"
)

// Platforms are the adapters to the outside, made from settings or from a sandbox's credentials.
type Platforms struct {
	Weixin *weixin.Client
	Pay    *weixinpay.Payments
	AppID  string
	MchID  string
	// Relation is what members are to the merchant when a payment is shared with them. Default DISTRIBUTOR.
	Relation string
}

// Use puts the platforms' adapters into the configuration.
func (c *Config) Use(p Platforms) {
	c.Platform, c.Codes, c.Shipping = p.Weixin, codes{p.Weixin}, shipping{p.Weixin}
	c.Payments, c.Notifications = p.Pay, notifications{p.Pay}
	c.Rail, c.Bills = p.Pay.Transfers(), bills{p.Pay}
	c.Messages = messages{p.Weixin}
	if p.Relation == "" {
		p.Relation = "DISTRIBUTOR"
	}
	c.Shares = shares{p.Pay.Sharing(), p.Relation}
	c.Wallet = miniprogramapi.Wallet{AppID: p.AppID, MchID: p.MchID}
	c.Orders.AppID, c.Orders.MchID = p.AppID, p.MchID
	c.Reconcile.Apps = append(c.Reconcile.Apps, p.AppID)
}

// codes tells the edge when the platform does not answer.
type codes struct{ weixin *weixin.Client }

func (c codes) CodeImage(ctx context.Context, scene, page string) ([]byte, error) {
	image, err := c.weixin.CodeImage(ctx, scene, page)
	if errors.Is(err, weixin.ErrAway) {
		return nil, miniprogramapi.ErrPlatformAway.Because(err)
	}
	return image, err
}

// notifications translates the payment adapter's notices for the edge.
type notifications struct{ pay *weixinpay.Payments }

func (n notifications) Verify(ctx context.Context, header http.Header, body []byte) (miniprogramapi.Notice, error) {
	notice, err := n.pay.ParseNotification(ctx, header, body)
	if errors.Is(err, weixinpay.ErrUnknownKey) {
		err = miniprogramapi.ErrNotificationKey.Because(err)
	}
	return miniprogramapi.Notice{ID: notice.ID, Payment: notice.Payment, Refund: notice.Refund, Payout: notice.Transfer}, err
}

// shipping translates a parcel for WeChat's shipping information.
type shipping struct{ weixin *weixin.Client }

// UploadShipping tells WeChat once: a repeated event first asks whether WeChat knows already.
func (s shipping) UploadShipping(ctx context.Context, p flow.Parcel) error {
	if known, err := s.weixin.Shipped(ctx, p.TransactionID); err != nil || known {
		return lasting(err)
	}
	parcel := weixin.Parcel{Items: p.Words}
	if p.Kind == order.ShipExpress {
		parcel.Company, parcel.TrackingNo = p.Company, p.Tracking
		parcel.Receiver, parcel.Sender = p.Receiver, p.Sender
	}
	return lasting(s.weixin.UploadShipping(ctx, weixin.Shipment{
		TransactionID: p.TransactionID, OpenID: p.OpenID, Logistics: logistics(p.Kind), Parcels: []weixin.Parcel{parcel},
		At: p.ShippedAt,
	}))
}

// lasting tells the relay which of WeChat's answers do not pass by themselves, and which say nothing bad about WeChat.
func lasting(err error) error {
	switch {
	case errors.Is(err, weixin.ErrRefused):
		return fmt.Errorf("%w: %w", event.ErrPermanent, err)
	case errors.Is(err, weixin.ErrNotYet):
		return fmt.Errorf("%w: %w", event.ErrLater, err)
	}
	return err
}

func logistics(kind order.ShipKind) weixin.Logistics {
	switch kind {
	case order.ShipExpress:
		return weixin.Express
	case order.ShipCity:
		return weixin.City
	case order.ShipPickup:
	}
	return weixin.Pickup
}
