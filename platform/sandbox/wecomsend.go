package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func (c *wecom) addTask(w http.ResponseWriter, body []byte) {
	var in struct {
		ChatType string   `json:"chat_type"`
		Extern   []string `json:"external_userid"`
		Sender   string   `json:"sender"`
		Text     struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	group := in.ChatType == "group"
	if len(in.Extern) > 10_000 || group && in.Sender == "" || !group && len(in.Extern) == 0 || len(in.Text.Content) > 4000 {
		wxError(w, 40097)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	failed, taken := []string{}, []string{}
	for _, id := range in.Extern {
		if known := c.customers[id]; known == nil || in.Sender != "" && !slices.Contains(known.staff, in.Sender) {
			failed = append(failed, id)
		} else {
			taken = append(taken, id)
		}
	}
	id := "msg" + randomHex(12)
	c.tasks = keepNewest(c.tasks, SentTask{id, taken, in.Text.Content})
	writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "fail_list": failed, "msgid": id})
}

func (c *wecom) sendMessage(w http.ResponseWriter, body []byte, agent int64) {
	var in struct {
		ToUser  string `json:"touser"`
		MsgType string `json:"msgtype"`
		AgentID int64  `json:"agentid"`
		Text    struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	people := strings.Split(in.ToUser, "|")
	if in.ToUser == "" || len(people) > 1000 || in.AgentID != agent || in.MsgType == "" {
		wxError(w, 40097)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	unknown := slices.DeleteFunc(slices.Clone(people), func(id string) bool { _, ok := c.byStaff[id]; return ok })
	id := "app" + randomHex(12)
	c.messages = keepNewest(c.messages, SentTask{id, people, in.Text.Content})
	answer := map[string]any{"errcode": 0, "errmsg": "ok", "msgid": id}
	if len(unknown) > 0 {
		answer["invaliduser"] = strings.Join(unknown, "|")
	}
	writeJSON(w, http.StatusOK, answer)
}

func keepNewest(list []SentTask, one SentTask) []SentTask {
	if len(list) >= maxTasks {
		list = slices.Delete(list, 0, maxTasks/10)
	}
	return append(list, one)
}

// Tasks gives the newest group-send tasks; Messages the newest application messages.
func (s *Sandbox) Tasks() []SentTask { return s.wecom.copyOf(&s.wecom.tasks) }

// Messages gives the newest application messages.
func (s *Sandbox) Messages() []SentTask { return s.wecom.copyOf(&s.wecom.messages) }

func (c *wecom) copyOf(list *[]SentTask) []SentTask {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(*list)
}
