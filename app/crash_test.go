package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/catalog"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
	"guanxi/platform/weixinpay"
)

// victim is what the parent tells the child it is going to kill.
type victim struct {
	Dir         string
	Platform    string // where the sandbox of the parent listens
	Door        string // where notifications go: the parent's, which sends them on to the child
	Credentials sandbox.Credentials
	Campaign    string
	SKUs        []string
	Buyers      []person2
	Round       int
	Start       time.Time
	clock       *clock.Manual // the child's own
}

type person2 struct{ Name, OpenID string }

const victimEnv = "GUANXI_TEST_APP_VICTIM"

// TestVictim is the child: the real program on the embedded store, with its loops, under load until it is killed. It
// prints its address and what the buyers were told.
func TestVictim(t *testing.T) {
	v := victim{}
	url, _ := v.rise(t, victimEnv)
	var all sync.WaitGroup
	for i, buyer := range v.Buyers {
		all.Go(func() { v.shop(t, url, buyer, i) })
	}
	all.Wait()
}

// rise starts the program the parent has described in env, in a child; anywhere else the test is skipped.
func (v *victim) rise(t *testing.T, env string) (url string, program *app.App) {
	t.Helper()
	raw := os.Getenv(env)
	if raw == "" {
		t.Skip("runs only as the child of a test that kills it")
	}
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		t.Fatal(err)
	}
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: v.Dir})
	if err != nil {
		t.Fatal(err)
	}
	v.clock = clock.NewManual(v.Start)
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: v.clock, Keys: docstoretest.Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	program = v.open(t, store, v.clock)
	if err := program.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(program.Handler())
	fmt.Println("listens", server.URL)
	return server.URL, program
}

// open builds the production program on the parent's platform.
func (v *victim) open(t testing.TB, store *docstore.Store, c clock.Clock) *app.App {
	t.Helper()
	k := v.Credentials
	pay, err := weixinpay.New(weixinpay.Config{
		AppID: k.AppID, MchID: k.MchID, MerchantSerial: k.MerchantSerial, MerchantKeyPEM: k.MerchantKeyPEM,
		PublicKeyID: k.PublicKeyID, PublicKeyPEM: k.PublicKeyPEM, APIv3Key: k.APIv3Key,
		NotifyURL: v.Door + "/v1/notify/weixinpay", BaseURL: v.Platform,
	})
	if err != nil {
		t.Fatal(err)
	}
	wx, err := weixin.New(weixin.Config{AppID: k.AppID, AppSecret: k.AppSecret, MchID: k.MchID, BaseURL: v.Platform, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	config := app.Config{Store: store, Clock: c, Log: slog.New(slog.DiscardHandler), Withdrawal: easyPayouts()}
	config.Use(app.Platforms{Weixin: wx, Pay: pay, AppID: k.AppID, MchID: k.MchID})
	program, err := app.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// send asks the program until the lights go out; 0 when there is no answer.
func (v *victim) send(t *testing.T, url, method, token, key string, body any) (int, answer) {
	raw, _ := json.Marshal(body)
	var reader io.Reader
	if body != nil {
		reader = strings.NewReader(string(raw))
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	out := answer{}
	_ = json.NewDecoder(response.Body).Decode(&out) // an empty answer is one too
	return response.StatusCode, out
}

// shop is one buyer who logs in, orders and pays until the lights go out.
func (v *victim) shop(t *testing.T, url string, buyer person2, number int) {
	send := func(token, key, path string, body any) (int, answer) {
		return v.send(t, url+path, http.MethodPost, token, key, body)
	}
	code := platformHand(t, v.Platform, "wx-login", map[string]any{"person": buyer.Name})
	_, login := send("", fmt.Sprintf("login-%d-%d", v.Round, number), "/v1/login", map[string]any{"code": code.text("code")})
	token := login.text("token")
	if token == "" {
		t.Errorf("no login: %v", login)
		return
	}
	for n := 0; ; n++ {
		status, o := send(token, fmt.Sprintf("order-%d-%d-%d", v.Round, number, n), "/v1/orders", map[string]any{
			"campaign": v.Campaign, "lines": []any{map[string]any{"sku": v.SKUs[n%len(v.SKUs)], "units": 1 + n%2}},
		})
		if status != 201 {
			fmt.Println("refused", status, o.text("code"))
			if status >= 500 {
				t.Errorf("place: %d %v", status, o)
			}
			return
		}
		fmt.Println("placed", o.text("id"))
		status, p := send(token, fmt.Sprintf("prepay-%d-%d-%d", v.Round, number, n), "/v1/orders/"+o.text("id")+"/prepay", nil)
		if status != 200 {
			t.Errorf("prepay: %d %v", status, p)
			return
		}
		if n%5 == 4 {
			continue // changed their mind
		}
		platformHand(t, v.Platform, "pay", map[string]any{"package": p.text("package")})
		fmt.Println("paid", o.text("id"))
		if n%7 == 3 {
			send(token, fmt.Sprintf("refund-%d-%d-%d", v.Round, number, n), "/v1/orders/"+o.text("id")+"/refunds", map[string]any{"reason": "不想要了"})
		}
	}
}

// platformHand is a person's hand on the phone, as the sandbox offers it.
func platformHand(t testing.TB, platform, what string, body any) answer {
	raw, _ := json.Marshal(body)
	response, err := http.Post(platform+"/sandbox/"+what, "application/json", strings.NewReader(string(raw)))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	out := answer{}
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		t.Error(err)
	}
	return out
}

// told is what the child's buyers had been told before it died.
type told struct{ placed, paid map[string]bool }

// TestKilledUnderLoadNothingIsLost kills the program with SIGKILL at random moments under load, three times on the same
// folder, and lets a new program find what the dead one left. The platform lives on beside it, as in reality.
func TestKilledUnderLoadNothingIsLost(t *testing.T) {
	t.Parallel()
	keys, err := sandbox.GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := newPlanet(t, planetConfig{keys: keys, dir: dir})
	l := newLife(p)
	now := p.clock.Now()
	_, d := p.ask(l.hosts[0], "POST", "/v1/host/communities/"+l.communities[0]+"/campaigns", map[string]any{
		"title": "大接龙", "items": []any{map[string]any{"sku": l.skus[0]}, map[string]any{"sku": l.skus[1]}},
		"starts_at": now, "ends_at": now.Add(72 * time.Hour), "min_seats": 3,
	})
	p.ask(l.hosts[0], "POST", "/v1/host/campaigns/"+d.text("id")+"/publish", nil)
	for _, sku := range l.skus[:2] {
		p.receive(catalog.StockIn{Ref: "much" + sku, SKU: sku, Units: 100_000})
	}
	p.rest()
	p.promise(func(s *sightOf) {
		if s.campaigns[d.text("id")].State != groupbuy.Open {
			t.Fatal("the campaign is not open")
		}
	})
	var door doorway
	front := httptest.NewServer(&door)
	defer front.Close()
	v := victim{
		Dir: dir, Platform: p.platform.URL, Door: front.URL, Credentials: p.sandbox.Credentials(), Campaign: d.text("id"),
		SKUs: l.skus[:2],
	}
	for i := range 16 {
		v.Buyers = append(v.Buyers, person2{Name: fmt.Sprint("买家", i)})
	}
	for round := range 3 {
		p.suspend()
		v.Round, v.Start = round, p.clock.Now()
		heard := v.kill(t, &door)
		door.open("")
		p.resume(dir)
		p.rest()
		p.atRest()
		s := p.look()
		for id := range heard.placed {
			if s.orders[id] == nil {
				t.Fatalf("round %d: order %s was promised and is gone", round, id)
			}
		}
		p.clock.Advance(20 * time.Minute) // what was not told is asked for
		for range 5 {
			p.tick(-1)
			p.quiet()
			p.clock.Advance(11 * time.Minute)
		}
		p.atRest()
		s = p.look()
		p.platformAgrees(s, true)
		for id := range heard.paid {
			if o := s.orders[id]; o == nil || o.Payment == nil {
				t.Fatalf("round %d: %s was paid and is %+v", round, id, o)
			}
		}
		t.Logf("round %d: %d placed, %d paid before the kill; %d orders, %d seats", round, len(heard.placed), len(heard.paid), len(s.orders), len(s.seatOf))
	}
	p.age()
	p.atRest()
	p.atLast()
	p.stop()
}

// kill runs the child and kills it a random while after it has begun to sell.
func (v *victim) kill(t *testing.T, door *doorway) told {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.timeout=120s", "-test.v")
	child.Env = append(os.Environ(), victimEnv+"="+string(raw))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	heard := told{map[string]bool{}, map[string]bool{}}
	enough, lines := 40+rand.IntN(120), bufio.NewScanner(out) //nolint:gosec // a moment to die at
	for lines.Scan() {
		what, which, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "listens":
			door.open(which)
		case "placed":
			if len(which) == 24 { // the last line may be torn
				heard.placed[which] = true
			}
		case "paid":
			if len(which) == 24 {
				heard.paid[which] = true
			}
		case "refused", "---", "===", "PASS", "FAIL":
		default:
			t.Log(lines.Text())
		}
		if len(heard.placed) == enough {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait() // it was killed
	if len(heard.placed) < enough {
		t.Fatalf("the child ended by itself after %d orders", len(heard.placed))
	}
	return heard
}

// doorway sends notifications on to whichever process lives.
type doorway struct{ to atomic.Pointer[string] }

func (d *doorway) open(url string) { d.to.Store(&url) }

func (d *doorway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := d.to.Load()
	if to == nil || *to == "" {
		panic(http.ErrAbortHandler)
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, *to+r.URL.Path, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = response.Body.Close() }()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// suspend closes the store so that a child may open the folder.
func (p *planet) suspend() {
	p.now.Load().mortal.dead.Store(true)
	if err := p.driver.Close(); err != nil {
		p.fail("close: %v", err)
	}
}

// resume opens the folder again and starts a program on it.
func (p *planet) resume(dir string) {
	var err error
	if p.driver, err = sqlite.Open(context.Background(), sqlite.Options{Dir: dir}); err != nil {
		p.fail("open: %v", err)
	}
	p.flaky = docstoretest.NewFlaky(p.driver)
	p.flaky.Next = p.luck.next
	p.start()
	// What the child's consumers were told died with it: the auditor begins with what the history says.
	p.seen.replay(p)
}

func (p *planet) promise(check func(*sightOf)) { check(p.look()) }

// TestAFlashHourOversellsNothingThoughTheStoreFails sends 2,000 people at once after 200 units, two each at most, and
// lets the store fail in the middle: for a while one write in seven goes wrong in one way or another, then it is gone
// altogether, then it is back. Whoever gets no answer asks again under the same key, as a mini-program does.
func TestAFlashHourOversellsNothingThoughTheStoreFails(t *testing.T) {
	t.Parallel()
	const buyers, units, limit, side = 2000, 200, 2, 64
	keys, err := sandbox.GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlanet(t, planetConfig{
		keys: keys, dir: t.TempDir(), fast: true, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: side}},
	})
	l := newLife(p)
	sku := l.skus[2]
	p.receive(catalog.StockIn{Ref: "flash", SKU: sku, Units: units - p.received[sku]})
	now := p.clock.Now()
	_, d := p.ask(l.hosts[0], "POST", "/v1/host/communities/"+l.communities[0]+"/campaigns", map[string]any{
		"title": "秒杀", "items": []any{map[string]any{"sku": sku, "per_person": limit}}, "starts_at": now, "ends_at": now.Add(time.Hour),
	})
	campaign := d.text("id")
	p.ask(l.hosts[0], "POST", "/v1/host/campaigns/"+campaign+"/publish", nil)
	f := &flash{planet: p, campaign: campaign, sku: sku, answers: map[string]int{}}
	work := make(chan int)
	var group sync.WaitGroup
	for range side {
		group.Go(func() {
			for n := range work {
				f.rush(&person{name: fmt.Sprint("抢购", n)}, n)
			}
		})
	}
	for n := range buyers {
		switch n {
		case buyers / 40:
			p.luck.order(400, 15)
		case buyers / 8:
			p.flaky.Away.Store(true) // until enough people have been told so
			f.back.Store(f.silent.Load() + 5*side)
		case buyers / 4:
			p.luck.order(400, 15)
		}
		work <- n
	}
	close(work)
	group.Wait()
	p.always()
	p.rest()
	p.atRest()
	sold := int64(0)
	s := p.look()
	for _, o := range s.orders {
		if o.State != order.StatePlaced && o.State != order.StateConfirmed {
			t.Errorf("order %s is %s", o.ID, o.State)
		}
		sold += o.Lines[0].Units
	}
	if sold > units || int64(len(p.placed)) != int64(len(s.orders)) {
		t.Errorf("%d of %d units sold; %d were told success, there are %d orders", sold, units, len(p.placed), len(s.orders))
	}
	if sold < units {
		t.Errorf("only %d of %d units sold although everybody wanted them", sold, units)
	}
	p.clock.Advance(20 * time.Minute)
	p.age()
	p.atRest()
	p.atLast()
	t.Logf("%d buyers, %d requests, %d without an answer, asked again; %d orders over %d units: %v",
		buyers, p.requests.Load(), f.silent.Load(), len(s.orders), sold, f.answers)
	p.stop()
}

// flash is what the rush hears.
type flash struct {
	*planet
	campaign, sku string
	silent        atomic.Int64
	back          atomic.Int64 // so many silences bring the store back
	mu            sync.Mutex
	answers       map[string]int
}

// rush is one person who wants it, now, and asks until there is an answer.
func (f *flash) rush(who *person, n int) {
	q := request{who, f.key(), "POST", "/v1/orders", map[string]any{
		"campaign": f.campaign, "lines": []any{map[string]any{"sku": f.sku, "units": 1 + n%2}},
	}}
	for range 1000 {
		if who.token() == "" && !f.login(who) {
			f.pause()
			continue
		}
		status, out := f.send(q)
		if status == 0 || status == 503 {
			f.pause()
			continue
		}
		code := out.text("code")
		if status == 201 {
			f.remember(q, out)
			code = "placed"
		}
		f.mu.Lock()
		f.answers[code]++
		f.mu.Unlock()
		if status != 201 && code != "CAT_SOLD_OUT" {
			f.t.Errorf("%s: %d %v", who.name, status, out)
		}
		if status == 201 && n%3 != 0 {
			f.payFor(who, out.text("id"))
		}
		return
	}
	f.t.Errorf("%s was never answered", who.name)
}

// pause waits as a mini-program does before it asks again.
func (f *flash) pause() {
	if f.silent.Add(1) >= f.back.Load() {
		f.flaky.Away.Store(false)
	}
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}

func (f *flash) payFor(who *person, id string) {
	q := request{who, f.key(), "POST", "/v1/orders/" + id + "/prepay", nil}
	for range 1000 {
		status, out := f.send(q)
		switch status {
		case 0, 503:
			f.pause()
			continue
		case 200:
			if _, err := f.sandbox.Pay(sandbox.PayInput{Package: out.text("package")}); err != nil {
				f.t.Error(err)
			}
		default:
			f.t.Errorf("prepay: %d %v", status, out)
		}
		return
	}
	f.t.Error("prepay was never answered")
}
