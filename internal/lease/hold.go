package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"guanxi/internal/docstore"
)

// Hold does work for as long as this process holds the lease, and again whenever it holds it anew. The work's context ends
// when the lease is lost. It returns when ctx ends; the lease is then given back.
func (l *Lease) Hold(ctx context.Context, work func(ctx context.Context, token int64)) {
	for ctx.Err() == nil {
		changed := l.Changed()
		token, held := l.Token()
		if !held {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		l.during(ctx, changed, token, work)
		l.handOver(ctx, token)
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*l.keeper.config.Beat)
	defer cancel()
	_ = l.Release(bye) // else the next one waits until it looks abandoned
}

func (l *Lease) during(ctx context.Context, changed <-chan struct{}, token int64, work func(context.Context, int64)) {
	mine, cancel := context.WithCancel(context.WithValue(ctx, leaseKey{}, l))
	defer cancel()
	stop, wanted := make(chan struct{}), l.asking()
	defer close(stop)
	go func() {
		select {
		case <-changed:
			cancel()
		case <-wanted:
			cancel()
		case <-stop:
		}
	}()
	work(mine, token)
	select { // work that ends by itself is not begun again under the same token
	case <-changed:
	case <-wanted:
	case <-ctx.Done():
	}
}

type leaseKey struct{}

// ErrUnsure: work under a lease asks whether it may go on, and the process has been silent for so long that another may have
// taken the lease.
var ErrUnsure = errors.New("lease: silent for too long to be sure of it")

// Sure tells work that Hold began whether nobody else can have taken its lease yet: this process has told the store less
// than a beat and a half ago that it holds it, by its own monotonic counter, and an observer needs longer. So a process that
// was stopped learns that it was before it does anything, not with its next beat. A context without a lease is always sure.
// Errors: ErrLost, ErrUnsure.
func Sure(ctx context.Context) error {
	l, ok := ctx.Value(leaseKey{}).(*Lease)
	if !ok {
		return nil
	}
	k := l.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	beat := int64(k.config.Beat)
	switch {
	case l.token == 0:
		return fmt.Errorf("lease %s: %w", l.name, ErrLost)
	case k.config.Nanos()-l.renewed > beat+beat/2:
		return fmt.Errorf("lease %s: %w", l.name, ErrUnsure)
	}
	return nil
}

// asking is closed when another process asks for the lease.
func (l *Lease) asking() <-chan struct{} {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	return l.wanted
}

// heard takes what others have written into a lease held here: that they want it (only a shared one is handed over), that
// there is work.
func (l *Lease) heard(r *record) {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	if r.Calls != l.calls {
		l.calls = r.Calls
		select {
		case l.called <- struct{}{}:
		default: // was told already, and has not looked yet
		}
	}
	if r.Wanted == "" || !l.shared {
		return
	}
	select {
	case <-l.wanted:
	default:
		close(l.wanted)
	}
}

// Call tells the holder, when that is another process, with this one's next beat that there is work: it hears of it with its
// own. Nothing else needs to be there but the store. Many calls between two beats are one.
func (l *Lease) Call() {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	l.calling = true
}

// Called gets a value when another process has called the holder, this process.
func (l *Lease) Called() <-chan struct{} { return l.called }

// call carries out the calls that were asked for since the last beat, with one write.
func (k *Keeper) call(ctx context.Context, found map[string]*record) error {
	k.mu.Lock()
	var callers []*Lease
	var docs []*record
	for name, l := range k.leases {
		if r := found[name]; l.calling && l.token == 0 && r != nil {
			called := *r
			called.Calls++
			callers, docs = append(callers, l), append(docs, &called)
		}
		l.calling = false
	}
	k.mu.Unlock()
	if len(docs) == 0 {
		return nil
	}
	var failures []error
	for i, err := range k.records.ReplaceMany(ctx, docs) {
		if err == nil {
			continue
		}
		callers[i].Call() // the holder was renewing; the next time
		if !errors.Is(err, docstore.ErrStale) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// handOver gives the lease to who asked for it, now that the work has ended. When that cannot be written the lease stays here,
// and is handed over the next time.
func (l *Lease) handOver(ctx context.Context, token int64) {
	select {
	case <-l.asking():
	default:
		return
	}
	k := l.keeper
	k.io.Lock()
	defer k.io.Unlock()
	if now, held := l.Token(); !held || now != token {
		return
	}
	_, err := k.records.Update(ctx, l.name, func(r *record) error {
		if r.Holder != k.config.Owner || r.Fence != token {
			return ErrLost
		}
		r.Holder, r.Wanted, r.Beats = r.Wanted, "", 0
		r.Fence++
		return nil
	})
	if err == nil || errors.Is(err, ErrLost) {
		l.set(0, never)
		return
	}
	l.last = nil // as it is in the store is not known
	k.mu.Lock()
	defer k.mu.Unlock()
	l.wanted = make(chan struct{})
}

// balance asks those who hold the most leases for some of their shared ones, one after the other, while they would still have
// as many as we. Nobody is counted and nobody presides: who has the least asks, and once it is even nobody does.
func (k *Keeper) balance(ctx context.Context, found map[string]*record) error {
	mine, weight, theirs := k.count(found)
	var failures []error
	for len(theirs) > 0 {
		richest := ""
		for holder := range theirs {
			if more := weight[holder] - weight[richest]; richest == "" || more > 0 || more == 0 && holder < richest {
				richest = holder
			}
		}
		names := theirs[richest]
		if weight[richest] < mine+2 {
			break
		}
		failures = append(failures, k.ask(ctx, names[len(names)-1], found))
		mine, weight[richest] = mine+1, weight[richest]-1
		if theirs[richest] = names[:len(names)-1]; len(names) == 1 {
			delete(theirs, richest)
		}
	}
	return errors.Join(failures...)
}

// count tells how many leases this process and each other holds or will be given, and which of theirs can be asked for.
func (k *Keeper) count(found map[string]*record) (mine int, weight map[string]int, theirs map[string][]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	weight, theirs = map[string]int{}, map[string][]string{}
	for name, l := range k.leases {
		r := found[name]
		switch {
		case l.token != 0 || r != nil && r.Wanted == k.config.Owner:
			mine++
		case r == nil:
		case r.Wanted != "":
			weight[r.Wanted]++
		case r.Holder != "":
			weight[r.Holder]++
			if l.shared {
				theirs[r.Holder] = append(theirs[r.Holder], name)
			}
		}
	}
	for _, names := range theirs {
		slices.Sort(names)
	}
	return mine, weight, theirs
}

func (k *Keeper) ask(ctx context.Context, name string, found map[string]*record) error {
	seen := found[name]
	_, err := k.records.Update(ctx, name, func(r *record) error {
		if r.Holder != seen.Holder || r.Fence != seen.Fence || r.Wanted != "" {
			return ErrHeld
		}
		r.Wanted = k.config.Owner
		return nil
	})
	if err != nil && !errors.Is(err, ErrHeld) {
		return fmt.Errorf("lease %s: ask for it: %w", name, err)
	}
	return nil
}
