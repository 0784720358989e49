package mongotest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

func TestTheDriverConformsOnTheWireDouble(t *testing.T) {
	t.Parallel()
	var doubles sync.Map // driver → its server
	open := func(t testing.TB) docstore.Driver {
		double := newDouble(t)
		driver := connect(t, double, func(o *mongo.Options) { o.Selection = time.Second })
		doubles.Store(driver, double)
		t.Cleanup(func() {
			if n := double.OpenCursors(); n > 0 {
				t.Errorf("%d cursors left open", n)
			}
		})
		return driver
	}
	vanish := func(t testing.TB, driver docstore.Driver) (away, back func()) {
		found, _ := doubles.Load(driver)
		double, ok := found.(*wiredouble.Server)
		if !ok {
			t.Fatal("not a driver of this test")
		}
		return double.Stop, func() {
			if err := double.Start(); err != nil {
				t.Error(err)
			}
		}
	}
	docstoretest.Run(t, open, docstoretest.Caps{Vanish: vanish})
}

func TestTheDriverConformsOnARealServer(t *testing.T) {
	t.Parallel()
	url := realServer()
	if url == "" {
		t.Skip("GUANXI_TEST_MONGO_URL is not set")
	}
	var next atomic.Int64
	run := clock.System{}.Now().UnixMilli()
	docstoretest.Run(t, func(t testing.TB) docstore.Driver {
		name := fmt.Sprintf("guanxi_test_%d_%d", run, next.Add(1))
		driver, err := mongo.Open(t.Context(), mongo.Options{URL: url, Database: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dropDatabase(t, url, name) })
		return driver
	}, docstoretest.Caps{})
}

// serial lets one write through at a time: FerretDB v1 does not update atomically.
type serial struct {
	docstore.Driver
	mu sync.Mutex
}

func (s *serial) Write(ctx context.Context, ops []docstore.Op) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := make([]error, 0, len(ops))
	for i := 0; i < len(ops); {
		n := i + 1
		for n < len(ops) && ops[n].Kind == docstore.Insert && ops[i].Kind == docstore.Insert {
			n++
		}
		answers = append(answers, s.Driver.Write(ctx, ops[i:n])...)
		i = n
	}
	return answers
}

func TestTheDriverConformsOnFerretDB(t *testing.T) {
	t.Parallel()
	url := startFerret(t)
	var next atomic.Int64
	docstoretest.Run(t, func(t testing.TB) docstore.Driver {
		driver, err := mongo.Open(t.Context(), mongo.Options{
			URL: url, Database: fmt.Sprintf("trial%d", next.Add(1)), MaxPool: 4, Timeout: 60 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return &serial{Driver: driver}
	}, docstoretest.Caps{Serial: true, Slow: true})
}
