package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/policy"
)

// fields lists every field of a schema that is a value, with the way to it: "orders[].host.id".
func (s *schema) fields(all map[string]*schema, at string, seen []string) (found []string) {
	switch {
	case s == nil:
		return nil
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if slices.Contains(seen, name) {
			return nil
		}
		return all[name].fields(all, at, append(slices.Clone(seen), name))
	case s.Items != nil:
		return s.Items.fields(all, at+"[]", seen)
	case len(s.Properties) == 0:
		return []string{strings.TrimPrefix(at, ".")}
	}
	for name, property := range s.Properties {
		found = append(found, property.fields(all, at+"."+name, seen)...)
	}
	return found
}

// word tells whether a field that fields has listed is a word out of a list.
func (s *schema) word(all map[string]*schema, path []string) bool {
	for s != nil && (s.Ref != "" || s.Items != nil) {
		if s.Items != nil {
			s = s.Items
			continue
		}
		s = all[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	if s == nil || len(path) == 0 {
		return s != nil && len(s.Enum) > 0
	}
	return s.Properties[path[0]].word(all, path[1:])
}

// brandsOwn are parts of names that tell what the brand pays, from whom it buys and how low a host may go.
var brandsOwn = []string{"cost", "floor", "supplier", "margin", "purchase_price", "wholesale"}

// private are parts of names that tell who somebody is beyond what members see of each other.
var private = []string{"phone", "openid", "open_id", "unionid", "id_number", "real_name", "address", "wechat", "session_key"}

// TestNoAnswerTellsWhatIsNotForItsReader walks the description: a new field of one of these kinds fails until it stands
// here, which is where to ask whether its reader may know it.
func TestNoAnswerTellsWhatIsNotForItsReader(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"products products[].skus[].floor_fen": "a host may not go below it; refused to who hosts nothing",
		"me masked_phone":                      "one's own, masked", "edit-me masked_phone": "one's own, masked",
		"bind-phone masked_phone": "one's own, masked",
		"payee real_name":         "one's own, masked", "payee id_number": "one's own, masked",
		"set-payee real_name": "one's own, masked", "set-payee id_number": "one's own, masked",
		// where to collect is for who asks about a community
		"community pickup_points[].address": "", "my-communities communities[].pickup_points[].address": "",
		"join pickup_points[].address": "", "create-community pickup_points[].address": "",
		"edit-community pickup_points[].address": "", "hosted-communities communities[].pickup_points[].address": "",
		"add-pickup-point address": "", "set-pickup-keeper address": "",
	}
	for id, op := range newWorld(t).described() {
		for status, response := range op.Responses {
			if status[0] != '2' {
				continue
			}
			for _, media := range response.Content {
				for _, field := range media.Schema.fields(op.schemas, "", nil) {
					last := field[strings.LastIndexByte(field, '.')+1:]
					hot := slices.ContainsFunc(slices.Concat(brandsOwn, private), func(word string) bool { return strings.Contains(last, word) })
					if _, fine := allowed[id+" "+field]; hot && !fine {
						t.Errorf("%s answers %s", id, field)
					}
					delete(allowed, id+" "+field)
				}
			}
		}
	}
	for gone := range allowed {
		t.Errorf("%s is allowed and not answered any longer", gone)
	}
}

// TestWhoseIdsAShopperLearns: of other people a shopper is told the id of the host, of whoever shared, and of whom the own
// purchases are credited to, and nobody else's; the seats of a campaign are nicknames.
func TestWhoseIdsAShopperLearns(t *testing.T) {
	t.Parallel()
	told := map[string][]string{}
	for id, op := range newWorld(t).described() {
		if strings.HasPrefix(op.path, "/v1/host/") {
			continue
		}
		for status, response := range op.Responses {
			for _, media := range response.Content {
				if status[0] != '2' {
					continue
				}
				for _, field := range media.Schema.fields(op.schemas, "", nil) {
					path := strings.Split(strings.ReplaceAll(field, "[]", ""), ".")
					if media.Schema.word(op.schemas, path) { // a side, such as who asked for a refund: "host", and not whose id
						continue
					}
					last := path[len(path)-1]
					if last == "id" && len(path) > 1 {
						last = path[len(path)-2]
					}
					if slices.Contains([]string{"host", "member", "buyer", "by", "sharer", "keeper", "inviter", "direct", "upline", "visitor"}, last) {
						told[id] = append(told[id], field)
					}
				}
			}
		}
	}
	for id := range told {
		slices.Sort(told[id])
	}
	want := map[string][]string{
		"login": {"member"}, "me": {"member"}, "edit-me": {"member"},
		"campaign": {"host.id"}, "feed": {"campaigns[].host.id"},
		"community":      {"host.id", "pickup_points[].keeper.id"}, // the keeper is answered to the host alone
		"join":           {"host.id", "pickup_points[].keeper.id"},
		"my-communities": {"communities[].host.id", "communities[].pickup_points[].keeper.id"},
		"share":          {"sharer.id"}, "open-share": {"bond.by.id", "share.sharer.id"}, "my-bond": {"bond.by.id"},
		"my-orders": {"orders[].host"}, "order": {"host"}, "place": {"host"}, "paid": {"host"}, "cancel-order": {"host"}, "receive": {"host"},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// TestTheLowestPriceIsForHosts: who hosts nothing does not see the brand's products with their floors.
func TestTheLowestPriceIsForHosts(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	for _, who := range []*human{e.stranger, e.shopper, e.friend} {
		if status, out := who.do("GET", "/v1/host/products", nil); status != 403 || !strings.HasPrefix(out.text("code"), "HST_") || out["products"] != nil {
			t.Errorf("%s: %d %v", who.name, status, out)
		}
	}
	e.host.must("GET", "/v1/host/products", nil, 200)
}

// TestAnOwnPurchasePaysItsBuyerInNoRole: with the policy's switch, the host of a campaign who buys in it, at her own
// lowest price and collecting at a point she keeps, earns nothing of it, while a friend's order pays as ever.
func TestAnOwnPurchasePaysItsBuyerInNoRole(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	publishOwn(t, w)
	e.host.must("PUT", "/v1/host/communities/"+e.community+"/pickup-points/"+e.point+"/keeper", map[string]any{"keeper": e.host.id}, 200)
	buy := func(h *human) {
		t.Helper()
		body := e.wishes()
		body["pickup"] = e.point
		h.pay(h.must("POST", "/v1/orders", body, 201).text("id"))
		e.settled()
	}
	buy(e.host)
	if purse := e.host.must("GET", "/v1/purse", nil, 200); purse.num("pending_fen") != 0 {
		t.Errorf("her own order earned her %v", purse)
	}
	buy(e.shopper)
	if purse := e.host.must("GET", "/v1/purse", nil, 200); purse.num("pending_fen") != 300+100 {
		t.Errorf("somebody else's order earned her %v", purse)
	}
}

func publishOwn(t *testing.T, w *world) {
	t.Helper()
	_, err := w.Commission.Policies.Publish(t.Context(), policy.Policy{Cap: 2000, NoSelfPurchase: true, Rules: []policy.Rule{{Pays: []policy.Pay{
		{Role: commission.Direct, Rate: 1000}, {Role: commission.Host, Rate: 500}, {Role: commission.Pickup, Fixed: 100},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Minute)
}
