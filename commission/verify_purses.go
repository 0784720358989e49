package commission

import (
	"context"
	"fmt"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

const maxRechecks = 5

// purses compares every stored purse with the fold. One that has taken newer seals is compared again after those
// have been verified, too.
func (v *verification) purses(ctx context.Context) error {
	var later []string
	seen, q := 0, docstore.All().First(500)
	for {
		page, err := v.Service.book.Purses.Find(ctx, q)
		if err != nil {
			return err
		}
		var now []*book.PurseDoc
		for _, p := range page.Items {
			v.report.Purses++
			if v.fold[p.ID] != nil {
				seen++
			}
			if p.Mark(v.config.Book) > v.folded {
				later = append(later, p.ID)
			} else {
				now = append(now, p)
			}
		}
		if err := v.checkPurses(ctx, now); err != nil {
			return err
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	var err error
	for range maxRechecks {
		if len(later) == 0 {
			break
		}
		if later, err = v.recheck(ctx, later); err != nil {
			return err
		}
	}
	v.report.Moving = int64(len(later))
	if seen < len(v.fold) {
		return v.nameMissing(ctx)
	}
	return nil
}

func (v *verification) recheck(ctx context.Context, members []string) (later []string, err error) {
	if err := v.seals(ctx); err != nil {
		return nil, err
	}
	docs, err := v.Service.book.Purses.GetMany(ctx, members)
	if err != nil {
		return nil, err
	}
	var now []*book.PurseDoc
	for _, member := range members {
		switch p := docs[member]; {
		case p == nil:
		case p.Mark(v.config.Book) > v.folded:
			later = append(later, member)
		default:
			now = append(now, p)
		}
	}
	return later, v.checkPurses(ctx, now)
}

// checkedPurse is a purse and what is not right about it.
type checkedPurse struct {
	purse *book.PurseDoc
	found []Difference
	err   error
}

func (c *checkedPurse) differ(rule, subject, text string) {
	c.found = append(c.found, Difference{rule, subject, text})
}

// checkPurses compares purses side by side and names what differs in their order.
func (v *verification) checkPurses(ctx context.Context, purses []*book.PurseDoc) error {
	return book.InOrder(ctx, 0, int64(len(purses))-1, func(ctx context.Context, n int64) checkedPurse {
		c := checkedPurse{purse: purses[n]}
		c.err = c.check(ctx, v)
		return c
	}, func(c checkedPurse) error {
		for _, d := range c.found {
			v.differ(d.Rule, d.Subject, "%s", d.Text)
		}
		return c.err
	})
}

func (c *checkedPurse) check(ctx context.Context, v *verification) error {
	p, want := c.purse, v.fold[c.purse.ID]
	if want == nil {
		want = &verifiedPurse{}
	}
	for _, pot := range book.Pots {
		if is, must := *p.Balance.Pot(pot), *want.balance.Pot(pot); is != must {
			c.differ("purse", p.ID, fmt.Sprintf("%s is %s yuan, its postings sum to %s", pot, is.Yuan(), must.Yuan()))
		}
	}
	if p.Lines != want.lines {
		c.differ("purse", p.ID, fmt.Sprintf("has %d statement lines, its entries make %d", p.Lines, want.lines))
		return nil
	}
	return c.checkLines(ctx, v, want.text)
}

func (v *verification) nameMissing(ctx context.Context) error {
	for member := range v.fold {
		_, err := v.Service.book.Purses.Get(ctx, member)
		if book.Missing(err) {
			v.differ("purse", member, "is gone")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
