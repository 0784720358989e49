package miniprogramapi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOneBuildsAPageAndTheOthersWait(t *testing.T) {
	t.Parallel()
	p, built, begun, release := newPages(), atomic.Int64{}, make(chan struct{}), make(chan struct{})
	build := func(context.Context) (int, error) {
		if built.Add(1) == 1 {
			close(begun)
		}
		<-release
		return 7, nil
	}
	var all sync.WaitGroup
	get := func() {
		if got, err := shared(t.Context(), p, "k", build); got != 7 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	all.Go(get)
	<-begun
	for range 15 {
		all.Go(get)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shared(gone, p, "k", build); !errors.Is(err, context.Canceled) {
		t.Errorf("who went away waited all the same: %v", err)
	}
	close(release)
	all.Wait()
	if built.Load() != 1 {
		t.Errorf("built %d times", built.Load())
	}
}

func TestAPageThatCouldNotBeBuiltIsNotKept(t *testing.T) {
	t.Parallel()
	p, bad := newPages(), errors.New("away")
	if _, err := shared(t.Context(), p, "k", func(context.Context) (int, error) { return 0, bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = shared(t.Context(), p, "k", func(context.Context) (int, error) { panic("building") })
	}()
	if got, err := shared(t.Context(), p, "k", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("after a failure and a panic: %d, %v", got, err)
	}
}

func TestThePagesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPages()
	for i := range maxPages + 10 {
		key := string(rune('一'+i%20000)) + string(rune('一'+i/20000))
		if got, err := shared(t.Context(), p, key, func(context.Context) (int, error) { return i, nil }); got != i || err != nil {
			t.Fatal(got, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.built) > maxPages {
		t.Errorf("%d pages are kept", len(p.built))
	}
}
