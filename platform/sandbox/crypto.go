package sandbox

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
)

func (s *Sandbox) loadKeys() error {
	platform, err := parseKey(s.cfg.Keys.Platform)
	if err != nil {
		return fmt.Errorf("sandbox: platform key: %w", err)
	}
	merchant, err := parseKey(s.cfg.Keys.Merchant)
	if err != nil {
		return fmt.Errorf("sandbox: merchant key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&platform.PublicKey)
	if err != nil {
		return fmt.Errorf("sandbox: platform key: %w", err)
	}
	block, err := aes.NewCipher([]byte(s.cfg.APIv3Key))
	if err != nil {
		return fmt.Errorf("sandbox: APIv3 key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("sandbox: APIv3 key: %w", err)
	}
	s.platform, s.merchant, s.aead = platform, &merchant.PublicKey, aead
	s.platformPEM = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return nil
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("not PKCS#8: %w", err)
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return rsaKey, nil
}

// sign is the platform's signature over TIMESTAMP\nNONCE\nBODY\n.
func (s *Sandbox) sign(timestamp, nonce string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(timestamp + "\n" + nonce + "\n"))
	h.Write(body)
	h.Write([]byte("\n"))
	var signature []byte
	var err error
	s.timed(func() { signature, err = rsa.SignPKCS1v15(nil, s.platform, crypto.SHA256, h.Sum(nil)) })
	if err != nil { // a key that New accepted signs; an empty signature is refused by every client
		return ""
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// signedByMerchant verifies a signature made with the merchant's key.
func (s *Sandbox) signedByMerchant(message []byte, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(message)
	return rsa.VerifyPKCS1v15(s.merchant, crypto.SHA256, sum[:], raw) == nil
}

// timed counts one signature and the time it takes. The goroutine stays on its thread, so that the configured
// clock may be the thread's processor time.
func (s *Sandbox) timed(work func()) {
	s.signs.Add(1)
	if s.cfg.Nanos == nil {
		work()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := s.cfg.Nanos()
	work()
	s.signNanos.Add(s.cfg.Nanos() - start)
}

// randomHex gives n random bytes as 2n characters.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
