package sandbox

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxCredits = 200_000
	maxOutbox  = 1000
	maxShown   = 20
	activeFor  = 2 * time.Hour // msg_sec_check wants a user seen lately
)

// messages counts what people have agreed to be sent, and keeps the newest messages.
type messages struct {
	mu      sync.Mutex
	credits map[[2]string]int // openid, template
	sent    []SentMessage
	number  int64
}

// SentMessage is a subscribe message that arrived.
type SentMessage struct {
	OpenID   string            `json:"openid"`
	Template string            `json:"template_id"`
	Page     string            `json:"page,omitempty"`
	Data     map[string]string `json:"data"`
	At       time.Time         `json:"at"`
}

func (m *messages) init() { m.credits = map[[2]string]int{} }

// Subscribe lets a person accept a template so many times.
func (s *Sandbox) Subscribe(person, template string, times int) {
	m := &s.messages
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.credits) < maxCredits {
		m.credits[[2]string{s.OpenID(person), template}] += times
	}
}

// Sent gives the newest subscribe messages, oldest first.
func (s *Sandbox) Sent() []SentMessage {
	s.messages.mu.Lock()
	defer s.messages.mu.Unlock()
	return slices.Clone(s.messages.sent)
}

// ServiceMessages gives what a person's phone shows under service notifications, newest first, at most limit.
func (s *Sandbox) ServiceMessages(openID string, limit int) []SentMessage {
	found := []SentMessage{}
	for _, m := range slices.Backward(s.Sent()) {
		if m.OpenID == openID && len(found) < limit {
			found = append(found, m)
		}
	}
	return found
}

// handMessages looks at the service notifications of a person's phone.
func (s *Sandbox) handMessages(w http.ResponseWriter, body []byte) {
	if in, ok := readPerson(w, body); ok {
		writeJSON(w, http.StatusOK, map[string]any{"messages": s.ServiceMessages(s.OpenID(in.Person), maxShown)})
	}
}

func (s *Sandbox) handSubscribe(w http.ResponseWriter, body []byte) {
	in, ok := readPerson(w, body)
	if !ok {
		return
	}
	if in.TemplateID == "" || in.Times < 0 || in.Times > 100 {
		http.Error(w, "sandbox: needs template_id; times at most 100", http.StatusBadRequest)
		return
	}
	s.Subscribe(in.Person, in.TemplateID, max(in.Times, 1))
	writeJSON(w, http.StatusOK, map[string]string{"errMsg": "requestSubscribeMessage:ok", in.TemplateID: "accept"})
}

func (s *Sandbox) serveSubscribeSend(w http.ResponseWriter, body []byte) {
	var in struct {
		ToUser     string `json:"touser"`
		TemplateID string `json:"template_id"`
		Page       string `json:"page"`
		State      string `json:"miniprogram_state"`
		Data       map[string]struct {
			Value any `json:"value"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if in.ToUser == "" {
		wxError(w, 40003)
		return
	}
	if in.TemplateID == "" {
		wxError(w, 40037)
		return
	}
	if !slices.Contains([]string{"", "formal", "trial", "developer"}, in.State) || len(in.Data) == 0 {
		wxError(w, 47003)
		return
	}
	message := SentMessage{in.ToUser, in.TemplateID, in.Page, map[string]string{}, s.now.Now()}
	for key, item := range in.Data {
		value, ok := item.Value.(string)
		if !ok || !validTemplateValue(key, value) {
			wxError(w, 47003)
			return
		}
		message.Data[key] = value
	}
	number, code := s.messages.spend(message)
	if code != 0 {
		wxError(w, code)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "msgid": number})
}

func (m *messages) spend(message SentMessage) (int64, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{message.OpenID, message.Template}
	if m.credits[key] == 0 {
		return 0, 43101
	}
	if m.credits[key]--; m.credits[key] == 0 {
		delete(m.credits, key)
	}
	if len(m.sent) >= maxOutbox {
		m.sent = slices.Delete(m.sent, 0, maxOutbox/10)
	}
	m.sent = append(m.sent, message)
	m.number++
	return m.number, 0
}

// templateValues are the limits by the kind that a key begins with: thing1, amount2 … Other kinds must only not be empty.
var templateValues = map[string]*regexp.Regexp{
	"thing":            regexp.MustCompile(`^.{1,20}$`),
	"character_string": regexp.MustCompile(`^[!-~]{1,32}$`),
	"phrase":           regexp.MustCompile(`^\p{Han}{1,5}$`),
	"name":             regexp.MustCompile(`^(\p{Han}{1,10}|[ -~]{1,20})$`),
	"letter":           regexp.MustCompile(`^[A-Za-z]{1,32}$`),
	"symbol":           regexp.MustCompile(`^[^\p{Han}A-Za-z0-9]{1,5}$`),
	"number":           regexp.MustCompile(`^-?[0-9.]{1,32}$`),
	"amount":           regexp.MustCompile(`^[¥$€]?-?[0-9]{1,10}(\.[0-9]+)?元?$`),
	"time":             regexp.MustCompile(`^([0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日 ?)?([0-9]{1,2}:[0-9]{2})?$`),
	"date":             regexp.MustCompile(`^[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日( [0-9]{1,2}:[0-9]{2})?$`),
}

func validTemplateValue(key, value string) bool {
	limit, known := templateValues[strings.TrimRight(key, "0123456789")]
	return value != "" && (!known || limit.MatchString(value))
}

// risky says which words get which label; anything else passes.
func risky(text string) (suggest string, label int, keyword string) {
	for _, w := range []struct {
		word, suggest string
		label         int
	}{
		{"赌博", "risky", 20006},
		{"代开发票", "risky", 10001},
		{"刷单", "risky", 20008},
		{"色情", "risky", 20002},
		{"傻逼", "risky", 20003},
		{"加微信", "review", 10001},
		{"最低价全网第一", "review", 21000},
	} {
		if strings.Contains(text, w.word) {
			return w.suggest, w.label, w.word
		}
	}
	return "pass", 100, ""
}

func (s *Sandbox) serveTextCheck(w http.ResponseWriter, body []byte) {
	var in struct {
		Version  int    `json:"version"`
		Scene    int    `json:"scene"`
		OpenID   string `json:"openid"`
		Content  string `json:"content"`
		Title    string `json:"title"`
		Nickname string `json:"nickname"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if in.Version != 2 || in.Scene < 1 || in.Scene > 4 || !filled(in.Content, 2500) {
		wxError(w, 40097)
		return
	}
	if in.OpenID == "" {
		wxError(w, 40003)
		return
	}
	if s.now.Now().Sub(s.people.lastSeen(in.OpenID)) > activeFor {
		wxError(w, 61010)
		return
	}
	suggest, label, keyword := risky(in.Content + "\n" + in.Title + "\n" + in.Nickname)
	writeJSON(w, http.StatusOK, map[string]any{
		"errcode": 0, "errmsg": "ok", "trace_id": randomHex(16),
		"result": map[string]any{"suggest": suggest, "label": label},
		"detail": []map[string]any{{
			"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90, "keyword": keyword,
		}},
	})
}
