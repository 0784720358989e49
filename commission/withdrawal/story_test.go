package withdrawal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
	"guanxi/internal/goldentest"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

func TestMovesAreExactlyTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, from := range States() {
		for _, by := range causes() {
			w := &Withdrawal{State: from}
			if err := w.move(by); err == nil {
				b.WriteString(goldentest.Pad(string(from), 9) + " + " + goldentest.Pad(string(by), 10) + " = " + string(w.State) + "\n")
			}
		}
	}
	goldentest.Golden(t, "testdata/moves.txt", b.String())
}

// TestStories plays testdata/stories/*.txt. A line is a command and, behind "=>", its answer, where the withdrawal then
// stands and what the purse holds: the whole is compared.
func TestStories(t *testing.T) {
	t.Parallel()
	goldentest.Play(t, 34, func(t *testing.T) func([]string) string {
		s := &story{world: newWorld(t, docstoretest.Embedded(t), Config{}), owners: map[string]string{}}
		s.process = s.start()
		return s.play
	})
}

// story follows withdrawals by their keys.
type story struct {
	*world
	process *process
	owners  map[string]string // key → member
}

func (s *story) number(key string) string { return id.Derive("withdrawal", s.owners[key], key) }

func (s *story) play(words []string) string {
	ctx := context.Background()
	arg := func(n int) string { return goldentest.Arg(words, n) }
	answer, about := s.setUp(words[0], arg), ""
	if answer == "" {
		answer, about = s.act(ctx, words[0], arg), arg(1)
	}
	if s.process.life.Dead() {
		answer = "the process dies"
	}
	if s.process.life.Dead() || s.process.life.Doomed() && words[0] != "die" {
		s.process = s.start()
	}
	if about != "" && s.owners[about] != "" {
		answer = goldentest.Pad(answer, 4) + s.stand(ctx, about)
	}
	return answer
}

// setUp are the lines about the world; "" for all others.
func (s *story) setUp(word string, arg func(int) string) string {
	switch word {
	case "member": // member <name> <available> [days since joining]
		s.join(arg(1), s.fen(arg(2)))
		if arg(3) != "" {
			days, _ := strconv.Atoi(arg(3))
			s.members[arg(1)].since = start.Add(-time.Duration(days) * 24 * time.Hour)
		}
	case "wallet": // wallet <member> <openid | none>
		s.members[arg(1)].openid = strings.TrimPrefix(arg(2), "none")
	case "earn":
		s.ledger.pots[arg(1)].Available += s.fen(arg(2))
	case "table":
		table := map[string]func() tax.Table{"cumulative": tax.CumulativeTable, "per-payment": tax.PerPaymentTable}[arg(1)]()
		if _, err := s.process.book.Publish(context.Background(), table); err != nil {
			s.t.Fatal(err)
		}
	case "payee": // payee <member> <name> <id number> [kind]
		in := PayeeInput{Member: arg(1), RealName: arg(2), IDNumber: arg(3), Kind: tax.Kind(arg(4)), By: arg(1)}
		_, err := s.process.SetPayee(context.Background(), in)
		return code(err)
	case "kind": // kind <member> <kind>
		_, _, err := s.process.SetKind(context.Background(), KindInput{Member: arg(1), Kind: tax.Kind(arg(2)), By: "ann"})
		return code(err)
	case "opening": // opening <member> <maker> <checker> <income> <tax>: a resident's, since March
		return code(s.process.SetOpening(context.Background(), OpeningInput{
			Opening: tax.Opening{Kind: tax.Resident, Gross: s.fen(arg(4)), Tax: s.fen(arg(5)), Since: 3},
			Member:  arg(1), Year: 2026, Maker: arg(2), Checker: arg(3), Why: "此前申报", Draft: "d",
		}))
	case "filing": // filing <year> <month>
		return s.filing(arg)
	case "mood":
		s.platform.mood = mood(arg(1))
	case "away":
		s.platform.away, _ = strconv.Atoi(arg(1))
	case "busy":
		s.ledger.busy, _ = strconv.Atoi(arg(1))
	case "wait":
		d, err := time.ParseDuration(arg(1))
		if err != nil {
			s.t.Fatal(err)
		}
		s.world.clock.Advance(d)
	case "die": // die <before | after> <n-th call to the outside of the next command>
		n, _ := strconv.Atoi(arg(2))
		s.process.life.DieAt(n-1, arg(1) == "after")
	default:
		return ""
	}
	return "ok"
}

func (s *story) act(ctx context.Context, word string, arg func(int) string) string {
	number := s.number(arg(1))
	review := ReviewInput{Number: number, By: arg(2), Why: "核对无误"}
	var err error
	switch word {
	case "ask": // ask <key> <member> <yuan> [device]
		s.owners[arg(1)] = arg(2)
		_, err = s.process.Ask(ctx, AskInput{Key: arg(1), Member: arg(2), Amount: s.fen(arg(3)), Device: arg(4)})
	case "approve": // approve <key> <person of staff> [member they are]
		review.Member = arg(3)
		_, err = s.process.Approve(ctx, review)
	case "reject":
		review.Why = "资料不全"
		_, err = s.process.Reject(ctx, review)
	case "stop": // stop <key> <person of staff> [member they are]
		review.Why, review.Member = "收款人存疑", arg(3)
		_, err = s.process.Stop(ctx, review)
	case "return":
		_, err = s.process.Return(ctx, review)
	case "cancel":
		_, err = s.process.Cancel(ctx, s.owners[arg(1)], number)
	case "platform": // platform <key> <state> [reason]: what happens there, nobody told
		return strconv.FormatBool(s.platform.turn(number, TransferState(arg(2)), arg(3)))
	case "notify": // notify <key> [amount | bill | state]: something is wrong with it
		o, _ := s.platform.query(number)
		o.Number = number
		switch arg(2) {
		case "amount":
			o.Amount++
		case "bill":
			o.Bill = "other"
		case "":
		default:
			o.State, o.At = TransferState(arg(2)), s.world.clock.Now()
		}
		_, err = s.process.Settle(ctx, o)
	case "tend":
		moved, err := s.process.Tend(ctx)
		return fmt.Sprintf("moved %d, trouble %v", moved, err != nil)
	case "look":
	case "outlook":
		return s.outlook(ctx, arg(1))
	case "steps":
		w, err := s.start().Get(ctx, number)
		if err != nil {
			s.t.Fatal(err)
		}
		return strings.Join(w.TaxSteps, "；")
	case "statement": // statement <member> <year> <month>
		return s.statement(ctx, arg)
	case "events":
		return s.events(ctx, number)
	default:
		s.t.Fatalf("unknown command %q", word)
	}
	return code(err)
}

func (s *story) outlook(ctx context.Context, member string) string {
	o, err := s.process.Outlook(ctx, member)
	if err != nil {
		return code(err)
	}
	text := fmt.Sprintf("%s of %s, left %d times %s today %s this month", o.Now.Yuan(), o.Free.Yuan(), o.LeftTimes, o.LeftToday.Yuan(), o.LeftMonth.Yuan())
	for _, r := range o.Reasons {
		text += "；" + r.Words
	}
	return text
}

func (s *story) statement(ctx context.Context, arg func(int) string) string {
	year, _ := strconv.Atoi(arg(2))
	month, _ := strconv.Atoi(arg(3))
	st, err := s.process.TaxStatement(ctx, arg(1), year, month)
	if err != nil {
		return code(err)
	}
	text := fmt.Sprintf("%s - %s = %s", st.Gross.Yuan(), st.Tax.Yuan(), st.Net.Yuan())
	if st.Earlier.Gross != 0 {
		text += fmt.Sprintf(", earlier %s - %s", st.Earlier.Gross.Yuan(), st.Earlier.Tax.Yuan())
	}
	names := []string{}
	for _, e := range append(st.Entries, st.Earlier.Entries...) {
		kind, number, _ := strings.Cut(e, "/")
		for key := range s.owners {
			if s.number(key) == number {
				names = append(names, kind+"/"+key)
			}
		}
		if _, ok := s.ledger.entries[e]; !ok && kind != "tax" {
			s.t.Errorf("the statement names %s, which is not in the ledger", e)
		}
	}
	return text + " [" + strings.Join(names, " ") + "]"
}

func (s *story) filing(arg func(int) string) string {
	year, _ := strconv.Atoi(arg(1))
	month, _ := strconv.Atoi(arg(2))
	var rows []string
	err := s.process.Filing(context.Background(), year, month, func(r tax.FilingRow) error {
		row := fmt.Sprintf("%s/%s %s %s %s %s", r.Kind, r.Regime, r.Income.Yuan(), r.Tax.Yuan(), r.YearIncome.Yuan(), r.YearTax.Yuan())
		if r.Opening > 0 {
			row += fmt.Sprintf(" opening %s %s", r.Opening.Yuan(), r.OpeningTax.Yuan())
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return code(err)
	}
	return strings.Join(rows, "；")
}

func (s *story) events(ctx context.Context, number string) string {
	w, err := s.process.Get(ctx, number)
	if err != nil {
		return code(err)
	}
	var names []string
	for _, m := range w.Outbox {
		names = append(names, strings.TrimPrefix(m.Name, "withdrawal."))
	}
	return strings.Join(names, " ")
}

// stand tells where a withdrawal and its owner's purse are.
func (s *story) stand(ctx context.Context, key string) string {
	b := s.ledger.pots[s.owners[key]]
	purse := fmt.Sprintf(" | purse %s %s %s", b.Available.Yuan(), b.Withdrawing.Yuan(), b.Withdrawn.Yuan())
	if held := s.ledger.tax[s.owners[key]]; held != 0 {
		purse += " tax " + held.Yuan()
	}
	w, err := s.start().Get(ctx, s.number(key))
	if err != nil {
		return purse
	}
	text := " " + string(w.State)
	if w.unposted() {
		text += " unposted"
	}
	if w.Tax > 0 {
		text += " " + w.Gross.Yuan() + " - " + w.Tax.Yuan()
	}
	if w.Package != "" {
		text += " package"
	}
	for _, f := range w.Findings {
		text += " [" + f.Words + "]"
	}
	if w.Why != "" {
		text += " " + w.Why
	}
	for _, i := range w.Incidents {
		text += " !" + string(i.Kind)
	}
	return text + purse
}

func (s *story) fen(text string) money.Fen {
	f, err := money.ParseYuan(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func code(err error) string {
	if err == nil {
		return "ok"
	}
	if f := fault.Of(err); f != nil {
		return f.Code
	}
	return "trouble"
}
