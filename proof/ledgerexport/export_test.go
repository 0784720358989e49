package ledgerexport

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"guanxi/commission"
	"guanxi/internal/goldentest"
	"guanxi/internal/money"
)

func TestAccountNamesAreReversibleAndFitBeancount(t *testing.T) {
	t.Parallel()
	for _, a := range commission.BrandAccounts() {
		if back, ok := Account(Name(a)); !ok || back != a || strings.HasPrefix(Name(a), unknown) {
			t.Errorf("%s → %s → %s", a, Name(a), back)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		member := rapid.StringMatching(`[A-Za-z0-9:_.@|-]{1,64}`).Draw(t, "member")
		if rapid.Bool().Draw(t, "staff") {
			member = commission.Staff(member)
		}
		a := rapid.SampledFrom([]commission.Pot{commission.Pending, commission.Available, commission.Withdrawing, commission.Withdrawn, "odd"}).Draw(t, "pot").Of(member)
		name := Name(a)
		if back, ok := Account(name); !ok || back != a {
			t.Fatalf("%s → %s → %s", a, name, back)
		}
		for i, part := range strings.Split(name, ":") {
			if part == "" || (i == 0 && part[0] < 'A') || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", rune(part[0])) ||
				strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Fatalf("beancount refuses %q of %s", part, name)
			}
		}
	})
}

func readCSV(t *testing.T, raw []byte) [][]string {
	t.Helper()
	rest, ok := bytes.CutPrefix(raw, []byte("\xEF\xBB\xBF"))
	if !ok {
		t.Fatal("Excel needs the byte order mark")
	}
	rows, err := csv.NewReader(bytes.NewReader(rest)).ReadAll()
	must(t, err)
	return rows
}

// sums adds up the amount column by account, and checks debit and credit against the accountant's sign.
func sums(t *testing.T, rows [][]string) map[commission.Account]money.Fen {
	t.Helper()
	all, total := map[commission.Account]money.Fen{}, money.Fen(0)
	for _, row := range rows {
		f, debit, credit := yuan(t, row[16]), yuan(t, row[17]), yuan(t, row[18])
		all[commission.Account(row[9])] += f
		if debit != 0 && credit != 0 || debit < 0 || credit < 0 || debit+credit != max(f, -f) {
			t.Errorf("debit and credit of %v", row)
		}
		total += debit - credit
	}
	if total != 0 {
		t.Errorf("debits and credits differ by %d", total)
	}
	for a, f := range all {
		if f == 0 {
			delete(all, a)
		}
	}
	return all
}

func yuan(t *testing.T, s string) money.Fen {
	t.Helper()
	if s == "" {
		return 0
	}
	f, err := money.ParseYuan(s)
	must(t, err)
	return f
}

func TestTheJournalHoldsEveryPostingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	raw, result := w.export(Options{Format: CSV})
	rows := readCSV(t, raw)
	if diff := cmp.Diff(journalHeader(), rows[0]); diff != "" {
		t.Error(diff)
	}
	if int64(len(rows)-1) != result.Lines {
		t.Errorf("%d rows for %d postings", len(rows)-1, result.Lines)
	}
	got := sums(t, rows[1:])
	if diff := cmp.Diff(w.balances(), got); diff != "" {
		t.Errorf("the ledger and the journal differ:\n%s", diff)
	}
	for a := range got {
		if _, _, ok := a.Member(); !ok {
			delete(got, a)
		}
	}
	if diff := cmp.Diff(w.purses(everybody()...), got); diff != "" {
		t.Errorf("the purses and the journal differ:\n%s", diff)
	}
	for _, row := range rows[1:] {
		for i, c := range row {
			if i != 16 && strings.ContainsAny(c[:min(1, len(c))], "=+-@\t\r\n") {
				t.Errorf("a spreadsheet would take %q for a formula", c)
			}
		}
	}
}

func TestMonthsAddUpToTheWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	whole, _ := w.export(Options{Format: CSV})
	october, _ := w.export(Options{Format: CSV, To: november()})
	rest, _ := w.export(Options{Format: CSV, From: november()})
	joined := append(readCSV(t, october), readCSV(t, rest)[1:]...)
	if diff := cmp.Diff(readCSV(t, whole), joined); diff != "" {
		t.Error(diff)
	}
	for _, row := range readCSV(t, october)[1:] {
		if !strings.HasPrefix(row[0], "2026-10") {
			t.Errorf("in October: %v", row)
		}
	}
	nothing, result := w.export(Options{Format: CSV, From: november().AddDate(1, 0, 0)})
	if len(readCSV(t, nothing)) != 1 || result.Entries != 0 {
		t.Errorf("after the end: %s", nothing)
	}
}

func TestAnExtractShowsOneMemberAndNamesNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	for _, f := range []Format{CSV, Beancount, Hledger} {
		raw, _ := w.export(Options{Format: f, Member: odd})
		for _, other := range []string{"alice", "host1", "bob", "zhang"} {
			if strings.Contains(string(raw), other) {
				t.Errorf("%s names %s", f, other)
			}
		}
	}
	raw, _ := w.export(Options{Format: CSV, Member: odd})
	got := sums(t, readCSV(t, raw)[1:])
	delete(got, others)
	if diff := cmp.Diff(w.purses(odd), got); diff != "" {
		t.Error(diff)
	}
}

func TestTheWorkbookAgreesWithPursesAndClosedPeriods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	raw, result := w.export(Options{Format: XLSX})
	book, err := excelize.OpenReader(bytes.NewReader(raw))
	must(t, err)
	defer book.Close()
	if diff := cmp.Diff([]string{"凭证分录", "科目余额", "会员余额", "期间"}, book.GetSheetList()); diff != "" {
		t.Error(diff)
	}
	journal, err := book.GetRows("凭证分录", excelize.Options{RawCellValue: true})
	must(t, err)
	if int64(len(journal)-1) != result.Lines {
		t.Errorf("%d rows", len(journal))
	}
	if diff := cmp.Diff(w.balances(), sums(t, journal[1:])); diff != "" {
		t.Error(diff)
	}
	kind, err := book.GetCellType("凭证分录", "Q2")
	must(t, err)
	if kind != excelize.CellTypeNumber && kind != excelize.CellTypeUnset {
		t.Errorf("an amount is of type %d", kind)
	}
	shown, err := book.GetRows("凭证分录")
	must(t, err)
	csvRaw, _ := w.export(Options{Format: CSV})
	if want := readCSV(t, csvRaw)[1][0]; shown[1][0] != want {
		t.Errorf("the time is shown as %s, not %s", shown[1][0], want)
	}
	purses, err := book.GetRows("会员余额", excelize.Options{RawCellValue: true})
	must(t, err)
	got := map[commission.Account]money.Fen{}
	for _, row := range purses[1:] {
		for i, p := range pots {
			if f := yuan(t, row[5+i]); f != 0 {
				got[p.pot.Of(row[0])] = f
			}
		}
	}
	if diff := cmp.Diff(w.purses(everybody()...), got); diff != "" {
		t.Error(diff)
	}
	months, err := book.GetRows("期间")
	must(t, err)
	if len(months) != 2 || months[1][0] != "2026-10" {
		t.Errorf("periods %v", months)
	}
}

func TestAMonthsTrialBalanceIsTheClosedPeriods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.clock.Advance(40 * 24 * time.Hour)
	period, err := w.ClosePeriod(t.Context(), "2026-11", "chief")
	must(t, err)
	raw, _ := w.export(Options{Format: XLSX, From: november(), To: november().AddDate(0, 1, 0)})
	book, err := excelize.OpenReader(bytes.NewReader(raw))
	must(t, err)
	defer book.Close()
	rows, err := book.GetRows("科目余额", excelize.Options{RawCellValue: true})
	must(t, err)
	var got []commission.AccountTotal
	for _, row := range rows[1:] {
		got = append(got, commission.AccountTotal{
			Account: commission.Account(row[0]), Opening: yuan(t, row[3]), Out: yuan(t, row[4]), In: yuan(t, row[5]), Closing: yuan(t, row[6]),
		})
	}
	if diff := cmp.Diff(period.Accounts, got); diff != "" {
		t.Error(diff)
	}
}

func TestALongJournalGoesOnInAnotherSheet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	var out bytes.Buffer
	s := newWorkbook(&out, 10)
	x := &export{sink: s, books: &books{accounts: map[commission.Account]*account{}}, result: &Result{}}
	must(t, x.run(t.Context(), w))
	must(t, s.Close())
	book, err := excelize.OpenReader(&out)
	must(t, err)
	defer book.Close()
	var all [][]string
	for _, name := range book.GetSheetList() {
		if !strings.HasPrefix(name, "凭证分录") {
			continue
		}
		rows, err := book.GetRows(name, excelize.Options{RawCellValue: true})
		must(t, err)
		if len(rows) > 10 || rows[0][0] != "入账时间" {
			t.Errorf("sheet %s has %d rows", name, len(rows))
		}
		all = append(all, rows[1:]...)
	}
	if int64(len(all)) != x.result.Lines {
		t.Errorf("%d rows for %d postings", len(all), x.result.Lines)
	}
	if diff := cmp.Diff(w.balances(), sums(t, all)); diff != "" {
		t.Error(diff)
	}
}

func TestLargeAmountsStayExactInNumberCells(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newWorkbook(&out, maxRows)
	must(t, s.begin(&Options{}, nil))
	amounts := []money.Fen{1, -1, 297, 999_999_999_99, -123_456_789_012_34, 9_007_199_254_740_993, 1 << 62}
	for _, f := range amounts {
		must(t, s.journal.add([]cell{f}))
	}
	must(t, s.end(&books{}, nil))
	book, err := excelize.OpenReader(&out)
	must(t, err)
	defer book.Close()
	rows, err := book.GetRows("凭证分录", excelize.Options{RawCellValue: true})
	must(t, err)
	for i, f := range amounts {
		if got := rows[i+1][0]; strings.TrimRight(strings.TrimRight(f.Yuan(), "0"), ".") != strings.TrimRight(strings.TrimRight(got, "0"), ".") {
			t.Errorf("%s is written as %s", f.Yuan(), got)
		}
	}
}

// TestGoldenFiles keeps small exports as they are. GUANXI_UPDATE=1 writes them.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	for name, o := range map[string]Options{
		"all.csv":              {Format: CSV},
		"all.beancount":        {Format: Beancount},
		"all.journal":          {Format: Hledger},
		"november.beancount":   {Format: Beancount, From: november()},
		"november.journal":     {Format: Hledger, From: november()},
		"odd-member.beancount": {Format: Beancount, From: november(), Member: odd},
	} {
		got, _ := w.export(o)
		goldentest.Golden(t, filepath.Join("testdata", name), string(got))
	}
}
