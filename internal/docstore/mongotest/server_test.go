package mongotest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	native "go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// Two versions of a program: the newer declares one more unique index.
func TestAnOldProgramThatRestartsLeavesTheNewOnesIndexes(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	older := docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "opened", Fields: []string{"balance", "opened"}}}}
	openOld := func() *docstore.Collection[account] {
		old, err := docstore.Open[account](t.Context(), storeOn(t, double, nil), older)
		if err != nil {
			t.Fatal(err)
		}
		return old
	}
	openOld()
	newer := openAccounts(t, storeOn(t, double, nil))
	if err := newer.Insert(t.Context(), newAccount("a", "ann", 1)); err != nil {
		t.Fatal(err)
	}
	old := openOld() // restarts beside it
	if err := old.Insert(t.Context(), newAccount("b", "ann", 2)); !errors.Is(err, docstore.ErrInvalid) || docstore.Exists(err) {
		t.Errorf("a duplicate through the old program: %v, want ErrInvalid: it does not know the index", err)
	}
	if err := newer.Insert(t.Context(), newAccount("c", "ann", 3)); !docstore.Exists(err) {
		t.Errorf("a duplicate through the new program: %v", err)
	}
	openAccounts(t, storeOn(t, double, nil)) // the new one starts again
	retired := older
	retired.Retired = accountSpec().Indexes[:1]
	if _, err := docstore.Open[account](t.Context(), storeOn(t, double, nil), retired); err != nil {
		t.Fatal(err)
	}
	if err := old.Insert(t.Context(), newAccount("b", "ann", 2)); err != nil {
		t.Errorf("once the index is retired: %v", err)
	}
}

func TestAnIndexStillBeingBuiltIsWaitedFor(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	gate, struck := make(chan struct{}), make(chan struct{}, 1)
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Building, Command: "createIndexes", Gate: gate, Struck: struck})
	first, second := make(chan error, 1), make(chan error, 1)
	open := func(into chan error, store *docstore.Store) {
		_, err := docstore.Open[account](t.Context(), store, accountSpec())
		into <- err
	}
	one, two := storeOn(t, double, nil), storeOn(t, double, nil)
	go open(first, one)
	<-struck
	asked := double.Stats().Commands["createIndexes"]
	go open(second, two)
	for double.Stats().Commands["createIndexes"] == asked { // the second asks for what is listed already
		select {
		case err := <-second:
			t.Fatalf("opened while the index was being built: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	select {
	case err := <-second:
		t.Fatalf("opened while the index was being built: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	for _, done := range []chan error{first, second} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTroubleWithAnIndexIsToldApartInWords(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		spoil func(*native.Collection, *wiredouble.Server) error
		words string
		kind  error
	}{
		"another index of the name": {func(c *native.Collection, _ *wiredouble.Server) error {
			_, err := c.Indexes().CreateOne(t.Context(), native.IndexModel{Keys: bson.D{{Key: "owner", Value: 1}}, Options: options.Index().SetName("owner(owner)_unique")})
			return err
		}, "with other options", docstore.ErrInvalid},
		"one the server cannot make": {func(_ *native.Collection, double *wiredouble.Server) error {
			double.Misbehave(wiredouble.Fault{Kind: wiredouble.Refused, Command: "createIndexes", Code: 67})
			return nil
		}, "cannot make the index", docstore.ErrInvalid},
		"one the user may not make": {func(_ *native.Collection, double *wiredouble.Server) error {
			double.Misbehave(wiredouble.Fault{Kind: wiredouble.Refused, Command: "createIndexes", Code: 13})
			return nil
		}, "may not list or make indexes", docstore.ErrUnavailable},
		"a collation of somebody else's": {func(c *native.Collection, _ *wiredouble.Server) error {
			return c.Database().CreateCollection(t.Context(), c.Name(), options.CreateCollection().SetCollation(&options.Collation{Locale: "zh"}))
		}, `collation "zh"`, docstore.ErrInvalid},
	} {
		double := newDouble(t)
		client, err := native.Connect(t.Context(), options.Client().ApplyURI(double.URL()))
		if err != nil {
			t.Fatal(err)
		}
		if err := one.spoil(client.Database("trial").Collection("accounts"), double); err != nil {
			t.Fatal(err)
		}
		_ = client.Disconnect(t.Context())
		_, err = docstore.Open[account](t.Context(), storeOn(t, double, nil), accountSpec())
		if !errors.Is(err, one.kind) || !strings.Contains(err.Error(), one.words) {
			t.Errorf("%s: %v, want %v in the words %q", name, err, one.kind, one.words)
		}
	}
}

func TestAnIndexDroppedByHandIsNamed(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	client, err := native.Connect(t.Context(), options.Client().ApplyURI(double.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(background(t)) })
	if _, err := client.Database("trial").Collection("accounts").Indexes().DropOne(t.Context(), "opened(balance,opened)"); err != nil {
		t.Fatal(err)
	}
	_, findErr := accounts.Find(t.Context(), docstore.By("opened", 1))
	_, countErr := accounts.Count(t.Context(), docstore.By("opened", 1), 0)
	for _, err := range []error{findErr, countErr} {
		if !errors.Is(err, docstore.ErrUnavailable) || !strings.Contains(err.Error(), "lacks the index opened(balance,opened)") {
			t.Errorf("%v, want the missing index named", err)
		}
	}
}

func TestACountShipsLittleAndEndsWhereItIsTold(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	const n = 45_000
	for from := 0; from < n; from += 5000 {
		batch := make([]*account, 5000)
		for i := range batch {
			batch[i] = newAccount(fmt.Sprintf("a%06d", from+i), fmt.Sprintf("owner%06d", from+i), int64((from+i)/20_000))
		}
		for _, err := range accounts.InsertMany(t.Context(), batch) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, one := range []struct {
		q           docstore.Query
		limit, want int
	}{
		{docstore.All(), 0, n},
		{docstore.By("opened"), 0, n},
		{docstore.By("opened", 0), 0, 20_000},
		{docstore.By("opened", 1), 0, 20_000},
		{docstore.By("opened", 2), 0, 5000},
		{docstore.By("opened").Between(0, 2), 0, 40_000},
		{docstore.By("opened").Newest(), 0, n},
		{docstore.By("owner"), 0, n},
		{docstore.All(), 7, 7},
		{docstore.All(), 20_000, 20_000},
		{docstore.All(), 20_001, 20_001},
		{docstore.All(), 44_999, 44_999},
		{docstore.All(), 99_999, n},
		{docstore.By("opened", 9), 0, 0},
	} {
		before := double.Stats().Returned
		got, err := accounts.Count(t.Context(), one.q, one.limit)
		if err != nil || got != one.want {
			t.Errorf("count %v %v up to %d: %d, %v; want %d", one.q.Index, one.q.Equal, one.limit, got, err, one.want)
		}
		if shipped := double.Stats().Returned - before; shipped > 25_010 {
			t.Errorf("count %v %v up to %d shipped %d documents", one.q.Index, one.q.Equal, one.limit, shipped)
		}
	}
}

func TestWhatTheURLSaysStands(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	for url, want := range map[string]int{"": 32, "&maxPoolSize=3": 3, "&maxPoolSize=64": 64} {
		driver, err := mongo.Open(t.Context(), mongo.Options{URL: double.URL() + url, Database: "trial"})
		if err != nil {
			t.Fatal(err)
		}
		if got := driver.Pool(); got != want {
			t.Errorf("with %q: %d connections, want %d", url, got, want)
		}
		_ = driver.Close()
	}
	double.Stop()
	asked := make(chan error, 1)
	go func() {
		_, err := mongo.Open(t.Context(), mongo.Options{URL: double.URL() + "&serverSelectionTimeoutMS=50", Database: "trial"})
		asked <- err
	}()
	select {
	case err := <-asked:
		if !errors.Is(err, docstore.ErrUnavailable) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the URL's selection time-out was not kept")
	}
}

func TestOpenLooksAtTheServer(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		config wiredouble.Config
		want   error
		warns  bool
	}{
		"a replica set":   {wiredouble.Config{}, nil, false},
		"a lonely server": {wiredouble.Config{Alone: true}, nil, true},
		"MongoDB 4.2":     {wiredouble.Config{Wire: 8}, docstore.ErrInvalid, false},
		"MongoDB 4.4":     {wiredouble.Config{Wire: 9}, nil, false},
	} {
		double, err := wiredouble.New(one.config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(double.Stop)
		driver, err := mongo.Open(t.Context(), mongo.Options{URL: double.URL(), Database: "trial"})
		if !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
		if err != nil {
			continue
		}
		if warns := len(driver.Warnings()) > 0; warns != one.warns {
			t.Errorf("%s: warnings %q", name, driver.Warnings())
		}
		_ = driver.Close()
	}
}

func TestReadsCarryTheirTimeAndIndexBuildsHaveNone(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	if _, err := accounts.Find(t.Context(), docstore.By("opened", 1)); err != nil {
		t.Fatal(err)
	}
	finds := double.Heard("find")
	if ms := finds[len(finds)-1].Lookup("maxTimeMS").AsInt64(); ms <= 0 {
		t.Errorf("a find without maxTimeMS: %s", finds[len(finds)-1])
	}
	for _, build := range double.Heard("createIndexes") {
		concern := build.Lookup("writeConcern").Document()
		if _, err := concern.LookupErr("wtimeout"); err == nil || concern.Lookup("w").StringValue() != "majority" {
			t.Errorf("an index build with write concern %s", concern)
		}
	}
}
