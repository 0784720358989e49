package qywx

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// The documents' own example of the signature that WeChat and WeCom share.
func TestOfficialSignatureVector(t *testing.T) {
	t.Parallel()
	if got := signature("AAAAA", "1714036504", "1514711492"); got != "f464b24fc39322e44b38aa78f5edd27bd1441696" {
		t.Error(got)
	}
}

func FuzzCallback(f *testing.F) {
	c, err := New(Config{CorpID: "ww1", Secret: "s", CallbackToken: "t", CallbackAESKey: strings.Repeat("A", 43)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Repeat([]byte{1}, 64), true)
	f.Add([]byte("ragged"), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, sealed []byte, sign bool) {
		encrypted := base64.StdEncoding.EncodeToString(sealed)
		query := url.Values{"timestamp": {"1"}, "nonce": {"2"}}
		if sign {
			query.Set("msg_signature", signature("t", "1", "2", encrypted))
		}
		_, err := c.ParseCallback(query, []byte("<xml><Encrypt>"+encrypted+"</Encrypt></xml>"))
		if err == nil && !sign {
			t.Fatal("accepted without a signature")
		}
	})
}
