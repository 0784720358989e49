package sandbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" // the platform's signature is SHA-1
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AddFriend is a person scanning a staff member's contact way.
type AddFriend struct {
	Staff  string `json:"staff"`
	Person string `json:"person"`
	State  string `json:"state,omitempty"` // what the contact way carried
}

// AddFriend makes the person a customer of the staff member and sends the callback. It returns the external userid
// and the welcome code, which is good for one welcome message within 20 seconds.
func (s *Sandbox) AddFriend(in AddFriend) (external, code string) {
	now := s.now.Now()
	external, code = "wm"+s.personHash("external", in.Person)[:30], randomHex(16)
	s.wecom.befriend(in, external, code, now, s.UnionID(in.Person), s.cfg.OpenPlatform)
	s.emit(fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"+
		"<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[%s]]></UserID>"+
		"<ExternalUserID><![CDATA[%s]]></ExternalUserID><State><![CDATA[%s]]></State>"+
		"<WelcomeCode><![CDATA[%s]]></WelcomeCode></xml>", s.cfg.CorpID, now.Unix(), plain(in.Staff), external, plain(in.State), code))
	return external, code
}

// plain keeps a value inside its CDATA section.
func plain(text string) string { return strings.ReplaceAll(text, "]]>", "") }

func (c *wecom) befriend(in AddFriend, external, code string, now time.Time, unionID string, bound bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for old, w := range c.welcomes {
		if now.Sub(w.at) > time.Hour {
			delete(c.welcomes, old)
		}
	}
	c.welcomes[code] = &welcome{at: now}
	known := c.customers[external]
	if known == nil {
		if len(c.customers) >= maxCustomers {
			return
		}
		known = &customer{id: external, name: in.Person, addedAt: now, tags: map[string][]string{}}
		if bound {
			known.unionID = unionID
		}
		c.customers[external] = known
	}
	known.state = in.State
	if !slices.Contains(known.staff, in.Staff) {
		known.staff = append(known.staff, in.Staff)
		c.byStaff[in.Staff] = append(c.byStaff[in.Staff], external)
	}
}

func (s *Sandbox) handWeComEvent(w http.ResponseWriter, body []byte) {
	var in AddFriend
	if json.Unmarshal(body, &in) != nil || in.Staff == "" || in.Person == "" {
		http.Error(w, "sandbox: needs staff and person", http.StatusBadRequest)
		return
	}
	external, code := s.AddFriend(in)
	writeJSON(w, http.StatusOK, map[string]string{"external_userid": external, "welcome_code": code})
}

// Callback is an encrypted, signed WeCom callback: the query and the body.
type Callback struct {
	Query url.Values
	Body  []byte
}

// Seal encrypts and signs a message as WeCom does.
func (s *Sandbox) Seal(message string) (Callback, error) {
	encrypted, err := s.encryptCallback([]byte(message))
	if err != nil {
		return Callback{}, err
	}
	timestamp, nonce := strconv.FormatInt(s.real.Now().Unix(), 10), randomHex(5)
	query := url.Values{
		"timestamp": {timestamp}, "nonce": {nonce},
		"msg_signature": {callbackSignature(s.cfg.CallbackToken, timestamp, nonce, encrypted)},
	}
	body := fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><AgentID><![CDATA[%d]]></AgentID>"+
		"<Encrypt><![CDATA[%s]]></Encrypt></xml>", s.cfg.CorpID, s.cfg.CorpAgentID, encrypted)
	return Callback{query, []byte(body)}, nil
}

// encryptCallback is AES-256-CBC over 16 random bytes, the length, the message and the corp id, padded to 32.
func (s *Sandbox) encryptCallback(message []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(s.cfg.CallbackAESKey + "=")
	if err != nil {
		return "", fmt.Errorf("sandbox: callback key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("sandbox: callback key: %w", err)
	}
	text := make([]byte, 20, 20+len(message)+len(s.cfg.CorpID)+32)
	_, _ = rand.Read(text[:16])
	binary.BigEndian.PutUint32(text[16:], uint32(len(message))) // bodies are bounded
	text = append(append(text, message...), s.cfg.CorpID...)
	pad := 32 - len(text)%32
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(text), nil
}

func callbackSignature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// emit sends a callback to the configured address: at most three attempts, as WeCom does.
func (s *Sandbox) emit(message string) {
	if s.cfg.CallbackURL == "" {
		return
	}
	if rule, ok := s.faults.take("notify:wecom"); ok && rule.Action == ActionLose {
		s.post.lost.Add(1)
		return
	}
	callback, err := s.Seal(message)
	if err != nil {
		return
	}
	s.post.later(0, func() {
		for range 3 {
			if s.post.sendCallback(s.cfg.CallbackURL, callback) {
				s.post.delivered.Add(1)
				return
			}
			s.post.refused.Add(1)
		}
		s.post.lost.Add(1)
	})
}

func (p *postOffice) sendCallback(address string, c Callback) bool {
	request, err := http.NewRequestWithContext(p.ctx, http.MethodPost, address+"?"+c.Query.Encode(), bytes.NewReader(c.Body))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "text/xml")
	response, err := p.client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return response.StatusCode == http.StatusOK
}
