package miniprogramapi

import (
	"context"
	"time"

	"guanxi/community"
	"guanxi/groupbuy"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

type CampaignPath struct {
	Campaign string `path:"campaign" minLength:"1" maxLength:"64"`
}

type itemView struct {
	SKU       string    `json:"sku"`
	Product   string    `json:"product"`
	Name      string    `json:"name"`
	Price     money.Fen `json:"price_fen"`
	PerPerson int64     `json:"per_person,omitempty" doc:"每人限购件数"`
	Total     int64     `json:"total,omitempty" doc:"本次接龙限量"`
	Left      int64     `json:"left" doc:"还可以卖多少件"`
	SoldOut   bool      `json:"sold_out"`
}

type progressView struct {
	Seats  int64     `json:"seats" doc:"已接龙人次，只数真实付款的"`
	Units  int64     `json:"units"`
	Amount money.Fen `json:"amount_fen"`
	Formed bool      `json:"formed" doc:"按现在的人数是否成团"`
	// Missing is said only while people are missing.
	Missing int64 `json:"missing_people,omitempty" doc:"还差几人成团：一人多单只算一人，退款后不算，团长本人不算"`
}

type campaignView struct {
	ID        string         `json:"id"`
	Title     string         `json:"title"`
	Words     string         `json:"words,omitempty"`
	State     groupbuy.State `json:"state"`
	StateText string         `json:"state_text"`
	Host      Person         `json:"host" doc:"谁在推荐"`
	Community string         `json:"community"`
	Items     []itemView     `json:"items"`
	StartsAt  time.Time      `json:"starts_at"`
	EndsAt    time.Time      `json:"ends_at"`
	PerPerson int64          `json:"per_person,omitempty"`
	MinSeats  int64          `json:"min_seats,omitempty" doc:"成团人次"`
	MinUnits  int64          `json:"min_units,omitempty"`
	Pickup    []string       `json:"pickup,omitempty" nullable:"false"`
	Progress  progressView   `json:"progress"`
	Newest    []seatView     `json:"newest_seats" doc:"最近接龙的人"`
}

type seatView struct {
	Number   int64     `json:"number" doc:"接龙号"`
	Nickname string    `json:"nickname"`
	Units    int64     `json:"units"`
	Left     bool      `json:"left,omitempty" doc:"已退出"`
	At       time.Time `json:"at"`
}

type campaignOutput struct{ Body campaignView }

type campaignCard struct {
	ID        string         `json:"id"`
	Title     string         `json:"title"`
	State     groupbuy.State `json:"state"`
	StateText string         `json:"state_text"`
	Host      Person         `json:"host"`
	From      money.Fen      `json:"from_fen" doc:"最低单价"`
	Items     int            `json:"items"`
	StartsAt  time.Time      `json:"starts_at"`
	EndsAt    time.Time      `json:"ends_at"`
	Progress  progressView   `json:"progress"`
}

type feedOutput struct {
	Body feedBody
}

type feedBody struct {
	Campaigns []campaignCard `json:"campaigns"`
	Next      string         `json:"next,omitempty"`
}

type seatsOutput struct {
	Body struct {
		Seats []seatView `json:"seats"`
		Next  string     `json:"next,omitempty"`
	}
}

func (a *API) declareCampaigns() {
	edge.Register(a.edge, edge.Operation{
		ID: "feed", Method: "GET", Path: "/v1/communities/{community}/feed", Tag: "接龙", Summary: "社群里的接龙", ETag: true,
	}, a.feed)
	edge.Register(a.edge, edge.Operation{
		ID: "campaign", Method: "GET", Path: "/v1/campaigns/{campaign}", Tag: "接龙", Summary: "接龙页：谁推荐、多少钱、谁在里面", ETag: true,
	}, func(ctx context.Context, in *struct{ CampaignPath }) (*campaignOutput, error) {
		view, err := shared(ctx, a.pages, "campaign:"+in.Campaign, func(ctx context.Context) (*campaignView, error) {
			c, err := a.visibleCampaign(ctx, in.Campaign)
			if err != nil {
				return nil, err
			}
			return a.viewCampaign(ctx, c)
		})
		if err != nil {
			return nil, err
		}
		return &campaignOutput{*view}, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "seats", Method: "GET", Path: "/v1/campaigns/{campaign}/seats", Tag: "接龙", Summary: "接龙名单，按接龙号", ETag: true,
	}, a.seats)
}

// visibleCampaign is a campaign that anybody with the link may see: published, not a draft.
func (a *API) visibleCampaign(ctx context.Context, campaign string) (*groupbuy.Campaign, error) {
	c, err := a.campaigns.Get(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if c.State == groupbuy.Draft {
		return nil, groupbuy.ErrNotFound
	}
	return c, nil
}

// feed is for the community's own people; others do not learn what is sold there.
func (a *API) feed(ctx context.Context, in *struct {
	CommunityPath
	edge.Paged
},
) (*feedOutput, error) {
	if err := a.requireMember(ctx, in.Community); err != nil {
		return nil, err
	}
	read := func(ctx context.Context) (*feedBody, error) {
		page, err := a.campaigns.Feed(ctx, in.Community, groupbuy.Paging{Limit: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		cards, err := a.cards(ctx, page.Items)
		return &feedBody{cards, page.Next}, err
	}
	if in.Cursor != "" || in.Limit != 20 { // only the first page is what everybody polls
		body, err := read(ctx)
		if err != nil {
			return nil, err
		}
		return &feedOutput{*body}, nil
	}
	body, err := shared(ctx, a.pages, "feed:"+in.Community, read)
	if err != nil {
		return nil, err
	}
	return &feedOutput{*body}, nil
}

func (a *API) cards(ctx context.Context, campaigns []*groupbuy.Campaign) ([]campaignCard, error) {
	hosts := make([]string, len(campaigns))
	for i, c := range campaigns {
		hosts[i] = c.Host
	}
	people, err := a.people(ctx, hosts...)
	if err != nil {
		return nil, err
	}
	out := make([]campaignCard, len(campaigns))
	for i, c := range campaigns {
		progress, err := a.progressOf(ctx, c)
		if err != nil {
			return nil, err
		}
		out[i] = campaignCard{
			ID: c.ID, Title: c.Title, State: c.State, StateText: campaignText(c, progress), Host: people[c.Host], Items: len(c.Items),
			StartsAt: c.StartsAt, EndsAt: c.EndsAt, Progress: viewProgress(progress),
		}
		for _, item := range c.Items {
			if out[i].From == 0 || item.Price < out[i].From {
				out[i].From = item.Price
			}
		}
	}
	return out, nil
}

func (a *API) viewCampaign(ctx context.Context, c *groupbuy.Campaign) (*campaignView, error) {
	progress, err := a.progressOf(ctx, c)
	if err != nil {
		return nil, err
	}
	people, err := a.people(ctx, c.Host)
	if err != nil {
		return nil, err
	}
	v := &campaignView{
		ID: c.ID, Title: c.Title, Words: c.Words, State: c.State, StateText: campaignText(c, progress), Host: people[c.Host],
		Community: c.Community, StartsAt: c.StartsAt, EndsAt: c.EndsAt, PerPerson: c.PerPerson, MinSeats: c.MinSeats,
		MinUnits: c.MinUnits, Pickup: c.Pickup, Progress: viewProgress(progress),
	}
	if v.Items, err = a.viewItems(ctx, c); err != nil {
		return nil, err
	}
	page, err := a.campaigns.Seats(ctx, c.ID, groupbuy.Paging{Limit: 10, Newest: true})
	if err != nil {
		return nil, err
	}
	v.Newest, err = a.viewSeats(ctx, page.Items)
	return v, err
}

func (a *API) viewItems(ctx context.Context, c *groupbuy.Campaign) ([]itemView, error) {
	skus := make([]string, len(c.Items))
	for i, item := range c.Items {
		skus[i] = item.SKU
	}
	available, err := a.catalog.Available(ctx, skus)
	if err != nil {
		return nil, err
	}
	remaining, err := a.campaigns.Remaining(ctx, c)
	if err != nil {
		return nil, err
	}
	out := make([]itemView, len(c.Items))
	for i, item := range c.Items {
		left := available[item.SKU]
		if limit, limited := remaining[item.SKU]; limited {
			left = min(left, limit)
		}
		out[i] = itemView{
			SKU: item.SKU, Product: item.Product, Name: item.Name, Price: item.Price, PerPerson: item.PerPerson,
			Total: item.Total, Left: left, SoldOut: left <= 0,
		}
	}
	return out, nil
}

func (a *API) seats(ctx context.Context, in *struct {
	CampaignPath
	edge.Paged
},
) (*seatsOutput, error) {
	if _, err := a.visibleCampaign(ctx, in.Campaign); err != nil {
		return nil, err
	}
	page, err := a.campaigns.Seats(ctx, in.Campaign, groupbuy.Paging{Limit: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &seatsOutput{}
	out.Body.Next = page.Next
	out.Body.Seats, err = a.viewSeats(ctx, page.Items)
	return out, err
}

func (a *API) viewSeats(ctx context.Context, seats []*groupbuy.Seat) ([]seatView, error) {
	ids := make([]string, len(seats))
	for i, s := range seats {
		ids[i] = s.Member
	}
	people, err := a.people(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]seatView, len(seats))
	for i, s := range seats {
		out[i] = seatView{Number: s.Number, Nickname: people[s.Member].Nickname, Units: s.Units, Left: s.Left, At: s.PaidAt}
	}
	return out, nil
}

// requireMember lets in members of a community and its host; for others it does not exist.
func (a *API) requireMember(ctx context.Context, communityID string) error {
	belongs, err := a.communities.IsMember(ctx, communityID, memberOf(ctx))
	if err != nil || belongs {
		return err
	}
	if a.communities.RequireHost(ctx, communityID, memberOf(ctx)) != nil {
		return community.ErrNotFound
	}
	return nil
}

// progressOf is nothing at all for a draft.
func (a *API) progressOf(ctx context.Context, c *groupbuy.Campaign) (groupbuy.Progress, error) {
	if c.State == groupbuy.Draft {
		return groupbuy.Progress{}, nil
	}
	return a.campaigns.Progress(ctx, c.ID)
}

func viewProgress(p groupbuy.Progress) progressView {
	return progressView{p.Seats, p.Units, p.Amount, p.Formed, p.Missing}
}

// campaignText is what a shopper reads.
func campaignText(c *groupbuy.Campaign, now groupbuy.Progress) string {
	switch c.State {
	case groupbuy.Draft:
		return "草稿"
	case groupbuy.Scheduled:
		return "即将开始"
	case groupbuy.Open:
		switch {
		case now.Formed:
			return "接龙中，已成团"
		case c.Formed():
			return "接龙中，成团后有人退出；已确认的订单照常履约"
		}
		return "接龙中"
	case groupbuy.Closed:
		return "已截止"
	case groupbuy.Settled:
		return "已结束"
	case groupbuy.Failed:
		return "未成团，已退款"
	case groupbuy.Cancelled:
		return "已取消"
	}
	return string(c.State)
}
