package sandbox

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"slices"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

const sceneCharacters = "!#$&'()*+,/:;=?@-._~" // beside letters and digits

// serveCodeImage draws a readable QR code holding page?scene=…. The answer is a PNG under the content type the
// platform sends, image/jpeg, which the SDK insists on.
func (s *Sandbox) serveCodeImage(w http.ResponseWriter, body []byte) {
	in := struct {
		Scene      string `json:"scene"`
		Page       string `json:"page"`
		CheckPath  *bool  `json:"check_path"`
		EnvVersion string `json:"env_version"`
		Width      int    `json:"width"`
	}{Width: 430}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if in.Width == 0 {
		in.Width = 430
	}
	switch {
	case !validNumber(in.Scene, 1, 32, sceneCharacters):
		wxError(w, 40129)
		return
	case in.Width < 280 || in.Width > 1280 || !slices.Contains([]string{"", "release", "trial", "develop"}, in.EnvVersion):
		wxError(w, 40097)
		return
	case !s.pageExists(in.Page, in.CheckPath == nil || *in.CheckPath):
		wxError(w, 41030)
		return
	}
	page := in.Page
	if page == "" {
		page = "pages/index/index"
	}
	image, err := drawCode(page+"?scene="+in.Scene, in.Width)
	if err != nil {
		wxError(w, -1)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(image)
}

func (s *Sandbox) pageExists(page string, check bool) bool {
	if strings.HasPrefix(page, "/") || strings.Contains(page, "?") || len(page) > 200 {
		return false
	}
	return page == "" || !check || len(s.cfg.PublishedPages) == 0 || slices.Contains(s.cfg.PublishedPages, page)
}

func drawCode(text string, width int) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, err
	}
	if code, err = barcode.Scale(code, width, width); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err = png.Encode(&out, code); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
