package commission

import (
	"context"
	"fmt"
	"strings"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
)

// noteWords names the notes of withdrawals and vouchers, in the order they are told.
var noteWords = []struct{ key, words string }{
	{"reason", "原因"},
	{"why", "原因"},
	{"corrects", "更正的分录"},
	{"dispute", "对应的申诉"},
	{"rail", "付款方式"},
	{"order", "来源订单"},
	{"bill", "微信转账单号"},
	{"gross", "提现金额"},
	{"tax", "代扣个人所得税"},
	{"net", "实际到账"},
	{"tax-table", "适用税表"},
	{"tax-why", "税额计算"},
	{"state", "付款结果"},
	{"maker", "经办人"},
	{"checker", "复核人"},
	{"second-checker", "第二复核人"},
	{"approved-by", "审核人"},
}

// explainNumbered derives what belongs to no sale: the other entries under the same number tell its story so far.
func (s *Service) explainNumbered(ctx context.Context, member string, e *Entry) (Explanation, error) {
	line := e.LineOf(member)
	x := Explanation{
		Entry: e.ID, Kind: e.Kind, Number: e.Number, Notes: e.Notes, At: e.At, Change: line.Change, Sentence: words(&line), Sealed: e.Seal,
	}
	ids := []string{e.ID}
	if voucherSides[e.Kind] == nil {
		ids = []string{
			book.NumberID(Withdraw, e.Number), book.NumberID(Confirm, e.Number), book.NumberID(TaxWithheld, e.Number), book.NumberID(Return, e.Number),
		}
	}
	docs, err := s.book.Entries.GetMany(ctx, ids)
	if err != nil {
		return Explanation{}, err
	}
	for _, id := range ids {
		if docs[id] == nil {
			continue
		}
		told, err := book.ParseEntry(docs[id])
		if err != nil {
			return Explanation{}, err
		}
		if !concerns(told, member) {
			continue
		}
		part := told.LineOf(member)
		x.Steps = append(x.Steps, moment(told.At)+" "+words(&part))
		x.Steps = append(x.Steps, noted(told)...)
	}
	if e.Kind == Withdraw && docs[book.NumberID(Confirm, e.Number)] == nil {
		x.NotYet = "提现正在处理：付款结果以微信支付的最终答复为准，未成功的金额会自动退回可提现"
	}
	change := make([]string, 0, len(book.Pots))
	for _, p := range book.Pots {
		if amount := *x.Change.Pot(p); amount != 0 {
			change = append(change, potWords[p]+" "+signed(amount)+" 元")
		}
	}
	x.Steps = append(x.Steps, "本笔变动："+strings.Join(change, "，"))
	return x, nil
}

func noted(e *Entry) []string {
	var steps []string
	for _, n := range noteWords {
		if value := e.Note(n.key); value != "" {
			if value == policy.RailProfitSharing {
				value = "微信分账，全部结算后从本单货款中支付"
			}
			steps = append(steps, n.words+"："+value)
		}
	}
	return steps
}

// potWords names the pots.
var potWords = map[Pot]string{Pending: "待结算", Available: "可提现", Withdrawing: "提现中", Withdrawn: "已提现"}

// EntryView is an entry as staff sees it: everything it says, whom it moves, and what stands behind it.
type EntryView struct {
	*Entry
	Text    string // the stored text that is hashed
	Members []Explanation
}

// FindEntries gives the entries of an order or a number, or the one of an id, for staff: at most 100, oldest first.
// Code: COM_ENTRY_NOT_FOUND when there is none.
func (s *Service) FindEntries(ctx context.Context, what string) ([]EntryView, error) {
	docs, err := s.entriesAbout(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("find entries: %w", err)
	}
	if len(docs) == 0 {
		return nil, ErrEntryMissing
	}
	views := make([]EntryView, len(docs))
	for i, doc := range docs {
		e, err := book.ParseEntry(doc)
		if err != nil {
			return nil, fmt.Errorf("find entries: %w", err)
		}
		views[i] = EntryView{Entry: e, Text: doc.Text}
		for _, member := range members(e) {
			x, err := s.explain(ctx, member, e)
			if err != nil {
				return nil, fmt.Errorf("find entries: %w", err)
			}
			views[i].Members = append(views[i].Members, x)
		}
	}
	return views, nil
}
