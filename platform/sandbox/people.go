package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"
)

const codeLives = 5 * time.Minute

// people remembers the codes that phones were given, and when each openid was last seen.
type people struct {
	mu      sync.Mutex
	codes   map[string]*phoneCode
	ring    []string // oldest codes are forgotten first
	next    int
	minute  int64 // logins are counted per person and minute
	logins  map[string]int
	seen    map[string]time.Time // openid → last login
	maxSeen int
}

type phoneCode struct {
	kind   string // login or phone
	person string
	phone  string
	at     time.Time
	used   bool
}

func (p *people) init(size int) {
	p.codes, p.ring, p.logins = map[string]*phoneCode{}, make([]string, size), map[string]int{}
	p.seen, p.maxSeen = map[string]time.Time{}, 4*size
}

func (p *people) give(c *phoneCode) string {
	code := "0" + randomHex(16)[:31]
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.codes, p.ring[p.next])
	p.ring[p.next] = code
	p.next = (p.next + 1) % len(p.ring)
	p.codes[code] = c
	return code
}

// spend uses a code up: 40029 unknown or expired, 40163 used before.
func (p *people) spend(kind, code string, now time.Time) (*phoneCode, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.codes[code]
	switch {
	case c == nil || c.kind != kind || now.Sub(c.at) >= codeLives:
		return nil, 40029
	case c.used:
		return nil, 40163
	}
	c.used = true
	return c, 0
}

// countLogin counts one more login of the person in this minute.
func (p *people) countLogin(openID string, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if minute := now.Unix() / 60; minute != p.minute {
		p.minute = minute
		clear(p.logins)
	}
	if len(p.seen) >= p.maxSeen {
		clear(p.seen)
	}
	p.seen[openID] = now
	p.logins[openID]++
	return p.logins[openID]
}

func (p *people) lastSeen(openID string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[openID]
}

// OpenID is the openid a person has in the sandbox's mini-program.
func (s *Sandbox) OpenID(person string) string { return "o" + s.personHash("openid", person)[:27] }

// UnionID is the unionid a person has under the sandbox's open-platform account.
func (s *Sandbox) UnionID(person string) string { return "u" + s.personHash("unionid", person)[:27] }

func (s *Sandbox) personHash(purpose, person string) string {
	sum := sha256.Sum256([]byte(purpose + "\n" + s.cfg.AppID + "\n" + person))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// LoginCode is what wx.login would give to this person's phone.
func (s *Sandbox) LoginCode(person string) string {
	return s.people.give(&phoneCode{kind: "login", person: person, at: s.now.Now()})
}

// PhoneCode is what the "get phone number" button would give. Empty phone: one derived from the person.
func (s *Sandbox) PhoneCode(person, phone string) string {
	if phone == "" {
		sum := sha256.Sum256([]byte("phone\n" + person))
		phone = fmt.Sprintf("138%08d", (uint32(sum[0])<<24|uint32(sum[1])<<16|uint32(sum[2])<<8|uint32(sum[3]))%100_000_000)
	}
	return s.people.give(&phoneCode{kind: "phone", person: person, phone: phone, at: s.now.Now()})
}

type personWire struct {
	Person     string `json:"person"`
	Phone      string `json:"phone"`
	TemplateID string `json:"template_id"`
	Times      int    `json:"times"`
}

func readPerson(w http.ResponseWriter, body []byte) (personWire, bool) {
	var in personWire
	if json.Unmarshal(body, &in) != nil || in.Person == "" || utf8.RuneCountInString(in.Person) > 100 {
		http.Error(w, "sandbox: needs person, at most 100 characters", http.StatusBadRequest)
		return in, false
	}
	return in, true
}

func (s *Sandbox) handLogin(w http.ResponseWriter, body []byte) {
	if in, ok := readPerson(w, body); ok {
		writeJSON(w, http.StatusOK, map[string]string{"code": s.LoginCode(in.Person), "openid": s.OpenID(in.Person)})
	}
}

func (s *Sandbox) handPhone(w http.ResponseWriter, body []byte) {
	if in, ok := readPerson(w, body); ok {
		writeJSON(w, http.StatusOK, map[string]string{"code": s.PhoneCode(in.Person, in.Phone)})
	}
}

func (s *Sandbox) serveCode2Session(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Get("grant_type") != "authorization_code":
		wxError(w, 40002)
		return
	case query.Get("appid") != s.cfg.AppID:
		wxError(w, 40013)
		return
	case query.Get("secret") != s.cfg.AppSecret:
		wxError(w, 40125)
		return
	}
	now := s.now.Now()
	c, code := s.people.spend("login", query.Get("js_code"), now)
	if code != 0 {
		wxError(w, code)
		return
	}
	openID := s.OpenID(c.person)
	if s.people.countLogin(openID, now) > s.cfg.CodesPerMinute {
		wxError(w, 45011)
		return
	}
	answer := map[string]string{
		"openid": openID, "session_key": base64.StdEncoding.EncodeToString([]byte(randomHex(8))),
	}
	if s.cfg.OpenPlatform {
		answer["unionid"] = s.UnionID(c.person)
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Sandbox) servePhone(w http.ResponseWriter, body []byte) {
	var in struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	now := s.now.Now()
	c, code := s.people.spend("phone", in.Code, now)
	if code != 0 {
		wxError(w, code)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"errcode": 0, "errmsg": "ok",
		"phone_info": map[string]any{
			"phoneNumber": c.phone, "purePhoneNumber": c.phone, "countryCode": "86",
			"watermark": map[string]any{"timestamp": now.Unix(), "appid": s.cfg.AppID},
		},
	})
}
