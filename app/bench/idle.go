package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"guanxi/community"
	"guanxi/internal/money"
)

// idleMegabytes and binaryMegabytes are the goals for memory at rest and the size of the program.
const (
	idleMegabytes   = 120
	binaryMegabytes = 70
)

// runIdle fills a program with about what the demo has, lets everything come to rest and looks at its memory: the load
// client and the sandbox are inside it.
func runIdle(ctx context.Context, o Options, emit func(Row)) (err error) {
	size := o.size(200)
	s, err := openShop(ctx, o, 8, 5)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for i := range 40 {
		if _, err := s.product(ctx, "商品"+strconv.Itoa(i), money.Fen(1000+i), 500); err != nil {
			return err
		}
	}
	shoppers, err := s.people(ctx, o, "shopper", size)
	if err != nil {
		return err
	}
	home, err := s.community(ctx, s.host.id, "home")
	if err != nil {
		return err
	}
	err = each(ctx, o, "sales", 8, 2*size, func(ctx context.Context, i int) error {
		shopper := shoppers[i%size]
		if _, err := s.Communities.Join(ctx, community.JoinInput{Community: home, Member: shopper.id}); err != nil {
			return err
		}
		_, err := s.buy(ctx, i, shopper, nil)
		return err
	})
	if err == nil {
		err = s.settle(ctx)
	}
	if err != nil {
		return err
	}
	s.client.CloseIdleConnections()
	for range 2 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	row := Row{Scenario: "idle", Size: size, Ops: 2 * size}
	if row.IdleMB, err = residentMB(); err != nil {
		return err
	}
	if row.BinaryMB, err = binaryMB(); err != nil {
		return err
	}
	row.atMost("idle MB", row.IdleMB, idleMegabytes)
	row.atMost("binary MB", row.BinaryMB, binaryMegabytes)
	emit(row)
	return nil
}

// residentMB is the process's resident memory, mapped files included, in MiB.
func residentMB() (float64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 3 {
		return 0, errors.New("memory: statm has an unknown form")
	}
	resident, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	return resident * float64(os.Getpagesize()) / (1 << 20), nil
}

// binaryMB is the size of the running program in MiB.
func binaryMB() (float64, error) {
	path, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("binary: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("binary: %w", err)
	}
	return float64(info.Size()) / (1 << 20), nil
}
