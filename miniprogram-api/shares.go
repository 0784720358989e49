package miniprogramapi

import (
	"context"
	"net/http"
	"time"

	"guanxi/distribution"
	"guanxi/internal/edge"
)

type shareInput struct {
	edge.Keyed
	Body struct {
		Kind   distribution.Kind `json:"kind" enum:"campaign,community"`
		Target string            `json:"target" minLength:"1" maxLength:"64" doc:"接龙或社群的编号"`
	}
}

type shareView struct {
	ID        string            `json:"id" doc:"同时是小程序码的 scene"`
	Kind      distribution.Kind `json:"kind"`
	Target    string            `json:"target"`
	Community string            `json:"community"`
	Path      string            `json:"path" doc:"onShareAppMessage 的 path"`
	Sharer    Person            `json:"sharer"`
}

type shareOutput struct{ Body shareView }

type SharePath struct {
	Share string `path:"share" minLength:"1" maxLength:"32"`
}

type openInput struct {
	edge.Keyed
	SharePath
	Body struct {
		Scene int `json:"scene,omitempty" minimum:"0" maximum:"100000" doc:"微信场景值，如 1007 单聊、1008 群聊、1047 小程序码"`
	}
}

type bondView struct {
	By             Person    `json:"by" doc:"我的消费记在谁名下"`
	Since          time.Time `json:"since"`
	Until          time.Time `json:"until,omitzero"`
	ProtectedUntil time.Time `json:"protected_until,omitzero"`
	Why            string    `json:"why"`
}

type openOutput struct {
	Body struct {
		Share shareView `json:"share"`
		Bond  *bondView `json:"bond,omitempty"`
	}
}

type whyOutput struct {
	Body struct {
		Summary string    `json:"summary" doc:"一句话说明"`
		Bond    *bondView `json:"bond,omitempty"`
		Lines   []whyLine `json:"lines" doc:"每一步的依据"`
	}
}

type whyLine struct {
	At   time.Time `json:"at"`
	Code string    `json:"code"`
	Text string    `json:"text"`
}

type imageOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (a *API) declareShares() {
	edge.Register(a.edge, edge.Operation{
		ID: "share", Method: "POST", Path: "/v1/shares", Tag: "分享", Summary: "生成分享", Status: 201,
	}, a.share)
	edge.Register(a.edge, edge.Operation{
		ID: "open-share", Method: "POST", Path: "/v1/shares/{share}/open", Tag: "分享", Summary: "打开分享",
		Recorded: true,
	}, a.openShare)
	edge.Register(a.edge, edge.Operation{
		ID: "share-code", Method: "GET", Path: "/v1/shares/{share}/code", Tag: "分享", Summary: "小程序码图片", Weight: 4,
	}, a.shareCode)
	edge.Register(a.edge, edge.Operation{
		ID: "my-bond", Method: "GET", Path: "/v1/me/bond", Tag: "分享", Summary: "我归属于谁，为什么",
	}, a.myBond)
}

func (a *API) share(ctx context.Context, in *shareInput) (*shareOutput, error) {
	input := distribution.ShareInput{Sharer: memberOf(ctx), Kind: in.Body.Kind, Target: in.Body.Target, Key: in.Key}
	switch in.Body.Kind {
	case distribution.KindCampaign:
		c, err := a.visibleCampaign(ctx, in.Body.Target)
		if err != nil {
			return nil, err
		}
		input.Community, input.Host = c.Community, c.Host
	default:
		c, err := a.communities.Get(ctx, in.Body.Target)
		if err != nil {
			return nil, err
		}
		input.Community, input.Host = c.ID, c.Host
	}
	s, err := a.distribution.Share(ctx, input)
	if err != nil {
		return nil, err
	}
	view, err := a.viewShare(ctx, *s)
	return &shareOutput{view}, err
}

func (a *API) openShare(ctx context.Context, in *openInput) (*openOutput, error) {
	opened, err := a.distribution.Open(ctx, distribution.OpenInput{
		Share: in.Share, Visitor: memberOf(ctx), Scene: in.Body.Scene,
	})
	if err != nil {
		return nil, err
	}
	out := &openOutput{}
	if out.Body.Share, err = a.viewShare(ctx, opened.Share); err != nil {
		return nil, err
	}
	out.Body.Bond, err = a.viewBond(ctx, opened.Bond)
	return out, err
}

func (a *API) shareCode(ctx context.Context, in *struct{ SharePath }) (*imageOutput, error) {
	s, err := a.distribution.GetShare(ctx, in.Share)
	if err != nil {
		return nil, err
	}
	if a.codes == nil {
		return nil, edge.ErrAway
	}
	image, err := a.codes.CodeImage(ctx, s.ID, pageOf(s.Kind))
	if err != nil {
		return nil, err
	}
	return &imageOutput{ContentType: http.DetectContentType(image), CacheControl: "private, max-age=86400", Body: image}, nil
}

func (a *API) myBond(ctx context.Context, _ *readInput) (*whyOutput, error) {
	why, err := a.distribution.Why(ctx, memberOf(ctx))
	if err != nil {
		return nil, err
	}
	out := &whyOutput{}
	out.Body.Summary, out.Body.Lines = why.Summary, []whyLine{}
	for _, line := range why.Lines {
		out.Body.Lines = append(out.Body.Lines, whyLine{line.At, line.Code, line.Text})
	}
	out.Body.Bond, err = a.viewBond(ctx, why.Current)
	return out, err
}

func (a *API) viewShare(ctx context.Context, s distribution.Share) (shareView, error) {
	people, err := a.people(ctx, s.Sharer)
	if err != nil {
		return shareView{}, err
	}
	return shareView{
		ID: s.ID, Kind: s.Kind, Target: s.Target, Community: s.Community,
		Path: "/" + pageOf(s.Kind) + "?share=" + s.ID, Sharer: people[s.Sharer],
	}, nil
}

func (a *API) viewBond(ctx context.Context, b *distribution.Standing) (*bondView, error) {
	if b == nil || b.By == "" {
		return nil, nil //nolint:nilnil // nobody is credited: that is an answer
	}
	people, err := a.people(ctx, b.By)
	if err != nil {
		return nil, err
	}
	return &bondView{people[b.By], b.Since, b.Until, b.ProtectedUntil, b.Why}, nil
}

// pageOf is the mini-program page a share leads to.
func pageOf(kind distribution.Kind) string {
	if kind == distribution.KindCampaign {
		return "pages/campaign/campaign"
	}
	return "pages/community/community"
}
