package book

import (
	"slices"
	"strings"
)

// Account is a named account of a book. The brand's are fixed; a member has one per Pot, and so has a person of staff.
type Account string

// The brand's accounts. Money leaves an account with a negative amount and arrives with a positive one.
const (
	CommissionExpense Account = "brand:commission-expense" // what is spent on members' commission
	StaffIncentive    Account = "brand:staff-incentive"    // what is spent on staff's share of sales and on rewards
	TaxPayable        Account = "brand:tax-payable"        // withheld, owed to the tax office
	TaxPaid           Account = "brand:tax-paid"           // handed over to the tax office
	Adjustment        Account = "brand:adjustment"         // corrections
	MerchantBalance   Account = "brand:merchant-balance"   // money at the payment platform
	Bank              Account = "brand:bank"               // money at the bank
	Payroll           Account = "brand:payroll"            // paid to staff with their wages
)

// BrandAccounts lists the brand's accounts, as the trial balance shows them.
func BrandAccounts() []Account { return slices.Clone(brandAccounts) }

var brandAccounts = []Account{
	CommissionExpense, StaffIncentive, TaxPayable, TaxPaid, Adjustment, MerchantBalance, Bank, Payroll,
}

// Pot is one of a member's accounts.
type Pot string

// The pots of a member.
const (
	Pending     Pot = "pending"     // earned, waiting for the after-sale window
	Available   Pot = "available"   // can be withdrawn; negative after a late refund, later earnings fill it first
	Withdrawing Pot = "withdrawing" // on its way out
	Withdrawn   Pot = "withdrawn"   // paid out
)

// StaffPrefix marks the purse of a person of staff: their id among purses is "staff:<id>".
const StaffPrefix = "staff:"

// Staff names the purse of a person of staff.
func Staff(id string) string { return StaffPrefix + id }

// Of names the account of a member, or of a person of staff.
func (p Pot) Of(member string) Account {
	if strings.HasPrefix(member, StaffPrefix) {
		return Account(member + ":" + string(p))
	}
	return Account("member:" + member + ":" + string(p))
}

// Is tells whether a is p.Of(member), without making it.
func (a Account) Is(p Pot, member string) bool {
	rest := a
	if !strings.HasPrefix(member, StaffPrefix) {
		if !strings.HasPrefix(string(a), "member:") {
			return false
		}
		rest = a[len("member:"):]
	}
	n := len(member)
	return len(rest) == n+1+len(p) && string(rest[:n]) == member && rest[n] == ':' && string(rest[n+1:]) == string(p)
}

// Member splits the account of a member or of a person of staff; ok is false for the brand's.
func (a Account) Member() (member string, pot Pot, ok bool) {
	rest, ok := strings.CutPrefix(string(a), "member:")
	if !ok {
		if rest = string(a); !strings.HasPrefix(rest, StaffPrefix) {
			return "", "", false
		}
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 1 {
		return "", "", false
	}
	return rest[:i], Pot(rest[i+1:]), true
}

// Known tells whether there is such an account.
func (a Account) Known() bool {
	_, pot, ok := a.Member()
	return ok && slices.Contains(Pots, pot) || !ok && slices.Contains(brandAccounts, a)
}

// Available tells whether it is what somebody can withdraw from.
func (a Account) Available() bool {
	member, pot, ok := a.Member()
	return ok && pot == Available && Named(member)
}

// Staff tells whether it is what a person of staff can withdraw from.
func (a Account) Staff() bool { return strings.HasPrefix(string(a), StaffPrefix) && a.Available() }

// Pots is the order of pots everywhere.
var Pots = []Pot{Pending, Available, Withdrawing, Withdrawn}
