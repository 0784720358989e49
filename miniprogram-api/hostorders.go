package miniprogramapi

import (
	"context"

	"guanxi/order"
)

type hostOrderView struct {
	OrderView
	Buyer Person `json:"buyer"`
}

type hostOrdersOutput struct {
	Body struct {
		Orders []hostOrderView `json:"orders"`
		Next   string          `json:"next,omitempty"`
	}
}

type shipInput struct {
	Keyed
	OrderPath
	Body struct {
		Kind     order.ShipKind `json:"kind" enum:"pickup,express,city"`
		Company  string         `json:"company,omitempty" maxLength:"80" doc:"快递公司编码"`
		Tracking string         `json:"tracking,omitempty" maxLength:"40"`
	}
}

type RefundPath struct {
	OrderPath
	Refund string `path:"refund" minLength:"1" maxLength:"64"`
}

type refuseInput struct {
	Keyed
	RefundPath
	Body struct {
		Words string `json:"words" minLength:"1" maxLength:"240" doc:"给购物者的说明"`
	}
}

func (a *API) declareHostOrders() {
	register(a, operation{
		id: "campaign-orders", method: "GET", path: "/v1/host/campaigns/{campaign}/orders", tag: "团长 · 订单", summary: "这场接龙的订单",
	}, a.campaignOrders)
	register(a, operation{
		id: "ship", method: "POST", path: "/v1/host/orders/{order}/ship", tag: "团长 · 订单", summary: "发货，或通知到店自提",
		recorded: true,
	}, func(ctx context.Context, in *shipInput) (*orderOutput, error) {
		return viewOrder(a.orders.Ship(ctx, memberOf(ctx), in.Order, order.ShipInput{
			Kind: in.Body.Kind, Company: in.Body.Company, Tracking: in.Body.Tracking,
		}))
	})
	register(a, operation{
		id: "collect", method: "POST", path: "/v1/host/orders/{order}/collect", tag: "团长 · 订单", summary: "已当面交给购物者",
		recorded: true,
	}, func(ctx context.Context, in *orderWrite) (*orderOutput, error) {
		return viewOrder(a.orders.Collect(ctx, memberOf(ctx), in.Order))
	})
	register(a, operation{
		id: "host-refund", method: "POST", path: "/v1/host/orders/{order}/refunds", tag: "团长 · 订单", summary: "给购物者退款", status: 201,
	}, func(ctx context.Context, in *refundInput) (*refundOutput, error) {
		if _, err := a.orders.GetHosted(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		return viewRefund(a.orders.Refund(ctx, in.asked(memberOf(ctx))))
	})
	register(a, operation{
		id: "approve-refund", method: "POST", path: "/v1/host/orders/{order}/refunds/{refund}/approve", tag: "团长 · 订单", summary: "同意退款",
		recorded: true,
	}, func(ctx context.Context, in *struct {
		Keyed
		RefundPath
	},
	) (*refundOutput, error) {
		return viewRefund(a.orders.ApproveRefund(ctx, memberOf(ctx), in.Order, in.Refund))
	})
	register(a, operation{
		id: "refuse-refund", method: "POST", path: "/v1/host/orders/{order}/refunds/{refund}/refuse", tag: "团长 · 订单", summary: "不同意退款",
		recorded: true,
	}, func(ctx context.Context, in *refuseInput) (*refundOutput, error) {
		return viewRefund(a.orders.RefuseRefund(ctx, memberOf(ctx), in.Order, in.Refund, in.Body.Words))
	})
}

func (a *API) campaignOrders(ctx context.Context, in *struct {
	CampaignPath
	Paged
},
) (*hostOrdersOutput, error) {
	if _, err := a.hostedCampaign(ctx, in.Campaign); err != nil {
		return nil, err
	}
	page, err := a.orders.ByCampaign(ctx, in.Campaign, order.Page{Limit: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	buyers := make([]string, len(page.Items))
	for i, o := range page.Items {
		buyers[i] = o.Member
	}
	people, err := a.people(ctx, buyers...)
	if err != nil {
		return nil, err
	}
	out := &hostOrdersOutput{}
	out.Body.Orders, out.Body.Next = make([]hostOrderView, len(page.Items)), page.Next
	for i, o := range page.Items {
		out.Body.Orders[i] = hostOrderView{orderViewOf(o), people[o.Member]}
	}
	return out, nil
}
