package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
	"guanxi/platform/sandbox"
)

const payoutVictimEnv = "GUANXI_TEST_PAYOUT_VICTIM"

// TestPayoutVictim is the child: the real program on the embedded store, with its loops and a clock that runs fast, while
// many people withdraw, confirm and cancel and staff approves, until it is killed. It prints what they were told.
func TestPayoutVictim(t *testing.T) {
	v := victim{}
	url, program := v.rise(t, payoutVictimEnv)
	go func() { // what is asked for again after minutes is asked for again after moments
		for range time.Tick(20 * time.Millisecond) {
			v.clock.Advance(2 * time.Second)
			approve(t.Context(), program.Withdrawals)
			_, _ = program.Withdrawals.Tend(t.Context()) // trouble is the test's doing
		}
	}()
	var all sync.WaitGroup
	for i, who := range v.Buyers {
		all.Go(func() { v.withdraw(t, url, who, i) })
	}
	all.Wait()
	fmt.Println("done")
}

// approve is staff that says yes to everything.
func approve(ctx context.Context, payouts *withdrawal.Service) {
	held, err := payouts.ByState(ctx, withdrawal.Held, docstore.Paging{First: 20})
	if err != nil {
		return
	}
	for _, w := range held.Items {
		for _, by := range []string{"wang", "zhao"} {
			_, _ = payouts.Approve(ctx, withdrawal.ReviewInput{Number: w.ID, By: by, Why: "看过了"}) // looked at again next time
		}
	}
}

// withdraw is one person who withdraws as often as the limits allow.
func (v *victim) withdraw(t *testing.T, url string, who person2, number int) {
	token := ""
	send := func(method, key, path string, body any) (int, answer) {
		return v.send(t, url+path, method, token, fmt.Sprintf("%s-%d-%d", key, v.Round, number), body)
	}
	code := platformHand(t, v.Platform, "wx-login", map[string]any{"person": who.Name})
	_, login := send("POST", "login-key", "/v1/login", map[string]any{"code": code.text("code")})
	token = login.text("token")
	for n := range 20 {
		amount := 100 + 37*n + number
		if n%6 == 5 {
			amount = 4001 + 400*n // somebody must look
		}
		status, w := send("POST", fmt.Sprint("ask", n), "/v1/purse/withdrawals", map[string]any{"amount_fen": amount})
		if status != 201 {
			fmt.Println("refused", status, w.text("code"))
			continue
		}
		id := w.text("number")
		fmt.Println("asked", id)
		switch n % 4 {
		case 2:
			send("POST", fmt.Sprint("cancel", n), "/v1/purse/withdrawals/"+id+"/cancel", nil)
		case 3:
		default:
			_, w = send("GET", "", "/v1/purse/withdrawals/"+id, nil)
			if c, ok := w["confirm"].(map[string]any); ok {
				out := platformHand(t, v.Platform, "transfer-confirm", map[string]any{
					"package": c["package"], "mchId": c["mch_id"], "appId": c["app_id"], "openid": who.OpenID,
				})
				if strings.HasSuffix(out.text("errMsg"), ":ok") {
					fmt.Println("tapped", id)
				}
			}
		}
	}
}

// TestKilledInTheMiddleOfTransfersEachWithdrawalEndsOnce kills the program with SIGKILL at random moments while many
// withdrawals are asked for, approved, sent, confirmed, cancelled and settled, again and again on the same folder. The
// platform lives on beside it and misbehaves. Each withdrawal ends once and is one transfer; no fen is lost or doubled.
func TestKilledInTheMiddleOfTransfersEachWithdrawalEndsOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newPlanet(t, planetConfig{keys: keys(), dir: dir})
	newLife(p)
	var door doorway
	front := httptest.NewServer(&door)
	defer front.Close()
	v := victim{Dir: dir, Platform: p.platform.URL, Door: front.URL, Credentials: p.sandbox.Credentials()}
	for i := range 16 {
		who := &person{name: fmt.Sprint("提现人", i)}
		p.login(who)
		v.Buyers = append(v.Buyers, person2{Name: who.name, OpenID: p.sandbox.OpenID(who.name)})
		ctx, ledger := t.Context(), p.now.Load().Commission
		voucher, err := ledger.ProposeVoucher(ctx, commission.VoucherInput{
			Key: fmt.Sprint("earlier-", i), Maker: "clerk", Kind: commission.Adjust, From: commission.Adjustment,
			To: commission.Available.Of(who.id), Amount: money.Fen(30_000 + 1000*i), Reason: "更正",
		})
		if err == nil {
			_, err = ledger.ApproveVoucher(ctx, voucher.ID, "chief", "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.rest()
	tapped := map[string]bool{}
	for round := range 4 {
		if round > 0 {
			p.sandbox.Inject(
				sandbox.Rule{Match: "notify:MCHTRANSFER", Action: sandbox.ActionLose, Times: 8},
				sandbox.Rule{Match: sendPath, Action: sandbox.ActionAfterAccept, Times: 8},
				sandbox.Rule{Match: sendPath, Action: sandbox.ActionFail, Times: 8},
			)
		}
		p.suspend()
		v.Round, v.Start = round, p.clock.Now()
		asked := v.killPayouts(t, &door, p.payouts, tapped)
		door.open("")
		p.resume(dir)
		p.rest()
		p.atRest()
		for range 6 { // what was not told is asked for
			p.clock.Advance(20 * time.Minute)
			p.tick(-1)
			p.quiet()
		}
		p.atRest()
		states := map[withdrawal.State]int{}
		for _, w := range all[withdrawal.Withdrawal](p, "withdrawals") {
			states[w.State]++
			if tapped[w.ID] && w.State != withdrawal.Paid {
				t.Fatalf("round %d: %s was confirmed and is %s (%s)", round, w.ID, w.State, w.Platform)
			}
		}
		t.Logf("round %d: %d asked for before the kill, %d confirmed so far: %v", round, asked, len(tapped), states)
		p.clock.Advance(25 * time.Hour)
		p.tick(-1)
		p.quiet()
	}
	p.age()
	p.atRest()
	p.atLast()
	p.stop()
}

// killPayouts runs the child and kills it a random while after it has begun to pay.
func (v *victim) killPayouts(t *testing.T, door *doorway, asked, tapped map[string]bool) (heard int) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestPayoutVictim$", "-test.timeout=120s", "-test.v")
	child.Env = append(os.Environ(), payoutVictimEnv+"="+string(raw))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	enough, killed := 30+rand.IntN(150), false               //nolint:gosec // a moment to die at
	pause := time.Duration(rand.IntN(30)) * time.Millisecond //nolint:gosec // the same
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, which, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "listens":
			door.open(which)
		case "asked", "tapped":
			if len(which) != 24 { // the last line may be torn
				break
			}
			if what == "tapped" {
				tapped[which] = true
				break
			}
			asked[which] = true
			if heard++; heard == enough {
				killed = true
				time.AfterFunc(pause, func() { _ = child.Process.Kill() })
			}
		case "done":
			killed = true
			_ = child.Process.Kill()
		case "refused", "---", "===", "PASS", "FAIL":
		default:
			t.Log(lines.Text())
		}
	}
	_ = child.Wait() // it was killed
	if !killed {
		t.Fatalf("the child ended by itself after %d requests", heard)
	}
	return heard
}
