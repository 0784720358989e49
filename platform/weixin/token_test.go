package weixin_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
)

const (
	tokenPath = "/cgi-bin/stable_token"
	phonePath = "/wxa/business/getuserphonenumber"
)

func (d *desk) phone(t *testing.T, wx *weixin.Client) {
	t.Helper()
	if _, err := wx.PhoneNumber(t.Context(), d.box.PhoneCode("lan", "")); err != nil {
		t.Error(err)
	}
}

func TestOneTokenServesManyCallers(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { d.phone(t, d.wx) })
	}
	group.Wait()
	if n := d.asked(tokenPath); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}

// The SDK never asks for another token on 40001 or 42001; we do, once.
func TestTrapABadTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.phone(t, d.wx)
	d.box.Inject(sandbox.Rule{Match: phonePath, Action: sandbox.ActionExpire})
	d.phone(t, d.wx)
	if n := d.asked(tokenPath); n < 2 {
		t.Errorf("the expired token was not replaced (%d fetched)", n)
	}
	before := d.asked(phonePath)
	d.box.Inject(sandbox.Rule{Match: phonePath, Action: sandbox.ActionFail, Code: "40001", Times: 10})
	d.clock.Advance(time.Minute)
	if _, err := d.wx.PhoneNumber(t.Context(), "code"); err == nil {
		t.Error("no error after two bad tokens")
	}
	if n := d.asked(phonePath) - before; n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestAllTokensExpiringIsHealed(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.phone(t, d.wx)
	d.box.ExpireTokens()
	d.phone(t, d.wx)
}

func TestTheTokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.phone(t, d.wx)
	d.clock.Advance(7200*time.Second - 5*time.Minute - time.Second)
	d.phone(t, d.wx)
	d.clock.Advance(2 * time.Second)
	d.phone(t, d.wx)
	if n := d.asked(tokenPath); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}

// The SDK's cache time is expires_in - 300: a shorter life makes it answer with an error and an empty token.
func TestTrapShortLivedTokens(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.MiniTokenSeconds = 200 })
	d.phone(t, d.wx)
	d.phone(t, d.wx)
	d.clock.Advance(150 * time.Second)
	d.phone(t, d.wx)
}

func TestProcessesShareTheTokenThroughTheCache(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	shared, lock := &memory{}, &oneAtATime{}
	var group sync.WaitGroup
	for range 8 {
		wx := d.adapter(t, func(c *weixin.Config) { c.Cache, c.Lock = shared, lock })
		group.Go(func() { d.phone(t, wx) })
	}
	group.Wait()
	if n := d.asked(tokenPath); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
	fresh := d.adapter(t, func(c *weixin.Config) { c.Cache = shared })
	d.box.ExpireTokens()
	d.phone(t, fresh) // took the dead one from the cache, and put a good one there
	d.phone(t, d.adapter(t, func(c *weixin.Config) { c.Cache = shared }))
	if n := d.asked(tokenPath); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}

// With the SDK's handle a dead Redis means no token at all.
func TestTrapADeadCacheCostsNothingButASharedToken(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	wx := d.adapter(t, func(c *weixin.Config) { c.Cache = &memory{fail: errors.New("down")} })
	d.phone(t, wx)
	d.phone(t, wx)
	if n := d.asked(tokenPath); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}
