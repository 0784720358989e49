package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/app"
)

// warned names the settings doctor warns of, with what is set beside the defaults.
func warned(t *testing.T, set ...string) []string {
	t.Helper()
	key := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	set = append(set, "GUANXI_LEDGER_KEY="+key, "GUANXI_LEDGER_ANCHOR=/tmp/x", "GUANXI_CONSOLE_ADDR=127.0.0.1:8081", "GUANXI_TRUST_PROXY=true")
	v, err := app.ReadValues(set, "")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, line := range v.Warnings() {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	return names
}

// With the defaults every limit of withdrawals can bite, two reviewers among them.
func TestDoctorWarnsWhereALimitCanNeverBite(t *testing.T) {
	t.Parallel()
	for set, want := range map[string][]string{
		"GUANXI_LOG=info":                  {},
		"GUANXI_WITHDRAW_TWO_FEN=500000":   {},
		"GUANXI_WITHDRAW_TWO_FEN=500001":   {"GUANXI_WITHDRAW_TWO_FEN"},
		"GUANXI_WITHDRAW_AUTO_FEN=200000":  {"GUANXI_WITHDRAW_AUTO_FEN"},
		"GUANXI_WITHDRAW_AUTO_FEN=500000":  {"GUANXI_WITHDRAW_AUTO_FEN"},
		"GUANXI_WITHDRAW_MAX_FEN=2000000":  {"GUANXI_WITHDRAW_MAX_FEN"},
		"GUANXI_WITHDRAW_DAY_FEN=20000000": {"GUANXI_WITHDRAW_DAY_FEN", "GUANXI_WITHDRAW_DAY_FEN"},
		"GUANXI_VOUCHER_TWO_FEN=2000001":   {"GUANXI_VOUCHER_TWO_FEN"},
		"GUANXI_RATE=0":                    {"GUANXI_RATE"},
		"GUANXI_LISTEN=0.0.0.0:8080":       {"GUANXI_TRUST_PROXY"},
	} {
		if diff := cmp.Diff(want, warned(t, set)); diff != "" {
			t.Errorf("%s: %s", set, diff)
		}
	}
	v, err := app.ReadValues(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(v.Warnings(), "\n")
	for _, name := range []string{"GUANXI_LEDGER_KEY", "GUANXI_TRUST_PROXY", "GUANXI_CONSOLE_ADDR"} {
		if !strings.Contains(all, name+":") {
			t.Errorf("nothing set, and no warning of %s:\n%s", name, all)
		}
	}
}
