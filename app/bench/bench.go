package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options of a run. The zero value is the standard run.
type Options struct {
	Callers int           // 0 = the scenario's standard set
	Size    int           // 0 = the scenario's standard; grow: the largest
	Length  time.Duration // of the measured time of a row, ours without the reference; default 6 s
	Laps    int           // turns of ours and the reference; default 3
	Ops     int           // ends a lap early after so many operations; 0 = only time ends it. For tests
	Mongo   string        // URL; a database of its own is made and dropped. Empty = embedded store
	Dir     string        // where the fresh folder is made; default the system's folder for temporary files
	// Progress hears what is being done and how far it is; total 0 = unknown. Nil = nobody.
	Progress func(what string, done, total int)
	// Profile gets the CPU profile of the sale scenario when it is not nil.
	Profile io.Writer

	asleep bool // the program's loops and events do not run
}

func (o Options) filled() Options {
	if o.Length <= 0 {
		o.Length = 6 * time.Second
	}
	if o.Laps <= 0 {
		o.Laps = 3
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// lap is how long and how many operations one turn may take.
func (o Options) lap() limit { return limit{length: o.Length / time.Duration(o.Laps), ops: o.Ops} }

func (o Options) callers(standard ...int) []int {
	if o.Callers > 0 {
		return []int{o.Callers}
	}
	return standard
}

func (o Options) size(standard int) int {
	if o.Size > 0 {
		return o.Size
	}
	return standard
}

// scenario measures something and emits a row for each way it was measured.
type scenario struct {
	name string
	run  func(ctx context.Context, o Options, emit func(Row)) error
}

// scenarios in the order of "all"; idle comes first because the others leave memory behind.
func scenarios() []scenario {
	return []scenario{
		{"idle", runIdle},
		{"post", runPost},
		{"sale", runSale},
		{"flash", runFlash},
		{"claims", runClaims},
		{"feed", runFeed},
		{"grow", runGrow},
		{"ledger", runLedger},
	}
}

// Names lists what Run knows, "all" included.
func Names() []string {
	names := []string{"all"}
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// Run measures one scenario, or all of them, and hands every row to emit as soon as it is known. It leaves nothing
// behind, also when ctx ends.
func Run(ctx context.Context, name string, o Options, emit func(Row)) error {
	if !slices.Contains(Names(), name) {
		return fmt.Errorf("bench: no scenario %q; there are: %s", name, strings.Join(Names(), ", "))
	}
	if o.Callers < 0 || o.Callers > 4096 || o.Size < 0 || o.Size > 10_000_000 || o.Ops < 0 {
		return errors.New("bench: callers must be 0 to 4096, size 0 to 10,000,000")
	}
	o = o.filled()
	for _, s := range scenarios() {
		if name != "all" && name != s.name {
			continue
		}
		if err := s.run(ctx, o, emit); err != nil {
			return fmt.Errorf("bench %s: %w", s.name, err)
		}
	}
	return nil
}
