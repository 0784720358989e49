package redisx

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"

	"guanxi/internal/clock"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// place is a Redis server that a test can abuse, and the time that passes there.
type place struct {
	t       *testing.T
	clock   clock.Clock
	url     string
	first   *Redis // not nil when embedded
	flush   func()
	kill    func() // at once, like kill -9
	restart func() // empty, on the same address
	pass    func(time.Duration)
}

// open gives another process's view of the same server.
func (p *place) open() *Redis {
	p.t.Helper()
	if p.first != nil && p.first.alone {
		return p.first
	}
	if p.first != nil && p.url == "" {
		p.url = "redis://" + p.first.mini.Addr()
		return p.first
	}
	r, err := Open(Config{URL: p.url, Clock: p.clock, Rest: 20 * time.Millisecond})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = r.Close() })
	return r
}

// onAll is onBoth, and on an embedded server nobody else uses, where the process answers from memory.
func onAll(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	onBoth(t, test)
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		test(t, embedded(t, false))
	})
}

// onBoth runs a test on the embedded server and on a real one.
func onBoth(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, embeddedPlace(t))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, realPlace(t))
	})
}

func embeddedPlace(t *testing.T) *place {
	t.Helper()
	return embedded(t, true)
}

func embedded(t *testing.T, share bool) *place {
	t.Helper()
	c := clock.NewManual(start)
	r, err := Open(Config{Clock: c, share: share, bind: ownAddress(), Rest: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if !r.Embedded() {
		t.Error("not embedded")
	}
	address := r.mini.Addr()
	return &place{
		t: t, clock: c, first: r, flush: r.mini.FlushAll, kill: r.mini.Close,
		restart: func() {
			if err := r.mini.StartAddr(address); err != nil {
				t.Fatal(err)
			}
			r.mini.FlushAll()
		},
		pass: func(d time.Duration) { c.Advance(d); r.forward(0) },
	}
}

func realPlace(t *testing.T) *place {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("GUANXI_TEST_REQUIRE_REDIS") == "1" {
			t.Fatal("redis-server is not in PATH, and GUANXI_TEST_REQUIRE_REDIS=1 demands it: apt-get install redis-server")
		}
		t.Skip("redis-server is not in PATH: this half of the suite did not run (apt-get install redis-server)")
	}
	host, dir := ownAddress(), t.TempDir()
	port := freePort(t, host)
	var running *exec.Cmd
	begin := func() { running = startServer(t, binary, host, port, dir) }
	begin()
	kill := func() {
		if running != nil {
			_ = running.Process.Kill() // by its own handle: SIGKILL to the process we started
			_ = running.Wait()
			running = nil
		}
	}
	t.Cleanup(func() { kill() })
	p := &place{
		t: t, clock: clock.System{}, url: fmt.Sprintf("redis://%s:%d/0", host, port), kill: kill, restart: begin,
		pass: func(d time.Duration) { <-time.After(d) }, // its time to live cannot be moved by hand
	}
	p.flush = func() {
		admin := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("%s:%d", host, port)})
		if err := errors.Join(admin.FlushAll(t.Context()).Err(), admin.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if p.open().Embedded() {
		t.Error("embedded")
	}
	return p
}

// ownAddress is a loopback address nobody else listens on or calls from: a server that was killed gets its port back.
func ownAddress() string {
	n := rand.Uint32()
	return net.IPv4(127, byte(1+n%200), byte(n>>8), byte(1+n>>16%200)).String()
}

func freePort(t *testing.T, host string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no port")
	}
	return address.Port
}

// startServer returns when the server says that it accepts connections.
func startServer(t *testing.T, binary, host string, port int, dir string) *exec.Cmd {
	t.Helper()
	server := exec.Command(binary, "--port", fmt.Sprint(port), "--bind", host, "--save", "", "--appendonly", "no", "--dir", dir)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(out), []string{}
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // so that the server never blocks on its log
				}
			}()
			return server
		}
	}
	t.Fatalf("redis-server did not start:\n%s", strings.Join(said, "\n"))
	return nil
}
