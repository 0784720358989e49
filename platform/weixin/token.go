package weixin

import (
	"context"
	"fmt"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"guanxi/platform/weixin/wire"
)

// tokenMargin: a stable token is renewed when it has less than this left; the old and the new one work meanwhile.
const tokenMargin = 5 * time.Minute

// fetchToken is POST /cgi-bin/stable_token.
func (c *Client) fetchToken(ctx context.Context, force bool) (wire.Grant, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	body, err := util.PostJSONContext(ctx, host+"/cgi-bin/stable_token", map[string]any{
		"grant_type": "client_credential", "appid": c.cfg.AppID, "secret": c.cfg.AppSecret, "force_refresh": force,
	})
	if err != nil {
		return wire.Grant{}, refine("token", err)
	}
	var out struct {
		util.CommonError
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := util.DecodeWithError(body, &out, "token"); err != nil {
		return wire.Grant{}, refine("token", err)
	}
	if out.Token == "" || out.Seconds <= 0 {
		return wire.Grant{}, fmt.Errorf("weixin: token: %w: an answer without a token", ErrAway)
	}
	return wire.Grant{Token: out.Token, Until: c.cfg.Clock.Now().Add(wire.TokenLife(out.Seconds, tokenMargin))}, nil
}
