package app

import (
	"errors"
	"strings"

	"guanxi/reconcile"
)

// billSettings are what cannot be known of a merchant's bills.
func billSettings() []Setting {
	return []Setting{
		{Name: "GUANXI_BILL_APPS", Words: "app ids of other programs of this brand under the same merchant number, comma separated, whose orders are in this store; GUANXI_WEIXIN_APPID always is. Rows of every other program are counted apart, not matched"},
		{Name: "GUANXI_BILL_ACCOUNTS", Default: "BASIC,OPERATION", Words: "accounts whose fund-flow bills are read, each in a run of its own: BASIC, OPERATION (transfers may be paid from it), FEES"},
		{Name: "GUANXI_BILL_EXPECTED", Default: strings.Join(reconcile.Expected(), ","), Words: "movements of the fund-flow bill that are the brand's own business, by 业务名称 or 业务类型, comma separated; any other kind is one task a kind and day"},
	}
}

// bills adds to the configuration of the reconciliation what the settings say.
func (v Values) bills(c reconcile.Config) (reconcile.Config, error) {
	list := func(name string) []string {
		return strings.FieldsFunc(v[name], func(r rune) bool { return r == ',' || r == ' ' || r == '，' })
	}
	c.Apps = append(c.Apps, list("GUANXI_BILL_APPS")...)
	c.Expected = append([]string{}, list("GUANXI_BILL_EXPECTED")...)
	byName := map[string]reconcile.Statement{}
	for statement, account := range accounts {
		byName[string(account)] = statement
	}
	basic := false
	for _, name := range list("GUANXI_BILL_ACCOUNTS") {
		statement, known := byName[strings.ToUpper(name)]
		if !known {
			return c, errors.New("GUANXI_BILL_ACCOUNTS: must be some of BASIC, OPERATION and FEES")
		}
		basic = basic || statement == reconcile.Funds
		c.Accounts = append(c.Accounts, statement)
	}
	if !basic {
		return c, errors.New("GUANXI_BILL_ACCOUNTS: BASIC must be among them")
	}
	return c, nil
}
