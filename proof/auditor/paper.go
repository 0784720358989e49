package auditor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// readWithdrawals turns withdrawals into movements. Only a state whose consequences are all written is a certain fact.
func (w *walker) readWithdrawals(ctx context.Context) error {
	return w.withdrawals.Each(ctx, docstore.All(), func(d *withdrawal) error {
		w.report.Withdrawals++
		m := movement{source: Source{"withdrawal", d.ID}, at: d.AskedAt, member: d.Member}
		onItsWay := Balance{Available: -d.Gross, Withdrawing: d.Gross}
		ended := slices.Contains([]string{"refused", "rejected", "paid", "failed", "expired", "cancelled", "returned"}, d.State)
		switch {
		case d.State == "asked":
			m.doubt = "withdrawal " + d.ID + " is just being asked for"
		case !ended: // held, approved, sent, waiting
			m.change = onItsWay
		case d.Posted != d.State:
			m.doubt = "the end of withdrawal " + d.ID + " is not written yet"
			if d.State != "refused" {
				m.change = onItsWay
			}
		case d.State == "paid":
			m.change = Balance{Available: -d.Gross, Withdrawn: d.Gross - d.Tax}
		}
		return w.visit(m)
	})
}

// readSharings turns what is paid out of orders' payments into movements; a part's number is like a withdrawal's.
func (w *walker) readSharings(ctx context.Context) error {
	return w.sharings.Each(ctx, docstore.All(), func(d *sharing) error {
		w.report.Sharings++
		var parts []sharedPart
		if err := part(d.Rest, "parts", &parts); err != nil {
			return fmt.Errorf("sharing %s: %w", d.ID, err)
		}
		for _, p := range parts {
			m := movement{source: Source{"withdrawal", p.Number}, at: d.CompletedAt, member: p.Member}
			switch {
			case p.State == "planned":
				m.doubt = "part " + p.Number + " is just being reserved"
			case p.State == "reserved" || p.State == "sent":
				m.change = Balance{Available: -p.Amount, Withdrawing: p.Amount}
			case !p.Posted:
				m.doubt = "the end of part " + p.Number + " is not written yet"
				if p.State != "left" {
					m.change = Balance{Available: -p.Amount, Withdrawing: p.Amount}
				}
			case p.State == "paid":
				m.change = Balance{Available: -p.Amount, Withdrawn: p.Amount}
			}
			if err := w.visit(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// readVouchers turns approved vouchers into movements.
func (w *walker) readVouchers(ctx context.Context) error {
	return w.vouchers.Each(ctx, docstore.All(), func(v *voucher) error {
		w.report.Vouchers++
		if v.State != "approved" {
			return nil
		}
		for _, side := range []struct {
			account string
			amount  int64
		}{{v.From, -v.Amount}, {v.To, v.Amount}} {
			who, pot := person(side.account)
			if who == "" {
				continue
			}
			m := movement{source: Source{"voucher", v.ID}, at: v.CheckedAt, member: who}
			if v.Unposted != "" {
				m.doubt = "voucher " + v.ID + " is not posted yet"
			} else {
				m.change.put(pot, side.amount)
			}
			if err := w.visit(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// person splits "member:alice:available" and "staff:zhang:available"; the purse of staff is called "staff:zhang".
func person(account string) (who, pot string) {
	at := strings.LastIndex(account, ":")
	switch {
	case at < 0:
		return "", ""
	case strings.HasPrefix(account, "member:") && at > len("member:"):
		return account[len("member:"):at], account[at+1:]
	case strings.HasPrefix(account, "staff:") && at > len("staff:"):
		return account[:at], account[at+1:]
	}
	return "", ""
}

// paper is the part of an entry's text this package understands.
type paper struct {
	when  time.Time
	posts []post // on people's accounts
}

type post struct {
	who, pot string
	amount   int64
}

// readPaper reads "at <time>" and "post <account> <amount> …".
func readPaper(e *entry) (p paper, err error) {
	for line := range strings.Lines(e.Text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "at":
			p.when, err = time.Parse(time.RFC3339, words[1])
		case len(words) >= 3 && words[0] == "post":
			one := post{}
			one.who, one.pot = person(words[1])
			if one.amount, err = strconv.ParseInt(words[2], 10, 64); one.who != "" {
				p.posts = append(p.posts, one)
			}
		}
		if err != nil {
			return p, fmt.Errorf("entry %s: %w", e.ID, err)
		}
	}
	return p, nil
}

// source tells what an entry belongs to, from its id.
func source(id string) Source {
	kind, rest, _ := strings.Cut(id, "/")
	name, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "accrue", "settle", "clawback":
		return Source{"order", name}
	case "withdraw", "outcome", "tax", "return":
		return Source{"withdrawal", name}
	case "adjust", "incentive", "transfer":
		return Source{"voucher", name}
	}
	return Source{"entry", id}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
