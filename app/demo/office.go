package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/id"
	"guanxi/staff"
)

// password opens every account of the demo's staff. See Operator.
const password = "guanxi-demo-only"

// operators are the demo's staff; the two administrators are added on the server, the others are proposed by the first and
// confirmed by the second.
func operators() []Operator {
	return []Operator{
		{Login: "admin", Name: "管理员 小安", Roles: []staff.Role{staff.Admin}, Words: "管账号，不碰钱"},
		{Login: "admin2", Name: "管理员 小平", Roles: []staff.Role{staff.Admin}, Words: "第二位管理员：确认小安提议的账号与岗位"},
		{Login: "maker", Name: "会计 林姐", Roles: []staff.Role{staff.FinanceMaker}, Words: "经办：起草规则、提出凭证、对账"},
		{Login: "checker", Name: "财务主管 老周", Roles: []staff.Role{staff.FinanceChecker}, Words: "复核：发布规则、批凭证、审提现、结账"},
		{Login: "second", Name: "财务总监 方总", Roles: []staff.Role{staff.FinanceChecker}, Words: "第二位复核人：2000 元及以上的提现要两人"},
		{Login: "service", Name: "运营 小何", Roles: []staff.Role{staff.Operations}, Words: "答复申诉、处理对账差异"},
		{Login: "tax", Name: "税务 老郑", Roles: []staff.Role{staff.Tax}, Words: "看账、导出申报表"},
		{Login: "auditor", Name: "审计 许老师", Roles: []staff.Role{staff.Auditor}, Words: "什么都能看，什么都不能改"},
	}
}

// office is the console as staff uses it: over HTTP, so that every deed of the sample is in the audit log.
type office struct {
	url    string
	client *http.Client
	clock  clock.Clock

	mu       sync.Mutex
	sessions map[string]session // by login
}

type session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

const officePatience = 30 * time.Second

func newOffice(url string, c clock.Clock) *office {
	return &office{
		url: url + "/console/api", client: &http.Client{Timeout: officePatience}, clock: c, sessions: map[string]session{},
	}
}

// signIn gives a session of somebody, the old one while it lives.
func (o *office) signIn(ctx context.Context, login, secret string) (token string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.sessions[login]; o.clock.Now().Before(known.ExpiresAt.Add(-window)) {
		return known.Token, nil
	}
	var fresh session
	err = o.send(ctx, call{"", "/login"}, map[string]string{"login": login, "password": secret}, &fresh)
	if err != nil {
		return "", err
	}
	o.sessions[login] = fresh
	return fresh.Token, nil
}

// do lets an operator do one thing: every deed is a POST.
func (o *office) do(ctx context.Context, login, path string, body, into any) error {
	token, err := o.signIn(ctx, login, password)
	if err != nil {
		return err
	}
	return o.send(ctx, call{token, path}, body, into)
}

// choose replaces a temporary password by the demo's.
func (o *office) choose(ctx context.Context, login, temporary string) error {
	token, err := o.signIn(ctx, login, temporary)
	if err != nil {
		return err
	}
	return o.send(ctx, call{token, "/me/password"}, map[string]string{"old": temporary, "new": password}, nil)
}

type call struct{ token, path string }

func (o *office) send(ctx context.Context, c call, body, into any) error {
	payload := io.Reader(http.NoBody)
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("office: %w", err)
		}
		payload = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+c.path, payload)
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "demo-"+id.Random{}.New(clock.System{}.Now()))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := o.client.Do(r)
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("office: %s: %d %.300s", c.path, answer.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// openOffice makes the accounts.
func (s *seeder) openOffice(ctx context.Context) error {
	s.office = newOffice(s.app.URL, s.clock)
	all := operators()
	for _, o := range all[:2] {
		added, err := s.app.Staff.AddOperator(ctx, staff.AddInput{By: staff.System, Key: "demo", Login: o.Login, Name: o.Name, Roles: o.Roles})
		if err != nil {
			return fmt.Errorf("demo: seed: operator: %w", err)
		}
		s.staff[o.Login] = added.Operator.ID
		if err := s.office.choose(ctx, o.Login, added.Password); err != nil {
			return fmt.Errorf("demo: seed: operator: %w", err)
		}
	}
	for _, o := range all[2:] {
		var asked struct{ ID string }
		body := map[string]any{"login": o.Login, "name": o.Name, "roles": o.Roles}
		if err := s.office.do(ctx, all[0].Login, "/operators", body, &asked); err != nil {
			return fmt.Errorf("demo: seed: operator %s: %w", o.Login, err)
		}
		var added struct {
			Code string `json:"enrolment_code"`
		}
		if err := s.office.do(ctx, all[1].Login, "/operator-drafts/"+asked.ID+"/confirm", nil, &added); err != nil {
			return fmt.Errorf("demo: seed: operator %s: %w", o.Login, err)
		}
		s.staff[o.Login] = staff.IDOf(o.Login)
		if err := s.office.choose(ctx, o.Login, added.Code); err != nil {
			return fmt.Errorf("demo: seed: operator %s: %w", o.Login, err)
		}
	}
	return nil
}
