package miniprogramapi

import (
	"context"
	"time"

	"guanxi/catalog"
	"guanxi/community"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

type skuView struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Price money.Fen `json:"price_fen"`
}

type createCommunityInput struct {
	edge.Keyed
	Body struct {
		Name  string `json:"name" minLength:"1" maxLength:"120"`
		Words string `json:"words,omitempty" maxLength:"2000" doc:"社群介绍"`
	}
}

type editCommunityInput struct {
	edge.Keyed
	CommunityPath
	Body struct {
		Name   *string `json:"name,omitempty" minLength:"1" maxLength:"120" nullable:"false" doc:"不填则不改"`
		Words  *string `json:"words,omitempty" maxLength:"2000" nullable:"false" doc:"不填则不改，空文本为清除"`
		Notice *string `json:"notice,omitempty" maxLength:"2000" nullable:"false" doc:"公告；不填则不改，空文本为清除"`
	}
}

type pickupInput struct {
	edge.Keyed
	CommunityPath
	Body struct {
		Name    string `json:"name" minLength:"1" maxLength:"120"`
		Address string `json:"address" minLength:"1" maxLength:"480"`
		Phone   string `json:"phone,omitempty" maxLength:"20" doc:"加密保存，不在列表中展示"`
		Hours   string `json:"hours,omitempty" maxLength:"240"`
		Keeper  string `json:"keeper,omitempty" maxLength:"64" doc:"负责这个自提点的会员，须是本社群成员"`
	}
}

type keeperInput struct {
	edge.Keyed
	CommunityPath
	Point string `path:"point" minLength:"1" maxLength:"64"`
	Body  struct {
		Keeper string `json:"keeper" maxLength:"64" doc:"本社群成员；空为不设负责人"`
	}
}

type pointOutput struct{ Body point }

type memberView struct {
	Person
	JoinedAt time.Time `json:"joined_at"`
}

type membersOutput struct {
	Body struct {
		Members []memberView `json:"members"`
		Next    string       `json:"next,omitempty"`
	}
}

type pickInput struct {
	edge.Keyed
	CommunityPath
	Product string `path:"product" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9:_.@|-]+$"`
	Body    struct {
		Reason *string `json:"reason,omitempty" maxLength:"800" nullable:"false" doc:"为什么推荐给这些人；不填则不改，空文本为清除"`
		Rank   *int    `json:"rank,omitempty" minimum:"0" maximum:"1000000" nullable:"false" doc:"小的在前；不填则不改"`
	}
}

type pickOutput struct{ Body pickView }

// goodView is a SKU as a host sees it before picking.
type goodView struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Price money.Fen `json:"price_fen" doc:"品牌价"`
	Floor money.Fen `json:"floor_fen" doc:"团长可定的最低价"`
}

type productView struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Words    string     `json:"words,omitempty"`
	Category string     `json:"category"`
	Image    string     `json:"image,omitempty"`
	SKUs     []goodView `json:"skus"`
}

type productsOutput struct {
	Body struct {
		Products []productView `json:"products"`
		Next     string        `json:"next,omitempty"`
	}
}

func (a *API) declareHosting() {
	edge.Register(a.edge, edge.Operation{
		ID: "create-community", Method: "POST", Path: "/v1/host/communities", Tag: "团长 · 社群", Summary: "新建社群", Status: 201,
	}, func(ctx context.Context, in *createCommunityInput) (*communityOutput, error) {
		return a.showCommunity(ctx)(a.communities.Create(ctx, community.CreateInput{
			Host: memberOf(ctx), Key: in.Key, Name: in.Body.Name, Words: in.Body.Words,
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "hosted-communities", Method: "GET", Path: "/v1/host/communities", Tag: "团长 · 社群", Summary: "我的社群",
	}, a.hostedCommunities)
	edge.Register(a.edge, edge.Operation{
		ID: "edit-community", Method: "PUT", Path: "/v1/host/communities/{community}", Tag: "团长 · 社群", Summary: "修改社群",
		Recorded: true,
	}, func(ctx context.Context, in *editCommunityInput) (*communityOutput, error) {
		return a.showCommunity(ctx)(a.communities.Edit(ctx, community.EditInput{
			Host: memberOf(ctx), Community: in.Community, Name: in.Body.Name, Words: in.Body.Words, Notice: in.Body.Notice,
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "community-members", Method: "GET", Path: "/v1/host/communities/{community}/members", Tag: "团长 · 社群", Summary: "社群成员",
	}, a.communityMembers)
	a.declareApplication()
	a.declareHostMembers()
	a.declarePickupPoints()
	a.declarePicks()
	a.declareHostCampaigns()
	a.declareHostOrders()
}

func (a *API) declarePickupPoints() {
	edge.Register(a.edge, edge.Operation{
		ID: "add-pickup-point", Method: "POST", Path: "/v1/host/communities/{community}/pickup-points", Tag: "团长 · 社群",
		Summary: "增加自提点", Status: 201, Recorded: true,
	}, func(ctx context.Context, in *pickupInput) (*pointOutput, error) {
		return a.showPoint(ctx)(a.communities.AddPickupPoint(ctx, memberOf(ctx), in.Community, community.PickupInput{
			Key: in.Key, Name: in.Body.Name, Address: in.Body.Address, Phone: in.Body.Phone, Hours: in.Body.Hours,
			Keeper: in.Body.Keeper,
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "set-pickup-keeper", Method: "PUT", Path: "/v1/host/communities/{community}/pickup-points/{point}/keeper", Tag: "团长 · 社群",
		Summary: "指定或取消自提点负责人：对此后下的订单有效", Recorded: true,
	}, a.setKeeper)
}

func (a *API) setKeeper(ctx context.Context, in *keeperInput) (*pointOutput, error) {
	if err := a.communities.SetKeeper(ctx, memberOf(ctx), in.Community, in.Point, in.Body.Keeper); err != nil {
		return nil, err
	}
	c, err := a.communities.Get(ctx, in.Community)
	if err != nil {
		return nil, err
	}
	for _, p := range c.Points {
		if p.ID == in.Point {
			return a.showPoint(ctx)(p, nil)
		}
	}
	return nil, community.ErrPointNotFound
}

func (a *API) showPoint(ctx context.Context) func(community.Point, error) (*pointOutput, error) {
	return func(p community.Point, err error) (*pointOutput, error) {
		if err != nil {
			return nil, err
		}
		if p.Keeper == "" {
			return &pointOutput{viewPoint(p, nil)}, nil
		}
		people, err := a.people(ctx, p.Keeper)
		return &pointOutput{viewPoint(p, people)}, err
	}
}

func (a *API) declarePicks() {
	edge.Register(a.edge, edge.Operation{
		ID: "products", Method: "GET", Path: "/v1/host/products", Tag: "团长 · 选品", Summary: "品牌商品库",
	}, a.products)
	edge.Register(a.edge, edge.Operation{
		ID: "pick", Method: "PUT", Path: "/v1/host/communities/{community}/picks/{product}", Tag: "团长 · 选品", Summary: "选品上架，写推荐理由",
		Recorded: true,
	}, func(ctx context.Context, in *pickInput) (*pickOutput, error) {
		p, err := a.communities.Pick(ctx, memberOf(ctx), in.Community, community.PickInput{
			Product: in.Product, Reason: in.Body.Reason, Rank: in.Body.Rank,
		})
		if err != nil {
			return nil, err
		}
		product, err := a.catalog.Product(ctx, in.Product)
		if err != nil {
			return nil, err
		}
		return &pickOutput{viewPick(p, product)}, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "unpick", Method: "DELETE", Path: "/v1/host/communities/{community}/picks/{product}", Tag: "团长 · 选品", Summary: "下架", Status: 204,
		Recorded: true,
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		CommunityPath
		Product string `path:"product" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9:_.@|-]+$"`
	},
	) (*emptyOutput, error) {
		return nil, a.communities.Unpick(ctx, memberOf(ctx), in.Community, in.Product)
	})
}

func (a *API) showCommunity(ctx context.Context) func(*community.Community, error) (*communityOutput, error) {
	return func(c *community.Community, err error) (*communityOutput, error) {
		if err != nil {
			return nil, err
		}
		view, err := a.viewCommunity(ctx, c)
		return &communityOutput{view}, err
	}
}

func (a *API) hostedCommunities(ctx context.Context, in *struct{ edge.Paged }) (*communitiesOutput, error) {
	page, err := a.communities.ByHost(ctx, memberOf(ctx), community.Paging{First: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &communitiesOutput{}
	out.Body.Communities, out.Body.Next = make([]communityView, len(page.Items)), page.Next
	for i, c := range page.Items {
		if out.Body.Communities[i], err = a.viewCommunity(ctx, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *API) communityMembers(ctx context.Context, in *struct {
	CommunityPath
	edge.Paged
},
) (*membersOutput, error) {
	page, err := a.communities.Members(ctx, memberOf(ctx), in.Community, community.Paging{First: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(page.Items))
	for i, m := range page.Items {
		ids[i] = m.Member
	}
	people, err := a.people(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := &membersOutput{}
	out.Body.Members, out.Body.Next = make([]memberView, len(page.Items)), page.Next
	for i, m := range page.Items {
		out.Body.Members[i] = memberView{people[m.Member], m.JoinedAt}
	}
	return out, nil
}

func (a *API) products(ctx context.Context, in *struct {
	edge.Paged
	Category string `query:"category" maxLength:"120"`
},
) (*productsOutput, error) {
	if err := a.hosting.MayStart(ctx, memberOf(ctx)); err != nil { // how low a price may go is nobody else's business
		return nil, err
	}
	page, err := a.catalog.List(ctx, in.Category, catalog.Paging{Limit: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &productsOutput{}
	out.Body.Products, out.Body.Next = make([]productView, 0, len(page.Items)), page.Next
	for _, p := range page.Items {
		if p.State == catalog.OnSale {
			out.Body.Products = append(out.Body.Products, productView{p.ID, p.Name, p.Words, p.Category, p.Image, viewGoods(p)})
		}
	}
	return out, nil
}

func viewSKUs(p *catalog.Product) []skuView {
	out := make([]skuView, 0, len(p.SKUs))
	for _, sku := range p.SKUs {
		if !sku.Gone {
			out = append(out, skuView{sku.ID, sku.Name, sku.Price})
		}
	}
	return out
}

func viewGoods(p *catalog.Product) []goodView {
	out := make([]goodView, 0, len(p.SKUs))
	for _, sku := range p.SKUs {
		if !sku.Gone {
			out = append(out, goodView{sku.ID, sku.Name, sku.Price, sku.Lowest()})
		}
	}
	return out
}
