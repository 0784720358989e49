package commission

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/money"
)

const (
	killedFolder = "GUANXI_TEST_LEDGER_VICTIM" // set in the child only
	killedWork   = "GUANXI_TEST_LEDGER_WORK"
)

// onDisk opens a ledger in a folder, on the machine's clock: a killed process does not take its clock along.
func onDisk(t testing.TB, dir string) (s *Service, closed func()) {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	must(t, err)
	store := docstoretest.StoreOn(t, driver, clock.System{})
	s = open(t, store, clock.System{}, Config{SettlePage: 5, SealBatch: 300, Alone: true})
	return s, func() { must(t, store.Close()) }
}

// prepared writes a ledger of due orders: four members in turn as direct, one host.
func prepared(t *testing.T, dir string, orders int) {
	t.Helper()
	s, closed := onDisk(t, dir)
	p := testPolicy()
	p.From = start.Add(-day)
	rules, err := s.Policies.Publish(t.Context(), p)
	must(t, err)
	entries, ids, bySale := make([]*Entry, orders), make([]string, orders), map[string]*Entry{}
	for n := range orders {
		of := sale(fmt.Sprintf("o%05d", n), 10000)
		of.Referral.Direct, of.Referral.Upline = drawnMembers[n%4], ""
		entries[n], ids[n] = policy.Compute(rules, of), of.Order
		bySale[of.Order] = entries[n]
	}
	must(t, s.postAll(t.Context(), entries))
	must(t, s.settlements.UpsertMany(t.Context(), ids, func(d *Settlement) error {
		d.receive(start, start.Add(7*day))
		return d.adopt(bySale[d.ID], &s.config)
	}))
	must(t, s.CatchUp(t.Context()))
	closed()
}

// TestKilledLedger is the process that is killed: it works until it is, and says what it was told.
func TestKilledLedger(t *testing.T) {
	dir := os.Getenv(killedFolder)
	if dir == "" {
		t.Skip("runs only as the child of TestKilled…")
	}
	s, _ := onDisk(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { s.Run(ctx, func(err error) { fmt.Println("error", err) }) })
	fmt.Println("ok started")
	var working sync.WaitGroup
	for caller := range 4 {
		working.Go(func() {
			if os.Getenv(killedWork) == "settle" {
				settleUntilKilled(ctx, s)
			} else {
				withdrawUntilKilled(ctx, s, caller)
			}
		})
	}
	working.Wait()
	cancel()
	all.Wait()
}

func settleUntilKilled(ctx context.Context, s *Service) {
	for {
		n, err := s.SettleDue(ctx)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		if n == 0 {
			fmt.Println("ok finished")
			return
		}
		fmt.Println("ok settled", n)
	}
}

// payoutOf is the n-th withdrawal of a caller; every process that works on it does the same.
func payoutOf(caller, n int) Payout {
	p := Payout{Member: drawnMembers[caller], Number: fmt.Sprintf("W%dn%d", caller, n), Amount: money.Fen(100 + n%7), At: start.Add(30 * day)}
	if n%3 == 0 {
		p.Tax = 20
	}
	return p
}

// ended tells whether an earlier process has finished a withdrawal.
func ended(ctx context.Context, s *Service, p Payout) bool {
	outcome, err := s.book.Entry(ctx, book.NumberID(Confirm, p.Number))
	if err != nil || outcome == nil || outcome.Kind == Fail || p.Tax == 0 {
		return outcome != nil
	}
	tax, err := s.book.Entry(ctx, book.NumberID(TaxWithheld, p.Number))
	return err == nil && tax != nil
}

func withdrawUntilKilled(ctx context.Context, s *Service, caller int) {
	for n := 0; n < 1500; n++ {
		p := payoutOf(caller, n)
		if ended(ctx, s, p) {
			continue
		}
		err := s.Reserve(ctx, Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At})
		for tries := 0; err != nil && tries < 2000 && (errors.Is(err, ErrPurseShort) || errors.Is(err, ErrPurseBusy)); tries++ {
			time.Sleep(time.Millisecond) // 64 are held: the sealer lets them go
			err = s.Reserve(ctx, Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At})
		}
		if err == nil {
			fmt.Println("ok reserved", p.Number)
			if n%5 == 4 {
				err = s.FailPayout(ctx, p)
			} else {
				err = s.ConfirmPayout(ctx, p)
			}
		}
		if err != nil {
			fmt.Println("error", p.Number, err)
			return
		}
		fmt.Println("ok ended", p.Number)
	}
	fmt.Println("ok finished")
}

// killAtRandom starts the child and kills it (SIGKILL) at a random moment after it has begun to work. It gives what the
// child was told.
func killAtRandom(t *testing.T, dir, work string, least, most int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledLedger$", "-test.timeout=60s")
	child.Env = append(os.Environ(), killedFolder+"="+dir, killedWork+"="+work)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var told []string
	enough := least + rand.IntN(most-least)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "error") || strings.Contains(line, "FAIL") || strings.Contains(line, "panic") {
			t.Error(line)
		}
		if rest, ok := strings.CutPrefix(line, "ok "); ok {
			told = append(told, rest)
			if len(told) == enough {
				must(t, child.Process.Kill())
			}
		}
	}
	_ = child.Wait()
	return told
}

func TestKilledWhileItSettlesTheLedgerSettlesEverythingOnce(t *testing.T) {
	t.Parallel()
	dir, orders := t.TempDir(), 4000
	prepared(t, dir, orders)
	kills := 0
	for range 6 {
		if told := killAtRandom(t, dir, "settle", 2, 7); len(told) > 0 {
			kills++
		}
	}
	s, _ := onDisk(t, dir)
	left := 0
	for {
		n, err := s.SettleDue(t.Context())
		must(t, err)
		if n == 0 {
			break
		}
		left += n
	}
	must(t, errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())))
	report := verified(t, s)
	if report.Entries != int64(2*orders) || report.Unsealed != 0 {
		t.Errorf("%d entries of %d orders, %d unsealed, %d were left to the last process", report.Entries, orders, report.Unsealed, left)
	}
	for _, member := range drawnMembers[:4] {
		if is := balance(t, s, member); is != (Balance{Available: money.Fen(orders / 4 * 800)}) {
			t.Errorf("%s has %+v", member, is)
		}
	}
	if is := balance(t, s, "host1"); is != (Balance{Available: money.Fen(orders * 300)}) {
		t.Errorf("the host has %+v", is)
	}
	t.Logf("killed %d times, %d of %d orders were left to the last process", kills, left, orders)
}

func TestKilledWhileItPaysOutTheLedgerKnowsEveryWithdrawalOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prepared(t, dir, 1200) // 2,400 yuan for each of the four
	first, closed := onDisk(t, dir)
	must(t, settleEverything(t.Context(), first))
	must(t, first.CatchUp(t.Context()))
	closed()
	acknowledged := map[string]bool{}
	for range 5 {
		for _, told := range killAtRandom(t, dir, "withdraw", 50, 500) {
			acknowledged[told] = true
		}
	}
	s, _ := onDisk(t, dir)
	must(t, errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())))
	reserved, ended := 0, 0
	for caller := range 4 {
		want, open := Balance{Available: 300 * 800}, false
		for n := range 1500 {
			p := payoutOf(caller, n)
			asked, err := s.book.Entry(t.Context(), book.NumberID(Withdraw, p.Number))
			must(t, err)
			outcome, err := s.book.Entry(t.Context(), book.NumberID(Confirm, p.Number))
			must(t, err)
			tax, err := s.book.Entry(t.Context(), book.NumberID(TaxWithheld, p.Number))
			must(t, err)
			if acknowledged["reserved "+p.Number] && asked == nil || acknowledged["ended "+p.Number] && outcome == nil ||
				acknowledged["ended "+p.Number] && n%5 != 4 && p.Tax > 0 && tax == nil {
				t.Errorf("%s: what was acknowledged is not there", p.Number)
			}
			if asked == nil {
				if outcome != nil || open {
					t.Errorf("%s was never asked for", p.Number)
				}
				break
			}
			reserved++
			want.Available -= p.Amount
			want.Withdrawing += p.Amount
			if outcome != nil {
				ended++
				want.Withdrawing -= p.Amount
				if outcome.Kind == Fail {
					want.Available += p.Amount
				} else {
					want.Withdrawn += p.Amount - p.Tax
					if p.Tax > 0 && tax == nil {
						want.Withdrawing += p.Tax
					}
				}
			}
		}
		if is := balance(t, s, drawnMembers[caller]); is != want {
			t.Errorf("%s has %+v, want %+v", drawnMembers[caller], is, want)
		}
	}
	// Whoever repeats what was under way finishes it; then everything is in order.
	for caller := range 4 {
		for n := range 1500 {
			p := payoutOf(caller, n)
			err := s.Reserve(t.Context(), Hold{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.At})
			if n%5 == 4 {
				err = errors.Join(err, s.FailPayout(t.Context(), p))
			} else {
				err = errors.Join(err, s.ConfirmPayout(t.Context(), p))
			}
			must(t, err)
			if outcome, _ := s.book.Entry(t.Context(), book.NumberID(Withdraw, payoutOf(caller, n+1).Number)); outcome == nil {
				break
			}
		}
		is, err := s.Spendable(t.Context(), drawnMembers[caller])
		must(t, err)
		if is.Free < 0 {
			t.Errorf("%+v", is)
		}
	}
	must(t, errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())))
	for caller := range 4 {
		is, err := s.Spendable(t.Context(), drawnMembers[caller])
		must(t, err)
		if is.Held > 110 || is.Withdrawing != 0 { // one may be held that was killed before it was posted
			t.Errorf("%s: %+v", drawnMembers[caller], is)
		}
	}
	report := verified(t, s)
	t.Logf("%d withdrawals reserved, %d ended, before the last process; %d entries", reserved, ended, report.Entries)
}
