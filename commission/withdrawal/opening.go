package withdrawal

import (
	"context"
	"slices"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/text"
)

// OpeningInput is an opening position of a person's tax year: what was paid to them as one kind of payee and withheld
// elsewhere in that year. Two people say so.
type OpeningInput struct {
	tax.Opening
	Member         string
	Year           int
	Maker, Checker string // staff ids
	Why            string
	Draft          string // the same again changes nothing
}

// maxOpenings is how many positions a year remembers, corrections of earlier ones included.
const maxOpenings = 100

// CheckOpening tells whether an opening position could be set. Error: ErrBadInput.
func (s *Service) CheckOpening(in OpeningInput) error {
	bad := ErrBadInput
	year := taxyear.Of(s.clock.Now())
	if in.Year != year && in.Year != year-1 {
		bad = bad.With("year", "只能是今年或去年 / this year or the last one")
	}
	if !memberID(in.Member) || !in.Valid() || in.Tax == in.Gross && in.Gross > 0 {
		bad = bad.With("opening", "会员、类型、金额或月份不正确；税款须少于收入 / not an opening position")
	}
	if _, ok := text.Line(in.Why, 2, 200); !ok {
		bad = bad.With("why", "依据应为 2 到 200 字 / the reason must have 2 to 200 characters")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// SetOpening sets the opening position of a kind; one set before is kept and does not count any more. It changes what later
// withdrawals bear, none that was computed. Errors: ErrBadInput, ErrSameReviewer.
func (s *Service) SetOpening(ctx context.Context, in OpeningInput) error {
	if err := s.CheckOpening(in); err != nil {
		return err
	}
	if in.Maker == "" || in.Checker == "" || in.Maker == in.Checker {
		return ErrSameReviewer
	}
	return s.upsertYear(ctx, in.Member, in.Year, func(y *taxyear.Year) error {
		if slices.ContainsFunc(y.Openings, func(o taxyear.Opening) bool { return o.Draft == in.Draft }) {
			return errUnchanged
		}
		if len(y.Openings) >= maxOpenings {
			return ErrBadInput.With("opening", "更正次数太多 / too many corrections")
		}
		y.Openings = append(y.Openings, taxyear.Opening{
			Opening: in.Opening, Maker: in.Maker, Checker: in.Checker, Why: in.Why, At: s.clock.Now(), Draft: in.Draft,
		})
		return nil
	})
}
