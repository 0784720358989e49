package miniprogramapi

import (
	"context"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/outreach"
)

type subscriptionView struct {
	Topic    outreach.Topic  `json:"topic"`
	Title    string          `json:"title"`
	Template string          `json:"template" doc:"传给 wx.requestSubscribeMessage 的 tmplIds，一次最多 3 个"`
	Credits  int             `json:"credits" doc:"还能发几条；为 0 时值得再问一次。同一模板的几个主题共用"`
	Answer   outreach.Answer `json:"answer,omitempty" doc:"最近一次的回答"`
}

type subscriptionsOutput struct {
	Body struct {
		Subscriptions []subscriptionView `json:"subscriptions"`
	}
}

type reportInput struct {
	edge.Keyed
	Body struct {
		Answers []templateAnswer `json:"answers" minItems:"1" maxItems:"10" nullable:"false" doc:"每个模板一项"`
	}
}

type templateAnswer struct {
	Template string          `json:"template" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	Answer   outreach.Answer `json:"answer" enum:"accept,reject,ban,filter" doc:"wx.requestSubscribeMessage 给出的回答"`
}

type noticeView struct {
	ID        string          `json:"id"`
	Topic     outreach.Topic  `json:"topic"`
	Title     string          `json:"title"`
	Text      string          `json:"text"`
	Number    string          `json:"number" doc:"说的是哪一笔"`
	At        time.Time       `json:"at"`
	State     outreach.State  `json:"state" doc:"微信消息：planned 待发，sending 发送中，sent 已发，unsent 未发"`
	Reason    outreach.Reason `json:"reason,omitempty" doc:"没有发的原因"`
	StateText string          `json:"state_text"`
}

type noticesOutput struct {
	Body struct {
		Notices []noticeView `json:"notices"`
		Next    string       `json:"next,omitempty"`
	}
}

func (a *API) declareNotices() {
	edge.Register(a.edge, edge.Operation{
		ID: "subscriptions", Method: "GET", Path: "/v1/me/subscriptions", Tag: "通知", Summary: "可以订阅的消息，各还能发几条",
	}, func(ctx context.Context, _ *readInput) (*subscriptionsOutput, error) {
		return viewSubscriptions(a.outreach.Subscriptions(ctx, memberOf(ctx)))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "report-subscriptions", Method: "POST", Path: "/v1/me/subscriptions", Tag: "通知", Recorded: true,
		Summary: "上报订阅消息弹窗的回答：同意一次可以发一条",
	}, func(ctx context.Context, in *reportInput) (*subscriptionsOutput, error) {
		report := outreach.ReportInput{Key: in.Key, Member: memberOf(ctx)}
		for _, answer := range in.Body.Answers {
			report.Answers = append(report.Answers, outreach.TemplateAnswer(answer))
		}
		return viewSubscriptions(a.outreach.Report(ctx, report))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "notices", Method: "GET", Path: "/v1/me/notices", Tag: "通知", Summary: "我的通知，从新到旧，没有订阅也在这里",
		ETag: true,
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*noticesOutput, error) {
		page, err := a.outreach.Mine(ctx, memberOf(ctx), docstore.Paging{First: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &noticesOutput{}
		out.Body.Notices, out.Body.Next = make([]noticeView, len(page.Items)), page.Next
		for i, n := range page.Items {
			out.Body.Notices[i] = noticeView{
				ID: n.ID, Topic: n.Topic, Title: n.Topic.Title(), Text: n.Text, Number: n.Number, At: n.At, State: n.State,
				Reason: n.Reason, StateText: noticeText(n.State, n.Reason),
			}
		}
		return out, nil
	})
}

func viewSubscriptions(all []outreach.Subscription, err error) (*subscriptionsOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &subscriptionsOutput{}
	out.Body.Subscriptions = make([]subscriptionView, len(all))
	for i, s := range all {
		out.Body.Subscriptions[i] = subscriptionView(s)
	}
	return out, nil
}

func noticeText(state outreach.State, why outreach.Reason) string {
	switch state {
	case outreach.Planned, outreach.Sending:
		return "正在发送微信通知"
	case outreach.Sent:
		return "已发微信通知"
	case outreach.Unsent:
	}
	switch why {
	case outreach.NoCredit:
		return "没有可用的订阅，未发微信通知"
	case outreach.Unknown:
		return "微信没有回应，通知可能已送达"
	case outreach.TooLate, outreach.Overtaken, outreach.Quiet:
		return "无需再发微信通知"
	case outreach.Refused, outreach.NoTemplate, outreach.Gone:
	}
	return "微信通知未能发出"
}
