package miniprogramapi

import (
	"context"
	"time"

	"guanxi/groupbuy"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

type itemInput struct {
	SKU       string    `json:"sku" minLength:"1" maxLength:"90"`
	Price     money.Fen `json:"price_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"不填用品牌价；不低于商品的 floor_fen"`
	PerPerson int64     `json:"per_person,omitempty" minimum:"0" maximum:"1000000"`
	Total     int64     `json:"total,omitempty" minimum:"0" maximum:"1000000"`
}

type draftBody struct {
	Title     string      `json:"title" minLength:"1" maxLength:"240"`
	Words     string      `json:"words,omitempty" maxLength:"8000"`
	Items     []itemInput `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
	StartsAt  time.Time   `json:"starts_at"`
	EndsAt    time.Time   `json:"ends_at"`
	PerPerson int64       `json:"per_person,omitempty" minimum:"0" maximum:"1000000"`
	MinSeats  int64       `json:"min_seats,omitempty" minimum:"0" maximum:"100000"`
	MinUnits  int64       `json:"min_units,omitempty" minimum:"0" maximum:"1000000"`
	Pickup    []string    `json:"pickup,omitempty" maxItems:"50" nullable:"false"`
}

type draftInput struct {
	edge.Keyed
	CommunityPath
	Body draftBody
}

type editCampaignInput struct {
	edge.Keyed
	CampaignPath
	Body editBody
}

// editBody changes what it has; the rest stays.
type editBody struct {
	Title     *string      `json:"title,omitempty" minLength:"1" maxLength:"240" nullable:"false" doc:"不填则不改，以下各项相同"`
	Words     *string      `json:"words,omitempty" maxLength:"8000" nullable:"false" doc:"空文本为清除"`
	Items     *[]itemInput `json:"items,omitempty" minItems:"1" maxItems:"100" nullable:"false" doc:"整个列表"`
	StartsAt  *time.Time   `json:"starts_at,omitempty" nullable:"false"`
	EndsAt    *time.Time   `json:"ends_at,omitempty" nullable:"false"`
	PerPerson *int64       `json:"per_person,omitempty" minimum:"0" maximum:"1000000" nullable:"false" doc:"0 为不限"`
	MinSeats  *int64       `json:"min_seats,omitempty" minimum:"0" maximum:"100000" nullable:"false"`
	MinUnits  *int64       `json:"min_units,omitempty" minimum:"0" maximum:"1000000" nullable:"false"`
	Pickup    *[]string    `json:"pickup,omitempty" maxItems:"50" nullable:"false" doc:"整个列表；空列表为社群所有营业的自提点"`
}

func (b *editBody) onto(in *groupbuy.DraftInput) {
	keep(&in.Title, b.Title)
	keep(&in.Words, b.Words)
	keep(&in.StartsAt, b.StartsAt)
	keep(&in.EndsAt, b.EndsAt)
	keep(&in.PerPerson, b.PerPerson)
	keep(&in.MinSeats, b.MinSeats)
	keep(&in.MinUnits, b.MinUnits)
	keep(&in.Pickup, b.Pickup)
	if b.Items != nil {
		in.Items = itemsOf(*b.Items)
	}
}

// keep puts a value in its place when one was sent.
func keep[T any](place, sent *T) {
	if sent != nil {
		*place = *sent
	}
}

func itemsOf(sent []itemInput) []groupbuy.ItemInput {
	items := make([]groupbuy.ItemInput, len(sent))
	for i, it := range sent {
		items[i] = groupbuy.ItemInput{SKU: it.SKU, Price: it.Price, PerPerson: it.PerPerson, Total: it.Total}
	}
	return items
}

type campaignWrite struct {
	edge.Keyed
	CampaignPath
}

type cancelInput struct {
	edge.Keyed
	CampaignPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"400"`
	}
}

type copyInput struct {
	edge.Keyed
	CampaignPath
	Body struct {
		StartsAt time.Time `json:"starts_at"`
		EndsAt   time.Time `json:"ends_at"`
	}
}

func (a *API) declareHostCampaigns() {
	edge.Register(a.edge, edge.Operation{
		ID: "draft-campaign", Method: "POST", Path: "/v1/host/communities/{community}/campaigns", Tag: "团长 · 接龙", Summary: "起草接龙", Status: 201,
	}, func(ctx context.Context, in *draftInput) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.campaigns.Draft(ctx, in.Body.of(memberOf(ctx), in.Community, in.Key)))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "hosted-campaigns", Method: "GET", Path: "/v1/host/campaigns", Tag: "团长 · 接龙", Summary: "我的接龙",
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*feedOutput, error) {
		page, err := a.campaigns.ByHost(ctx, memberOf(ctx), groupbuy.Paging{Limit: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		cards, err := a.cards(ctx, page.Items)
		return &feedOutput{feedBody{cards, page.Next}}, err
	})
	edge.Register(a.edge, edge.Operation{
		ID: "hosted-campaign", Method: "GET", Path: "/v1/host/campaigns/{campaign}", Tag: "团长 · 接龙", Summary: "接龙详情，含草稿", ETag: true,
	}, func(ctx context.Context, in *struct{ CampaignPath }) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.hostedCampaign(ctx, in.Campaign))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "edit-campaign", Method: "PUT", Path: "/v1/host/campaigns/{campaign}", Tag: "团长 · 接龙", Summary: "修改草稿或预告",
		Recorded: true,
	}, func(ctx context.Context, in *editCampaignInput) (*campaignOutput, error) {
		if _, err := a.hostedCampaign(ctx, in.Campaign); err != nil {
			return nil, err
		}
		return a.showCampaign(ctx)(a.campaigns.Edit(ctx, memberOf(ctx), in.Campaign, in.Body.onto))
	})
	a.declareCampaignMoves()
}

func (a *API) declareCampaignMoves() {
	edge.Register(a.edge, edge.Operation{
		ID: "publish-campaign", Method: "POST", Path: "/v1/host/campaigns/{campaign}/publish", Tag: "团长 · 接龙", Summary: "发布",
		Recorded: true,
	}, func(ctx context.Context, in *campaignWrite) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.campaigns.Publish(ctx, memberOf(ctx), in.Campaign))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "close-campaign", Method: "POST", Path: "/v1/host/campaigns/{campaign}/close", Tag: "团长 · 接龙", Summary: "提前截止",
		Recorded: true,
	}, func(ctx context.Context, in *campaignWrite) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.campaigns.CloseEarly(ctx, memberOf(ctx), in.Campaign))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "cancel-campaign", Method: "POST", Path: "/v1/host/campaigns/{campaign}/cancel", Tag: "团长 · 接龙", Summary: "取消并全部退款",
		Recorded: true,
	}, func(ctx context.Context, in *cancelInput) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.campaigns.Cancel(ctx, memberOf(ctx), in.Campaign, in.Body.Reason))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "copy-campaign", Method: "POST", Path: "/v1/host/campaigns/{campaign}/copy", Tag: "团长 · 接龙", Summary: "再开一次上周的接龙", Status: 201,
	}, func(ctx context.Context, in *copyInput) (*campaignOutput, error) {
		return a.showCampaign(ctx)(a.campaigns.Copy(ctx, groupbuy.CopyInput{
			Key: in.Key, Host: memberOf(ctx), Campaign: in.Campaign, StartsAt: in.Body.StartsAt, EndsAt: in.Body.EndsAt,
		}))
	})
}

func (b *draftBody) of(host, communityID, key string) groupbuy.DraftInput {
	return groupbuy.DraftInput{
		Key: key, Host: host, Community: communityID, Title: b.Title, Words: b.Words, StartsAt: b.StartsAt, EndsAt: b.EndsAt,
		PerPerson: b.PerPerson, MinSeats: b.MinSeats, MinUnits: b.MinUnits, Pickup: b.Pickup,
		Items: itemsOf(b.Items),
	}
}

// hostedCampaign is a campaign of the caller; somebody else's does not exist.
func (a *API) hostedCampaign(ctx context.Context, campaign string) (*groupbuy.Campaign, error) {
	c, err := a.campaigns.Get(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if c.Host != memberOf(ctx) {
		return nil, groupbuy.ErrNotFound
	}
	return c, nil
}

func (a *API) showCampaign(ctx context.Context) func(*groupbuy.Campaign, error) (*campaignOutput, error) {
	return func(c *groupbuy.Campaign, err error) (*campaignOutput, error) {
		if err != nil {
			return nil, err
		}
		view, err := a.viewCampaign(ctx, c)
		if err != nil {
			return nil, err
		}
		return &campaignOutput{*view}, nil
	}
}
