package console

import (
	"context"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/order/authority"
	"guanxi/staff"
)

// Orders is the orders as staff works with them; *order.Service satisfies it.
type Orders interface {
	Get(ctx context.Context, order string) (*order.Order, error)
	WaitingForBrand(ctx context.Context, page order.Page) (docstore.Page[order.Order], error)
	WithIncidents(ctx context.Context, page order.Page) (docstore.Page[order.Order], error)
	DecideForBrand(ctx context.Context, d order.BrandDecision) (order.Refund, error)
	BrandRefund(ctx context.Context, in order.RefundInput) (order.Refund, error)
	BrandShip(ctx context.Context, number string, in order.ShipInput) (*order.Order, error)
}

// SalePath names an order.
type SalePath struct {
	Order string `path:"order" minLength:"1" maxLength:"64"`
}

// Subject implements edge's name of what a write is done to.
func (p SalePath) Subject() string { return "order/" + p.Order }

// SaleView is an order as staff sees it: no note, no phone, no code.
type SaleView struct {
	Order      string            `json:"order"`
	Member     string            `json:"member"`
	Host       string            `json:"host"`
	Keeper     string            `json:"keeper,omitempty"`
	Campaign   string            `json:"campaign"`
	State      order.State       `json:"state" enum:"placed,closing,closed,paid,confirmed,shipped,received,completed,refunding,refunded"`
	Lines      []saleLineView    `json:"lines"`
	Amount     money.Fen         `json:"amount_fen"`
	Returned   money.Fen         `json:"returned_fen"`
	PlacedAt   time.Time         `json:"placed_at"`
	PaidAt     time.Time         `json:"paid_at,omitzero"`
	Shipped    string            `json:"shipped,omitempty" enum:"pickup,express,city"`
	Tracking   string            `json:"tracking,omitempty"`
	ReceivedAt time.Time         `json:"received_at,omitzero"`
	Received   string            `json:"received_how,omitempty" enum:"member,code,automatic,host"`
	WaitsSince time.Time         `json:"waits_since,omitzero" doc:"等待品牌答复自何时"`
	Refunds    []saleRefundView  `json:"refunds" doc:"从旧到新"`
	Incidents  []saleTroubleView `json:"incidents,omitempty"`
	Relations  []Relation        `json:"relations,omitempty" doc:"购物者与团长、自提点负责人之间的关联，仅供参考；只在单个查看时给出"`
}

type saleLineView struct {
	Line  int       `json:"line" doc:"从 1 开始"`
	Name  string    `json:"name"`
	Units int64     `json:"units"`
	Paid  money.Fen `json:"paid_fen"`
}

type saleRefundView struct {
	Number     string             `json:"number"`
	Stage      order.RefundStage  `json:"stage" enum:"requested,refused,replaced,asked,submitted,processing,done,abnormal,closed"`
	By         order.Asker        `json:"by" enum:"member,host,brand,system"`
	Amount     money.Fen          `json:"amount_fen"`
	Lines      []saleRefundedView `json:"lines"`
	Reason     string             `json:"reason"`
	NotArrived bool               `json:"not_arrived,omitempty"`
	Waits      string             `json:"waits,omitempty" enum:"host,brand"`
	Why        []authority.Why    `json:"why,omitempty" nullable:"false" doc:"为什么由品牌答复"`
	Endorsed   bool               `json:"endorsed,omitempty" doc:"团长同意"`
	Voices     []string           `json:"voices,omitempty" nullable:"false" doc:"已同意的员工编号"`
	AskedAt    time.Time          `json:"asked_at"`
	DecideBy   time.Time          `json:"decide_by,omitzero"`
	Problem    string             `json:"problem,omitempty" doc:"平台的错误码，或不同意的说明"`
}

type saleRefundedView struct {
	Line  int   `json:"line"`
	Units int64 `json:"units"`
}

type saleTroubleView struct {
	Kind   order.IncidentKind `json:"kind"`
	Detail string             `json:"detail"`
	At     time.Time          `json:"at"`
}

type saleOutput struct {
	Body struct {
		People
		Nicknames
		SaleView
	}
}

type salesOutput struct {
	Body struct {
		Nicknames
		Orders []SaleView `json:"orders"`
		Next   string     `json:"next,omitempty"`
	}
}

type answerSaleInput struct {
	edge.Keyed
	SalePath
	Refund string `path:"refund" minLength:"1" maxLength:"64"`
	Body   struct {
		Words string `json:"words" minLength:"1" maxLength:"240" doc:"80 字以内；不同意时购物者看得到"`
	}
}

type brandRefundInput struct {
	edge.Keyed
	SalePath
	Body struct {
		Lines []struct {
			Line  int   `json:"line" minimum:"1" maximum:"50"`
			Units int64 `json:"units" minimum:"1" maximum:"9999"`
		} `json:"lines,omitempty" maxItems:"50" nullable:"false" doc:"不填表示剩余的全部"`
		Reason string `json:"reason" minLength:"1" maxLength:"240" doc:"80 字以内，购物者看得到"`
	}
}

type brandShipInput struct {
	edge.Keyed
	SalePath
	Body struct {
		Kind     order.ShipKind `json:"kind" enum:"pickup,express,city"`
		Company  string         `json:"company,omitempty" maxLength:"80"`
		Tracking string         `json:"tracking,omitempty" maxLength:"40"`
	}
}

const tagSales = "订单与售后"

func (c *Console) declareAfterSales() {
	edge.Register(c.edge, edge.Operation{
		ID: "after-sales", Method: "GET", Path: "/console/api/after-sales", Tag: tagSales, Summary: "等待品牌答复的售后，等得最久的在前",
		Permission: string(staff.OrderRead),
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*salesOutput, error) {
		return c.sales(ctx, in.Paged, c.orders.WaitingForBrand)
	})
	c.declareOrderIncidents()
	edge.Register(c.edge, edge.Operation{
		ID: "sale", Method: "GET", Path: "/console/api/orders/{order}", Tag: tagSales, Summary: "一个订单及其售后",
		Permission: string(staff.OrderRead),
	}, func(ctx context.Context, in *SalePath) (*saleOutput, error) { return c.showSale(ctx, in.Order) })
	for _, one := range []struct {
		id, summary string
		release     bool
	}{
		{"approve", "同意退款；金额较大时须另一位同事也同意", true},
		{"refuse", "不同意退款", false},
	} {
		write(c, edge.Operation{
			ID: one.id + "-after-sale", Method: "POST", Path: "/console/api/orders/{order}/refunds/{refund}/" + one.id, Tag: tagSales,
			Summary: one.summary, Permission: string(staff.OrderDecide),
		}, func(ctx context.Context, in *answerSaleInput, d *deed) (*saleOutput, error) {
			d.After = in.Refund + " " + one.id + ": " + in.Body.Words
			return c.onSale(ctx, in.Order, func(by string) error {
				_, err := c.orders.DecideForBrand(ctx, order.BrandDecision{
					Order: in.Order, Refund: in.Refund, By: by, Release: one.release, Words: in.Body.Words,
				})
				return err
			})
		})
	}
	write(c, edge.Operation{
		ID: "brand-refund", Method: "POST", Path: "/console/api/orders/{order}/refunds", Tag: tagSales, Status: 201,
		Summary: "品牌退款；金额较大时等待另一位同事同意", Permission: string(staff.OrderDecide),
	}, func(ctx context.Context, in *brandRefundInput, d *deed) (*saleOutput, error) {
		d.After = in.Body.Reason
		ask := order.RefundInput{Key: in.Key, Order: in.Order, By: edge.Caller(ctx), Reason: in.Body.Reason}
		for _, l := range in.Body.Lines {
			ask.Lines = append(ask.Lines, order.RefundLine{Line: l.Line, Units: l.Units})
		}
		return c.onSale(ctx, in.Order, func(string) error {
			_, err := c.orders.BrandRefund(ctx, ask)
			return err
		})
	})
	write(c, edge.Operation{
		ID: "brand-ship", Method: "POST", Path: "/console/api/orders/{order}/ship", Tag: tagSales,
		Summary: "品牌代为发货：团长自己的订单，或团长不能发货时", Permission: string(staff.OrderDecide),
	}, func(ctx context.Context, in *brandShipInput, d *deed) (*saleOutput, error) {
		d.After = string(in.Body.Kind) + " " + in.Body.Company + " " + in.Body.Tracking
		return c.onSale(ctx, in.Order, func(string) error {
			_, err := c.orders.BrandShip(ctx, in.Order, order.ShipInput{
				Kind: in.Body.Kind, Company: in.Body.Company, Tracking: in.Body.Tracking,
			})
			return err
		})
	})
}

func (c *Console) declareOrderIncidents() {
	edge.Register(c.edge, edge.Operation{
		ID: "order-incidents", Method: "GET", Path: "/console/api/order-incidents", Tag: tagSales, Summary: "有异常的订单，最近的在前",
		Permission: string(staff.OrderRead),
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*salesOutput, error) {
		return c.sales(ctx, in.Paged, c.orders.WithIncidents)
	})
}

// onSale lets an operator who has no part in an order do something with it.
func (c *Console) onSale(ctx context.Context, number string, do func(by string) error) (*saleOutput, error) {
	o, err := c.orders.Get(ctx, number)
	if err != nil {
		return nil, err
	}
	parties := []string{o.Member, o.Host, o.Referral.Direct, o.Referral.Upline}
	if o.Pickup != nil {
		parties = append(parties, o.Pickup.Keeper)
	}
	if err := c.benefits(ctx, parties...); err != nil {
		return nil, err
	}
	if err := do(edge.Caller(ctx)); err != nil {
		return nil, err
	}
	return c.showSale(ctx, number)
}

func (c *Console) sales(
	ctx context.Context, in edge.Paged, list func(context.Context, order.Page) (docstore.Page[order.Order], error),
) (*salesOutput, error) {
	page, err := list(ctx, order.Page{Limit: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &salesOutput{}
	out.Body.Orders, out.Body.Next = each(page.Items, viewSale), page.Next
	var members []string
	for _, o := range page.Items {
		members = append(members, o.Member, o.Host)
	}
	out.Body.Nicknames, err = c.nicknamesOf(ctx, members...)
	return out, err
}

func (c *Console) showSale(ctx context.Context, number string) (*saleOutput, error) {
	o, err := c.orders.Get(ctx, number)
	if err != nil {
		return nil, err
	}
	out := &saleOutput{}
	b := &out.Body
	b.SaleView = viewSale(o)
	if b.Relations, err = c.relatedTo(ctx, b.SaleView); err != nil {
		return nil, err
	}
	var people []string
	for _, r := range o.Refunds {
		people = append(append(people, r.Voices...), r.DecidedBy)
	}
	if b.People, err = c.peopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, o.Member, o.Host, b.Keeper)
	return out, err
}

// relatedTo finds what ties the buyer to those who sell and hand over.
func (c *Console) relatedTo(ctx context.Context, s SaleView) ([]Relation, error) {
	var found []Relation
	for _, one := range []string{s.Host, s.Keeper} {
		if one != "" && one == s.Member {
			found = append(found, Relation{Kind: "self", Members: []string{one}})
		}
	}
	all, err := c.relations.Of(ctx, s.Member)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		for _, m := range r.Members {
			if m == s.Host || m == s.Keeper {
				found = append(found, Relation{r.Kind, []string{m}})
			}
		}
	}
	return found, nil
}

func viewSale(o *order.Order) SaleView {
	v := SaleView{
		Order: o.ID, Member: o.Member, Host: o.Host, Campaign: o.Campaign, State: o.State, Amount: o.Amount, Returned: o.Returned(),
		PlacedAt: o.PlacedAt, ReceivedAt: o.ReceivedAt, Received: o.ReceivedHow, WaitsSince: o.BrandAt,
		Refunds: each(o.Refunds, viewSaleRefund), Incidents: each(o.Incidents, func(i order.Incident) saleTroubleView {
			return saleTroubleView{i.Kind, i.Detail, i.At}
		}),
	}
	for i, l := range o.Lines {
		v.Lines = append(v.Lines, saleLineView{i + 1, l.Name, l.Units, l.Paid})
	}
	if o.Pickup != nil {
		v.Keeper = o.Pickup.Keeper
	}
	if o.Payment != nil {
		v.PaidAt = o.Payment.PaidAt
	}
	if o.Shipment != nil {
		v.Shipped, v.Tracking = string(o.Shipment.Kind), o.Shipment.Tracking
	}
	return v
}

func viewSaleRefund(r order.Refund) saleRefundView {
	v := saleRefundView{
		Number: r.Number, Stage: r.Stage, By: r.By, Amount: r.Amount, Reason: r.Reason, NotArrived: r.NotArrived, Why: r.Why,
		Endorsed: r.Endorsed, Voices: r.Voices, AskedAt: r.AskedAt, DecideBy: r.DecideBy, Problem: r.Problem,
		Lines: each(r.Lines, func(p order.RefundPart) saleRefundedView { return saleRefundedView{p.Line, p.Units} }),
	}
	switch {
	case r.Stage != order.StageRequested:
	case r.Desk == order.DeskBrand:
		v.Waits = "brand"
	default:
		v.Waits = "host"
	}
	return v
}
