package miniprogramapi

import (
	"context"
	"time"

	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/order"
)

type wish struct {
	SKU   string `json:"sku" minLength:"1" maxLength:"80"`
	Units int64  `json:"units" minimum:"1" maximum:"9999"`
}

type quoteInput struct {
	CampaignPath
	Body struct {
		Lines  []wish `json:"lines" minItems:"1" maxItems:"50" nullable:"false"`
		Pickup string `json:"pickup,omitempty" maxLength:"64" doc:"自提点"`
	}
}

type lineView struct {
	Line     int       `json:"line" doc:"从 1 开始"`
	SKU      string    `json:"sku"`
	Name     string    `json:"name"`
	Units    int64     `json:"units"`
	Price    money.Fen `json:"price_fen"`
	Paid     money.Fen `json:"paid_fen" doc:"这一行的应付或实付"`
	Refunded money.Fen `json:"refunded_fen"`
}

type quoteOutput struct {
	Body struct {
		Lines  []lineView `json:"lines"`
		Amount money.Fen  `json:"amount_fen"`
		Pickup string     `json:"pickup_name,omitempty"`
	}
}

type placeInput struct {
	edge.Keyed
	Body struct {
		Campaign string `json:"campaign" minLength:"1" maxLength:"64"`
		Lines    []wish `json:"lines" minItems:"1" maxItems:"50" nullable:"false"`
		Pickup   string `json:"pickup,omitempty" maxLength:"64"`
		Note     string `json:"note,omitempty" maxLength:"800" doc:"给团长的备注"`
		Share    string `json:"share,omitempty" maxLength:"32" doc:"从哪一次分享进来"`
	}
}

type OrderView struct {
	ID         string       `json:"id"`
	State      order.State  `json:"state"`
	StateText  string       `json:"state_text"`
	Campaign   string       `json:"campaign"`
	Community  string       `json:"community"`
	Host       string       `json:"host"`
	Lines      []lineView   `json:"lines"`
	Amount     money.Fen    `json:"amount_fen"`
	Refunded   money.Fen    `json:"refunded_fen"`
	Seat       int64        `json:"seat,omitempty" doc:"接龙号"`
	Pickup     string       `json:"pickup_name,omitempty"`
	Note       string       `json:"note,omitempty"`
	PlacedAt   time.Time    `json:"placed_at"`
	ExpiresAt  time.Time    `json:"expires_at" doc:"在此之前付款"`
	PaidAt     time.Time    `json:"paid_at,omitzero"`
	ShippedAt  time.Time    `json:"shipped_at,omitzero"`
	ReceivedAt time.Time    `json:"received_at,omitzero"`
	Tracking   string       `json:"tracking,omitempty"`
	Code       string       `json:"collection_code,omitempty" doc:"提货码，只给购物者本人；自提时出示"`
	Refunds    []refundView `json:"refunds,omitempty" nullable:"false"`
}

type orderOutput struct{ Body OrderView }

type ordersOutput struct {
	Body struct {
		Orders []OrderView `json:"orders"`
		Next   string      `json:"next,omitempty"`
	}
}

type OrderPath struct {
	Order string `path:"order" minLength:"1" maxLength:"64"`
}

type orderWrite struct {
	edge.Keyed
	OrderPath
}

type payOutput struct {
	Body struct {
		TimeStamp string `json:"timeStamp" doc:"原样交给 wx.requestPayment"`
		NonceStr  string `json:"nonceStr"`
		Package   string `json:"package"`
		SignType  string `json:"signType"`
		PaySign   string `json:"paySign"`
	}
}

func (a *API) declareOrders() {
	edge.Register(a.edge, edge.Operation{
		ID: "quote", Method: "POST", Path: "/v1/campaigns/{campaign}/quote", Tag: "下单", Summary: "算价，不占库存",
	}, a.quote)
	edge.Register(a.edge, edge.Operation{
		ID: "place", Method: "POST", Path: "/v1/orders", Tag: "下单", Summary: "下单：锁定价格与库存", Status: 201,
	}, a.place)
	edge.Register(a.edge, edge.Operation{
		ID: "my-orders", Method: "GET", Path: "/v1/orders", Tag: "下单", Summary: "我的订单",
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*ordersOutput, error) {
		page, err := a.orders.Mine(ctx, memberOf(ctx), order.Page{Limit: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		return viewOrders(page.Items, page.Next), nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "order", Method: "GET", Path: "/v1/orders/{order}", Tag: "下单", Summary: "订单详情", ETag: true,
	}, func(ctx context.Context, in *struct{ OrderPath }) (*orderOutput, error) {
		return viewMine(a.orders.GetMine(ctx, memberOf(ctx), in.Order))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "prepay", Method: "POST", Path: "/v1/orders/{order}/prepay", Tag: "下单", Summary: "发起支付",
	}, a.prepay)
	edge.Register(a.edge, edge.Operation{
		ID: "paid", Method: "POST", Path: "/v1/orders/{order}/paid", Tag: "下单", Summary: "支付回来后核对：以微信的查询为准", Weight: 4,
	}, func(ctx context.Context, in *orderWrite) (*orderOutput, error) {
		if _, err := a.orders.GetMine(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		if _, err := a.orders.Heal(ctx, in.Order); err != nil {
			return nil, err
		}
		return viewMine(a.orders.GetMine(ctx, memberOf(ctx), in.Order))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "cancel-order", Method: "POST", Path: "/v1/orders/{order}/cancel", Tag: "下单", Summary: "付款前取消",
		Recorded: true,
	}, func(ctx context.Context, in *orderWrite) (*orderOutput, error) {
		return viewOrder(a.orders.Cancel(ctx, memberOf(ctx), in.Order))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "receive", Method: "POST", Path: "/v1/orders/{order}/receive", Tag: "下单", Summary: "确认收货",
		Recorded: true,
	}, func(ctx context.Context, in *orderWrite) (*orderOutput, error) {
		return viewOrder(a.orders.Receive(ctx, memberOf(ctx), in.Order))
	})
}

func (a *API) quote(ctx context.Context, in *quoteInput) (*quoteOutput, error) {
	q, err := a.orders.Quote(ctx, order.QuoteInput{
		Member: memberOf(ctx), Campaign: in.Campaign, Lines: wishes(in.Body.Lines), Pickup: in.Body.Pickup,
	})
	if err != nil {
		return nil, err
	}
	out := &quoteOutput{}
	out.Body.Lines, out.Body.Amount = viewLines(&order.Order{Lines: q.Lines}), q.Amount
	if q.Pickup != nil {
		out.Body.Pickup = q.Pickup.Name
	}
	return out, nil
}

func (a *API) place(ctx context.Context, in *placeInput) (*orderOutput, error) {
	return viewOrder(a.orders.Place(ctx, order.PlaceInput{
		Key: in.Key, Member: memberOf(ctx), Campaign: in.Body.Campaign, Lines: wishes(in.Body.Lines),
		Pickup: in.Body.Pickup, Note: in.Body.Note, Share: in.Body.Share,
	}))
}

func (a *API) prepay(ctx context.Context, in *orderWrite) (*payOutput, error) {
	p, err := a.orders.Prepay(ctx, memberOf(ctx), in.Order)
	if err != nil {
		return nil, err
	}
	out := &payOutput{}
	out.Body.TimeStamp, out.Body.NonceStr, out.Body.Package = p.TimeStamp, p.NonceStr, p.Package
	out.Body.SignType, out.Body.PaySign = p.SignType, p.PaySign
	return out, nil
}

func wishes(in []wish) []order.Wish {
	out := make([]order.Wish, len(in))
	for i, w := range in {
		out[i] = order.Wish{SKU: w.SKU, Units: w.Units}
	}
	return out
}

func viewLines(o *order.Order) []lineView {
	out := make([]lineView, len(o.Lines))
	for i, l := range o.Lines {
		out[i] = lineView{Line: i + 1, SKU: l.SKU, Name: l.Name, Units: l.Units, Price: l.Price, Paid: l.Paid}
		for _, r := range o.Refunds {
			if r.Stage != order.StageDone {
				continue
			}
			for _, part := range r.Lines {
				if part.Line == i+1 {
					out[i].Refunded += part.Amount
				}
			}
		}
	}
	return out
}

func viewOrder(o *order.Order, err error) (*orderOutput, error) {
	if err != nil {
		return nil, err
	}
	return &orderOutput{orderViewOf(o)}, nil
}

// viewMine is viewOrder for the buyer, who alone is shown the collection code.
func viewMine(o *order.Order, err error) (*orderOutput, error) {
	out, err := viewOrder(o, err)
	if err == nil && o.State != order.StateReceived && o.State != order.StateCompleted {
		out.Body.Code = o.Code.Reveal()
	}
	return out, err
}

func orderViewOf(o *order.Order) OrderView {
	v := OrderView{
		ID: o.ID, State: o.State, StateText: stateText(o.State), Campaign: o.Campaign, Community: o.Community, Host: o.Host,
		Lines: viewLines(o), Amount: o.Amount, Seat: o.Seat, Note: o.Note.Reveal(),
		PlacedAt: o.PlacedAt, ExpiresAt: o.ExpiresAt, ReceivedAt: o.ReceivedAt, Refunds: viewRefunds(o),
	}
	for _, l := range v.Lines {
		v.Refunded += l.Refunded
	}
	if o.Pickup != nil {
		v.Pickup = o.Pickup.Name
	}
	if o.Payment != nil {
		v.PaidAt = o.Payment.PaidAt
	}
	if o.Shipment != nil {
		v.ShippedAt, v.Tracking = o.Shipment.ShippedAt, o.Shipment.Tracking
	}
	return v
}

func viewOrders(items []*order.Order, next string) *ordersOutput {
	out := &ordersOutput{}
	out.Body.Orders, out.Body.Next = make([]OrderView, len(items)), next
	for i, o := range items {
		out.Body.Orders[i] = orderViewOf(o)
	}
	return out
}

// stateText is what a shopper reads.
func stateText(s order.State) string {
	switch s {
	case order.StatePlaced:
		return "待付款"
	case order.StateClosing, order.StateClosed:
		return "已取消"
	case order.StatePaid:
		return "已付款，等待成团"
	case order.StateConfirmed:
		return "已成团，等待发货"
	case order.StateShipped:
		return "已发出，等待收货"
	case order.StateReceived:
		return "已收货"
	case order.StateCompleted:
		return "已完成"
	case order.StateRefunding:
		return "退款中"
	case order.StateRefunded:
		return "已退款"
	}
	return string(s)
}
