package commission

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/internal/lease"
)

const (
	processStore = "GUANXI_TEST_LEDGER_STORE" // address of the shared store; set in children only
	processName  = "GUANXI_TEST_LEDGER_NAME"  // p0, p1
	processSkew  = "GUANXI_TEST_LEDGER_SKEW"  // how far its clock is off
	processBeat  = 400 * time.Millisecond
)

// skewed is a machine whose clock is wrong.
type skewed struct{ by time.Duration }

func (s skewed) Now() time.Time { return clock.System{}.Now().Add(s.by) }

// TestLedgerProcess is one of several processes on one store: it posts, settles, pays what the other reserved, and seals when
// it holds the lease, until its input is closed.
func TestLedgerProcess(t *testing.T) {
	address := os.Getenv(processStore)
	if address == "" {
		t.Skip("runs only as the child of TestTwoProcesses…")
	}
	driver, err := docstoretest.Dial(address)
	must(t, err)
	by, err := time.ParseDuration(os.Getenv(processSkew))
	must(t, err)
	c := skewed{by}
	store := docstoretest.StoreOn(t, driver, c)
	keeper, err := lease.Open(t.Context(), lease.Config{Store: store, Beat: processBeat, Owner: os.Getenv(processName)})
	must(t, err)
	s, err := New(t.Context(), Deps{Store: store, Clock: c, IDs: id.Random{}, Leases: keeper, Config: Config{
		SealBatch: 200, Window: Window{time.Millisecond, time.Millisecond}, SealEvery: 20 * time.Millisecond,
	}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	loops.Go(func() { keeper.Run(ctx, func(err error) { fmt.Println("beat", err) }) })
	loops.Go(func() { s.Run(ctx, func(err error) { fmt.Println("seal", err) }) })
	loops.Go(func() { postUntil(ctx, s) })
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has seen enough
	cancel()
	loops.Wait()
}

func postUntil(ctx context.Context, s *Service) {
	me := os.Getenv(processName)
	other := map[string]string{"p0": "p1", "p1": "p0"}[me]
	for n := 0; ctx.Err() == nil; n++ {
		order := fmt.Sprintf("%s-%06d", me, n)
		err := errors.Join(s.Accrue(ctx, sale(order, 10000)), s.StartWindow(ctx, order, start, time.Time{}))
		if n%10 == 9 {
			_, settled := s.SettleDue(ctx)
			err = errors.Join(err, settled)
		}
		reserved := s.Reserve(ctx, Hold{Member: "alice", Number: fmt.Sprintf("%sn%d", me, n), Amount: 100, At: start})
		if reserved != nil && !errors.Is(reserved, ErrPurseShort) && !errors.Is(reserved, ErrPurseBusy) {
			err = errors.Join(err, reserved)
		}
		for m := max(0, n-3); m < n+3; m++ { // what the other has just reserved
			p := Payout{Member: "alice", Number: fmt.Sprintf("%sn%d", other, m), Amount: 100, Tax: 20, At: start}
			if paid := s.ConfirmPayout(ctx, p); paid == nil {
				_ = s.ReturnPayout(ctx, p)
			}
		}
		if err != nil && ctx.Err() == nil {
			fmt.Println("error", err)
		} else if n%10 == 9 {
			fmt.Println("ok", n)
		}
	}
}

// ledgerChild is a running child.
type ledgerChild struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	said chan string
}

func startLedger(t *testing.T, address, name string, skew time.Duration) *ledgerChild {
	t.Helper()
	c := &ledgerChild{name: name, said: make(chan string, 1<<16)}
	c.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLedgerProcess$", "-test.timeout=120s")
	c.cmd.Env = append(os.Environ(), processStore+"="+address, processName+"="+name, processSkew+"="+skew.String())
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.cmd.Stderr = os.Stderr
	must(t, c.cmd.Start())
	go func() {
		defer close(c.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.said <- lines.Text()
		}
	}()
	return c
}

// hears waits for work to go on; what went wrong fails the test.
func (c *ledgerChild) hears(t *testing.T, oks int) {
	t.Helper()
	patience := time.After(60 * time.Second)
	oks += len(c.said) // what it has said before is no news
	for oks > 0 {
		select {
		case line, open := <-c.said:
			if !open || strings.HasPrefix(line, "error") || strings.HasPrefix(line, "seal") {
				t.Fatal(c.name, ": ", line, open)
			}
			if strings.HasPrefix(line, "ok") {
				oks--
			}
		case <-patience:
			t.Fatal(c.name, " says nothing any more")
		}
	}
}

// holder is who holds the lease to seal, by its document.
func holder(t *testing.T, s *Service, keeper *lease.Keeper) string {
	t.Helper()
	name, err := keeper.Holder(t.Context(), "sealer/"+s.config.Book)
	must(t, err)
	return name
}

// TestTwoProcessesSealOneBook, one with its clock 90 s ahead. The one that seals is stopped, like a machine that hangs; the
// other takes over; the first continues as if nothing had been; then the other is killed.
func TestTwoProcessesSealOneBook(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	address := docstoretest.Share(t, driver)
	store := docstoretest.StoreOn(t, driver, clock.System{})
	s := open(t, store, clock.System{}, Config{Window: Window{time.Millisecond, time.Millisecond}})
	policy := testPolicy()
	policy.From = start.Add(-day)
	_, err := s.Policies.Publish(t.Context(), policy)
	must(t, err)
	watcher, err := lease.Open(t.Context(), lease.Config{Store: store})
	must(t, err)
	children := map[string]*ledgerChild{
		"p0": startLedger(t, address, "p0", 0), "p1": startLedger(t, address, "p1", 90*time.Second),
	}
	for _, c := range children {
		c.hears(t, 4)
	}
	first := holder(t, s, watcher)
	second := map[string]string{"p0": "p1", "p1": "p0"}[first]
	if first == "" {
		t.Fatal("nobody seals")
	}
	must(t, children[first].cmd.Process.Signal(syscall.SIGSTOP))
	stopped := clock.StartStopwatch()
	for holder(t, s, watcher) != second {
		time.Sleep(20 * time.Millisecond)
		if stopped.Elapsed() > 4*processBeat+5*time.Second {
			t.Fatal("nobody takes over")
		}
	}
	before, err := s.book.Bookmark(t.Context())
	must(t, err)
	children[second].hears(t, 4)
	after, err := s.book.Bookmark(t.Context())
	must(t, err)
	if after.Folded <= before.Folded {
		t.Error("nothing is sealed while the first is stopped")
	}
	must(t, children[first].cmd.Process.Signal(syscall.SIGCONT))
	children[first].hears(t, 4)
	children[second].hears(t, 2)
	must(t, children[second].cmd.Process.Kill())
	_ = children[second].cmd.Wait()
	killed := clock.StartStopwatch()
	for holder(t, s, watcher) != first {
		time.Sleep(20 * time.Millisecond)
		if killed.Elapsed() > 4*processBeat+5*time.Second {
			t.Fatal("nobody takes over from the dead")
		}
	}
	children[first].hears(t, 4)
	must(t, children[first].in.Close())
	must(t, children[first].cmd.Wait())
	must(t, errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())))
	report := verified(t, s)
	if report.Unsealed != 0 || report.Entries < 200 {
		t.Errorf("%+v", report)
	}
}
