package sharing

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/goldentest"
	"guanxi/internal/money"
)

func TestMovesAreExactlyTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, from := range States() {
		for _, by := range causes() {
			d := &Sharing{State: from}
			if err := d.move(by); err == nil {
				b.WriteString(goldentest.Pad(string(from), 9) + " + " + goldentest.Pad(string(by), 10) + " = " + string(d.State) + "\n")
			}
		}
	}
	states := []PartState{PartPlanned, PartReserved, PartSent, PartPaid, PartClosed, PartLeft}
	for _, from := range states {
		for _, to := range states {
			if (&Part{State: from}).move(to) == nil {
				b.WriteString("part " + goldentest.Pad(string(from), 8) + " → " + string(to) + "\n")
			}
		}
	}
	goldentest.Golden(t, "testdata/moves.txt", b.String())
}

// TestStories plays testdata/stories/*.txt. A line is a command and, behind "=>", where the order then stands and what the
// purses hold.
func TestStories(t *testing.T) {
	t.Parallel()
	goldentest.Play(t, 30, func(t *testing.T) func([]string) string {
		s := &story{world: newWorld(t, docstoretest.Embedded(t), Config{})}
		s.process = s.start()
		t.Cleanup(func() {
			if s.platform.complain != "" {
				t.Error(s.platform.complain)
			}
		})
		return s.play
	})
}

// story follows one order, "o1".
type story struct {
	*world
	process *process
}

func (s *story) play(words []string) string {
	ctx := context.Background()
	arg := func(n int) string { return goldentest.Arg(words, n) }
	if s.setUp(words, arg) {
		return "ok"
	}
	answer := ""
	switch words[0] {
	case "begin":
		if err := s.process.Begin(ctx, "o1", s.world.clock.Now()); err != nil {
			answer = err.Error()
		}
	case "tend": // tend [times]: with enough time between
		times, _ := strconv.Atoi(arg(1))
		for range max(times, 1) {
			_, err := s.process.Tend(ctx)
			if err != nil && answer == "" {
				answer = "trouble "
			}
			if times > 0 {
				s.world.clock.Advance(time.Hour)
			}
		}
	case "end": // end <place of the part> [reason]
		s.platform.finish(s.platform.requests["o1S0"+arg(1)], arg(2))
	case "events":
		d, err := s.process.Archive().Get(ctx, "o1")
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, m := range d.Outbox {
			names = append(names, m.Name)
		}
		return strings.Join(names, " ")
	case "look":
	default:
		s.t.Fatalf("unknown command %q", words[0])
	}
	if s.process.life.Dead() {
		answer = "the process dies "
	}
	if s.process.life.Doomed() {
		s.process = s.start()
	}
	return answer + s.stand("o1") + s.purses()
}

// setUp are the lines about the world.
func (s *story) setUp(words []string, arg func(int) string) bool {
	switch words[0] {
	case "sell": // sell <member>:<yuan> …
		var shares []commission.PlanShare
		for _, w := range words[1:] {
			member, yuan, _ := strings.Cut(w, ":")
			shares = append(shares, commission.PlanShare{Member: member, Amount: s.fen(yuan)})
		}
		s.sell("o1", shares...)
	case "rail":
		s.ledger.plans["o1"].Rail = arg(1)
	case "unready": // unready [hours until the next line is due]
		hours, _ := strconv.Atoi(arg(1))
		s.ledger.plans["o1"].Ready = false
		if hours > 0 {
			s.ledger.plans["o1"].Due = s.world.clock.Now().Add(time.Duration(hours) * time.Hour)
		}
	case "ready":
		s.ledger.plans["o1"].Ready = true
	case "unknown":
		s.ledger.plans["o1"] = nil
	case "refund": // refund <yuan> [member loses]: of the order, and what one member loses by it
		s.orders["o1"].Refunded += s.fen(arg(1))
		if member, yuan, ok := strings.Cut(arg(2), ":"); ok {
			s.ledger.pots[member].Available -= s.fen(yuan)
			for i := range s.ledger.plans["o1"].Shares {
				if p := &s.ledger.plans["o1"].Shares[i]; p.Member == member {
					p.Amount -= s.fen(yuan)
				}
			}
		}
	case "purse": // purse <member> <change>
		s.ledger.pots[arg(1)].Available += s.fen(arg(2))
	case "unpaid":
		s.orders["o1"].TransactionID = ""
	case "wallet": // wallet <member> none
		s.wallets[arg(1)] = strings.TrimPrefix(arg(2), "none")
	case "taxed":
		s.taxed[arg(1)] = true
	case "mood": // mood <add | share | free | query | end> <what>
		s.platform.moods[arg(1)] = strings.TrimPrefix(arg(2), "ok")
	case "away":
		s.platform.away, _ = strconv.Atoi(arg(1))
	case "busy":
		s.ledger.busy, _ = strconv.Atoi(arg(1))
	case "forget":
		delete(s.platform.receivers, "open-"+arg(1))
	case "odd": // odd <place>: the platform suddenly names another amount
		s.platform.requests["o1S0"+arg(1)].r.Amount++
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
		return false
	}
	return true
}

func (s *story) purses() string {
	text := ""
	for _, member := range []string{"ann", "ben", "cat"} {
		if b := s.ledger.pots[member]; b != nil {
			text += fmt.Sprintf(" | %s %s %s %s", member, b.Available.Yuan(), b.Withdrawing.Yuan(), b.Withdrawn.Yuan())
		}
	}
	return text
}

func (s *story) fen(text string) money.Fen {
	f, err := money.ParseYuan(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestPartsOfAnOrderAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, docstoretest.Embedded(t), Config{})
	p := w.start()
	plan := commission.Plan{}
	for n := range maxParts + 5 {
		member := fmt.Sprint("m", n)
		w.wallets[member] = "open-" + member
		plan.Shares = append(plan.Shares, commission.PlanShare{Member: member, Amount: 1})
	}
	parts, err := p.judge(t.Context(), "o", &plan, &Order{Paid: 100_00})
	if err != nil || len(parts) != maxParts {
		t.Fatal(len(parts), err)
	}
}
