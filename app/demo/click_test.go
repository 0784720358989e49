package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// browser is a headless Chromium on a pipe: NUL-terminated JSON both ways.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	next    int
}

// newBrowser starts the installed Chromium; without one the test is skipped.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("GUANXI_TEST_REQUIRE_CHROMIUM") == "1" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	fromTest, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromBrowser, toTest, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "guanxi-click")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--window-size=1360,900", "--user-data-dir="+profile, "about:blank")
	c.ExtraFiles = []*os.File{fromTest, toTest}         // 3: it reads, 4: it writes
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has children of its own
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
		_, _ = toBrowser.Close(), fromBrowser.Close()
		_ = os.RemoveAll(profile) // a child that is still dying may keep a file: no reason to fail
	})
	_, _ = fromTest.Close(), toTest.Close()
	b := &browser{t: t, in: toBrowser, out: bufio.NewReader(fromBrowser)}
	target := b.call("Target.createTarget", map[string]any{"url": "about:blank"})
	b.session, _ = b.call("Target.attachToTarget", map[string]any{"targetId": target["targetId"], "flatten": true})["sessionId"].(string)
	return b
}

func (b *browser) call(method string, params any) map[string]any {
	b.t.Helper()
	b.next++
	raw, err := json.Marshal(map[string]any{"id": b.next, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		raw, err = json.Marshal(map[string]any{"id": b.next, "method": method, "params": params})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		line, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatal(errors.Join(errors.New("the browser went away"), err))
		}
		var answer struct {
			ID     int
			Result map[string]any
			Error  any
		}
		if err := json.Unmarshal(line[:len(line)-1], &answer); err != nil {
			b.t.Fatal(err)
		}
		if answer.ID != b.next {
			continue // an event
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %v", method, answer.Error)
		}
		return answer.Result
	}
}

// eval runs a script that may await, and returns its value.
func (b *browser) eval(script string) any {
	b.t.Helper()
	out := b.call("Runtime.evaluate", map[string]any{
		"expression": "(async () => {" + script + "})()", "awaitPromise": true, "returnByValue": true,
	})
	if problem := out["exceptionDetails"]; problem != nil {
		raw, _ := json.Marshal(problem)
		b.t.Fatalf("in the page: %.600s\n%s", raw, script)
	}
	result, _ := out["result"].(map[string]any)
	return result["value"]
}

// until waits in the page until the expression is true, at most 15 s.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`for (let i = 0; i < 150; i++) { try { if (%s) return true; } catch {} await new Promise(r => setTimeout(r, 100)); }
		throw new Error(%q + ': ' + document.querySelector('#screen').innerText.slice(0, 400));`, expression, what))
}

// tap clicks the first button or link with this text, as soon as there is one.
func (b *browser) tap(text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll('button,a')].find(e => e.textContent.includes(%q) && !e.disabled)`, text)
	b.until("no button "+text, find)
	b.eval(find + ".click()")
}

// clicks walks the page as a person does.
func clicks(t *testing.T, d *Demo) {
	b := newBrowser(t)
	b.call("Page.navigate", map[string]any{"url": d.URL + "/"})
	scene := d.World.Scenes[0]
	buyer, _ := d.World.person(scene.Buyer)
	b.tap("以 " + buyer.Nickname)
	b.until("who recommends", `document.querySelector('.bubble').innerText.includes('推荐给你')`)
	b.until("purses", `document.querySelectorAll('.purses .money b').length >= 2`)
	for range 2 {
		b.eval(`document.querySelector('button[data-sku]').click()`)
	}
	before := b.eval(`return document.querySelector('.purses .money b').innerText`)
	b.tap("参加接龙")
	b.until("pay sheet", `document.querySelector('#pay')`)
	b.eval(`document.querySelector('#pay').click()`)
	b.until("a seat number", `+document.querySelector('.seatno b').innerText > 0`)
	b.until("the purse moves", fmt.Sprintf(`document.querySelector('.purses .money b').innerText !== %q`, before))
	earned := b.eval(`return document.querySelector('.purses .money b').innerText`)
	b.tap("为什么")
	b.until("the explanation", `document.querySelectorAll('.why li').length > 1`)
	b.tap("退一半")
	b.until("the claw-back", fmt.Sprintf(`document.querySelector('.purses .money b').innerText !== %q`, earned))
	b.until("refunded", `document.querySelector('#screen').innerText.includes('已退')`)

	b.eval(`const s = document.querySelector('#person'); s.value = 'host-1'; s.dispatchEvent(new Event('change'))`)
	b.tap("我的接龙")
	b.tap("再开一次")
	b.until("the draft", `location.hash.startsWith('#/host/c/') && document.querySelectorAll('.publish').length === 1 && !document.querySelector('.again')`)
	b.tap("发布")
	b.until("published", `document.querySelector('#screen').innerText.includes('接龙中') && document.querySelector('#screen').innerText.includes('提前截止')`)
	withdraws(b)
	b.until("every step is ticked", `document.querySelectorAll('.guide li.done').length === 10`)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true})
	b.until("fits a phone", `document.documentElement.scrollWidth <= 390`)
}

// withdraws walks a host's purse: four pots, why, asking, taking it back, asking again, receiving in WeChat, a dispute.
func withdraws(b *browser) {
	b.eval(`location.hash = '#/'`)
	b.until("a purse to open", fmt.Sprintf(`document.querySelector('.open-purse[data-state=%s]')`, purseReady))
	b.eval(fmt.Sprintf(`document.querySelector('.open-purse[data-state=%s]').click()`, purseReady))
	fen := func(pot string) string {
		return fmt.Sprintf(`(Math.round(+document.querySelector('#my-pots [data-pot=%s_fen]').innerText.replace('¥', '') * 100))`, pot)
	}
	b.until("four pots", `document.querySelectorAll('#my-pots .money b').length === 4`)
	b.until("lines with reasons", `document.querySelectorAll('#my-lines .line').length >= 5`)
	b.eval(`document.querySelector('#my-lines .why-link').click()`)
	b.until("the derivation", `document.querySelectorAll('#my-lines .why li').length > 0`)
	available, withdrawn := b.eval("return "+fen("available")), b.eval("return "+fen("withdrawn"))
	ask := func(yuan string) {
		b.until("the form", `document.querySelector('#withdraw') && !document.querySelector('#withdraw').disabled`)
		b.eval(fmt.Sprintf(`const a = document.querySelector('#amount'); a.value = %q; a.dispatchEvent(new Event('input')); document.querySelector('#withdraw').click()`, yuan))
	}
	ask("999999")
	b.until("too much is refused in words", `document.querySelector('#toast').innerText.includes('提现')`)
	ask("8.88")
	b.until("it waits", `document.querySelector('#receive')`)
	b.until("it left available", fmt.Sprintf(`%s === %v - 888 && %s === 888`, fen("available"), available, fen("withdrawing")))
	b.eval(`document.querySelector('#cancel-withdrawal').click()`)
	b.until("it is back", fmt.Sprintf(`document.querySelector('#withdraw') && %s === %v && document.querySelector('#my-list [data-state=cancelled]')`, fen("available"), available))
	ask("8.88")
	b.until("it waits again", `document.querySelector('#receive')`)
	b.until("WeChat says so", `document.querySelector('#my-phone').innerText.includes('请确认收款')`)
	b.until("so does the program", `document.querySelector('#my-told [data-state=sent]')`)
	b.eval(`document.querySelector('#receive').click()`)
	b.until("paid", fmt.Sprintf(`document.querySelector('#my-list [data-state=paid]') && document.querySelector('#withdraw') && %s === %v - 888 && %s === %v + 888 && %s === 0`,
		fen("available"), available, fen("withdrawn"), withdrawn, fen("withdrawing")))
	b.eval(`document.querySelector('#my-lines .why-link').click()`)
	b.until("a dispute can be opened", `document.querySelector('#my-lines .dispute')`)
	b.eval(`document.querySelector('#my-lines .dispute').click()`)
	b.until("the dispute is listed", `document.querySelector('#my-disputes').innerText.includes('等待答复')`)
	b.eval(`document.querySelector('#my-months .month').click()`)
	b.until("the month's statement", `document.querySelector('#my-months').innerText.includes('期末')`)
}
