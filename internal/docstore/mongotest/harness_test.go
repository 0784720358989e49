package mongotest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// start is the moment at which manual clocks of these tests stand.
func start() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

// newDouble starts a double that ends with the test.
func newDouble(t testing.TB) *wiredouble.Server {
	t.Helper()
	double, err := wiredouble.New(wiredouble.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(double.Stop)
	return double
}

// connect opens a driver on the double; change may shorten its patience.
func connect(t testing.TB, double *wiredouble.Server, change func(*mongo.Options)) *mongo.Driver {
	t.Helper()
	o := mongo.Options{URL: double.URL() + "&heartbeatFrequencyMS=500", Database: "trial", Selection: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	driver, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

// storeOn opens a store on a driver connected to the double.
func storeOn(t testing.TB, double *wiredouble.Server, change func(*mongo.Options)) *docstore.Store {
	t.Helper()
	return docstoretest.StoreOn(t, connect(t, double, change), clock.NewManual(start()))
}

// account is the document of these tests.
type account struct {
	docstore.Doc `bson:",inline"`
	Owner        string    `bson:"owner"`
	Opened       time.Time `bson:"opened"`
	Balance      int64     `bson:"balance"`
	Marks        []string  `bson:"marks,omitempty"`
}

func accountSpec() docstore.Spec {
	return docstore.Spec{Name: "accounts", Indexes: []docstore.Index{
		{Name: "owner", Fields: []string{"owner"}, Unique: true},
		{Name: "opened", Fields: []string{"balance", "opened"}},
	}}
}

func openAccounts(t testing.TB, store *docstore.Store) *docstore.Collection[account] {
	t.Helper()
	accounts, err := docstore.Open[account](t.Context(), store, accountSpec())
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

func newAccount(id, owner string, balance int64) *account {
	return &account{Doc: docstore.Doc{ID: id}, Owner: owner, Opened: start(), Balance: balance}
}

// quick bounds what would otherwise wait for a server that is away.
func quick(o *mongo.Options) { o.Selection, o.Timeout = 2*time.Second, 8*time.Second }

// realServer gives the URL of the real server to test on, if there is one.
func realServer() string { return strings.TrimSpace(os.Getenv("GUANXI_TEST_MONGO_URL")) }

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
