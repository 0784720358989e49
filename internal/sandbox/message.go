package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxCredits = 200_000
	maxOutbox  = 1000
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
	OpenID, Template, Page string
	Data                   map[string]string
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
	message := SentMessage{in.ToUser, in.TemplateID, in.Page, map[string]string{}}
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

// validTemplateValue knows the limits by the kind that a key begins with: thing1, amount2 …
func validTemplateValue(key, value string) bool {
	limits := map[string]int{"thing": 20, "character_string": 32, "phrase": 5, "name": 10, "letter": 32, "symbol": 5}
	limit, ok := limits[strings.TrimRight(key, "0123456789")]
	n := utf8.RuneCountInString(value)
	return n > 0 && (!ok || n <= limit)
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
