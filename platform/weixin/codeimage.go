package weixin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/silenceper/wechat/v2/miniprogram/qrcode"
	"github.com/silenceper/wechat/v2/util"
)

const maxScene = 32

// CodeImage draws the unlimited mini-program code that opens page with the scene: an image as the platform gives it
// (JPEG, or PNG from the sandbox). Scene: 1 to 32 characters from letters, digits and !#$&'()*+,/:;=?@-._~; page without a
// leading slash or a query, empty for the first page. Errors: ErrRefused, ErrAway.
func (c *Client) CodeImage(ctx context.Context, scene, page string) ([]byte, error) {
	if !validScene(scene) || strings.HasPrefix(page, "/") || strings.ContainsAny(page, "?#") {
		return nil, fmt.Errorf("weixin: code image: %w: scene or page", ErrRefused)
	}
	var image []byte
	err := c.withToken(ctx, "code image", func(ctx context.Context, token string) error {
		// The SDK's own call takes no context, wants the content type image/jpeg and hides the errcode.
		body, err := util.PostJSONContext(ctx, host+"/wxa/getwxacodeunlimit?access_token="+token, qrcode.QRCoder{
			Scene: scene, Page: page, CheckPath: &c.cfg.CheckPage, EnvVersion: c.cfg.EnvVersion,
		})
		if err != nil {
			return err
		}
		image, err = util.HandleFileResponse(body, "code image")
		return err
	})
	if err != nil {
		return nil, err
	}
	if !isImage(image) {
		return nil, fmt.Errorf("weixin: code image: %w: %w", ErrAway, errors.New("the answer is no image"))
	}
	return image, nil
}

func isImage(b []byte) bool {
	return len(b) > 8 && (string(b[:3]) == "\xff\xd8\xff" || string(b[:8]) == "\x89PNG\r\n\x1a\n")
}

func validScene(scene string) bool {
	if scene == "" || len(scene) > maxScene {
		return false
	}
	for _, r := range scene {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("!#$&'()*+,/:;=?@-._~", r) {
			return false
		}
	}
	return true
}
