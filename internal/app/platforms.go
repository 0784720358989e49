package app

import (
	"context"

	"guanxi/flow"
	"guanxi/internal/weixin"
	"guanxi/order"
)

// shipping translates a parcel for WeChat's shipping information.
type shipping struct{ weixin *weixin.Client }

func (s shipping) UploadShipping(ctx context.Context, p flow.Parcel) error {
	parcel := weixin.Parcel{Items: p.Words}
	if p.Kind == order.ShipExpress {
		parcel.Company, parcel.TrackingNo = p.Company, p.Tracking
	}
	return s.weixin.UploadShipping(ctx, weixin.Shipment{
		TransactionID: p.TransactionID, OpenID: p.OpenID, Logistics: logistics(p.Kind), Parcels: []weixin.Parcel{parcel},
		At: p.ShippedAt,
	})
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
