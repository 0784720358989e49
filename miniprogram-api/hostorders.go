package miniprogramapi

import (
	"context"

	"guanxi/internal/edge"
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
	edge.Keyed
	OrderPath
	Body struct {
		Kind     order.ShipKind `json:"kind" enum:"pickup,express,city"`
		Company  string         `json:"company,omitempty" maxLength:"80" doc:"快递公司编码"`
		Tracking string         `json:"tracking,omitempty" maxLength:"40"`
	}
}

type collectInput struct {
	edge.Keyed
	OrderPath
	Body struct {
		Code string `json:"code" minLength:"8" maxLength:"8" pattern:"^[0-9]{8}$" doc:"购物者出示的提货码"`
	}
}

type RefundPath struct {
	OrderPath
	Refund string `path:"refund" minLength:"1" maxLength:"64"`
}

type refuseInput struct {
	edge.Keyed
	RefundPath
	Body struct {
		Words string `json:"words" minLength:"1" maxLength:"240" doc:"给购物者的说明"`
	}
}

func (a *API) declareHostOrders() {
	edge.Register(a.edge, edge.Operation{
		ID: "campaign-orders", Method: "GET", Path: "/v1/host/campaigns/{campaign}/orders", Tag: "团长 · 订单", Summary: "这场接龙的订单",
	}, a.campaignOrders)
	edge.Register(a.edge, edge.Operation{
		ID: "ship", Method: "POST", Path: "/v1/host/orders/{order}/ship", Tag: "团长 · 订单", Summary: "发货，或通知到店自提；没有运单号的交付购物者可一键否认",
		Recorded: true,
	}, func(ctx context.Context, in *shipInput) (*orderOutput, error) {
		return viewOrder(a.orders.Ship(ctx, memberOf(ctx), in.Order, order.ShipInput{
			Kind: in.Body.Kind, Company: in.Body.Company, Tracking: in.Body.Tracking,
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "collect", Method: "POST", Path: "/v1/host/orders/{order}/collect", Tag: "团长 · 订单",
		Summary: "自提交付：团长或自提点负责人输入购物者出示的提货码", Recorded: true,
	}, func(ctx context.Context, in *collectInput) (*orderOutput, error) {
		return viewOrder(a.orders.Collect(ctx, order.CollectInput{By: memberOf(ctx), Order: in.Order, Code: in.Body.Code}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "host-refund", Method: "POST", Path: "/v1/host/orders/{order}/refunds", Tag: "团长 · 订单", Summary: "给购物者退款；超出团长权限的等待品牌处理", Status: 201,
	}, func(ctx context.Context, in *refundInput) (*refundOutput, error) {
		if _, err := a.orders.GetHosted(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		return viewRefund(a.orders.Refund(ctx, in.asked(memberOf(ctx))))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "approve-refund", Method: "POST", Path: "/v1/host/orders/{order}/refunds/{refund}/approve", Tag: "团长 · 订单", Summary: "同意退款；超出团长权限的转给品牌",
		Recorded: true,
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		RefundPath
	},
	) (*refundOutput, error) {
		return viewRefund(a.orders.ApproveRefund(ctx, memberOf(ctx), in.Order, in.Refund))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "refuse-refund", Method: "POST", Path: "/v1/host/orders/{order}/refunds/{refund}/refuse", Tag: "团长 · 订单", Summary: "不同意退款",
		Recorded: true,
	}, func(ctx context.Context, in *refuseInput) (*refundOutput, error) {
		return viewRefund(a.orders.RefuseRefund(ctx, memberOf(ctx), in.Order, in.Refund, in.Body.Words))
	})
}

func (a *API) campaignOrders(ctx context.Context, in *struct {
	CampaignPath
	edge.Paged
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
