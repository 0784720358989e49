package console

import (
	"context"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

type auditInput struct {
	edge.Paged
	By      string    `query:"by" maxLength:"64" doc:"员工编号，或 system；不能与 subject 同时给"`
	Subject string    `query:"subject" maxLength:"300" doc:"对象，如 operator/…、policy/…、withdrawal/…"`
	From    time.Time `query:"from" doc:"从何时起（含）"`
	To      time.Time `query:"to" doc:"到何时止（不含）"`
}

type deedView struct {
	ID        string        `json:"id"`
	By        string        `json:"by"`
	Name      string        `json:"name" doc:"员工姓名"`
	At        time.Time     `json:"at"`
	Operation string        `json:"operation"`
	Subject   string        `json:"subject,omitempty"`
	Before    string        `json:"before,omitempty"`
	After     string        `json:"after,omitempty"`
	Outcome   staff.Outcome `json:"outcome" enum:"begun,done,refused,unclear" doc:"begun：被中断，请查看对象本身"`
	Code      string        `json:"code,omitempty"`
	EndedAt   time.Time     `json:"ended_at,omitzero"`
	Request   string        `json:"request_id,omitempty"`
	Address   string        `json:"address,omitempty" doc:"来自哪个地址"`
	Agent     string        `json:"agent,omitempty" doc:"所用程序"`
	Session   string        `json:"session,omitempty" doc:"哪一次登录"`
}

type auditOutput struct {
	Body struct {
		Deeds []deedView `json:"deeds" doc:"从新到旧"`
		Next  string     `json:"next,omitempty"`
	}
}

func (c *Console) declareAudit() {
	edge.Register(c.edge, edge.Operation{
		ID: "audit", Method: "GET", Path: "/console/api/audit", Tag: "操作日志", Summary: "谁在何时做了什么",
		Permission: string(staff.AuditRead),
	}, c.audit)
}

func (c *Console) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	page, err := c.staff.Audit(ctx, staff.AuditQuery{
		By: in.By, Subject: in.Subject, From: in.From, To: in.To, Paging: docstore.Paging{First: in.Limit, After: in.Cursor},
	})
	if err != nil {
		return nil, err
	}
	people := make([]string, len(page.Items))
	for i, d := range page.Items {
		people[i] = d.By
	}
	names, err := c.staff.Names(ctx, people)
	if err != nil {
		return nil, err
	}
	names[staff.System] = "系统"
	out := &auditOutput{}
	out.Body.Deeds, out.Body.Next = make([]deedView, len(page.Items)), page.Next
	for i, d := range page.Items {
		out.Body.Deeds[i] = deedView{
			ID: d.ID, By: d.By, Name: names[d.By], At: d.At, Operation: d.Operation, Subject: d.Subject, Before: d.Before,
			After: d.After, Outcome: d.Outcome, Code: d.Code, EndedAt: d.EndedAt, Request: d.Request,
			Address: d.From.Address, Agent: d.From.Agent, Session: d.From.Session,
		}
	}
	return out, nil
}
