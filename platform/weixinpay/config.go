package weixinpay

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"guanxi/internal/clock"
	"guanxi/platform/weixin/wire"
)

// Config is what the merchant has been given, and where we can be reached.
type Config struct {
	AppID          string            // mini-program
	MchID          string            // merchant
	MerchantSerial string            // serial number of the merchant's API certificate
	MerchantKeyPEM string            // the merchant's private key, PKCS#8
	PublicKeyID    string            // PUB_KEY_ID_…
	PublicKeyPEM   string            // WeChat Pay's public key, PKIX
	MoreKeys       map[string]string // further serial → public key or certificate in PEM; for migrations
	APIv3Key       string            // 32 bytes
	NotifyURL      string            // https, no query: payments and refunds are notified here

	Transfer     TransferConfig // of withdrawals
	Sharing      SharingConfig  // of profit sharing
	ShareProfit  bool           // freeze what is paid, so that it can be shared; without it orders cannot be
	MaxBillBytes int64          // of one bill, unpacked; default 512 MiB, packed an eighth of it

	BaseURL string        // of a sandbox; empty: the platform
	Timeout time.Duration // of one call; default 10 s
	Conns   int           // idle connections kept; default 64
	Clock   clock.Clock   // stamps what the mini-program signs with; default the machine's
	Nanos   func() int64  // nanoseconds, monotonic or of the thread's processor time, to time RSA; nil leaves that at zero
}

// Payments talks to WeChat Pay. It is safe for concurrent use.
type Payments struct {
	cfg     Config
	clock   clock.Clock
	signer  *signer
	notify  *validators.WechatPayNotifyValidator
	aead    cipher.AEAD
	orders  *jsapi.JsapiApiService
	refunds *refunddomestic.RefundsApiService
	sdk     *core.Client // for calls that the SDK has no service for
	files   *core.Client // does not verify answers: bills come unsigned
	replies *validators.WechatPayResponseValidator
	public  *rsa.PublicKey // the platform's, for sensitive fields
	sharing *Sharing
	meter   *meter
	idle    func()
}

// New checks the configuration and builds the client; it sends nothing.
func New(cfg Config) (*Payments, error) {
	cfg.complete()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	key, err := utils.LoadPrivateKey(cfg.MerchantKeyPEM)
	if err != nil {
		return nil, errors.New("weixinpay: MerchantKeyPEM is not an RSA private key in PKCS#8 PEM")
	}
	meter := &meter{nanos: cfg.Nanos}
	verifier, first, err := newVerifier(cfg, meter)
	if err != nil {
		return nil, err
	}
	client, err := wire.NewClient(wire.Config{BaseURL: cfg.BaseURL, Timeout: cfg.Timeout, Conns: cfg.Conns})
	if err != nil {
		return nil, fmt.Errorf("weixinpay: %w", err)
	}
	aead, err := newAEAD(cfg.APIv3Key)
	if err != nil {
		return nil, err
	}
	signer := &signer{meter: meter, inner: &signers.SHA256WithRSASigner{
		MchID: cfg.MchID, CertificateSerialNo: cfg.MerchantSerial, PrivateKey: key,
	}}
	// The public-key option sets signer, verifier and cipher without any download; the two after it put our
	// counting signer and the verifier that knows several keys in their places.
	sdk, err := core.NewClient(context.Background(),
		option.WithWechatPayPublicKeyAuthCipher(cfg.MchID, cfg.MerchantSerial, key, cfg.PublicKeyID, first),
		option.WithSigner(signer), option.WithVerifier(verifier), option.WithHTTPClient(client))
	if err != nil {
		return nil, errors.New("weixinpay: the SDK refuses the configuration")
	}
	files, idle, err := newFiles(cfg, signer)
	if err != nil {
		return nil, err
	}
	p := &Payments{
		cfg: cfg, clock: cfg.Clock, signer: signer, meter: meter, aead: aead, sdk: sdk, files: files, public: first,
		idle:    func() { client.CloseIdleConnections(); idle() },
		notify:  validators.NewWechatPayNotifyValidator(verifier),
		replies: validators.NewWechatPayResponseValidator(verifier),
		orders:  &jsapi.JsapiApiService{Client: sdk},
		refunds: &refunddomestic.RefundsApiService{Client: sdk},
	}
	p.sharing = newSharing(p, sdk)
	return p, nil
}

// newFiles is a second client without a validator: bill files come unsigned, and larger than any answer.
func newFiles(cfg Config, signer *signer) (*core.Client, func(), error) {
	client, err := wire.NewClient(wire.Config{
		BaseURL: cfg.BaseURL, Timeout: max(cfg.Timeout, billTimeout), MaxBody: cfg.MaxBillBytes, Conns: 2,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("weixinpay: %w", err)
	}
	sdk, err := core.NewClient(context.Background(), option.WithoutValidator(), option.WithSigner(signer),
		option.WithHTTPClient(client))
	if err != nil {
		return nil, nil, errors.New("weixinpay: the SDK refuses the configuration")
	}
	return sdk, client.CloseIdleConnections, nil
}

// Shutdown lets go of idle connections.
func (p *Payments) Shutdown() { p.idle() }

func (c *Config) complete() {
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.MaxBillBytes <= 0 {
		c.MaxBillBytes = 512 << 20
	}
	c.Transfer.complete(c.NotifyURL)
	c.Sharing.complete()
}

func (c *Config) check() error {
	for name, value := range map[string]string{
		"AppID": c.AppID, "MchID": c.MchID, "MerchantSerial": c.MerchantSerial, "MerchantKeyPEM": c.MerchantKeyPEM,
		"PublicKeyID": c.PublicKeyID, "PublicKeyPEM": c.PublicKeyPEM,
	} {
		if strings.TrimSpace(value) == "" {
			return fmt.Errorf("weixinpay: %s is missing", name)
		}
	}
	if len(c.APIv3Key) != 32 {
		return errors.New("weixinpay: APIv3Key must have 32 bytes")
	}
	if err := c.checkAddress("NotifyURL", c.NotifyURL); err != nil {
		return err
	}
	if err := c.checkAddress("Transfer.NotifyURL", c.Transfer.NotifyURL); err != nil {
		return err
	}
	if err := c.Transfer.check(); err != nil {
		return err
	}
	return c.Sharing.check()
}

// checkAddress wants what the platform wants of an address that it calls.
func (c *Config) checkAddress(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("weixinpay: " + name + " must be absolute and without a query")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || c.BaseURL == "") {
		return errors.New("weixinpay: " + name + " must be https")
	}
	return nil
}

func newAEAD(key string) (cipher.AEAD, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, errors.New("weixinpay: APIv3Key is not usable")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, errors.New("weixinpay: APIv3Key is not usable")
	}
	return aead, nil
}

// loadPublic reads a public key, or the public key of a platform certificate.
func loadPublic(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block != nil && block.Type == "CERTIFICATE" {
		certificate, err := utils.LoadCertificate(text)
		if err != nil {
			return nil, errors.New("not a certificate")
		}
		if key, ok := certificate.PublicKey.(*rsa.PublicKey); ok {
			return key, nil
		}
		return nil, errors.New("not an RSA certificate")
	}
	key, err := utils.LoadPublicKey(text)
	if err != nil {
		return nil, errors.New("not an RSA public key in PKIX PEM")
	}
	return key, nil
}
