package ledgerexport

import (
	"strconv"
	"strings"

	"guanxi/commission"
)

// others is the account, in an extract for one member, of everybody else.
const others commission.Account = "others"

// openingName is the other side of opening balances.
const openingName = "Equity:Opening"

// chart names the accounts that exist once.
var chart = []struct {
	account     commission.Account
	name, words string
}{
	{commission.CommissionExpense, "Expenses:Commission", "佣金支出"},
	{commission.StaffIncentive, "Expenses:StaffIncentive", "员工激励支出"},
	{commission.Adjustment, "Expenses:Adjustment", "调账"},
	{commission.TaxPayable, "Liabilities:TaxPayable", "应交个税"},
	{commission.TaxPaid, "Assets:Paid:Tax", "已交个税"},
	{commission.Payroll, "Assets:Paid:Payroll", "随工资发放"},
	{commission.MerchantBalance, "Assets:MerchantBalance", "商户号余额"},
	{commission.Bank, "Assets:Bank", "银行存款"},
	{others, "Equity:Others", "他方合计"},
}

// persons names the accounts of people: Liabilities:Members:M-alice:Pending.
var persons = []struct{ prefix, group, mark, words string }{
	{"staff:", "Staff", "S-", "员工"},
	{"", "Members", "M-", "会员"},
}

var pots = []struct {
	pot         commission.Pot
	name, words string // name "" is under Assets:Paid
}{
	{commission.Pending, "Pending", "待结算"},
	{commission.Available, "Available", "可提现"},
	{commission.Withdrawing, "Withdrawing", "提现中"},
	{commission.Withdrawn, "", "已提现"},
}

const (
	owed    = "Liabilities:"
	paid    = "Assets:Paid:"
	unknown = "Equity:Unknown:X-"
)

// Name gives an account's name in plain-text accounting; see the package's table.
func Name(a commission.Account) string {
	for i := range chart {
		if chart[i].account == a {
			return chart[i].name
		}
	}
	member, pot, ok := a.Member()
	for i := range pots {
		if !ok || pots[i].pot != pot {
			continue
		}
		for _, p := range persons {
			id, is := strings.CutPrefix(member, p.prefix)
			if !is {
				continue
			}
			if pots[i].name == "" {
				return paid + p.group + ":" + p.mark + encode(id)
			}
			return owed + p.group + ":" + p.mark + encode(id) + ":" + pots[i].name
		}
	}
	return unknown + encode(string(a))
}

// Account reads back what Name has made; ok is false for every other name.
func Account(name string) (a commission.Account, ok bool) {
	for i := range chart {
		if chart[i].name == name {
			return chart[i].account, true
		}
	}
	if rest, is := strings.CutPrefix(name, unknown); is {
		id, ok := decode(rest)
		return commission.Account(id), ok
	}
	for _, p := range persons {
		if rest, is := strings.CutPrefix(name, paid+p.group+":"+p.mark); is {
			id, ok := decode(rest)
			return commission.Withdrawn.Of(p.prefix + id), ok
		}
		rest, is := strings.CutPrefix(name, owed+p.group+":"+p.mark)
		if !is {
			continue
		}
		rest, pot, _ := strings.Cut(rest, ":")
		for i := range pots {
			if id, ok := decode(rest); ok && pots[i].name == pot && pot != "" {
				return pots[i].pot.Of(p.prefix + id), true
			}
		}
	}
	return "", false
}

// words names an account for people who read tables.
func words(a commission.Account) string {
	for i := range chart {
		if chart[i].account == a {
			return chart[i].words
		}
	}
	member, pot, _ := a.Member()
	for _, p := range persons {
		if !strings.HasPrefix(member, p.prefix) {
			continue
		}
		for i := range pots {
			if pots[i].pot == pot {
				return p.words + pots[i].words
			}
		}
	}
	return string(a)
}

// encode writes an id with letters, digits and "-" only, which beancount allows in an account.
func encode(id string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(id))
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b = append(b, c)
			continue
		}
		b = append(b, '-', hex[c>>4], hex[c&15])
	}
	return string(b)
}

func decode(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '-' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b, i = append(b, byte(n)), i+2
	}
	return string(b), encode(string(b)) == s
}

// kinds names what entries do.
var kinds = map[commission.Kind]string{
	commission.Accrue:      "计提佣金",
	commission.Settle:      "结算",
	commission.ClawBack:    "退款追回",
	commission.Withdraw:    "申请提现",
	commission.Confirm:     "提现到账",
	commission.Fail:        "提现未成，退回可提现",
	commission.TaxWithheld: "代扣个税",
	commission.Return:      "到账后退回",
	commission.Adjust:      "调账",
	commission.Incentive:   "员工激励",
	commission.Transfer:    "内部划转",
}

func kindWords(k commission.Kind) string {
	if w := kinds[k]; w != "" {
		return w
	}
	return string(k)
}
