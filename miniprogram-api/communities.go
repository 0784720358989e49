package miniprogramapi

import (
	"context"
	"time"

	"guanxi/catalog"
	"guanxi/community"
	"guanxi/internal/edge"
)

type CommunityPath struct {
	Community string `path:"community" minLength:"1" maxLength:"64"`
}

type point struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Hours   string `json:"hours,omitempty"`
	// Keeper is the host's business: others do not see it.
	Keeper *Person `json:"keeper,omitempty" doc:"自提点负责人，仅团长可见；退出社群后不再生效"`
}

type communityView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Words    string    `json:"words,omitempty"`
	Notice   string    `json:"notice,omitempty"`
	Host     Person    `json:"host"`
	Members  int       `json:"members"`
	Joined   bool      `json:"joined" doc:"我是否在这个社群里"`
	Pickups  []point   `json:"pickup_points"`
	OpenedAt time.Time `json:"opened_at"`
}

// person is how members see each other: never a phone, never an openid.
type Person struct {
	ID       string `json:"id"`
	Nickname string `json:"nickname"`
	Avatar   string `json:"avatar,omitempty"`
}

type communityOutput struct{ Body communityView }

type communitiesOutput struct {
	Body struct {
		Communities []communityView `json:"communities"`
		Next        string          `json:"next,omitempty"`
	}
}

type joinInput struct {
	edge.Keyed
	CommunityPath
	Body struct {
		Share string `json:"share,omitempty" maxLength:"32" doc:"通过哪一次分享加入"`
	}
}

type pickView struct {
	Product  string    `json:"product"`
	Name     string    `json:"name"`
	Image    string    `json:"image,omitempty"`
	Reason   string    `json:"reason" doc:"团长的推荐理由"`
	Rank     int       `json:"rank"`
	SKUs     []skuView `json:"skus"`
	PickedAt time.Time `json:"picked_at"`
}

type shelfOutput struct {
	Body struct {
		Picks []pickView `json:"picks"`
		Next  string     `json:"next,omitempty"`
	}
}

func (a *API) declareCommunities() {
	edge.Register(a.edge, edge.Operation{
		ID: "my-communities", Method: "GET", Path: "/v1/communities", Tag: "社群", Summary: "我加入的社群",
	}, a.myCommunities)
	edge.Register(a.edge, edge.Operation{
		ID: "community", Method: "GET", Path: "/v1/communities/{community}", Tag: "社群", Summary: "社群主页",
	}, func(ctx context.Context, in *struct{ CommunityPath }) (*communityOutput, error) {
		c, err := a.communities.Get(ctx, in.Community)
		if err != nil {
			return nil, err
		}
		view, err := a.viewCommunity(ctx, c)
		return &communityOutput{view}, err
	})
	edge.Register(a.edge, edge.Operation{
		ID: "join", Method: "POST", Path: "/v1/communities/{community}/join", Tag: "社群", Summary: "加入社群",
		Recorded: true,
	}, func(ctx context.Context, in *joinInput) (*communityOutput, error) {
		join := community.JoinInput{Community: in.Community, Member: memberOf(ctx), Via: in.Body.Share}
		if _, err := a.communities.Join(ctx, join); err != nil {
			return nil, err
		}
		c, err := a.communities.Get(ctx, in.Community)
		if err != nil {
			return nil, err
		}
		view, err := a.viewCommunity(ctx, c)
		return &communityOutput{view}, err
	})
	edge.Register(a.edge, edge.Operation{
		ID: "leave", Method: "POST", Path: "/v1/communities/{community}/leave", Tag: "社群", Summary: "退出社群", Status: 204,
		Recorded: true,
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		CommunityPath
	},
	) (*emptyOutput, error) {
		return nil, a.communities.Leave(ctx, in.Community, memberOf(ctx))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "shelf", Method: "GET", Path: "/v1/communities/{community}/shelf", Tag: "社群", Summary: "团长选品", ETag: true,
	}, a.shelf)
}

func (a *API) myCommunities(ctx context.Context, in *struct{ edge.Paged }) (*communitiesOutput, error) {
	page, err := a.communities.Mine(ctx, memberOf(ctx), community.Paging{First: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(page.Items))
	for i, m := range page.Items {
		ids[i] = m.Community
	}
	found, err := a.communities.Many(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := &communitiesOutput{}
	out.Body.Communities, out.Body.Next = []communityView{}, page.Next
	for _, docID := range ids {
		if c := found[docID]; c != nil {
			view, err := a.viewCommunity(ctx, c)
			if err != nil {
				return nil, err
			}
			out.Body.Communities = append(out.Body.Communities, view)
		}
	}
	return out, nil
}

func (a *API) viewCommunity(ctx context.Context, c *community.Community) (communityView, error) {
	view := communityView{
		ID: c.ID, Name: c.Name, Words: c.Words, Notice: c.Notice, Pickups: []point{}, OpenedAt: c.CreatedAt,
	}
	ids := []string{c.Host}
	for _, p := range c.Points {
		if p.Keeper != "" && memberOf(ctx) == c.Host {
			ids = append(ids, p.Keeper)
		}
	}
	people, err := a.people(ctx, ids...)
	if err != nil {
		return view, err
	}
	for _, p := range c.Points {
		if p.Closed {
			continue
		}
		shown := viewPoint(p, people)
		if memberOf(ctx) != c.Host {
			shown.Keeper = nil
		}
		view.Pickups = append(view.Pickups, shown)
	}
	view.Host = people[c.Host]
	if view.Members, err = a.communities.MemberCount(ctx, c.ID); err != nil {
		return view, err
	}
	view.Joined, err = a.communities.IsMember(ctx, c.ID, memberOf(ctx))
	return view, err
}

// viewPoint shows a pickup point to its host.
func viewPoint(p community.Point, people map[string]Person) point {
	view := point{ID: p.ID, Name: p.Name, Address: p.Address, Hours: p.Hours}
	if p.Keeper != "" {
		keeper := people[p.Keeper]
		view.Keeper = &keeper
	}
	return view
}

// people loads nicknames; somebody who is gone has an empty one.
func (a *API) people(ctx context.Context, ids ...string) (map[string]Person, error) {
	profiles, err := a.members.Profiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Person, len(ids))
	for _, memberID := range ids {
		p := profiles[memberID]
		found[memberID] = Person{ID: memberID, Nickname: p.Nickname, Avatar: p.Avatar}
	}
	return found, nil
}

// shelf is for the community's own people, as the feed is.
func (a *API) shelf(ctx context.Context, in *struct {
	CommunityPath
	edge.Paged
},
) (*shelfOutput, error) {
	if err := a.requireMember(ctx, in.Community); err != nil {
		return nil, err
	}
	page, err := a.communities.Shelf(ctx, in.Community, community.Paging{First: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(page.Items))
	for i, p := range page.Items {
		ids[i] = p.Product
	}
	products, err := a.catalog.Products(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := &shelfOutput{}
	out.Body.Picks, out.Body.Next = []pickView{}, page.Next
	for _, p := range page.Items {
		if product := products[p.Product]; product != nil {
			out.Body.Picks = append(out.Body.Picks, viewPick(p, product))
		}
	}
	return out, nil
}

func viewPick(p *community.Pick, product *catalog.Product) pickView {
	return pickView{
		Product: p.Product, Name: product.Name, Image: product.Image, Reason: p.Reason, Rank: p.Rank,
		SKUs: viewSKUs(product), PickedAt: p.PickedAt,
	}
}
