package ledgerexport

import (
	"encoding/hex"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// A cell is a string, an int64, a money.Fen, a time.Time or nil for an empty one.
type cell = any

// journalHeader names the columns of the journal; journalRow fills them.
func journalHeader() []string {
	return []string{
		"入账时间", "封号", "分录号", "类型", "摘要", "订单号", "凭证号", "业务时间", "账本",
		"账本科目", "会计科目", "科目名称", "人员", "行号", "角色", "规则",
		"金额（元，账本符号）", "借方（元）", "贷方（元）", "备注", "哈希",
	}
}

func journalRow(r *record, l *line) []cell {
	e := r.entry
	who, _, _ := l.Account.Member()
	row := []cell{
		local(r.seal.At), r.seal.Number, e.ID, string(e.Kind), kindWords(e.Kind), e.Order, e.Number, local(e.At), e.Book,
		string(l.Account), Name(l.Account), words(l.Account), who, nil, string(l.Role), l.Rule,
		l.Amount, nil, nil, notes(e), hex.EncodeToString(e.Hash[:]),
	}
	if l.Line != 0 {
		row[13] = int64(l.Line)
	}
	if l.usual < 0 {
		row[18] = -l.usual
	} else {
		row[17] = l.usual
	}
	return row
}

// notes joins what an entry notes.
func notes(e *commission.Entry) string {
	parts := make([]string, 0, len(e.Notes)+1)
	if e.Refund != "" {
		parts = append(parts, "refund="+e.Refund)
	}
	for _, n := range e.Notes {
		parts = append(parts, n.Key+"="+n.Value)
	}
	return strings.Join(parts, "; ")
}

// local is the time people in the office know.
func local(t time.Time) time.Time { return t.In(clock.Shanghai()) }

func trialHeader() []string {
	return []string{
		"账本科目", "会计科目", "科目名称", "期初（元，账本符号）", "转出（元）", "转入（元）", "期末（元，账本符号）",
		"期初余额（元，借正贷负）", "本期借方（元）", "本期贷方（元）", "期末余额（元，借正贷负）",
	}
}

func trialRows(b *books) [][]cell {
	trial := b.trial()
	rows := make([][]cell, 0, len(trial.accounts))
	for _, a := range trial.sorted() {
		t := trial.accounts[a]
		rows = append(rows, []cell{
			string(a), strings.Replace(Name(a), encode("*"), "*", 1), words(a), t.opening, t.out, t.in, t.closing(),
			t.before, t.debit, t.credit, t.balance(),
		})
	}
	return rows
}

func purseHeader() []string {
	header := []string{"人员"}
	for _, when := range []string{"期初", "期末"} {
		for _, p := range pots {
			header = append(header, when+p.words+"（元）")
		}
	}
	return header
}

func purseRow(b *books, member string) []cell {
	row := make([]cell, 0, 1+2*len(pots))
	row = append(row, member)
	for _, at := range []func(*account) money.Fen{func(a *account) money.Fen { return a.opening }, (*account).closing} {
		for _, p := range pots {
			if a := b.accounts[p.pot.Of(member)]; a != nil {
				row = append(row, at(a))
			} else {
				row = append(row, money.Fen(0))
			}
		}
	}
	return row
}

func periodHeader() []string {
	return []string{"月份", "首封号", "末封号", "分录数", "人数", "结账人", "结账时间"}
}

func periodRow(p *commission.Period) []cell {
	return []cell{p.Month, p.First, p.Last, p.Entries, p.Members, p.By, local(p.ClosedAt)}
}
