package console

import (
	"context"
	"slices"
	"time"

	"guanxi/community"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// Hosts is the grading of hosts; *community.Service satisfies it.
type Hosts interface {
	Grading(ctx context.Context, host string) (community.Grading, error)
	SetGrade(ctx context.Context, host, grade, by, reason string) error
}

// HostPath names a host by their member id.
type HostPath struct {
	Host string `path:"host" minLength:"1" maxLength:"100"`
}

func (p HostPath) Subject() string { return "host/" + p.Host }

// GradeView is a host's grade and how it came about.
type GradeView struct {
	Host    string          `json:"host"`
	Grade   string          `json:"grade" doc:"空为未定级"`
	History []gradeMoveView `json:"history" doc:"从新到旧"`
}

type gradeMoveView struct {
	Grade  string    `json:"grade"`
	Was    string    `json:"was"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

type gradeOutput struct {
	Body struct {
		People
		Nicknames
		GradeView
	}
}

type setGradeInput struct {
	edge.Keyed
	HostPath
	Body struct {
		Grade  string `json:"grade" maxLength:"20" pattern:"^[a-z0-9-]{0,20}$" doc:"小写字母、数字或连字符；空为取消定级"`
		Reason string `json:"reason" minLength:"2" maxLength:"200"`
	}
}

const tagHosts = "团长等级"

func (c *Console) declareGrades() {
	edge.Register(c.edge, edge.Operation{
		ID: "grade", Method: "GET", Path: "/console/api/hosts/{host}/grade", Tag: tagHosts, Summary: "一位团长的等级与历次评定",
		Permission: string(staff.GradeRead),
	}, func(ctx context.Context, in *HostPath) (*gradeOutput, error) {
		return c.showGrade(ctx, in.Host)
	})
	grades := c.grades()
	write(c, edge.Operation{
		ID: "set-grade", Method: "PUT", Path: "/console/api/hosts/{host}/grade", Tag: tagHosts,
		Summary:    "提议评定团长等级，待他人确认：确认后对此后下的订单有效，佣金规则可按等级不同",
		Permission: string(staff.GradeSet), Status: 202,
	}, func(ctx context.Context, in *setGradeInput, d *deed) (*room.DraftOutput[GradeChange], error) {
		was, err := c.hosts.Grading(ctx, in.Host)
		if err != nil {
			return nil, err
		}
		change := GradeChange{Host: in.Host, Was: was.Grade, Grade: in.Body.Grade, Reason: in.Body.Reason}
		draft, err := grades.Offer(ctx, in.Key, "评定 "+in.Host+" 为「"+in.Body.Grade+"」："+in.Body.Reason, change, d.Deed)
		return grades.Show(ctx, draft, err)
	})
	grades.Declare()
}

// GradeChange is a grade that somebody proposes.
type GradeChange struct {
	Host   string `json:"host"`
	Was    string `json:"was" doc:"提议时的等级"`
	Grade  string `json:"grade" doc:"空为取消定级"`
	Reason string `json:"reason"`
}

func (c *Console) grades() *room.TwoPeople[GradeChange] {
	return &room.TwoPeople[GradeChange]{
		Room: c.room, Kind: "grade", Tag: tagHosts, What: "团长等级",
		Read: staff.GradeRead, Propose: staff.GradeSet, Confirm: staff.GradeConfirm,
		About: func(g GradeChange) []string { return []string{g.Host} },
		Check: func(ctx context.Context, g GradeChange) error { return c.room.RequireMember(ctx, g.Host) },
		Do: func(ctx context.Context, d *staff.Draft, g GradeChange) (room.Done, error) {
			now, err := c.hosts.Grading(ctx, g.Host)
			if err == nil && now.Grade != g.Was && now.Grade != g.Grade {
				err = room.ErrStale
			}
			if err == nil {
				err = c.hosts.SetGrade(ctx, g.Host, g.Grade, d.Maker, g.Reason)
			}
			return room.Done{Result: HostPath{g.Host}.Subject()}, err
		},
	}
}

func (c *Console) showGrade(ctx context.Context, host string) (*gradeOutput, error) {
	g, err := c.hosts.Grading(ctx, host)
	if err != nil {
		return nil, err
	}
	out := &gradeOutput{}
	b := &out.Body
	b.GradeView = GradeView{host, g.Grade, each(g.History, func(m community.GradeMove) gradeMoveView {
		return gradeMoveView{m.Grade, m.Was, m.By, m.Reason, m.At}
	})}
	slices.Reverse(b.History)
	people := each(g.History, func(m community.GradeMove) string { return m.By })
	if b.People, err = c.peopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, host)
	return out, err
}
