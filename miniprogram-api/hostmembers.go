package miniprogramapi

import (
	"context"

	"guanxi/internal/edge"
)

// What a host takes back: somebody's membership, a pickup point.

type memberPath struct {
	edge.Keyed
	CommunityPath
	Member string `path:"member" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

type pointPath struct {
	edge.Keyed
	CommunityPath
	Point string `path:"point" minLength:"1" maxLength:"64"`
}

func (a *API) declareHostMembers() {
	edge.Register(a.edge, edge.Operation{
		ID: "remove-member", Method: "DELETE", Path: "/v1/host/communities/{community}/members/{member}", Tag: "团长 · 社群", Status: 204,
		Summary: "移出成员：不能自行再加入", Recorded: true,
	}, func(ctx context.Context, in *memberPath) (*emptyOutput, error) {
		return nil, a.communities.Remove(ctx, memberOf(ctx), in.Community, in.Member)
	})
	edge.Register(a.edge, edge.Operation{
		ID: "readmit-member", Method: "POST", Path: "/v1/host/communities/{community}/members/{member}/readmit", Tag: "团长 · 社群", Status: 204,
		Summary: "让被移出的成员重新加入", Recorded: true,
	}, func(ctx context.Context, in *memberPath) (*emptyOutput, error) {
		return nil, a.communities.Readmit(ctx, memberOf(ctx), in.Community, in.Member)
	})
	edge.Register(a.edge, edge.Operation{
		ID: "close-pickup-point", Method: "DELETE", Path: "/v1/host/communities/{community}/pickup-points/{point}", Tag: "团长 · 社群", Status: 204,
		Summary: "停用自提点：不再接新订单，已下的订单不变", Recorded: true,
	}, func(ctx context.Context, in *pointPath) (*emptyOutput, error) {
		return nil, a.communities.ClosePickupPoint(ctx, memberOf(ctx), in.Community, in.Point)
	})
}
