package weixin

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/miniprogram/order"
	"github.com/silenceper/wechat/v2/util"

	"guanxi/internal/clock"
)

// Logistics is how goods travel, in the platform's numbers.
type Logistics int

// The ways goods travel.
const (
	Express Logistics = 1
	City    Logistics = 2
	Virtual Logistics = 3
	Pickup  Logistics = 4
)

// Shipment tells WeChat that an order is on its way; without it the money stays frozen.
type Shipment struct {
	TransactionID string // or, when it is empty, Number under Config.MchID
	Number        string // out_trade_no
	OpenID        string // of the payer
	Logistics     Logistics
	Split         bool // parcels come one after another; express only
	Complete      bool // with Split: this upload is the last
	Parcels       []Parcel
	At            time.Time // newer than that of the upload before; cut to milliseconds
}

// Parcel is one tracking number, or the description alone when nothing is tracked.
type Parcel struct {
	TrackingNo string // express only
	Company    string // the platform's code: SF, YTO …; express only
	Items      string // 1 to 120 characters
	Receiver   string // masked phone with the last four digits clear; SF requires it or the sender's
	Sender     string // the same of who sends it; told only when the receiver's is not known
}

const (
	maxParcels = 15
	maxItems   = 120
)

// UploadShipping uploads shipping information. Uploading for an order that is wholly shipped uses its single second
// chance. Errors: ErrNotYet (not known yet: again in 10 to 60 s), ErrRefused, ErrAway.
func (c *Client) UploadShipping(ctx context.Context, s Shipment) error {
	if n := len(s.Parcels); n == 0 || n > maxParcels || s.At.IsZero() {
		return fmt.Errorf("weixin: shipping: %w: parcels or time", ErrRefused)
	}
	key := &order.ShippingOrderKey{OrderNumberType: order.NumberTypeTransactionID, TransactionID: s.TransactionID}
	if s.TransactionID == "" {
		key = &order.ShippingOrderKey{OrderNumberType: order.NumberTypeOutTradeNo, Mchid: c.cfg.MchID, OutTradeNo: s.Number}
	}
	mode := order.DeliveryModeUnifiedDelivery
	if s.Split {
		mode = order.DeliveryModeSplitDelivery
	}
	list := make([]*order.ShippingInfo, 0, len(s.Parcels))
	for _, p := range s.Parcels {
		list = append(list, &order.ShippingInfo{
			TrackingNo: p.TrackingNo, ExpressCompany: p.Company, ItemDesc: cut(p.Items, maxItems),
			Contact: p.contact(),
		})
	}
	at := uploadTime(s.At)
	var out struct{ util.CommonError }
	return c.post(ctx, "shipping", "/wxa/sec/order/upload_shipping_info", &order.UploadShippingInfoRequest{
		OrderKey: key, LogisticsType: order.LogisticsType(s.Logistics), DeliveryMode: mode, // 1 to 4
		IsAllDelivered: s.Split && s.Complete, ShippingList: list, UploadTime: &at, Payer: &order.ShippingPayer{Openid: s.OpenID},
	}, &out)
}

func (p *Parcel) contact() order.ShippingContact {
	if p.Receiver == "" {
		return order.ShippingContact{ConsignorContact: p.Sender}
	}
	return order.ShippingContact{ReceiverContact: p.Receiver}
}

// uploadTime is what makes the SDK print milliseconds in +08:00; as it comes it would print nanoseconds in UTC.
func uploadTime(t time.Time) time.Time { return t.Truncate(time.Millisecond).In(clock.Shanghai()) }

// cut shortens to n characters with an ellipsis, as the platform itself does.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:n-1])) + "…"
}

// TradeManaged asks whether this mini-program must upload shipping information. The SDK has no such call.
// Errors: ErrRefused, ErrAway.
func (c *Client) TradeManaged(ctx context.Context) (bool, error) {
	var out struct {
		util.CommonError
		Managed bool `json:"is_trade_managed"`
	}
	err := c.post(ctx, "trade managed", "/wxa/sec/order/is_trade_managed", map[string]string{"appid": c.cfg.AppID}, &out)
	return out.Managed, err
}

// Shipped asks whether WeChat already knows that an order is on its way (or further). Ask before repeating an upload
// whose answer was lost: a second upload would use up the single re-ship chance. Errors: ErrNotYet, ErrRefused, ErrAway.
func (c *Client) Shipped(ctx context.Context, transactionID string) (bool, error) {
	var out order.ShippingOrderResponse
	err := c.post(ctx, "shipping state", "/wxa/sec/order/get_order", order.GetShippingOrderRequest{TransactionID: transactionID}, &out)
	return out.Order.OrderState > order.StateWaitShipment, err
}
