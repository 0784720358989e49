package weixinpay_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strconv"
	"testing"
	"time"

	"guanxi/platform/sandbox"
)

// platform is whoever holds the platform's private key: it can sign anything.
type platform struct {
	key    *rsa.PrivateKey
	serial string
	aead   cipher.AEAD
}

func newPlatform(t testing.TB, box *sandbox.Sandbox) *platform {
	t.Helper()
	block, _ := pem.Decode([]byte(box.Keys().Platform))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	c, err := aes.NewCipher([]byte(box.Credentials().APIv3Key))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(c)
	if err != nil {
		t.Fatal(err)
	}
	return &platform{key: key.(*rsa.PrivateKey), serial: box.Credentials().PublicKeyID, aead: aead}
}

func (p *platform) sign(h http.Header, at time.Time, body []byte) {
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), "0123456789abcdef"
	sum := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	h.Set("Wechatpay-Timestamp", timestamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", p.serial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
}

func (p *platform) signed(body []byte) http.Header {
	h := http.Header{}
	p.sign(h, time.Now(), body)
	return h
}

// seal makes a notification body around any plaintext.
func (p *platform) seal(event, originalType, plain string) []byte {
	nonce := "abcdefghijkl"
	sealed := p.aead.Seal(nil, []byte(nonce), []byte(plain), []byte("aad"))
	body, err := json.Marshal(map[string]any{
		"id": "EV-1", "event_type": event, "resource_type": "encrypt-resource",
		"resource": map[string]string{
			"algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.StdEncoding.EncodeToString(sealed),
			"associated_data": "aad", "nonce": nonce, "original_type": originalType,
		},
	})
	if err != nil {
		panic(err)
	}
	return body
}
