package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"guanxi/internal/clock"
)

// limit ends a lap, whichever comes first; zero is no limit.
type limit struct {
	length time.Duration
	ops    int
}

// lap is what one turn gave.
type lap struct {
	ops           int
	took          time.Duration
	cpu           time.Duration // of the whole process
	bytes, allocs uint64
	latencies     []int64 // nanoseconds, in no order
}

func (l *lap) perSecond() float64 { return float64(l.ops) / l.took.Seconds() }

// call does operation n (from 0, each number once); errStop ends the lap without being an error.
type call func(ctx context.Context, caller, n int) error

var errStop = errors.New("bench: nothing left to do")

// drive lets callers work until the limit. Operations are numbered from first; it returns the next number.
func drive(ctx context.Context, callers, first int, until limit, do call) (l lap, next int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	mark := pprof.WithLabels(context.Background(), pprof.Labels("part", "client"))
	var number, done atomic.Int64
	number.Store(int64(first))
	latencies := make([][]int64, callers)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, now := processCPU(), clock.Nanos()
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			pprof.SetGoroutineLabels(mark)
			mine := make([]int64, 0, 4096)
			for ctx.Err() == nil {
				began := now()
				if until.length > 0 && began >= int64(until.length) || until.ops > 0 && done.Load() >= int64(until.ops) {
					break
				}
				err := do(ctx, c, int(number.Add(1)-1))
				if errors.Is(err, errStop) {
					break
				}
				if err != nil {
					cancel(err)
					break
				}
				done.Add(1)
				mine = append(mine, now()-began)
			}
			latencies[c] = mine
		})
	}
	all.Wait()
	l.took, l.cpu = time.Duration(now()), processCPU()-cpu
	runtime.ReadMemStats(&after)
	l.ops, l.bytes, l.allocs = int(done.Load()), after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
	l.latencies = slices.Concat(latencies...)
	return l, int(number.Load()), context.Cause(ctx)
}

// processCPU is user and system time of this process so far.
func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// laps are the turns of ours and of the reference; empty reference = there is none.
type laps struct{ ours, reference []lap }

// row sums laps up.
func (m *laps) row(scenario, part string, callers, size int) Row {
	r := Row{Scenario: scenario, Part: part, Callers: callers, Size: size}
	var rates, references, ratios []float64
	var cpu time.Duration
	var bytes, allocs uint64
	var latencies []int64
	for i := range m.ours {
		one := &m.ours[i]
		r.Ops += one.ops
		cpu, bytes, allocs = cpu+one.cpu, bytes+one.bytes, allocs+one.allocs
		latencies = append(latencies, one.latencies...)
		rates = append(rates, one.perSecond())
		if i < len(m.reference) {
			references = append(references, m.reference[i].perSecond())
			ratios = append(ratios, one.perSecond()/m.reference[i].perSecond())
		}
	}
	r.PerSecond, r.RefPerSecond, r.Ratio = median(rates), median(references), median(ratios)
	slices.Sort(latencies)
	r.P50, r.P99 = percentile(latencies, 50), percentile(latencies, 99)
	if n := float64(r.Ops); n > 0 {
		r.CPUPerOp, r.BytesPerOp, r.AllocsPerOp = cpu.Seconds()*1000/n, float64(bytes)/n, float64(allocs)/n
	}
	return r
}

// percentile of sorted nanoseconds, in milliseconds.
func percentile(sorted []int64, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)*p/100, len(sorted)-1)]) / 1e6
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Clone(values)
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// each does n things with so many callers and shows how far it is.
func each(ctx context.Context, o Options, what string, callers, n int, do func(ctx context.Context, i int) error) error {
	var done atomic.Int64
	o.Progress(what, 0, n)
	_, _, err := drive(ctx, callers, 0, limit{}, func(ctx context.Context, _, i int) error {
		if i >= n {
			return errStop
		}
		if err := do(ctx, i); err != nil {
			return err
		}
		if d := done.Add(1); d%64 == 0 || int(d) == n {
			o.Progress(what, int(d), n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
