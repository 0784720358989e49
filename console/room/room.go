// Package room is what the rooms of the console have in common: how a read, a write and an export are declared so that
// the audit log knows of them, whose names an answer mentions, and how two people do one thing.
//
// Every room has a receiver of its own over a Room; package console joins them.
package room

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/member"
	"guanxi/staff"
)

// Room is what every room stands on.
type Room struct {
	Edge    *edge.Edge
	Staff   *staff.Service
	Members Members
	Clock   clock.Clock
}

// Members is what the console may know of members; *member.Service satisfies it.
type Members interface {
	Profiles(ctx context.Context, ids []string) (map[string]member.Profile, error)
}

// The rooms' own ways to say no.
var (
	// ErrNotYours: only who made a draft or a voucher can take it back.
	ErrNotYours = fault.Define("CON_NOT_YOURS", fault.Denied,
		"只能撤回自己提交的凭证或草稿。", "You can take back only what you made yourself.")
	// ErrNoMember: an id that nobody has.
	ErrNoMember = fault.Define("CON_MEMBER_NOT_FOUND", fault.NotFound,
		"没有这位会员。", "There is no such member.")
	// ErrBenefit: whoever proposes or approves must not be the one it is about.
	ErrBenefit = fault.Define("CON_BENEFIT", fault.Denied,
		"此事与您本人或您的会员账号有关，请由其他同事操作。", "This is about yourself or your own member account; ask colleagues.")
	// ErrStale: what a proposal started from is not so any more.
	ErrStale = fault.Define("CON_STALE", fault.Conflict,
		"提议之后情况已变，请重新提议。", "Things have changed since this was proposed; propose it again.")
	// ErrDraft: a stored draft does not read.
	ErrDraft = fault.Define("CON_DRAFT_DAMAGED", fault.Internal,
		"草稿内容无法读取。", "The draft cannot be read.")
)

// Faults lists the catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{ErrNotYours, ErrNoMember, ErrBenefit, ErrStale, ErrDraft}
}

// Who is the operator who asks.
func Who(ctx context.Context) staff.Principal {
	p, _ := edge.Principal(ctx).(staff.Principal)
	return p
}

// Source is where a request came from.
func Source(ctx context.Context) staff.Source {
	s := edge.SourceOf(ctx)
	return staff.Source{Address: s.Address, Agent: s.Agent, Session: Who(ctx).Session}
}

// Begin is the deed of an operation that is about to be done.
func begin(ctx context.Context, op edge.Operation, subject string) staff.Deed {
	return staff.Deed{
		By: edge.Caller(ctx), Operation: op.ID, Subject: subject, Request: edge.RequestID(ctx), From: Source(ctx),
	}
}

// Deed is what a handler tells the audit log about what it did.
type Deed struct{ staff.Change }

// Say tells what was done to which thing.
func (d *Deed) Say(subject, before, after string) {
	d.Subject, d.Before, d.After = subject, before, after
}

// Subjected inputs say what an operation is done to before it is done.
type Subjected interface{ Subject() string }

func subjectOf[I any](in *I) string {
	if s, ok := any(in).(Subjected); ok {
		return s.Subject()
	}
	return ""
}

const auditPatience = 5 * time.Second

// Read puts a reading operation on the router.
func Read[I, O any](r *Room, op edge.Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	edge.Register(r.Edge, op, handle)
}

// Write puts a changing operation on the router. The same Idempotency-Key gives the same answer.
func Write[I, O any](r *Room, op edge.Operation, handle func(ctx context.Context, in *I, d *Deed) (*O, error)) {
	op.Recorded = true
	WriteSecret(r, op, handle)
}

// WriteSecret is Write for what carries a password or a code: a record would keep a hash of the request or the answer
// itself, so these use cases are idempotent by themselves.
//
// The beginning of every write is in the audit log before the handler runs, its outcome before the answer is given. When
// the outcome cannot be stored, the caller is told to try again.
func WriteSecret[I, O any](r *Room, op edge.Operation, handle func(ctx context.Context, in *I, d *Deed) (*O, error)) {
	edge.Register(r.Edge, op, func(ctx context.Context, in *I) (out *O, err error) {
		err = r.Record(ctx, op, subjectOf(in), func(d *Deed) (err error) {
			out, err = handle(ctx, in, d)
			return err
		})
		if err != nil {
			return nil, err
		}
		return out, nil
	})
}

// Export puts a long answer on the router that takes data out of the house: who took what is in the audit log, with how
// many lines of it.
func Export[I, L any](r *Room, op edge.Operation, handle func(ctx context.Context, in *I, send func(L) error) error) {
	edge.RegisterLines(r.Edge, op, func(ctx context.Context, in *I, send func(L) error) error {
		return r.Record(ctx, op, subjectOf(in), func(d *Deed) error {
			sent := 0
			err := handle(ctx, in, func(line L) error {
				sent++
				return send(line)
			})
			d.After = lines(sent)
			return err
		})
	})
}

// Record does something between the beginning and the outcome of a deed.
func (r *Room) Record(ctx context.Context, op edge.Operation, subject string, do func(d *Deed) error) error {
	number, err := r.Staff.Begin(ctx, begin(ctx, op, subject))
	if err != nil {
		return err
	}
	d := &Deed{}
	err = do(d)
	outcome, code := staff.OutcomeOf(err)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditPatience)
	defer cancel()
	if failed := r.Staff.Finish(end, number, outcome, code, d.Change); failed != nil {
		return errors.Join(failed, err)
	}
	return err
}

// Permit refuses who may not call the operation at all, and writes down whom it refused. Own operations need only a session.
func (r *Room) Permit(ctx context.Context, op edge.Operation) error {
	if op.Permission == Own {
		return nil
	}
	err := Who(ctx).May(staff.Permission(op.Permission))
	if err == nil {
		return nil
	}
	d := begin(ctx, op, "")
	d.Outcome, d.Code = staff.OutcomeOf(err)
	return errors.Join(r.Staff.Note(ctx, d), err)
}

// Own is the permission of operations on one's own account: every signed-in operator has it, also one who must choose a
// password first.
const Own = "own"

// Impartial refuses who would do something about themselves: as an operator, as the owner of a purse of staff, or as a
// member. Codes: CON_BENEFIT.
func Impartial(ctx context.Context, about ...string) error {
	p := Who(ctx)
	for _, who := range about {
		if who == p.Operator || who == commission.Staff(p.Operator) || p.Member != "" && who == p.Member {
			return ErrBenefit
		}
	}
	return nil
}

// OfStaff reports whether a purse is that of a person of staff.
func OfStaff(purse string) bool { return strings.HasPrefix(purse, commission.Staff("")) }

// RequireMember refuses ids that nobody has: what staff writes down about a member must not be about a slip of the pen.
// Purses of staff must belong to somebody of staff. Codes: CON_MEMBER_NOT_FOUND.
func (r *Room) RequireMember(ctx context.Context, who string) error {
	if OfStaff(who) {
		_, err := r.Staff.Operator(ctx, strings.TrimPrefix(who, commission.Staff("")))
		if errors.Is(err, staff.ErrNotFound) || errors.Is(err, docstore.ErrInvalid) {
			return ErrNoMember.Because(err)
		}
		return err
	}
	profiles, err := r.Members.Profiles(ctx, []string{who})
	if err == nil && profiles[who].ID == "" {
		return ErrNoMember
	}
	return err
}

// Paging is the page that a list was asked for.
func Paging(p edge.Paged) docstore.Paging { return docstore.Paging{First: p.Limit, After: p.Cursor} }

// Each turns what was found into what is shown.
func Each[T, V any](found []T, view func(T) V) []V {
	shown := make([]V, len(found))
	for i, one := range found {
		shown[i] = view(one)
	}
	return shown
}

// People gives the names of the operators that an answer mentions, by id.
type People struct {
	People map[string]string `json:"people,omitempty" doc:"员工编号 → 姓名"`
}

// PeopleOf looks up the names of operators; members and unknown ids are left out.
func (r *Room) PeopleOf(ctx context.Context, ids ...string) (People, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(one string) bool { return one == "" })
	names, err := r.Staff.Names(ctx, ids)
	if err != nil {
		return People{}, err
	}
	if slices.Contains(ids, staff.System) {
		names[staff.System] = "系统"
	}
	return People{names}, nil
}
