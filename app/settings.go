package app

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"guanxi/internal/docstore"
)

// Setting is one thing an operator can set, from the environment or from a file of NAME=value lines.
type Setting struct {
	Name     string
	Default  string
	Words    string // what it is, for the README's table and for doctor
	Secret   bool   // never printed
	Required bool   // serve refuses to start without it
}

// Settings lists everything that can be set; docs/settings.md is printed from it.
func Settings() []Setting {
	return append(append([]Setting{
		{Name: "GUANXI_LISTEN", Default: "127.0.0.1:8080", Words: "address of the public edge"},
		{Name: "GUANXI_CONSOLE_ADDR", Words: "address of the staff's console alone, e.g. 127.0.0.1:8081; empty = under /console/ of the public edge"},
		{Name: "GUANXI_OPS_LISTEN", Default: "127.0.0.1:9090", Words: "address of metrics and profiles; keep it private"},
		{Name: "GUANXI_PUBLIC_URL", Required: true, Words: "https URL under which WeChat Pay reaches this service, without a trailing slash"},
		{Name: "GUANXI_DIR", Default: "./var/data", Words: "folder of the embedded store; not used with GUANXI_MONGO_URL"},
		{Name: "GUANXI_MONGO_URL", Secret: true, Words: "MongoDB replica set or sharded cluster; empty = embedded store"},
		{Name: "GUANXI_MONGO_DATABASE", Default: "guanxi", Words: "database name in MongoDB"},
		{Name: "GUANXI_REDIS_URL", Secret: true, Words: "Redis; empty = an embedded one, for a single instance"},
		{Name: "GUANXI_KEY_LOOKUP", Secret: true, Required: true, Words: "base64 of 32 bytes, newest first, comma separated: keyed hashes of phones. To change it put a new one in front, run `guanxi rekey`, and keep the old one behind it"},
		{Name: "GUANXI_KEYS", Secret: true, Required: true, Words: "name:base64 of 32 bytes, newest first, comma separated: encryption of personal data. To change it put a new one in front on every instance, run `guanxi rekey`, then take the old one away"},
		{Name: "GUANXI_WEIXIN_APPID", Required: true, Words: "mini-program AppID"},
		{Name: "GUANXI_WEIXIN_SECRET", Secret: true, Required: true, Words: "mini-program AppSecret"},
		{Name: "GUANXI_PAY_MCHID", Required: true, Words: "WeChat Pay merchant number"},
		{Name: "GUANXI_PAY_SERIAL", Required: true, Words: "serial number of the merchant's API certificate"},
		{Name: "GUANXI_PAY_KEY_FILE", Required: true, Words: "PEM file with the merchant's private key"},
		{Name: "GUANXI_PAY_PUBLIC_KEY_ID", Required: true, Words: "PUB_KEY_ID_… of the WeChat Pay public key"},
		{Name: "GUANXI_PAY_MORE_KEYS", Words: "serial=PEM file, comma separated: further public keys and platform certificates that sign notifications and answers, for the time in which keys are changed"},
		{Name: "GUANXI_PAY_PUBLIC_KEY_FILE", Required: true, Words: "PEM file with the WeChat Pay public key"},
		{Name: "GUANXI_PAY_APIV3_KEY", Secret: true, Required: true, Words: "APIv3 key, 32 characters"},
		{Name: "GUANXI_RATE", Default: "600", Words: "requests a minute for one member or address; 0 = no limit"},
		{Name: "GUANXI_TRUST_PROXY", Default: "false", Words: "true when a proxy of yours sets X-Forwarded-For"},
		{Name: "GUANXI_SANDBOX_URL", Words: "development only: the URL on loopback of a running `guanxi sandbox`, in the place of WeChat and WeChat Pay; refused unless GUANXI_PUBLIC_URL is on loopback, too"},
		{Name: "GUANXI_LOG", Default: "info", Words: "debug, info, warn or error"},
		{Name: "GUANXI_OTLP_URL", Words: "OTLP/HTTP endpoint for traces; empty = no traces"},
		{Name: "GUANXI_BACKUP_KEY", Secret: true, Words: "base64 of 32 bytes: encrypts what `guanxi backup` writes; keep a copy of it elsewhere, without it a backup is nothing"},
		{Name: "GUANXI_BACKUP_S3_URL", Words: "where s3:// is, e.g. https://cos.ap-shanghai.myqcloud.com"},
		{Name: "GUANXI_BACKUP_S3_REGION", Words: "its region, where it has some"},
		{Name: "GUANXI_BACKUP_S3_ID", Secret: true, Words: "access key id for s3://"},
		{Name: "GUANXI_BACKUP_S3_SECRET", Secret: true, Words: "access key secret for s3://"},
	}, moneySettings()...), noticeSettings()...)
}

// Values are settings by name.
type Values map[string]string

// ReadValues takes the environment, then fills what is missing from file (may be empty), then the defaults.
// Unknown GUANXI_ names are an error: a typing mistake must not silently mean the default.
func ReadValues(environ []string, file string) (Values, error) {
	known, v := map[string]bool{}, Values{}
	for _, s := range Settings() {
		known[s.Name] = true
	}
	take := func(line, source string) error {
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || !strings.HasPrefix(name, "GUANXI_") || strings.HasPrefix(name, "GUANXI_TEST_") && name != clockOffset {
			return nil
		}
		if !known[name] && name != clockOffset {
			return fmt.Errorf("%s: %s is not a setting", source, name)
		}
		if _, set := v[name]; !set {
			v[name] = strings.TrimSpace(value)
		}
		return nil
	}
	for _, line := range environ {
		if err := take(line, "environment"); err != nil {
			return nil, err
		}
	}
	if file != "" {
		if err := readFile(file, take); err != nil {
			return nil, err
		}
	}
	for _, s := range Settings() {
		if v[s.Name] == "" {
			v[s.Name] = s.Default
		}
	}
	return v, nil
}

func readFile(name string, take func(line, source string) error) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := take(line, name); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Check says in words everything that is wrong with the values; nothing means that serve can start.
func (v Values) Check() []string {
	var wrong []string
	add := func(name, why string) { wrong = append(wrong, name+": "+why) }
	for _, s := range Settings() {
		if s.Required && v[s.Name] == "" {
			add(s.Name, "is missing ("+s.Words+")")
		}
	}
	v.checkURLs(add)
	v.checkClock(add)
	if _, err := v.keyRing(); err != nil && v["GUANXI_KEYS"] != "" && v["GUANXI_KEY_LOOKUP"] != "" {
		add("GUANXI_KEYS", err.Error())
	}
	if k := v["GUANXI_PAY_APIV3_KEY"]; k != "" && len(k) != 32 {
		add("GUANXI_PAY_APIV3_KEY", "must be 32 characters")
	}
	if n, err := strconv.Atoi(v["GUANXI_RATE"]); err != nil || n < 0 {
		add("GUANXI_RATE", "must be a number, 0 or more")
	}
	if _, err := strconv.ParseBool(v["GUANXI_TRUST_PROXY"]); err != nil {
		add("GUANXI_TRUST_PROXY", "must be true or false")
	}
	if _, err := v.moreKeys(); err != nil {
		add("GUANXI_PAY_MORE_KEYS", err.Error())
	}
	for _, other := range []string{"GUANXI_LISTEN", "GUANXI_OPS_LISTEN"} {
		if v["GUANXI_CONSOLE_ADDR"] == v[other] {
			add("GUANXI_CONSOLE_ADDR", "is the same as "+other)
		}
	}
	for _, name := range []string{"GUANXI_PAY_KEY_FILE", "GUANXI_PAY_PUBLIC_KEY_FILE"} {
		if file := v[name]; file != "" {
			if _, err := os.ReadFile(file); err != nil {
				add(name, "cannot be read: "+errors.Unwrap(err).Error())
			}
		}
	}
	if _, err := v.refunds(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if _, err := v.outreach(); err != nil {
		wrong = append(wrong, err.Error())
	}
	return append(wrong, v.checkMoney()...)
}

// checkURLs: a program that real people reach never talks to an imitation.
func (v Values) checkURLs(add func(name, why string)) {
	public, err := url.Parse(v["GUANXI_PUBLIC_URL"])
	wrong := err != nil || public.Host == "" || public.RawQuery != "" || strings.HasSuffix(public.Path, "/")
	sandboxed := v["GUANXI_SANDBOX_URL"] != ""
	switch {
	case sandboxed && (wrong || !onLoopback(public)):
		add("GUANXI_SANDBOX_URL", "is for development: GUANXI_PUBLIC_URL must then be on loopback, e.g. http://127.0.0.1:8080")
	case v["GUANXI_PUBLIC_URL"] != "" && !sandboxed && (wrong || public.Scheme != "https"):
		add("GUANXI_PUBLIC_URL", "must be an https URL without query and trailing slash: WeChat Pay refuses others")
	}
	if u, err := url.Parse(v["GUANXI_SANDBOX_URL"]); sandboxed && (err != nil || !onLoopback(u)) {
		add("GUANXI_SANDBOX_URL", "must be a URL on loopback, e.g. http://127.0.0.1:8081")
	}
}

func onLoopback(u *url.URL) bool {
	address := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || address != nil && address.IsLoopback())
}

// WriteSettings prints every setting as a Markdown table.
func WriteSettings(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "| setting | default | meaning |\n|---|---|---|\n"); err != nil {
		return err
	}
	for _, s := range Settings() {
		words := s.Words
		if s.Required {
			words += " **(required)**"
		}
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s |\n", s.Name, s.Default, words); err != nil {
			return err
		}
	}
	return nil
}

// WriteEnv prints a file of settings to fill in: what is required stands open, the rest is a comment with its default.
func WriteEnv(w io.Writer) error {
	if _, err := fmt.Fprint(w, "# Settings of guanxi: fill in what is required, uncomment what you change. Meanings: docs/settings.md.\n"); err != nil {
		return err
	}
	for _, s := range Settings() {
		mark := "# "
		if s.Required {
			mark = ""
		}
		if _, err := fmt.Fprintf(w, "\n# %s\n%s%s=%s\n", s.Words, mark, s.Name, s.Default); err != nil {
			return err
		}
	}
	return nil
}

// moreKeys reads the platform's further keys, by serial number.
func (v Values) moreKeys() (map[string]string, error) {
	keys := map[string]string{}
	for _, one := range strings.Split(v["GUANXI_PAY_MORE_KEYS"], ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		serial, file, ok := strings.Cut(one, "=")
		if !ok || serial == "" {
			return nil, errors.New("GUANXI_PAY_MORE_KEYS: write serial=file")
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("GUANXI_PAY_MORE_KEYS: %w", err)
		}
		keys[serial] = string(text)
	}
	return keys, nil
}

// keyRing is blind without keys: serve demands them, commands that only look at the ledger need none.
func (v Values) keyRing() (*docstore.KeyRing, error) {
	if v["GUANXI_KEY_LOOKUP"] == "" && v["GUANXI_KEYS"] == "" {
		return docstore.BlindKeyRing(), nil
	}
	var lookups [][]byte
	for _, one := range strings.Split(v["GUANXI_KEY_LOOKUP"], ",") {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(one))
		if err != nil {
			return nil, errors.New("the lookup key is not base64")
		}
		lookups = append(lookups, raw)
	}
	var keys []docstore.Key
	for _, one := range strings.Split(v["GUANXI_KEYS"], ",") {
		name, secret, _ := strings.Cut(strings.TrimSpace(one), ":")
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			return nil, fmt.Errorf("key %q is not base64", name)
		}
		keys = append(keys, docstore.Key{ID: name, Secret: raw})
	}
	ring, err := docstore.NewKeyRing(lookups[0], keys...)
	if err != nil {
		return nil, err
	}
	return ring.WithOldLookups(lookups[1:]...)
}
