package console

import (
	"context"

	"guanxi/commission/withdrawal"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

type countsOutput struct {
	Body struct {
		Counts []stateCount `json:"counts" doc:"尚未了结的各状态，按先后"`
	}
}

type stateCount struct {
	State withdrawal.State `json:"state" enum:"asked,held,approved,sent,waiting"`
	Count int              `json:"count"`
	More  bool             `json:"more,omitempty" doc:"不止这些：数到 1000 为止"`
}

// mostCounted is where counting a work list ends.
const mostCounted = 1000

// WithdrawalIncidents is one withdrawal with what people should look at.
type WithdrawalIncidents struct {
	Number    string           `json:"number"`
	Member    string           `json:"member"`
	State     withdrawal.State `json:"state" enum:"asked,refused,held,rejected,approved,sent,waiting,paid,failed,expired,cancelled,returned"`
	Gross     money.Fen        `json:"gross_fen"`
	Incidents []incidentView   `json:"incidents" doc:"从旧到新"`
	Lost      []opinionView    `json:"lost,omitempty" doc:"谁确认平台没有这笔转账"`
}

type incidentsOutput struct {
	Body struct {
		People
		Nicknames
		Withdrawals []WithdrawalIncidents `json:"withdrawals" doc:"最近出现异常的在前"`
		Next        string                `json:"next,omitempty"`
	}
}

func viewIncident(i withdrawal.Incident) incidentView { return incidentView{i.Kind, i.Detail, i.At} }

func viewIncidents(w *withdrawal.Withdrawal) WithdrawalIncidents {
	return WithdrawalIncidents{
		w.Number(), w.Member, w.State, w.Gross, each(w.Incidents, viewIncident), each(w.Lost, viewOpinion),
	}
}

// declareWorkList lists what waits for people.
func (c *Console) declareWorkList() {
	edge.Register(c.edge, edge.Operation{
		ID: "withdrawal-counts", Method: "GET", Path: "/console/api/withdrawal-counts", Tag: tagWithdrawals, Summary: "各状态还有几笔没有了结",
		Permission: string(staff.WithdrawalRead), Weight: 2,
	}, c.countWithdrawals)
	edge.Register(c.edge, edge.Operation{
		ID: "withdrawal-incidents", Method: "GET", Path: "/console/api/withdrawal-incidents", Tag: tagWithdrawals, Summary: "需要人看的异常",
		Permission: string(staff.WithdrawalRead),
	}, c.incidents)
}

func (c *Console) countWithdrawals(ctx context.Context, _ *readInput) (*countsOutput, error) {
	out := &countsOutput{}
	out.Body.Counts = []stateCount{}
	for _, state := range withdrawal.States() {
		if state.Ended() {
			continue
		}
		n, err := c.payouts.CountState(ctx, state, mostCounted+1)
		if err != nil {
			return nil, err
		}
		out.Body.Counts = append(out.Body.Counts, stateCount{state, min(n, mostCounted), n > mostCounted})
	}
	return out, nil
}

func (c *Console) incidents(ctx context.Context, in *struct{ edge.Paged }) (*incidentsOutput, error) {
	page, err := c.payouts.WithIncidents(ctx, paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &incidentsOutput{}
	b := &out.Body
	b.Withdrawals, b.Next = each(page.Items, viewIncidents), page.Next
	var people, members []string
	for _, w := range page.Items {
		people, members = append(people, reviewers(w)...), append(members, w.Member)
	}
	if b.People, err = c.peopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, members...)
	return out, err
}
