package room

import (
	"context"
	"time"

	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/staff"
)

// TwoPeople is one kind of thing that nobody does alone: one person proposes it, another one confirms it, and neither is
// the one it is about.
type TwoPeople[T any] struct {
	Room *Room
	Kind string // of its drafts, and the name in its operations: payee → payee-drafts, confirm-payee-draft …
	Tag  string
	What string // in Chinese, for the descriptions

	Read, Propose, Confirm staff.Permission

	Secret bool             // Do hands out a code: the answer is not recorded, and confirming again may make another one
	About  func(T) []string // operators, purses or members it is about
	Check  func(context.Context, T) error
	// Do carries it out. Repeated for the same draft it changes nothing more.
	Do func(ctx context.Context, d *staff.Draft, content T) (Done, error)
}

// Done is what came of a confirmed draft.
type Done struct {
	Result string // the thing: payee/<member>
	Code   string // an enrolment code, shown this once
	Until  time.Time
}

// DraftPath names a draft.
type DraftPath struct {
	Draft string `path:"draft" minLength:"1" maxLength:"64"`
}

// Subject is the thing's name in the audit log.
func (p DraftPath) Subject() string { return "draft/" + p.Draft }

// DraftView is a draft without its content.
type DraftView struct {
	ID        string           `json:"id"`
	Title     string           `json:"title"`
	Maker     string           `json:"maker" doc:"经办人"`
	MadeAt    time.Time        `json:"made_at"`
	State     staff.DraftState `json:"state" enum:"open,taking,taken,dropped"`
	Checker   string           `json:"checker,omitempty" doc:"复核人"`
	CheckedAt time.Time        `json:"checked_at,omitzero"`
	Result    string           `json:"result,omitempty" doc:"做成了什么，如 policy/7"`
	Why       string           `json:"why,omitempty"`
}

// ViewDraft shows a draft.
func ViewDraft(d *staff.Draft) DraftView {
	return DraftView{d.ID, d.Title, d.Maker, d.MadeAt, d.State, d.Checker, d.CheckedAt, d.Result, d.Why}
}

// DraftOutput is one draft with what it says.
type DraftOutput[T any] struct {
	Body struct {
		People
		Nicknames
		DraftView
		Content T         `json:"content"`
		Code    string    `json:"enrolment_code,omitempty" doc:"登录码，只显示这一次；凭它登录后只能设置自己的密码，设置后作废"`
		Until   time.Time `json:"code_until,omitzero" doc:"登录码到何时有效"`
	}
}

// DraftWrite is a decision on a draft.
type DraftWrite struct {
	edge.Keyed
	DraftPath
}

// DropInput is a refusal of a draft.
type DropInput struct {
	edge.Keyed
	DraftPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"200"`
	}
}

// DraftsInput asks for a list of drafts.
type DraftsInput struct {
	edge.Paged
	State staff.DraftState `query:"state" enum:"open,taking,taken,dropped" default:"open"`
}

// DraftsOutput is one page of drafts.
type DraftsOutput struct {
	Body struct {
		People
		Drafts []DraftView `json:"drafts" doc:"从新到旧"`
		Next   string      `json:"next,omitempty"`
	}
}

// Drafts lists those of a kind.
func (r *Room) Drafts(ctx context.Context, kind string, in *DraftsInput) (*DraftsOutput, error) {
	page, err := r.Staff.Drafts(ctx, kind, in.State, Paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &DraftsOutput{}
	out.Body.Drafts, out.Body.Next = Each(page.Items, ViewDraft), page.Next
	var people []string
	for _, d := range page.Items {
		people = append(people, d.Maker, d.Checker)
	}
	out.Body.People, err = r.PeopleOf(ctx, people...)
	return out, err
}

const maxTitle = 100

// Offer stores a proposal of the caller. Codes: CON_BENEFIT and those of Check.
func (k *TwoPeople[T]) Offer(ctx context.Context, key, title string, content T, d *Deed) (*staff.Draft, error) {
	if err := k.check(ctx, content); err != nil {
		return nil, err
	}
	if runes := []rune(title); len(runes) > maxTitle {
		title = string(runes[:maxTitle-1]) + "…"
	}
	draft, err := k.Room.WriteDraft(ctx, staff.DraftInput{Key: k.Kind + "/" + key, Kind: k.Kind, Title: title}, content, &d.Change)
	if err == nil {
		d.After = title
	}
	return draft, err
}

func (k *TwoPeople[T]) check(ctx context.Context, content T) error {
	if err := Impartial(ctx, k.About(content)...); err != nil {
		return err
	}
	return k.Check(ctx, content)
}

// Show is the answer about a draft.
func (k *TwoPeople[T]) Show(ctx context.Context, d *staff.Draft, err error) (*DraftOutput[T], error) {
	if err != nil {
		return nil, err
	}
	out := &DraftOutput[T]{}
	b := &out.Body
	b.DraftView = ViewDraft(d)
	if b.Content, err = ContentOf[T](d); err != nil {
		return nil, err
	}
	if b.People, err = k.Room.PeopleOf(ctx, d.Maker, d.Checker); err != nil {
		return nil, err
	}
	b.Nicknames, err = k.Room.NicknamesOf(ctx, k.About(b.Content)...)
	return out, err
}

// Declare puts the list, one draft, confirming, refusing and taking back on the router.
func (k *TwoPeople[T]) Declare() {
	r, path := k.Room, "/console/api/"+k.Kind+"-drafts"
	op := func(id, method, path, summary string, p staff.Permission) edge.Operation {
		return edge.Operation{ID: id, Method: method, Path: path, Tag: k.Tag, Summary: summary, Permission: string(p)}
	}
	Read(r, op(k.Kind+"-drafts", "GET", path, k.What+"：待确认的提议", k.Read), func(ctx context.Context, in *DraftsInput) (*DraftsOutput, error) {
		return r.Drafts(ctx, k.Kind, in)
	})
	Read(r, op(k.Kind+"-draft", "GET", path+"/{draft}", k.What+"：一份提议", k.Read), func(ctx context.Context, in *DraftPath) (*DraftOutput[T], error) {
		d, err := r.DraftOf(ctx, k.Kind, in.Draft)
		return k.Show(ctx, d, err)
	})
	confirm := Write[DraftWrite, DraftOutput[T]]
	if k.Secret {
		confirm = WriteSecret[DraftWrite, DraftOutput[T]]
	}
	confirm(r, op("confirm-"+k.Kind+"-draft", "POST", path+"/{draft}/confirm", k.What+"：确认并执行（不能是提议人或当事人）", k.Confirm), k.confirm)
	Write(r, op("refuse-"+k.Kind+"-draft", "POST", path+"/{draft}/refuse", k.What+"：驳回提议", k.Confirm),
		func(ctx context.Context, in *DropInput, d *Deed) (*DraftOutput[T], error) {
			d.After = in.Body.Why
			draft, err := r.RefuseDraft(ctx, k.Kind, in.Draft, in.Body.Why)
			return k.Show(ctx, draft, err)
		})
	Write(r, op("withdraw-"+k.Kind+"-draft", "POST", path+"/{draft}/withdraw", k.What+"：撤回自己的提议", k.Propose),
		func(ctx context.Context, in *DraftWrite, _ *Deed) (*DraftOutput[T], error) {
			draft, err := r.WithdrawDraft(ctx, k.Kind, in.Draft)
			return k.Show(ctx, draft, err)
		})
}

func (k *TwoPeople[T]) confirm(ctx context.Context, in *DraftWrite, d *Deed) (*DraftOutput[T], error) {
	var done Done
	carry := func(draft *staff.Draft) (string, error) {
		content, err := ContentOf[T](draft)
		if err != nil {
			return "", err
		}
		if err := k.check(ctx, content); err != nil {
			return "", err
		}
		done, err = k.Do(ctx, draft, content)
		return done.Result, err
	}
	carried := false
	draft, err := k.Room.CarryOut(ctx, k.Kind, in.Draft, &d.Change, func(draft *staff.Draft) (string, error) {
		carried = true
		return carry(draft)
	})
	if err == nil && !carried && k.Secret { // the answer with the code was lost
		if _, err = carry(draft); fault.Of(err) != nil && fault.Of(err).Kind == fault.Conflict {
			err = nil // it has been used: there is none to give
		}
		d.Say("draft/"+draft.ID, "", draft.Result)
	}
	out, err := k.Show(ctx, draft, err)
	if err != nil {
		return nil, err
	}
	out.Body.Code, out.Body.Until = done.Code, done.Until
	return out, nil
}
