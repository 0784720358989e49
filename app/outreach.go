package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/outreach"
	"guanxi/platform/weixin"
)

func (a *App) joinOutreach(ctx context.Context, c Config) (err error) {
	a.Outreach, err = outreach.New(ctx, outreach.Deps{
		Store: c.Store, Clock: c.Clock, Members: a.Members, Sender: c.Messages, Config: c.Outreach,
	})
	return err
}

// messages hands outreach's messages to WeChat.
type messages struct{ weixin *weixin.Client }

// noTemplate is WeChat's word for a template the mini-program does not have.
const noTemplate = 40037

func (m messages) Send(ctx context.Context, message outreach.Message) error {
	data := make(map[string]string, len(message.Fields))
	for _, f := range message.Fields {
		data[f.Key] = f.Value
	}
	err := m.weixin.SendSubscribe(ctx, weixin.Message{
		OpenID: message.OpenID, Template: message.Template, Page: message.Page, Data: data,
	})
	code := weixin.CodeOf(err)
	no := outreach.Refusal{Reason: outreach.Refused, Code: strconv.FormatInt(code, 10)}
	switch {
	case errors.Is(err, weixin.ErrNotSent):
		return fmt.Errorf("%w: %w", outreach.ErrNotSent, err)
	case errors.Is(err, weixin.ErrNotAccepted):
		no.Reason = outreach.NoCredit
		return &no
	case code == noTemplate:
		no.Reason = outreach.NoTemplate
		return &no
	case errors.Is(err, weixin.ErrRefused):
		return &no
	}
	return err
}

// noticeTopics are the settings by topic.
var noticeTopics = [...]struct {
	topic outreach.Topic
	name  string
}{
	{outreach.WithdrawalWaiting, "GUANXI_NOTICE_WITHDRAWAL_WAITING"},
	{outreach.WithdrawalPaid, "GUANXI_NOTICE_WITHDRAWAL_PAID"},
	{outreach.WithdrawalReturned, "GUANXI_NOTICE_WITHDRAWAL_RETURNED"},
	{outreach.SharingDone, "GUANXI_NOTICE_SHARING_DONE"},
	{outreach.SharingLeft, "GUANXI_NOTICE_SHARING_LEFT"},
}

// noticeSettings are those of subscribe messages: one per topic, empty by default, which is off.
func noticeSettings() []Setting {
	all := make([]Setting, len(noticeTopics))
	for i, n := range noticeTopics {
		all[i] = Setting{Name: n.name}
		for _, s := range outreach.Subjects() {
			if s.Topic != n.topic {
				continue
			}
			names := make([]string, len(s.Values))
			for j, v := range s.Values {
				names[j] = v.Name
			}
			all[i].Words = "subscribe message 「" + s.Title + "」; empty = not sent. Values: " + strings.Join(names, ", ")
		}
	}
	all[0].Words += ". Written as template=<id>;page=pages/purse/index?number={number};thing1=hint;amount2=net;time3=until: " +
		"the template's own keys, each with the value it shows"
	return all
}

// outreach reads the templates.
func (v Values) outreach() (c outreach.Config, err error) {
	c.Templates = map[outreach.Topic]outreach.Template{}
	for _, n := range noticeTopics {
		if v[n.name] == "" {
			continue
		}
		t := outreach.Template{Fields: map[string]string{}}
		for _, pair := range strings.FieldsFunc(v[n.name], func(r rune) bool { return r == ';' }) {
			key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if _, twice := t.Fields[key]; !ok || value == "" || twice {
				return c, fmt.Errorf("%s: must be template=…;page=…;key=value;key=value", n.name)
			}
			switch key {
			case "template":
				t.ID = value
			case "page":
				t.Page = value
			default:
				t.Fields[key] = value
			}
		}
		c.Templates[n.topic] = t
		if err := (outreach.Config{Templates: map[outreach.Topic]outreach.Template{n.topic: t}}).Check(); err != nil {
			return c, fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return c, nil
}

// noticeGauges reads outreach's own counters when metrics are scraped.
type noticeGauges struct {
	outreach        *outreach.Service
	notices, failed *prometheus.Desc
}

func newNoticeGauges(o *outreach.Service) *noticeGauges {
	return &noticeGauges{
		outreach: o,
		notices: prometheus.NewDesc("guanxi_notices_total",
			"Notices that ended, by outcome: sent, or why not. Many no-template, refused or unknown: somebody must look.", []string{"outcome"}, nil),
		failed: prometheus.NewDesc("guanxi_notice_tries_failed_total",
			"Tries to send a notice that surely did not reach WeChat; they are repeated.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *noticeGauges) Describe(into chan<- *prometheus.Desc) {
	into <- g.notices
	into <- g.failed
}

// Collect implements prometheus.Collector.
func (g *noticeGauges) Collect(into chan<- prometheus.Metric) {
	s := g.outreach.Stats()
	into <- prometheus.MustNewConstMetric(g.failed, prometheus.CounterValue, float64(s.Failed))
	into <- prometheus.MustNewConstMetric(g.notices, prometheus.CounterValue, float64(s.Sent), string(outreach.Sent))
	for _, why := range outreach.Reasons() {
		into <- prometheus.MustNewConstMetric(g.notices, prometheus.CounterValue, float64(s.Unsent[why]), string(why))
	}
}
