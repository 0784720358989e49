package weixin

import (
	"context"
	"fmt"
	"net/url"

	"guanxi/member"
)

var _ member.Platform = (*Client)(nil)

const maxCode = 512 // bytes of a login or phone code

// CodeToSession asks WeChat whose login code it is. The session key is thrown away: nothing here decrypts with it.
// Errors: member.ErrCodeRefused (unknown, used, old, high-risk user), member.ErrPlatformAway.
func (c *Client) CodeToSession(ctx context.Context, code string) (member.Identity, error) {
	if code == "" || len(code) > maxCode {
		return member.Identity{}, member.ErrCodeRefused
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	// The SDK puts the code into the address as it is, and hides the errcode in the text of its error.
	result, err := c.program.GetAuth().Code2SessionContext(ctx, url.QueryEscape(code))
	if result.ErrCode != 0 {
		return member.Identity{}, loginError(classified("login", result.ErrCode))
	}
	if err != nil {
		return member.Identity{}, loginError(refine("login", err))
	}
	if result.OpenID == "" {
		return member.Identity{}, loginError(fmt.Errorf("weixin: login: %w: an answer without an openid", ErrAway))
	}
	return member.Identity{AppID: c.cfg.AppID, OpenID: result.OpenID, UnionID: result.UnionID}, nil
}

// PhoneNumber asks WeChat for the number behind a phone button's code.
// Errors: member.ErrCodeRefused, member.ErrPlatformAway.
func (c *Client) PhoneNumber(ctx context.Context, code string) (member.PhoneNumber, error) {
	if code == "" || len(code) > maxCode {
		return member.PhoneNumber{}, member.ErrCodeRefused
	}
	var number member.PhoneNumber
	err := c.withToken(ctx, "phone", func(ctx context.Context, _ string) error {
		result, err := c.program.GetAuth().GetPhoneNumberContext(ctx, code)
		if err != nil {
			return err
		}
		info := result.PhoneInfo
		if info.PurePhoneNumber == "" || info.WaterMark.AppID != c.cfg.AppID {
			return fmt.Errorf("%w: an answer without a number for this app", ErrAway)
		}
		number = member.PhoneNumber{Number: info.PurePhoneNumber, CountryCode: info.CountryCode}
		return nil
	})
	if err != nil {
		return member.PhoneNumber{}, loginError(err)
	}
	return number, nil
}

func loginError(err error) error {
	switch codeOf(err) {
	case 40029, 40163, 40226:
		return member.ErrCodeRefused.Because(err)
	}
	return member.ErrPlatformAway.Because(err)
}
