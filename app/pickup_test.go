package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Who keeps a pickup point is named and changed by the host, and only the host sees it.
func TestAHostNamesTheKeeperOfAPickupPoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host, friend, stranger := w.human("王姐"), w.human("小李"), w.human("路人")
	host.approved()
	community := host.must("POST", "/v1/host/communities", map[string]any{"name": "阳光花园", "words": "邻里"}, 201).text("id")
	friend.must("POST", "/v1/communities/"+community+"/join", map[string]any{}, 200)
	points := "/v1/host/communities/" + community + "/pickup-points"
	made := map[string]any{"name": "门卫室", "address": "阳光路 1 号", "keeper": stranger.id}
	if status, out := host.do("POST", points, made); status != 422 || out.text("code") != "COMM_INVALID" {
		t.Error(status, out)
	}
	made["keeper"] = friend.id
	point := host.must("POST", points, made, 201)
	keeper := map[string]any{"id": friend.id, "nickname": "微信用户"}
	if diff := cmp.Diff(any(keeper), point["keeper"]); diff != "" {
		t.Error(diff)
	}
	seen := func(h *human) any {
		t.Helper()
		list := h.must("GET", "/v1/communities/"+community, nil, 200).list("pickup_points")
		return list[0].(map[string]any)["keeper"]
	}
	if diff := cmp.Diff([]any{keeper, nil}, []any{seen(host), seen(friend)}); diff != "" {
		t.Error(diff)
	}
	path := points + "/" + point.text("id") + "/keeper"
	if status, out := host.do("PUT", path, map[string]any{"keeper": stranger.id}); status != 422 || out.text("code") != "COMM_INVALID" {
		t.Error(status, out)
	}
	if status, out := host.do("PUT", points+"/none/keeper", map[string]any{"keeper": ""}); status != 404 || out.text("code") != "COMM_POINT_NOT_FOUND" {
		t.Error(status, out)
	}
	if status, out := friend.do("PUT", path, map[string]any{"keeper": ""}); status != 403 || out.text("code") != "COMM_NOT_HOST" {
		t.Error(status, out)
	}
	if none := host.must("PUT", path, map[string]any{"keeper": ""}, 200); none["keeper"] != nil || seen(host) != nil {
		t.Error(none)
	}
	if back := host.must("PUT", path, map[string]any{"keeper": host.id}, 200); back["keeper"].(map[string]any)["id"] != host.id {
		t.Error(back)
	}
}
