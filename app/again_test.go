package app_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// once are the writes of which a repetition is told something else, and why.
func once(id string) string {
	return map[string]string{
		"login":             "a login code is good for one login: the repetition is refused and makes no second session",
		"logout":            "the session that would be told the same is gone",
		"logout-everywhere": "as logout",
		"quote":             "writes nothing and takes no key",
	}[id]
}

// fresh are the fields that may differ between two answers to one request: fresh signatures over the same prepay id.
func fresh(body string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(body), &fields) != nil {
		return body
	}
	if _, pay := fields["paySign"]; pay {
		maps.DeleteFunc(fields, func(name string, _ any) bool { return name != "package" && name != "signType" })
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return string(raw)
}

func writes() []operationCase {
	return slices.DeleteFunc(operations(), func(op operationCase) bool { return op.method == "GET" || once(op.id) != "" })
}

func (op operationCase) keyed(e *estate, key string, a ask) reply {
	return op.owner(e).send(op.method, a.path, a.raw(), "Idempotency-Key: "+key)
}

func TestTheSameKeyGivesTheSameAnswerAndOneEffect(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	for _, op := range writes() {
		a, key := op.make(e), w.freshKey()
		e.settled()
		first := op.keyed(e, key, a)
		if first.status >= 300 {
			t.Errorf("%s: %v", op.id, first)
			continue
		}
		e.settled()
		before := store.contents(t)
		again := op.keyed(e, key, a)
		e.settled()
		if again.status != first.status || fresh(again.body) != fresh(first.body) && !moved(op.id) ||
			named(again.body) != named(first.body) {
			t.Errorf("%s: first %v, then %v", op.id, first, again)
		}
		if diff := cmp.Diff(before, store.contents(t)); diff != "" {
			t.Errorf("%s: the repetition changed something:\n%s", op.id, diff)
		}
	}
}

// moved are the operations that answer with the thing as it is now, so that a later repetition sees it further on.
func moved(id string) bool {
	return slices.Contains([]string{"place", "refund", "not-arrived", "host-refund", "ask-withdrawal", "cancel-withdrawal"}, id)
}

// named is what names the thing an answer is about.
func named(body string) [2]any {
	var fields map[string]any
	_ = json.Unmarshal([]byte(body), &fields)
	return [2]any{fields["id"], fields["number"]}
}

func TestSixteenAtOnceUnderOneKeyHaveOneEffect(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	for _, op := range writes() {
		a, key := op.make(e), w.freshKey()
		one := op.make(e) // the same once more, alone, to know how much one effect is
		e.settled()
		size := func() map[string]int { return perCollection(store.contents(t)) }
		start := size()
		if r := op.keyed(e, w.freshKey(), one); r.status >= 300 {
			t.Errorf("%s alone: %v", op.id, r)
			continue
		}
		e.settled()
		alone := size()
		replies := make([]reply, 16)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = op.keyed(e, key, a) })
		}
		all.Wait()
		e.settled()
		for i, r := range replies {
			if r.status != replies[0].status || r.status >= 300 || fresh(r.body) != fresh(replies[0].body) && !moved(op.id) ||
				named(r.body) != named(replies[0].body) {
				t.Errorf("%s: caller 0 is told %v, caller %d %v", op.id, replies[0], i, r)
			}
		}
		if got, most := grown(alone, size()), grown(start, alone); op.id != "join" && op.id != "leave" && !atMost(got, most) {
			t.Errorf("%s: one alone makes %v, sixteen at once %v", op.id, most, got)
		}
	}
}

func perCollection(contents map[string]int64) map[string]int {
	n := map[string]int{}
	for name := range contents {
		collection, _, _ := strings.Cut(name, " / ")
		if collection != "history" && collection != "seals" && collection != "purse_pages" {
			n[collection]++
		}
	}
	return n
}

func grown(before, after map[string]int) map[string]int {
	more := map[string]int{}
	for name, n := range after {
		if d := n - before[name]; d > 0 {
			more[name] = d
		}
	}
	return more
}

func atMost(got, most map[string]int) bool {
	for name, n := range got {
		if n > most[name] {
			return false
		}
	}
	return true
}

func TestTheSameKeyWithAnotherBodyIsAConflict(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	another := map[string]map[string]any{
		"edit-me": {"nickname": "别人"}, "bind-phone": {"code": "other"}, "consent": {"kind": "marketing", "version": "x", "granted": false},
		"join": {"share": "other"}, "share": {"kind": "community", "target": e.community}, "open-share": {"scene": 1008},
		"place":            {"campaign": e.campaign, "lines": []any{map[string]any{"sku": e.sku, "units": 2}}},
		"refund":           {"reason": "别的"},
		"create-community": {"name": "别处"}, "edit-community": {"name": "别处"}, "add-pickup-point": {"name": "别处", "address": "别处"}, "set-pickup-keeper": {"keeper": ""},
		"pick": {"reason": "酸"}, "draft-campaign": e.draftBody(), "edit-campaign": e.draftBody(), "cancel-campaign": {"reason": "刮风"},
		"copy-campaign": {"starts_at": w.clock.Now(), "ends_at": w.clock.Now().Add(time.Hour)},
		"ship":          {"kind": "city"}, "host-refund": {"reason": "别的"}, "refuse-refund": {"words": "别的"},
		"ask-withdrawal": {"amount_fen": 50}, "set-payee": {"real_name": "别人"}, "open-dispute": {"words": "别的"},
		"apply-to-host": {"words": "别的"}, "collect": {"code": "00000000"},
		"report-subscriptions": {"answers": []any{map[string]any{"template": waitingTemplate, "answer": "reject"}}},
	}
	for _, op := range writes() {
		a, key := op.make(e), w.freshKey()
		if a.body == nil {
			continue
		}
		other, known := another[op.id]
		if !known {
			t.Errorf("%s: which other body?", op.id)
			continue
		}
		if op.id == "open-dispute" { // about the same entry
			other["entry"] = a.body.(map[string]any)["entry"]
		}
		if r := op.keyed(e, key, a); r.status >= 300 {
			t.Errorf("%s: %v", op.id, r)
			continue
		}
		e.settled()
		before := store.contents(t)
		r := op.keyed(e, key, ask{a.path, other})
		if code := checkProblem(t, op.id, r); r.status != 409 || !strings.HasSuffix(code, "_KEY_REUSED") {
			t.Errorf("%s with another body: %v", op.id, r)
		}
		e.settled()
		if diff := cmp.Diff(before, store.contents(t)); diff != "" {
			t.Errorf("%s: the other body changed something:\n%s", op.id, diff)
		}
	}
}
