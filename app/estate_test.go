package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/internal/money"
)

// estate is a small world in which everything an operation may be asked about exists.
type estate struct {
	*world
	host, shopper, friend, stranger, rival *human

	sku, product, community, point, campaign, share string
	rivalCommunity                                  string
	made                                            int
}

func newEstate(t *testing.T, w *world) *estate {
	t.Helper()
	e := &estate{world: w}
	e.sku = w.product("赣南脐橙", 5990, 100_000)
	e.product = e.sku[:strings.LastIndexByte(e.sku, '-')]
	e.host, e.shopper, e.friend = w.human("王姐"), w.human("小陈"), w.human("小李")
	e.stranger, e.rival = w.human("路人"), w.human("赵姐")
	e.community, e.campaign = e.host.openCampaign(e.sku, nil)
	e.rivalCommunity, _ = e.rival.openCampaign(e.sku, nil)
	e.point = e.host.must("POST", "/v1/host/communities/"+e.community+"/pickup-points", map[string]any{
		"name": "门卫室", "address": "阳光路 1 号", "phone": "13900139000",
	}, 201).text("id")
	e.host.must("PUT", "/v1/host/communities/"+e.community+"/picks/"+e.product, map[string]any{"reason": "甜"}, 200)
	e.share = e.friend.must("POST", "/v1/shares", map[string]any{"kind": "campaign", "target": e.campaign}, 201).text("id")
	e.shopper.must("POST", "/v1/shares/"+e.share+"/open", map[string]any{"scene": 1007}, 200)
	e.friend.must("POST", "/v1/communities/"+e.community+"/join", map[string]any{}, 200)
	w.settled()
	return e
}

func (e *estate) serial() int { e.made++; return e.made }

func (e *estate) times() map[string]any {
	now := e.clock.Now()
	return map[string]any{
		"starts_at": now.Format(time.RFC3339), "ends_at": now.Add(24 * time.Hour).Format(time.RFC3339),
	}
}

func (e *estate) draftBody() map[string]any {
	body := e.times()
	body["title"] = fmt.Sprintf("第 %d 次接龙", e.serial())
	body["items"] = []any{map[string]any{"sku": e.sku}}
	return body
}

func (e *estate) draft() string {
	return e.host.must("POST", "/v1/host/communities/"+e.community+"/campaigns", e.draftBody(), 201).text("id")
}

func (e *estate) opened() string {
	c := e.draft()
	e.host.must("POST", "/v1/host/campaigns/"+c+"/publish", nil, 200)
	return c
}

func (e *estate) wishes() map[string]any {
	return map[string]any{"campaign": e.campaign, "lines": []any{map[string]any{"sku": e.sku, "units": 1}}}
}

func (e *estate) placed() string {
	return e.shopper.must("POST", "/v1/orders", e.wishes(), 201).text("id")
}

func (e *estate) confirmed() string {
	o := e.placed()
	e.shopper.pay(o)
	e.settled()
	return o
}

func (e *estate) shipped() string {
	o := e.confirmed()
	e.host.must("POST", "/v1/host/orders/"+o+"/ship", map[string]any{"kind": "pickup"}, 200)
	return o
}

// collectable is a confirmed order with a pickup point, and the code its buyer shows there.
func (e *estate) collectable() (order, code string) {
	body := e.wishes()
	body["pickup"] = e.point
	o := e.shopper.must("POST", "/v1/orders", body, 201).text("id")
	e.shopper.pay(o)
	e.settled()
	return o, e.shopper.must("GET", "/v1/orders/"+o, nil, 200).text("collection_code")
}

// claimed is a received order whose buyer wants the money back; the host decides.
func (e *estate) claimed() (order, refund string) {
	o := e.shipped()
	e.shopper.must("POST", "/v1/orders/"+o+"/receive", nil, 200)
	return o, e.shopper.must("POST", "/v1/orders/"+o+"/refunds", map[string]any{"reason": "坏了"}, 201).text("number")
}

func (e *estate) refundPath(what string) string {
	o, r := e.claimed()
	return "/v1/host/orders/" + o + "/refunds/" + r + "/" + what
}

// neighbour is the path of somebody who has just joined the host's community.
func (e *estate) neighbour() string {
	one := e.human(fmt.Sprintf("邻居%d", e.serial()))
	one.must("POST", e.fill("/v1/communities/{community}/join"), map[string]any{}, 200)
	return e.fill("/v1/host/communities/{community}/members/") + one.id
}

// entry is an entry of the friend's purse.
func (e *estate) entry() string {
	e.confirmed()
	return e.friend.must("GET", "/v1/purse", nil, 200).list("newest")[0].(map[string]any)["entry"].(string)
}

// fund gives somebody money that can be withdrawn.
func (e *estate) fund(h *human, amount money.Fen) {
	e.t.Helper()
	v, err := e.Commission.ProposeVoucher(e.t.Context(), commission.VoucherInput{
		Key: fmt.Sprintf("fund-%d", e.serial()), Maker: "clerk", Kind: commission.Adjust, From: commission.Adjustment,
		To: commission.Available.Of(h.id), Amount: amount, Reason: "测试用的余额",
	})
	if err == nil {
		_, err = e.Commission.ApproveVoucher(e.t.Context(), v.ID, "chief", "")
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.settled()
}

// withdrawn is a withdrawal the friend has to confirm.
func (e *estate) withdrawn() string {
	e.fund(e.friend, 100)
	return e.friend.must("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 100}, 201).text("number")
}

type ask struct {
	path string
	body any // nil: none
}

func (a ask) raw() []byte {
	if a.body == nil {
		return nil
	}
	raw, err := json.Marshal(a.body)
	if err != nil {
		panic(err)
	}
	return raw
}

type who int

const (
	nobody who = iota
	stranger
	rival  // hosts another community
	inside // the buyer for a host's operation, the host for a buyer's
	owner  // whose it is
	whos
)

func (w who) String() string {
	return [...]string{"nobody", "another member", "host of another community", "the other side of it", "owner"}[w]
}

// operationCase is one row: how to ask, and what nobody, another member, a host of another community, the other side and
// the owner are told.
type operationCase struct {
	id, method string
	owner      func(*estate) *human
	make       func(*estate) ask
	told       [whos]int
}

// operations is the table of who may do what. The order of the numbers: nobody, another member, a host of another
// community, the other side (the host for a buyer's operation and the other way round), the owner.
func operations() []operationCase {
	host, shopper, friend := func(e *estate) *human { return e.host }, func(e *estate) *human { return e.shopper },
		func(e *estate) *human { return e.friend }
	to := func(path string, body any) func(*estate) ask {
		return func(e *estate) ask {
			if fields, ok := body.(map[string]any); ok {
				filled := map[string]any{}
				for k, v := range fields {
					if text, ok := v.(string); ok {
						v = e.fill(text)
					}
					filled[k] = v
				}
				return ask{e.fill(path), filled}
			}
			return ask{e.fill(path), body}
		}
	}
	with := func(path string, body func(*estate) any) func(*estate) ask {
		return func(e *estate) ask { return ask{e.fill(path), body(e)} }
	}
	order := func(state func(*estate) string, prefix, what string, body any) func(*estate) ask {
		return func(e *estate) ask { return ask{prefix + state(e) + what, body} }
	}
	placed, confirmed, shipped := (*estate).placed, (*estate).confirmed, (*estate).shipped
	draft, opened, withdrawn := (*estate).draft, (*estate).opened, (*estate).withdrawn
	refund := map[string]any{"reason": "不要了", "lines": []any{map[string]any{"line": 1, "units": 1}}}
	type told = [whos]int
	anyMember, nobodys := told{401, 200, 200, 200, 200}, told{401, 404, 404, 404, 200}
	return []operationCase{
		{"login", "POST", shopper, func(e *estate) ask {
			return ask{"/v1/login", map[string]any{"code": e.Sandbox.LoginCode("新人")}}
		}, told{200, 200, 200, 200, 200}},
		{"me", "GET", shopper, to("/v1/me", nil), anyMember},
		{"edit-me", "PATCH", shopper, with("/v1/me", func(e *estate) any {
			return map[string]any{"nickname": "小陈" + e.letters(), "avatar": "https://img.example/a.png"}
		}), anyMember},
		{"bind-phone", "POST", shopper, func(e *estate) ask {
			return ask{"/v1/me/phone", map[string]any{"code": e.phoneCode()}}
		}, anyMember},
		{"unbind-phone", "DELETE", shopper, func(e *estate) ask {
			e.shopper.must("POST", "/v1/me/phone", map[string]any{"code": e.phoneCode()}, 200)
			return ask{"/v1/me/phone", nil}
		}, told{401, 204, 204, 204, 204}},
		{"consents", "GET", shopper, to("/v1/me/consents", nil), anyMember},
		{"consent", "POST", shopper, with("/v1/me/consents", func(e *estate) any {
			return map[string]any{"kind": "marketing", "version": fmt.Sprint(e.serial()), "granted": true}
		}), anyMember},
		{"my-bond", "GET", shopper, to("/v1/me/bond", nil), anyMember},
		{"subscriptions", "GET", friend, to("/v1/me/subscriptions", nil), anyMember},
		{"report-subscriptions", "POST", friend, to("/v1/me/subscriptions", map[string]any{
			"answers": []any{map[string]any{"template": waitingTemplate, "answer": "accept"}},
		}), anyMember},
		{"notices", "GET", friend, to("/v1/me/notices", nil), anyMember},

		{"my-communities", "GET", shopper, to("/v1/communities", nil), anyMember},
		{"community", "GET", shopper, to("/v1/communities/{community}", nil), anyMember},
		{"join", "POST", friend, to("/v1/communities/{community}/join", map[string]any{}), anyMember},
		{"leave", "POST", friend, to("/v1/communities/{community}/leave", nil), told{401, 204, 204, 409, 204}},
		{"shelf", "GET", shopper, to("/v1/communities/{community}/shelf", nil), told{401, 404, 404, 200, 200}},
		{"feed", "GET", shopper, to("/v1/communities/{community}/feed", nil), told{401, 404, 404, 200, 200}},

		{"share", "POST", shopper, to("/v1/shares", map[string]any{"kind": "campaign", "target": "{campaign}"}), told{401, 201, 201, 201, 201}},
		{"open-share", "POST", shopper, to("/v1/shares/{share}/open", map[string]any{"scene": 1007}), anyMember},
		{"share-code", "GET", shopper, to("/v1/shares/{share}/code", nil), anyMember},

		{"campaign", "GET", shopper, to("/v1/campaigns/{campaign}", nil), anyMember},
		{"seats", "GET", shopper, to("/v1/campaigns/{campaign}/seats", nil), anyMember},
		{"quote", "POST", shopper, func(e *estate) ask {
			body := e.wishes()
			delete(body, "campaign")
			return ask{e.fill("/v1/campaigns/{campaign}/quote"), body}
		}, anyMember},
		{"place", "POST", shopper, with("/v1/orders", func(e *estate) any {
			body := e.wishes()
			body["pickup"], body["note"], body["share"] = e.point, "放门口", e.share
			return body
		}), told{401, 201, 201, 201, 201}},
		{"my-orders", "GET", shopper, to("/v1/orders", nil), anyMember},
		{"order", "GET", shopper, order(confirmed, "/v1/orders/", "", nil), nobodys},
		{"prepay", "POST", shopper, order(placed, "/v1/orders/", "/prepay", nil), nobodys},
		{"paid", "POST", shopper, order(placed, "/v1/orders/", "/paid", nil), nobodys},
		{"cancel-order", "POST", shopper, order(placed, "/v1/orders/", "/cancel", nil), nobodys},
		{"receive", "POST", shopper, order(shipped, "/v1/orders/", "/receive", nil), nobodys},
		{"not-arrived", "POST", shopper, order(shipped, "/v1/orders/", "/not-arrived", nil), told{401, 404, 404, 404, 201}},
		{"refund", "POST", shopper, order(confirmed, "/v1/orders/", "/refunds", refund), told{401, 404, 404, 404, 201}},

		// before the next row makes hosts of them all
		{"products", "GET", host, to("/v1/host/products", nil), told{401, 403, 200, 403, 200}},
		{"create-community", "POST", host, with("/v1/host/communities", func(e *estate) any {
			return map[string]any{"name": "花园" + e.letters(), "words": "邻里"}
		}), told{401, 403, 201, 403, 201}},
		{"apply-to-host", "POST", friend, with("/v1/host/application", func(e *estate) any {
			return map[string]any{"words": "想开一个团" + e.letters()}
		}), told{401, 200, 409, 409, 200}},
		{"my-hosting", "GET", friend, to("/v1/host/application", nil), anyMember},
		{"hosted-communities", "GET", host, to("/v1/host/communities", nil), anyMember},
		{"edit-community", "PUT", host, with("/v1/host/communities/{community}", func(e *estate) any {
			return map[string]any{"name": "阳光花园", "words": e.letters(), "notice": "周三到货"}
		}), told{401, 403, 403, 403, 200}},
		{"add-pickup-point", "POST", host, with("/v1/host/communities/{community}/pickup-points", func(e *estate) any {
			return map[string]any{"name": "门卫" + e.letters(), "address": "阳光路", "phone": "13900139000", "hours": "9-18", "keeper": e.host.id}
		}), told{401, 403, 403, 403, 201}},
		{"set-pickup-keeper", "PUT", host, with("/v1/host/communities/{community}/pickup-points/{point}/keeper", func(e *estate) any {
			return map[string]any{"keeper": e.host.id}
		}), told{401, 403, 403, 403, 200}},
		{"community-members", "GET", host, to("/v1/host/communities/{community}/members", nil), told{401, 403, 403, 403, 200}},
		{"remove-member", "DELETE", host, func(e *estate) ask {
			return ask{e.neighbour(), nil}
		}, told{401, 403, 403, 403, 204}},
		{"readmit-member", "POST", host, func(e *estate) ask {
			path := e.neighbour()
			e.host.must("DELETE", path, nil, 204)
			return ask{path + "/readmit", nil}
		}, told{401, 403, 403, 403, 204}},
		{"close-pickup-point", "DELETE", host, func(e *estate) ask {
			points := e.fill("/v1/host/communities/{community}/pickup-points")
			return ask{points + "/" + e.host.must("POST", points, map[string]any{"name": "门卫" + e.letters(), "address": "阳光路"}, 201).text("id"), nil}
		}, told{401, 403, 403, 403, 204}},
		{"pick", "PUT", host, with("/v1/host/communities/{community}/picks/{product}", func(e *estate) any {
			return map[string]any{"reason": "甜" + e.letters(), "rank": 3}
		}), told{401, 403, 403, 403, 200}},
		{"unpick", "DELETE", host, to("/v1/host/communities/{community}/picks/{product}", nil), told{401, 403, 403, 403, 204}},

		{"draft-campaign", "POST", host, with("/v1/host/communities/{community}/campaigns", func(e *estate) any {
			return e.fullDraft()
		}), told{401, 403, 403, 403, 201}},
		{"hosted-campaigns", "GET", host, to("/v1/host/campaigns", nil), anyMember},
		{"hosted-campaign", "GET", host, order(draft, "/v1/host/campaigns/", "", nil), nobodys},
		{"edit-campaign", "PUT", host, func(e *estate) ask {
			return ask{"/v1/host/campaigns/" + e.draft(), e.fullDraft()}
		}, nobodys},
		{"publish-campaign", "POST", host, order(draft, "/v1/host/campaigns/", "/publish", nil), nobodys},
		{"close-campaign", "POST", host, order(opened, "/v1/host/campaigns/", "/close", nil), told{401, 403, 403, 403, 200}},
		{"cancel-campaign", "POST", host, order(opened, "/v1/host/campaigns/", "/cancel", map[string]any{"reason": "下雨"}), told{401, 403, 403, 403, 200}},
		{"copy-campaign", "POST", host, func(e *estate) ask {
			return ask{e.fill("/v1/host/campaigns/{campaign}/copy"), e.times()}
		}, told{401, 403, 403, 403, 201}},

		{"campaign-orders", "GET", host, to("/v1/host/campaigns/{campaign}/orders", nil), nobodys},
		{"ship", "POST", host, order(confirmed, "/v1/host/orders/", "/ship", map[string]any{
			"kind": "express", "company": "SF", "tracking": "SF1234567890",
		}), nobodys},
		{"collect", "POST", host, func(e *estate) ask {
			o, code := e.collectable()
			return ask{"/v1/host/orders/" + o + "/collect", map[string]any{"code": code}}
		}, nobodys},
		{"host-refund", "POST", host, order(confirmed, "/v1/host/orders/", "/refunds", refund), told{401, 404, 404, 404, 201}},
		{"approve-refund", "POST", host, func(e *estate) ask { return ask{e.refundPath("approve"), nil} }, nobodys},
		{"refuse-refund", "POST", host, func(e *estate) ask {
			return ask{e.refundPath("refuse"), map[string]any{"words": "已过期"}}
		}, nobodys},

		{"purse", "GET", friend, to("/v1/purse", nil), anyMember},
		{"statement", "GET", friend, to("/v1/purse/statement", nil), anyMember},
		{"explain", "GET", friend, func(e *estate) ask { return ask{"/v1/purse/explain?entry=" + e.entry(), nil} }, told{401, 404, 404, 200, 200}},

		{"withdrawal-outlook", "GET", friend, to("/v1/purse/outlook", nil), anyMember},
		{"ask-withdrawal", "POST", friend, func(e *estate) ask {
			e.fund(e.friend, 100)
			return ask{"/v1/purse/withdrawals", map[string]any{"amount_fen": 100, "device": "phone-1"}}
		}, told{401, 409, 409, 409, 201}},
		{"withdrawals", "GET", friend, to("/v1/purse/withdrawals", nil), anyMember},
		{"withdrawal", "GET", friend, order(withdrawn, "/v1/purse/withdrawals/", "", nil), nobodys},
		{"cancel-withdrawal", "POST", friend, order(withdrawn, "/v1/purse/withdrawals/", "/cancel", nil), nobodys},
		{"payee", "GET", friend, to("/v1/purse/payee", nil), anyMember},
		{"set-payee", "PUT", friend, with("/v1/purse/payee", func(e *estate) any {
			return map[string]any{"real_name": "李" + e.letters()}
		}), anyMember},
		{"purse-month", "GET", friend, to("/v1/purse/months/2024-01", nil), told{401, 409, 409, 409, 409}},
		{"tax-statement", "GET", friend, to("/v1/purse/tax/2026", nil), anyMember},
		{"open-dispute", "POST", friend, func(e *estate) ask {
			return ask{"/v1/purse/disputes", map[string]any{"entry": e.entry(), "words": "少算了吧"}}
		}, told{401, 404, 404, 201, 201}},
		{"disputes", "GET", friend, to("/v1/purse/disputes", nil), anyMember},

		{"logout", "POST", shopper, to("/v1/logout", nil), told{401, 204, 204, 204, 204}},
		{"logout-everywhere", "POST", shopper, to("/v1/logout-everywhere", nil), told{401, 204, 204, 204, 204}},
	}
}

func (e *estate) letters() string { return fmt.Sprintf("%c", 'a'+e.serial()%26) }

func (e *estate) phoneCode() string {
	return e.Sandbox.PhoneCode("小陈", fmt.Sprintf("1370000%04d", e.serial()))
}

func (e *estate) fullDraft() map[string]any {
	body := e.draftBody()
	body["words"], body["per_person"], body["min_seats"], body["min_units"] = "现摘", 5, 1, 1
	body["pickup"] = []any{e.point}
	body["items"] = []any{map[string]any{"sku": e.sku, "price_fen": 6000, "per_person": 3, "total": 50}}
	return body
}

func (e *estate) fill(path string) string {
	return strings.NewReplacer("{community}", e.community, "{campaign}", e.campaign, "{share}", e.share, "{product}", e.product, "{point}", e.point).Replace(path)
}
