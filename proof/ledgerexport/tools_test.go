package ledgerexport

import (
	"encoding/csv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/internal/money"
)

// tool finds a program the tests need, or skips.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("GUANXI_TEST_REQUIRE_ACCOUNTING") == "1" {
		t.Fatalf("%s is not in PATH, and GUANXI_TEST_REQUIRE_ACCOUNTING=1 demands it: apt-get install %s", name, debian)
	}
	t.Skipf("%s is not in PATH: apt-get install %s", name, debian)
	return ""
}

func (w *world) file(o Options, name string) string {
	w.t.Helper()
	raw, _ := w.export(o)
	file := filepath.Join(w.t.TempDir(), name)
	must(w.t, os.WriteFile(file, raw, 0o600))
	return file
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// usual turns the ledger's balances into the accountant's: money accounts as they are, everything else mirrored.
func usual(balances map[commission.Account]money.Fen) map[string]money.Fen {
	all := map[string]money.Fen{}
	for a, f := range balances {
		if a != commission.Bank && a != commission.MerchantBalance {
			f = -f
		}
		all[Name(a)] = f
	}
	return all
}

// exports are the pieces every tool has to accept: everything, a month with opening balances, one member's extract.
func exports(f Format) map[string]Options {
	return map[string]Options{
		"all": {Format: f}, "november": {Format: f, From: november()}, "october": {Format: f, To: november()},
		"member": {Format: f, Member: odd}, "members-november": {Format: f, From: november(), Member: odd},
		"nothing": {Format: f, To: november().AddDate(-1, 0, 0)},
	}
}

func without(all map[string]money.Fen, names ...string) map[string]money.Fen {
	all = maps.Clone(all)
	for _, n := range names {
		delete(all, n)
	}
	return all
}

func parseAmount(t *testing.T, s string) money.Fen {
	t.Helper()
	return yuan(t, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "CNY")))
}

func TestHledgerAcceptsTheJournalAndFindsOurBalances(t *testing.T) {
	t.Parallel()
	hledger := tool(t, "hledger", "hledger")
	w := newWorld(t)
	w.live()
	for name, o := range exports(Hledger) {
		file := w.file(o, name+".journal")
		run(t, hledger, "-f", file, "check", "--strict", "ordereddates")
		rows, err := csv.NewReader(strings.NewReader(run(t, hledger, "-f", file, "bal", "--flat", "--no-total", "-O", "csv"))).ReadAll()
		must(t, err)
		got := map[string]money.Fen{}
		for _, row := range rows[1:] {
			got[row[0]] = parseAmount(t, row[1])
		}
		want := usual(w.balances())
		switch name {
		case "all", "november":
		case "nothing":
			want = map[string]money.Fen{}
		default:
			continue
		}
		if diff := cmp.Diff(want, without(got, openingName)); diff != "" {
			t.Errorf("%s (-ours +hledger):\n%s", name, diff)
		}
	}
}

func TestLedgerAcceptsTheJournalToo(t *testing.T) {
	t.Parallel()
	ledger := tool(t, "ledger", "ledger")
	w := newWorld(t)
	w.live()
	for name, o := range exports(Hledger) {
		file := w.file(o, name+".journal")
		out := run(t, ledger, "-f", file, "bal", "--flat", "--no-total", "--balance-format", "%(account)\t%(display_total)\n")
		if name != "all" {
			continue
		}
		got := map[string]money.Fen{}
		for _, row := range strings.Split(strings.TrimSpace(out), "\n") {
			account, amount, _ := strings.Cut(row, "\t")
			got[account] = parseAmount(t, amount)
		}
		if diff := cmp.Diff(usual(w.balances()), got); diff != "" {
			t.Errorf("(-ours +ledger):\n%s", diff)
		}
	}
}

func TestBeancountAcceptsTheJournalAndFindsOurBalances(t *testing.T) {
	t.Parallel()
	check := tool(t, "bean-check", "beancount")
	w := newWorld(t)
	w.live()
	files := map[string]string{}
	for name, o := range exports(Beancount) {
		files[name] = w.file(o, name+".beancount")
		if out := run(t, check, files[name]); strings.TrimSpace(out) != "" {
			t.Errorf("%s: %s", name, out)
		}
	}
	query := tool(t, "bean-query", "beancount")
	out := run(t, query, "-f", "csv", files["all"], "SELECT account, sum(position) AS total GROUP BY account ORDER BY account")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	must(t, err)
	got := map[string]money.Fen{}
	for _, row := range rows[1:] {
		if f := parseAmount(t, row[1]); f != 0 {
			got[strings.TrimSpace(row[0])] = f
		}
	}
	if diff := cmp.Diff(usual(w.balances()), got); diff != "" {
		t.Errorf("(-ours +beancount):\n%s", diff)
	}
}

// TestBeancountProvesTheClosingBalances shows that the assertions are not decoration.
func TestBeancountProvesTheClosingBalances(t *testing.T) {
	t.Parallel()
	check := tool(t, "bean-check", "beancount")
	w := newWorld(t)
	w.live()
	raw, _ := w.export(Options{Format: Beancount})
	forged := regexp.MustCompile(`(balance Liabilities:Members:M-alice:Available +-)(\d)`).ReplaceAll(raw, []byte("${1}9${2}"))
	file := filepath.Join(t.TempDir(), "forged.beancount")
	must(t, os.WriteFile(file, forged, 0o600))
	out, err := exec.CommandContext(t.Context(), check, file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Balance failed") {
		t.Errorf("%v: %s", err, out)
	}
}
