package app

import (
	"context"
	"slices"

	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/console"
	"guanxi/internal/docstore"
)

// relations finds what ties a member to others: wallets, papers and devices of withdrawals, and pickup points kept in
// somebody else's community. The phone of a member is unique, so that it ties nobody to anybody.
type relations struct {
	communities *community.Service
	payouts     *withdrawal.Service
}

const (
	lookedAt   = 20 // newest withdrawals, and newest communities, of one member
	relatedTo  = 50 // members of one finding that are shown
	kindKeeper = "keeper"
)

func (r relations) Of(ctx context.Context, member string) ([]console.Relation, error) {
	found := map[string][]string{}
	page, err := r.payouts.Mine(ctx, member, docstore.Paging{First: lookedAt})
	if err != nil {
		return nil, err
	}
	looked := append(page.Items, &withdrawal.Withdrawal{Member: member}) // the payee's paper stands without one
	for _, w := range looked {
		sharers, err := r.payouts.Sharers(ctx, w)
		if err != nil {
			return nil, err
		}
		for kind, members := range sharers {
			found[kind] = append(found[kind], members...)
		}
	}
	mine, err := r.communities.Mine(ctx, member, docstore.Paging{First: lookedAt})
	if err != nil {
		return nil, err
	}
	for _, m := range mine.Items {
		c, err := r.communities.Get(ctx, m.Community)
		if err != nil {
			return nil, err
		}
		for _, p := range c.Points {
			switch {
			case p.Keeper == member && c.Host != member:
				found[kindKeeper] = append(found[kindKeeper], c.Host)
			case c.Host == member && p.Keeper != "" && p.Keeper != member:
				found[kindKeeper] = append(found[kindKeeper], p.Keeper)
			}
		}
	}
	all := []console.Relation{}
	for _, kind := range []string{"wallet", "paper", "device", kindKeeper} {
		others := slices.DeleteFunc(found[kind], func(m string) bool { return m == member })
		slices.Sort(others)
		if others = slices.Compact(others); len(others) > 0 {
			all = append(all, console.Relation{Kind: kind, Members: others[:min(len(others), relatedTo)]})
		}
	}
	return all, nil
}
