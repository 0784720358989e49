package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"guanxi/internal/clock"
)

// Config says what the sandbox is. The zero value works: every field has a default.
type Config struct {
	Clock clock.Clock  // business time; default the machine's
	Nanos func() int64 // nanoseconds, monotonic or of the thread's processor time, to time signing; nil leaves that at zero
	Keys  Keys         // RSA keys; default fresh ones, which takes a fraction of a second

	AppID, AppSecret    string // mini-program; default wx5a3dbcc0ffee0001 and a derived secret
	MchID               string // merchant; default 1900000109
	MerchantSerial      string // 40 hex; default derived from the merchant key
	PublicKeyID         string // PUB_KEY_ID_…; default derived from the platform key
	APIv3Key            string // exactly 32 bytes; default derived from the merchant key
	CorpID, CorpSecret  string // WeCom; default ww5a3dbcc0ffee0001 and a derived secret
	CorpAgentID         int64  // default 1000002
	CallbackToken       string // WeCom callback; default derived
	CallbackAESKey      string // WeCom callback, 43 characters; default derived
	OpenPlatform        bool   // give a unionid with every login
	AllowLoopbackHTTP   bool   // accept http notify addresses on loopback; production WeChat wants https
	NotifyClient        *http.Client
	NotifyRetries       []time.Duration // waits between attempts; default WeChat's own schedule divided by 60
	NotifyWorkers       int             // notifications on their way at once; default 64
	MaxPending          int             // notifications waiting for a retry; beyond it they are lost; default 50,000
	MaxOrders           int             // newest orders kept; default 200,000
	MaxCodes            int             // newest login and phone codes kept; default 100,000
	RefundDelay         time.Duration   // real time a refund stays PROCESSING; default 0: settled at once, but after the answer
	RefundGap           time.Duration   // least business time between partial refunds of one order; default 0: not enforced (WeChat: 1 min)
	ShippingDelay       time.Duration   // business time after payment until shipping knows the order; default 0 (WeChat: 10-60 s)
	CodesPerMinute      int             // logins per person and minute before 45011; default 100
	WeComTokenSeconds   int             // expires_in of WeCom tokens; default 1200, below the 1500 an SDK subtracts
	MiniTokenSeconds    int             // expires_in of mini-program tokens; default 7200
	PublishedPages      []string        // pages a code image may open with check_path; empty: every page exists
	CallbackURL         string          // where WeCom events go; empty: nowhere
	UnsignedClientError bool            // leave 4xx of WeChat Pay unsigned, as seen live; default signed when asked for

	StartBalance    int64            // fen on the merchant's account at first; default 1,000,000,000; negative: nothing
	Scenes          map[string]Scene // transfer scenes by id; default 1000, 1002, 1005 and 1011
	TransferMin     int64            // least fen of one transfer; default 10
	TransferMax     int64            // most fen of one transfer; default 2,000,000
	TransferDelay   time.Duration    // real time of ACCEPTED, of moving and of CANCELING; default 0: only the latter two, and briefly
	RefuseWrongName bool             // another name than the person's is a 400; default: accepted, then FAIL with NAME_NOT_CORRECT
	MaxTransfers    int              // newest transfers kept; default 200,000
	SharingWait     time.Duration    // business time after payment until an order can be shared; default 30 s; negative: none
	SharingDelay    time.Duration    // real time a sharing stays PROCESSING; default 0: finished at once, but after the answer
	SharingCeiling  int64            // basis points of an order that may go to others; default 3,000
	Bills           BillStyle        // the form of bills; default the present one, without fees
	BillsAtOnce     bool             // bills exist at once, of today too; default from 10:00 of the next day
}

// Keys are the RSA-2048 private keys in PKCS#8 PEM. Keep them to let stored credentials live longer than the process.
type Keys struct {
	Platform string // signs answers and notifications; its public half is the "WeChat Pay public key"
	Merchant string // the merchant's; the sandbox uses only its public half
}

// GenerateKeys makes both keys.
func GenerateKeys() (Keys, error) {
	platform, err := generateKey()
	if err != nil {
		return Keys{}, err
	}
	merchant, err := generateKey()
	if err != nil {
		return Keys{}, err
	}
	return Keys{Platform: platform, Merchant: merchant}, nil
}

func generateKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("sandbox: generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("sandbox: encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// Credentials are what a client must be configured with.
type Credentials struct {
	AppID, AppSecret      string
	MchID, MerchantSerial string
	MerchantKeyPEM        string // PKCS#8
	PublicKeyID           string
	PublicKeyPEM          string // PKIX
	APIv3Key              string
	CorpID, CorpSecret    string
	CorpAgentID           int64
	CallbackToken         string
	CallbackAESKey        string
}

// Credentials tells what a client must be configured with.
func (s *Sandbox) Credentials() Credentials {
	return Credentials{
		AppID: s.cfg.AppID, AppSecret: s.cfg.AppSecret, MchID: s.cfg.MchID, MerchantSerial: s.cfg.MerchantSerial,
		MerchantKeyPEM: s.cfg.Keys.Merchant, PublicKeyID: s.cfg.PublicKeyID, PublicKeyPEM: s.platformPEM,
		APIv3Key: s.cfg.APIv3Key, CorpID: s.cfg.CorpID, CorpSecret: s.cfg.CorpSecret, CorpAgentID: s.cfg.CorpAgentID,
		CallbackToken: s.cfg.CallbackToken, CallbackAESKey: s.cfg.CallbackAESKey,
	}
}

// Keys gives the private keys in PEM, to pass to the next New.
func (s *Sandbox) Keys() Keys { return s.cfg.Keys }

func (c *Config) complete() error {
	if c.Keys == (Keys{}) {
		keys, err := GenerateKeys()
		if err != nil {
			return err
		}
		c.Keys = keys
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	c.completeNames()
	c.completeSizes()
	if len(c.APIv3Key) != 32 {
		return errors.New("sandbox: APIv3Key must have 32 bytes")
	}
	if len(c.CallbackAESKey) != 43 {
		return errors.New("sandbox: CallbackAESKey must have 43 characters")
	}
	return nil
}

func (c *Config) completeNames() {
	fallback := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fallback(&c.AppID, "wx5a3dbcc0ffee0001")
	fallback(&c.AppSecret, c.derive("app secret")[:32])
	fallback(&c.MchID, "1900000109")
	fallback(&c.MerchantSerial, strings.ToUpper(c.derive("merchant serial")[:40]))
	fallback(&c.PublicKeyID, "PUB_KEY_ID_0119000001092024"+c.derive("public key id")[:8])
	fallback(&c.APIv3Key, c.derive("apiv3 key")[:32])
	fallback(&c.CorpID, "ww5a3dbcc0ffee0001")
	fallback(&c.CorpSecret, c.derive("corp secret")[:43])
	fallback(&c.CallbackToken, c.derive("callback token")[:16])
	fallback(&c.CallbackAESKey, c.derive("callback key")[:42]+"A") // 43 base64 characters: the last carries 4 bits
	if c.CorpAgentID == 0 {
		c.CorpAgentID = 1000002
	}
}

func (c *Config) completeSizes() {
	atLeast := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	atLeast(&c.NotifyWorkers, 64)
	atLeast(&c.MaxPending, 50_000)
	atLeast(&c.MaxOrders, 200_000)
	atLeast(&c.MaxCodes, 100_000)
	atLeast(&c.CodesPerMinute, 100)
	atLeast(&c.WeComTokenSeconds, 1200)
	atLeast(&c.MiniTokenSeconds, 7200)
	c.completeMoney()
	if c.NotifyRetries == nil {
		for _, seconds := range []int{15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600} {
			c.NotifyRetries = append(c.NotifyRetries, time.Duration(seconds)*time.Second/60)
		}
	}
	if c.NotifyClient == nil {
		c.NotifyClient = &http.Client{
			Timeout:       5 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: c.NotifyWorkers, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
}

func (c *Config) completeMoney() {
	fallback := func(field *int64, value int64) {
		if *field == 0 {
			*field = value
		}
	}
	fallback(&c.StartBalance, 1_000_000_000)
	c.StartBalance = max(c.StartBalance, 0)
	fallback(&c.TransferMin, 10)
	fallback(&c.TransferMax, 2_000_000)
	fallback(&c.SharingCeiling, 3_000)
	if c.SharingWait == 0 {
		c.SharingWait = 30 * time.Second
	}
	if c.MaxTransfers <= 0 {
		c.MaxTransfers = 200_000
	}
	if c.Scenes == nil {
		c.Scenes = defaultScenes()
	}
}

// derive makes a value that is stable as long as the merchant key is.
func (c *Config) derive(purpose string) string {
	sum := sha256.Sum256([]byte(purpose + "\n" + c.Keys.Merchant))
	return hex.EncodeToString(sum[:])
}
