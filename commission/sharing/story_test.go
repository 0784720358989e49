package sharing

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/money"
)

// golden compares text with a file in testdata; GUANXI_UPDATE=1 writes it anew, for a person to read the diff.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GUANXI_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len([]rune(s)))) }

func TestMovesAreExactlyTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, from := range States() {
		for _, by := range causes() {
			d := &Sharing{State: from}
			if err := d.move(by); err == nil {
				b.WriteString(pad(string(from), 9) + " + " + pad(string(by), 10) + " = " + string(d.State) + "\n")
			}
		}
	}
	states := []PartState{PartPlanned, PartReserved, PartSent, PartPaid, PartClosed, PartLeft}
	for _, from := range states {
		for _, to := range states {
			if (&Part{State: from}).move(to) == nil {
				b.WriteString("part " + pad(string(from), 8) + " → " + string(to) + "\n")
			}
		}
	}
	golden(t, "moves.txt", b.String())
}

// TestStories plays testdata/stories/*.txt. A line is a command and, behind "=>", where the order then stands and what the
// purses hold.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = driver.Close() })
			s := &story{world: newWorld(t, driver, Config{})}
			s.process = s.start()
			var b strings.Builder
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				if line == "" || strings.HasPrefix(line, "#") {
					b.WriteString(line + "\n")
					continue
				}
				command, _, _ := strings.Cut(line, "=>")
				command = strings.TrimSpace(command)
				b.WriteString(strings.TrimRight(pad(command, 30)+" => "+s.play(strings.Fields(command)), " ") + "\n")
			}
			golden(t, "stories/"+filepath.Base(file), b.String())
			if s.platform.complain != "" {
				t.Error(s.platform.complain)
			}
		})
	}
}

// story follows one order, "o1".
type story struct {
	*world
	process *process
}

func (s *story) play(words []string) string {
	ctx := context.Background()
	arg := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
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
	if s.process.gone() {
		answer = "the process dies "
	}
	if s.process.gone() || s.process.fuse >= 0 {
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
		s.process.fuse, s.process.after = n-1, arg(1) == "after"
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
