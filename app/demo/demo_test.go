package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/groupbuy"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/reconcile"
)

func open(t *testing.T, o Options) *Demo {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shut(t *testing.T, d *Demo) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// visitor is somebody at the page.
type visitor struct {
	t      *testing.T
	d      *Demo
	person string
	token  string
	n      int
}

func (v *visitor) send(method, path string, body any, key string) (int, map[string]any) {
	v.t.Helper()
	var payload io.Reader
	if method != http.MethodGet {
		raw, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		payload = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.d.URL+path, payload)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	out := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			v.t.Fatalf("%s %s: %d: %.300s", method, path, answer.StatusCode, text)
		}
	}
	return answer.StatusCode, out
}

func (v *visitor) do(status int, method, path string, body any) map[string]any {
	v.t.Helper()
	v.n++
	got, out := v.send(method, path, body, "test-key-"+v.person+"-"+string(rune('a'+v.n)))
	if got != status {
		v.t.Fatalf("%s %s: %d, want %d: %v", method, path, got, status, out)
	}
	return out
}

func visit(t *testing.T, d *Demo, person string) *visitor {
	t.Helper()
	v := &visitor{t: t, d: d, person: person}
	v.token = v.do(200, "POST", "/demo/login", map[string]string{"person": person})["token"].(string)
	return v
}

func (v *visitor) tapPay(orderID string) {
	v.t.Helper()
	params := v.do(200, "POST", "/v1/orders/"+orderID+"/prepay", map[string]any{})
	params["person"] = v.person
	v.do(200, "POST", "/demo/pay", params)
}

func settled(t *testing.T, d *Demo) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := errors.Join(d.Sandbox.Drain(ctx), d.Relay.Drain(ctx), d.Commission.CatchUp(ctx)); err != nil {
		t.Fatal(err)
	}
}

// TestTheDemo is one test on one folder, because seeding is what takes the time: an interrupted seeding, the one that
// replaces it, the sample, the first sale, a restart, and the clicks on the page.
func TestTheDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	interrupted(t, dir)
	keys := readFile(t, dir, fileKeys)
	d := open(t, Options{Dir: dir})
	if !d.Seeded {
		t.Fatal("half a seeding was taken for a whole one")
	}
	if _, err := Open(t.Context(), Options{Dir: dir, Listen: "127.0.0.1:0"}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second demo on the folder: %v", err)
	}
	checkSample(t, d)
	checkSide(t, d)
	number := firstSale(t, d)
	shut(t, d)
	t.Run("what is written past the program is named", func(t *testing.T) { tampering(t, dir) })

	d = open(t, Options{Dir: dir})
	defer shut(t, d)
	if d.Seeded {
		t.Error("a ready folder was seeded again")
	}
	if !bytes.Equal(keys, readFile(t, dir, fileKeys)) {
		t.Error("the keys have changed")
	}
	// The platform remembers what was paid before: the rest can still be refunded.
	buyer := visit(t, d, d.World.Scenes[0].Buyer)
	buyer.do(201, "POST", "/v1/orders/"+number+"/refunds", map[string]any{"reason": "不要了"})
	o := map[string]any{}
	for deadline := time.Now().Add(75 * time.Second); o["state"] != "refunded" && time.Now().Before(deadline); { // a minute behind the first one
		settled(t, d)
		time.Sleep(3 * time.Second)
		o = buyer.do(200, "GET", "/v1/orders/"+number, nil)
	}
	if o["state"] != "refunded" {
		t.Errorf("after refunding the rest the order is %v", o["state"])
	}
	t.Run("the page walks the first sale by clicks", func(t *testing.T) { clicks(t, d) })
}

// interrupted begins to seed and is stopped in the middle.
func interrupted(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := Open(ctx, Options{Dir: dir, Listen: "127.0.0.1:0", Progress: &interrupt{cancel: cancel}}); err == nil {
		t.Fatal("seeding ended although it was interrupted")
	}
	readFile(t, dir, fileStore)
}

// interrupt is a progress bar's writer that stops the seeding it shows.
type interrupt struct{ cancel func() }

func (i *interrupt) Write(b []byte) (int, error) {
	if strings.Contains(string(b), " 60%") {
		i.cancel()
	}
	return len(b), nil
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// checkSample asserts what the sample promises.
func checkSample(t *testing.T, d *Demo) {
	t.Helper()
	ctx := t.Context()
	hosts, shoppers := 0, 0
	for _, p := range d.World.People {
		if p.Host {
			hosts++
		} else {
			shoppers++
		}
	}
	if hosts != 3 || shoppers != 200 || len(d.World.Communities) != 5 || len(d.World.Scenes) != 4 {
		t.Errorf("%d hosts, %d shoppers, %d communities, %d scenes", hosts, shoppers, len(d.World.Communities), len(d.World.Scenes))
	}
	report, err := d.Commission.Verify(ctx, nil)
	if err != nil || !report.Good() || report.Settlements == 0 {
		t.Errorf("the ledger: %+v, %v", report, err)
	}
	checkMoney(t, d)
	if parked, err := d.Relay.Parked(ctx, 1); err != nil || len(parked) > 0 {
		t.Errorf("parked: %v, %v", parked, err)
	}
	campaigns, orders := map[groupbuy.State]int{}, map[order.State]int{}
	for _, host := range d.World.People[:hosts] {
		page, err := d.Campaigns.ByHost(ctx, host.Member, groupbuy.Paging{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Items {
			campaigns[c.State]++
			checkSeats(t, d, c, orders)
		}
	}
	for state, least := range map[groupbuy.State]int{
		groupbuy.Settled: 20, groupbuy.Failed: 1, groupbuy.Cancelled: 1, groupbuy.Open: 3, groupbuy.Scheduled: 1, groupbuy.Draft: 1,
	} {
		if campaigns[state] < least {
			t.Errorf("%d campaigns are %s, want %d", campaigns[state], state, least)
		}
	}
	for _, state := range []order.State{
		order.StatePlaced, order.StateClosed, order.StatePaid, order.StateConfirmed, order.StateShipped, order.StateReceived,
		order.StateCompleted, order.StateRefunded,
	} {
		if orders[state] == 0 {
			t.Errorf("no order is %s: %v", state, orders)
		}
	}
	if orders[order.StateClosing]+orders[order.StateRefunding] > 0 {
		t.Errorf("something is still under way: %v", orders)
	}
}

// checkSeats asserts that the taken seats of a campaign are its paid orders, numbered without a gap.
func checkSeats(t *testing.T, d *Demo, c *groupbuy.Campaign, states map[order.State]int) {
	t.Helper()
	paid, sold := map[string]bool{}, 0
	for page := (order.Page{Limit: 100}); ; {
		found, err := d.Orders.ByCampaign(t.Context(), c.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range found.Items {
			states[o.State]++
			if o.Payment != nil {
				paid[o.ID] = o.State != order.StateRefunded
			}
		}
		if page.After = found.Next; found.Next == "" {
			break
		}
	}
	seats, err := d.Campaigns.Seats(t.Context(), c.ID, groupbuy.Paging{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range seats.Items {
		if s.Number != int64(i+1) || s.Left == paid[s.Order] {
			t.Errorf("%s: seat %d at %d, left %v, order taken %v", c.Title, s.Number, i+1, s.Left, paid[s.Order])
		}
		if !s.Left {
			sold++
		}
	}
	if len(seats.Items) != len(paid) {
		t.Errorf("%s: %d seats, %d paid orders", c.Title, len(seats.Items), len(paid))
	}
	if c.State == groupbuy.Draft {
		return
	}
	if p, err := d.Campaigns.Progress(t.Context(), c.ID); err != nil || p.Seats != int64(sold) {
		t.Errorf("%s: progress says %d seats, %d are taken: %v", c.Title, p.Seats, sold, err)
	}
}

// firstSale walks the page's way by its requests and returns the order.
func firstSale(t *testing.T, d *Demo) string {
	t.Helper()
	scene := d.World.Scenes[0]
	buyer := visit(t, d, scene.Buyer)
	buyer.do(200, "POST", "/v1/shares/"+scene.Share+"/open", map[string]any{"scene": 1007})
	page := buyer.do(200, "GET", "/v1/campaigns/"+scene.Campaign, nil)
	item := page["items"].([]any)[0].(map[string]any)
	bond := buyer.do(200, "GET", "/v1/me/bond", nil)["bond"].(map[string]any)["by"].(map[string]any)["id"].(string)
	sharer := (*visitor)(nil)
	for _, p := range d.World.People {
		if p.Member == bond {
			sharer = visit(t, d, p.Person)
		}
	}
	before := sharer.do(200, "GET", "/v1/purse", nil)["pending_fen"].(float64)
	o := buyer.do(201, "POST", "/v1/orders", map[string]any{
		"campaign": scene.Campaign, "lines": []any{map[string]any{"sku": item["sku"], "units": 2}}, "share": scene.Share,
	})
	buyer.tapPay(o["id"].(string))
	settled(t, d)
	o = buyer.do(200, "GET", "/v1/orders/"+o["id"].(string), nil)
	if o["state"] != "confirmed" || o["seat"].(float64) < 1 {
		t.Fatalf("the order is %v", o)
	}
	gained := sharer.do(200, "GET", "/v1/purse", nil)["pending_fen"].(float64) - before
	if gained <= 0 {
		t.Errorf("the sharer gained %v", gained)
	}
	buyer.do(201, "POST", "/v1/orders/"+o["id"].(string)+"/refunds", map[string]any{
		"reason": "少要一份", "lines": []any{map[string]any{"line": 1, "units": 1}},
	})
	settled(t, d)
	purse := sharer.do(200, "GET", "/v1/purse", nil)
	if kept := purse["pending_fen"].(float64) - before; kept >= gained || kept <= 0 {
		t.Errorf("of %v the sharer keeps %v after half was refunded", gained, kept)
	}
	return o["id"].(string)
}

// checkMoney asserts the story of the money: every way a withdrawal can go, a purse that was negative and is not any more, a
// closed month, a correction by two people, bills that were met, and checkpoints kept outside of the store.
func checkMoney(t *testing.T, d *Demo) {
	t.Helper()
	ctx := t.Context()
	for state, least := range map[withdrawal.State]int{
		withdrawal.Paid: 8, withdrawal.Held: 1, withdrawal.Waiting: 1, withdrawal.Failed: 1, withdrawal.Expired: 1,
	} {
		page, err := d.Withdrawals.ByState(ctx, state, docstore.Paging{First: 100})
		if err != nil || len(page.Items) < least {
			t.Errorf("%d withdrawals are %s, want %d: %v", len(page.Items), state, least, err)
		}
	}
	states := map[string]int{}
	for _, p := range d.World.Purses {
		states[p.State]++
	}
	if diff := cmp.Diff(map[string]int{"held": 1, "waiting": 1, purseReady: 1}, states); diff != "" {
		t.Errorf("the hosts' purses (-want +got):\n%s", diff)
	}
	red, lines := money.Fen(0), allLines(t, d, d.World.People[1].Member)
	balance := money.Fen(0)
	for i := len(lines) - 1; i >= 0; i-- {
		balance += lines[i].Change.Available
		red = min(red, balance)
	}
	if red >= 0 || balance <= 0 {
		t.Errorf("the host who gave the tea back stood at %s at worst and stands at %s", red.Yuan(), balance.Yuan())
	}
	periods, err := d.Commission.Periods(ctx, docstore.Paging{First: 10})
	if err != nil || len(periods.Items) == 0 || len(periods.Items) != len(d.World.Months) || periods.Items[0].Entries == 0 {
		t.Errorf("closed months: %+v, %v; the world says %v", periods.Items, err, d.World.Months)
	}
	approved, err := d.Commission.Vouchers(ctx, commission.VoucherApproved, docstore.Paging{First: 10})
	if err != nil || len(approved.Items) != 1 || approved.Items[0].Maker == approved.Items[0].Checker {
		t.Errorf("vouchers: %+v, %v", approved.Items, err)
	}
	for _, state := range []commission.DisputeState{commission.DisputeOpen, commission.DisputeUpheld} {
		if page, err := d.Commission.Disputes(ctx, state, docstore.Paging{First: 10}); err != nil || len(page.Items) != 1 {
			t.Errorf("disputes %s: %+v, %v", state, page.Items, err)
		}
	}
	runs := map[reconcile.State]int{}
	page, err := d.Reconcile.Runs(ctx, reconcile.Funds, docstore.Paging{First: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Items {
		runs[r.State]++
	}
	if runs[reconcile.Balanced] < daysBack-3 || runs[reconcile.Differing] != 1 || len(runs) != 2 {
		t.Errorf("funds: %v", runs)
	}
	last, err := d.Commission.Checkpoints(ctx, docstore.Paging{First: 1})
	if err != nil || len(last.Items) != 1 || !last.Items[0].Signed() {
		t.Fatalf("checkpoints: %+v, %v", last.Items, err)
	}
	if kept, err := os.ReadFile(d.folder.path(fileAnchor)); err != nil || !strings.Contains(string(kept), last.Items[0].Line()) {
		t.Errorf("the newest checkpoint is not anchored: %v", err)
	}
	if policies, err := d.Commission.Policies.List(ctx); err != nil || len(policies) != 2 {
		t.Errorf("%d policies: %v", len(policies), err)
	}
}

func allLines(t *testing.T, d *Demo, member string) (lines []commission.Line) {
	t.Helper()
	for page := (commission.Page{Size: 100}); ; {
		found, err := d.Commission.Statement(t.Context(), member, page)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, found.Lines...)
		if page.After = found.Next; found.Next == "" {
			return lines
		}
	}
}

func TestAFolderIsEmptiedOnlyIfItIsOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileStore), []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reset := range []bool{false, true} {
		if _, err := Open(t.Context(), Options{Dir: dir, Listen: "127.0.0.1:0", Reset: reset}); !errors.Is(err, ErrForeign) {
			t.Errorf("a foreign store with reset %v: %v", reset, err)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, fileStore)); err != nil || string(raw) != "somebody's" {
		t.Errorf("it was touched: %q %v", raw, err)
	}
}

func TestResetEmptiesTheFolderButForItsKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if _, err := f.secrets(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fileStore, fileStore + "-wal", fileSandbox, fileAnchor} {
		if err := os.WriteFile(f.path(name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.keepWorld(&World{Format: worldFormat, State: stateReady}); err != nil {
		t.Fatal(err)
	}
	if w, err := f.prepare(false); err != nil || w == nil {
		t.Fatalf("a ready folder: %v, %v", w, err)
	}
	keys := readFile(t, dir, fileKeys)
	if w, err := f.prepare(true); err != nil || w != nil {
		t.Fatalf("reset: %v, %v", w, err)
	}
	if f.has(fileStore) || f.has(fileStore+"-wal") || f.has(fileSandbox) || f.has(fileAnchor) || !bytes.Equal(keys, readFile(t, dir, fileKeys)) {
		t.Error("reset left old data, or changed the keys")
	}
	if info, err := os.Stat(f.path(fileKeys)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys' file: %v %v", info, err)
	}
	if w, err := f.loadWorld(); err != nil || w.State != stateSeeding {
		t.Errorf("the folder says %+v, %v", w, err)
	}
	if err := errors.Join(f.keepWorld(&World{Format: worldFormat, State: stateReady}), os.Remove(f.path(fileKeys))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.prepare(false); !errors.Is(err, ErrKeysGone) {
		t.Errorf("without keys: %v", err)
	}
}

// checkSide asserts that only people of the sample and guests log in, and that the page is there.
func checkSide(t *testing.T, d *Demo) {
	t.Helper()
	v := &visitor{t: t, d: d, person: "nobody"}
	v.do(404, "POST", "/demo/login", map[string]string{"person": "admin"})
	if out := v.do(200, "POST", "/demo/login", map[string]string{"person": "guest-abc123"}); out["fresh"] != true {
		t.Errorf("a guest: %v", out)
	}
	answer, err := http.Post(d.URL+"/demo/login", "text/plain", strings.NewReader(`{"person":"host-1"}`))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("another page's form got in: %d", answer.StatusCode)
	}
	for path, part := range map[string]string{"/": "走一遍", "/demo/demo.js": "账本", "/demo/core.js": "login", "/demo/host.js": "host", "/demo/purse.js": "提现", "/console/docs": "html", "/demo/demo.css": "--green", "/docs": "html"} {
		answer, err := http.Get(d.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if answer.Body.Close(); err != nil || answer.StatusCode != 200 || path != "/" && !strings.Contains(string(body), part) {
			t.Errorf("%s: %d %v", path, answer.StatusCode, err)
		}
	}
	if out := v.do(409, "POST", "/demo/pay", map[string]string{"person": "host-1", "package": "prepay_id=none"}); out["title"] == "" {
		t.Errorf("paying nothing: %v", out)
	}
}
