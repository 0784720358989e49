package ledgerexport

import (
	"maps"
	"slices"
	"strings"

	"guanxi/commission"
	"guanxi/internal/money"
)

// account is what an export remembers of one account. Opening, out and in have the ledger's signs; before, debit and
// credit are the accountant's (debits positive, credit as a positive number).
type account struct {
	opening, out, in      money.Fen
	before, debit, credit money.Fen
}

func (a *account) closing() money.Fen { return a.opening + a.out + a.in }

// balance is the accountant's closing balance: debits positive.
func (a *account) balance() money.Fen { return a.before + a.debit - a.credit }

func (a *account) add(b *account) {
	a.opening, a.out, a.in = a.opening+b.opening, a.out+b.out, a.in+b.in
	a.before, a.debit, a.credit = a.before+b.before, a.debit+b.debit, a.credit+b.credit
}

// books is the running state: one row per account.
type books struct {
	accounts map[commission.Account]*account
}

func (b *books) at(a commission.Account) *account {
	row := b.accounts[a]
	if row == nil {
		row = &account{}
		b.accounts[commission.Account(strings.Clone(string(a)))] = row // not a part of the entry's text
	}
	return row
}

// before takes what was posted earlier than the export begins.
func (b *books) before(lines []line) {
	for i := range lines {
		row := b.at(lines[i].Account)
		row.opening += lines[i].Amount
		row.before += lines[i].usual
	}
}

func (b *books) take(lines []line) {
	for i := range lines {
		l := &lines[i]
		row := b.at(l.Account)
		if l.Amount < 0 {
			row.out += l.Amount
		} else {
			row.in += l.Amount
		}
		if l.usual < 0 {
			row.credit -= l.usual
		} else {
			row.debit += l.usual
		}
	}
}

func (b *books) sorted() []commission.Account { return slices.Sorted(maps.Keys(b.accounts)) }

// trial sums people's accounts by pot, as a closed period shows them: "member:*:pending".
func (b *books) trial() *books {
	sum := &books{accounts: map[commission.Account]*account{}}
	for a, row := range b.accounts {
		if member, pot, ok := a.Member(); ok {
			a = pot.Of("*")
			if strings.HasPrefix(member, commission.Staff("")) {
				a = pot.Of(commission.Staff("*"))
			}
		}
		sum.at(a).add(row)
	}
	return sum
}

// people lists everybody who has an account.
func (b *books) people() []string {
	seen := map[string]bool{}
	for a := range b.accounts {
		if member, _, ok := a.Member(); ok {
			seen[member] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// line is one posting as it is exported.
type line struct {
	commission.Posting
	usual money.Fen // the accountant's amount: debits positive
}

// view turns an entry into the lines of an export. For one member, what it did to everybody else is one sum; nil
// tells that it did not move the member.
func view(e *commission.Entry, member string) []line {
	literal := slices.ContainsFunc(e.Postings, func(p commission.Posting) bool {
		return p.Account == commission.Bank || p.Account == commission.MerchantBalance
	})
	lines := make([]line, 0, len(e.Postings)+1)
	rest := money.Fen(0)
	for _, p := range e.Postings {
		if who, _, ok := p.Account.Member(); member != "" && (!ok || who != member) {
			rest += p.Amount
			continue
		}
		lines = append(lines, line{Posting: p})
	}
	if rest != 0 && len(lines) > 0 {
		lines = append(lines, line{Posting: commission.Posting{Account: others, Amount: rest}})
	}
	for i := range lines {
		if lines[i].usual = -lines[i].Amount; literal {
			lines[i].usual = lines[i].Amount
		}
	}
	return lines
}
