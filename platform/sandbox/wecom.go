package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// wecom is the little of a corp that exists: staff, the customers they have added, tags, welcome codes.
type wecom struct {
	mu        sync.Mutex
	customers map[string]*customer // external userid
	byStaff   map[string][]string
	welcomes  map[string]*welcome
	ways      int
	tasks     []SentTask
	messages  []SentTask
}

type customer struct {
	id, name, unionID, state string
	staff                    []string
	tags                     map[string][]string // staff → tags
	addedAt                  time.Time
}

type welcome struct {
	at   time.Time
	used bool
}

// SentTask is a group-send task or an application message that was accepted.
type SentTask struct {
	ID      string
	To      []string
	Content string
}

const (
	welcomeLives = 20 * time.Second
	maxCustomers = 100_000
	maxTasks     = 1000
	maxTags      = 3000
)

func (c *wecom) init() {
	c.customers, c.byStaff, c.welcomes = map[string]*customer{}, map[string][]string{}, map[string]*welcome{}
}

// serveWeCom answers qyapi.weixin.qq.com/cgi-bin.
func (s *Sandbox) serveWeCom(w http.ResponseWriter, r *http.Request) {
	s.withFaults(w, r, &s.corp, s.answerWeCom)
}

func (s *Sandbox) answerWeCom(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.URL.Path == "/cgi-bin/gettoken" {
		if query.Get("corpid") != s.cfg.CorpID || query.Get("corpsecret") != s.cfg.CorpSecret {
			wxError(w, 40001)
			return
		}
		token, seconds := s.corp.steadyToken(0)
		writeJSON(w, http.StatusOK, map[string]any{
			"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": seconds,
		})
		return
	}
	if code := s.corp.check(query.Get("access_token")); code != 0 {
		if code == 40001 {
			code = 40014 // WeCom's word for a bad token; 40001 is a bad secret there
		}
		wxError(w, code)
		return
	}
	body, err := readBody(r)
	if err != nil {
		wxError(w, 47001)
		return
	}
	switch r.URL.Path {
	case "/cgi-bin/externalcontact/get_follow_user_list":
		writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "follow_user": s.wecom.staff()})
	case "/cgi-bin/externalcontact/list":
		s.wecom.list(w, query.Get("userid"))
	case "/cgi-bin/externalcontact/get":
		s.wecom.get(w, query.Get("external_userid"))
	case "/cgi-bin/externalcontact/mark_tag":
		s.wecom.markTag(w, body)
	case "/cgi-bin/externalcontact/add_contact_way":
		s.wecom.addWay(w, body)
	case "/cgi-bin/externalcontact/send_welcome_msg":
		s.wecom.sendWelcome(w, body, s.now.Now())
	case "/cgi-bin/externalcontact/add_msg_template":
		s.wecom.addTask(w, body)
	case "/cgi-bin/message/send":
		s.wecom.sendMessage(w, body, s.cfg.CorpAgentID)
	default:
		http.NotFound(w, r)
	}
}

func (c *wecom) staff() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]string, 0, len(c.byStaff))
	for id := range c.byStaff {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

func (c *wecom) list(w http.ResponseWriter, staff string) {
	c.mu.Lock()
	ids := slices.Clone(c.byStaff[staff])
	c.mu.Unlock()
	if len(ids) == 0 {
		wxError(w, 84061)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "external_userid": ids})
}

func (c *wecom) get(w http.ResponseWriter, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.customers[id]
	if known == nil {
		wxError(w, 84061)
		return
	}
	follows := make([]map[string]any, 0, len(known.staff))
	for _, staff := range known.staff {
		tags := make([]map[string]any, 0)
		for _, tag := range known.tags[staff] {
			tags = append(tags, map[string]any{"tag_id": tag, "tag_name": tag, "type": 1})
		}
		follows = append(follows, map[string]any{
			"userid": staff, "remark": known.name, "createtime": known.addedAt.Unix(), "tags": tags,
			"add_way": 1, "state": known.state,
		})
	}
	contact := map[string]any{"external_userid": known.id, "name": known.name, "type": 1, "gender": 0}
	if known.unionID != "" {
		contact["unionid"] = known.unionID
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"errcode": 0, "errmsg": "ok", "external_contact": contact, "follow_user": follows,
	})
}

func (c *wecom) markTag(w http.ResponseWriter, body []byte) {
	var in struct {
		UserID string   `json:"userid"`
		Extern string   `json:"external_userid"`
		Add    []string `json:"add_tag"`
		Remove []string `json:"remove_tag"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if len(in.Add)+len(in.Remove) == 0 {
		wxError(w, 40097)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.customers[in.Extern]
	if known == nil || !slices.Contains(known.staff, in.UserID) {
		wxError(w, 84061)
		return
	}
	tags := known.tags[in.UserID]
	for _, tag := range in.Add {
		if !slices.Contains(tags, tag) && len(tags) < maxTags {
			tags = append(tags, tag)
		}
	}
	known.tags[in.UserID] = slices.DeleteFunc(tags, func(tag string) bool { return slices.Contains(in.Remove, tag) })
	wxError(w, 0)
}

func (c *wecom) addWay(w http.ResponseWriter, body []byte) {
	var in struct {
		Type  int      `json:"type"`
		Scene int      `json:"scene"`
		State string   `json:"state"`
		User  []string `json:"user"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if in.Type < 1 || in.Type > 2 || in.Scene < 1 || in.Scene > 2 || utf8.RuneCountInString(in.State) > 30 ||
		len(in.User) > 100 || in.Type == 1 && len(in.User) != 1 {
		wxError(w, 40097)
		return
	}
	c.mu.Lock()
	c.ways++
	number := strconv.Itoa(c.ways)
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"errcode": 0, "errmsg": "ok", "config_id": "way" + number + randomHex(8),
		"qr_code": "https://wework.qpic.cn/wwpic/" + number + "/0",
	})
}

func (c *wecom) sendWelcome(w http.ResponseWriter, body []byte, now time.Time) {
	var in struct {
		Code string `json:"welcome_code"`
		Text struct {
			Content string `json:"content"`
		} `json:"text"`
		Attachments []json.RawMessage `json:"attachments"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if len(in.Text.Content) > 4000 || len(in.Attachments) > 9 || in.Text.Content == "" && len(in.Attachments) == 0 {
		wxError(w, 40097)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.welcomes[in.Code]
	switch {
	case known == nil || now.Sub(known.at) >= welcomeLives:
		wxError(w, 41050)
	case known.used:
		wxError(w, 41051)
	default:
		known.used = true
		wxError(w, 0)
	}
}
