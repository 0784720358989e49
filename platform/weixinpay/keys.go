package weixinpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
)

// Why a signature does not count.
var (
	errProbe   = errors.New("a probe of the platform, which must fail")
	errStrange = errors.New("a serial number that is not configured")
	errSigned  = errors.New("the signature does not match")
)

// Stats are counters since New.
type Stats struct {
	Signatures    int64 // RSA signatures made: one per request and one per pay button
	Verifications int64 // RSA signatures checked: one per answer and notification
	RSANanos      int64 // time both took, when Config.Nanos is set
	Probes        int64 // SIGNTEST probes refused
	Forged        int64 // notifications refused for their signature, age or serial
}

type meter struct {
	nanos                                func() int64
	signs, verifies, spent, probes, fake atomic.Int64
}

// Stats reads the counters.
func (p *Payments) Stats() Stats {
	return Stats{
		Signatures: p.meter.signs.Load(), Verifications: p.meter.verifies.Load(), RSANanos: p.meter.spent.Load(),
		Probes: p.meter.probes.Load(), Forged: p.meter.fake.Load(),
	}
}

// begin starts the time of one operation; what it returns ends it. The goroutine stays on its thread meanwhile, so that
// the configured clock may be the thread's processor time.
func (m *meter) begin() (end func()) {
	if m.nanos == nil {
		return func() {}
	}
	runtime.LockOSThread()
	start := m.nanos()
	return func() {
		m.spent.Add(m.nanos() - start)
		runtime.UnlockOSThread()
	}
}

// signer is the SDK's signer, counted.
type signer struct {
	inner *signers.SHA256WithRSASigner
	meter *meter
}

// Sign signs with the merchant's key.
func (s *signer) Sign(ctx context.Context, message string) (*auth.SignatureResult, error) {
	s.meter.signs.Add(1)
	defer s.meter.begin()()
	return s.inner.Sign(ctx, message)
}

// Algorithm names it in the Authorization header: SHA256-RSA2048.
func (s *signer) Algorithm() string { return s.inner.Algorithm() }

// verifier knows the platform's keys by serial: the public key, and others during a migration.
type verifier struct {
	accept string
	keys   map[string]*verifiers.SHA256WithRSAPubkeyVerifier
	meter  *meter
}

func newVerifier(cfg Config, m *meter) (*verifier, *rsa.PublicKey, error) {
	first, err := loadPublic(cfg.PublicKeyPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("weixinpay: PublicKeyPEM: %w", err)
	}
	v := &verifier{accept: cfg.PublicKeyID, meter: m, keys: map[string]*verifiers.SHA256WithRSAPubkeyVerifier{
		cfg.PublicKeyID: verifiers.NewSHA256WithRSAPubkeyVerifier(cfg.PublicKeyID, *first),
	}}
	for serial, text := range cfg.MoreKeys {
		key, err := loadPublic(text)
		if err != nil {
			return nil, nil, fmt.Errorf("weixinpay: MoreKeys: %w", err)
		}
		v.keys[serial] = verifiers.NewSHA256WithRSAPubkeyVerifier(serial, *key)
	}
	return v, first, nil
}

// Verify checks a signature made with the key of that serial.
func (v *verifier) Verify(ctx context.Context, serial, message, signature string) error {
	if strings.HasPrefix(signature, "WECHATPAY/SIGNTEST/") {
		v.meter.probes.Add(1)
		return errProbe
	}
	key, ok := v.keys[serial]
	if !ok {
		return errStrange
	}
	v.meter.verifies.Add(1)
	defer v.meter.begin()()
	if key.Verify(ctx, serial, message, signature) != nil {
		return errSigned
	}
	return nil
}

// GetSerial is the serial we ask the platform to sign with.
func (v *verifier) GetSerial(context.Context) (string, error) { return v.accept, nil }
