package mongotest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

func deposit(n int64) func(*account) error {
	return func(a *account) error { a.Balance += n; return nil }
}

// balanceOf reads past every store, so that nothing of the store's own is believed.
func balanceOf(t *testing.T, double *wiredouble.Server, id string) int64 {
	t.Helper()
	accounts := openAccounts(t, storeOn(t, double, nil))
	a, err := accounts.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a.Balance
}

func TestALostReplyIsRepeatedByTheClientAndCarriedOutOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []wiredouble.Kind{wiredouble.LoseReply, wiredouble.CutReply, wiredouble.CutBefore, wiredouble.NotPrimary} {
		double := newDouble(t)
		accounts := openAccounts(t, storeOn(t, double, nil))
		double.Misbehave(wiredouble.Fault{Kind: kind, Command: "insert"})
		double.Misbehave(wiredouble.Fault{Kind: kind, Command: "update"})
		double.Misbehave(wiredouble.Fault{Kind: kind, Command: "delete", Skip: 1})
		if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
			t.Fatalf("fault %d: insert: %v", kind, err)
		}
		if err := accounts.Insert(t.Context(), newAccount("b", "bob", 10)); err != nil {
			t.Fatalf("fault %d: insert: %v", kind, err)
		}
		for range 2 {
			if _, err := accounts.Update(t.Context(), "a", deposit(5)); err != nil {
				t.Fatalf("fault %d: update: %v", kind, err)
			}
		}
		if got := balanceOf(t, double, "a"); got != 20 {
			t.Errorf("fault %d: balance %d, want 20", kind, got)
		}
		for _, id := range []string{"a", "b"} {
			if err := accounts.Delete(t.Context(), id, nil); err != nil {
				t.Fatalf("fault %d: delete: %v", kind, err)
			}
		}
	}
}

func TestAWriteWhoseRepliesAreAllLostIsResolvedByItsToken(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "insert", Times: 2})
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "update", Times: 2})
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.Update(t.Context(), "a", deposit(5)); err != nil {
		t.Fatal(err)
	}
	if got := balanceOf(t, double, "a"); got != 15 {
		t.Errorf("balance %d, want 15", got)
	}
	if replayed := double.Stats().Replayed; replayed != 2 {
		t.Errorf("%d statements answered from the table of retried writes, want 2", replayed)
	}
}

func TestAnUnconfirmedWriteIsUnclearToTheDriver(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	driver := connect(t, double, nil)
	t.Cleanup(func() { _ = driver.Close() })
	ensure(t, driver, accountSpec())
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Unconfirmed, Command: "insert"})
	err := driver.Write(t.Context(), []docstore.Op{insertOp(t, newAccount("a", "ann", 1))})[0]
	if !errors.Is(err, docstore.ErrUnclear) {
		t.Errorf("an insert no majority confirmed gave %v, want ErrUnclear", err)
	}
}

func ensure(t *testing.T, driver docstore.Driver, spec docstore.Spec) {
	t.Helper()
	if err := driver.Ensure(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

func insertOp(t *testing.T, a *account) docstore.Op {
	t.Helper()
	a.Version, a.Token, a.Schema = 1, 7, 1
	body, err := bson.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return docstore.Op{Kind: docstore.Insert, Collection: "accounts", ID: a.ID, Next: 1, Body: body}
}

func TestABatchCutInTheMiddleIsFinishedOnce(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.CutMiddle, Command: "insert"})
	batch := make([]*account, 20)
	for i := range batch {
		batch[i] = newAccount(fmt.Sprintf("a%02d", i), fmt.Sprintf("owner%02d", i), int64(i))
	}
	for i, err := range accounts.InsertMany(t.Context(), batch) {
		if err != nil {
			t.Errorf("insert %d: %v", i, err)
		}
	}
	n, err := accounts.Count(t.Context(), docstore.All(), 0)
	if err != nil || n != 20 {
		t.Errorf("%d stored, %v; want 20", n, err)
	}
	if replayed := double.Stats().Replayed; replayed != 10 {
		t.Errorf("%d replayed, want the 10 of the first half", replayed)
	}
}

func TestABatchCutTwiceTellsTheTruthAboutEveryDocument(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.CutMiddle, Command: "insert", Times: 2})
	batch := make([]*account, 20)
	for i := range batch {
		batch[i] = newAccount(fmt.Sprintf("a%02d", i), fmt.Sprintf("owner%02d", i), int64(i))
	}
	for i, err := range accounts.InsertMany(t.Context(), batch) {
		_, getErr := accounts.Get(t.Context(), batch[i].ID)
		switch {
		case err == nil && getErr != nil:
			t.Errorf("document %d: told stored, but %v", i, getErr)
		case err != nil && !errors.Is(err, docstore.ErrUnclear):
			t.Errorf("document %d: %v, want ErrUnclear", i, err)
		case err != nil && getErr == nil:
			t.Errorf("document %d is there, its token would have told", i)
		}
	}
	for i, err := range accounts.InsertMany(t.Context(), batch) { // "repeat it with the same ids"
		if err != nil && !docstore.Exists(err) {
			t.Errorf("repeating %d: %v", i, err)
		}
	}
}

func TestARefusedNotPrimaryWriteIsUnavailableWhileThereIsNone(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, quick))
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Fatal(err)
	}
	double.StepDown()
	if err := accounts.Insert(t.Context(), newAccount("b", "bob", 1)); !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("insert without a primary: %v, want ErrUnavailable", err)
	}
	if _, err := accounts.Get(t.Context(), "a"); !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("read without a primary: %v, want ErrUnavailable", err)
	}
	double.StepUp()
	if _, err := accounts.Update(t.Context(), "a", deposit(1)); err != nil {
		t.Errorf("update after the primary is back: %v", err)
	}
}

func TestAServerThatGoesAndComesBackNeedsNoHand(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	store := storeOn(t, double, quick)
	accounts := openAccounts(t, store)
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		double.Stop()
		if err := store.Ping(t.Context()); !errors.Is(err, docstore.ErrUnavailable) {
			t.Errorf("ping: %v, want ErrUnavailable", err)
		}
		if _, err := accounts.Get(t.Context(), "a"); !errors.Is(err, docstore.ErrUnavailable) {
			t.Errorf("get: %v, want ErrUnavailable", err)
		}
		if err := accounts.Insert(t.Context(), newAccount("b", "bob", 1)); !errors.Is(err, docstore.ErrUnavailable) {
			t.Errorf("insert: %v, want ErrUnavailable", err)
		}
		if err := double.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := accounts.Update(t.Context(), "a", deposit(1)); err != nil {
			t.Fatalf("after the restart: %v", err)
		}
	}
	if got := balanceOf(t, double, "a"); got != 12 {
		t.Errorf("balance %d, want 12", got)
	}
	if _, err := accounts.Get(t.Context(), "b"); !errors.Is(err, docstore.ErrNotFound) {
		t.Errorf("a write that was refused as unavailable: %v, want ErrNotFound", err)
	}
}

func TestOpenSaysThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	double.Stop()
	o := mongo.Options{URL: double.URL(), Database: "trial", Selection: 200 * time.Millisecond}
	if _, err := mongo.Open(t.Context(), o); !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	if _, err := mongo.Open(t.Context(), mongo.Options{URL: "nonsense", Database: "trial"}); !errors.Is(err, docstore.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}

func TestASlowServerMakesAWriteUnclearAndAReadUnavailable(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	driver := connect(t, double, func(o *mongo.Options) { o.Timeout = time.Second })
	t.Cleanup(func() { _ = driver.Close() })
	ensure(t, driver, accountSpec())
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Slow, Command: "insert", Gate: gate, Times: 2})
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Slow, Command: "find", Gate: gate, Times: 2})
	err := driver.Write(t.Context(), []docstore.Op{insertOp(t, newAccount("a", "ann", 1))})[0]
	if !errors.Is(err, docstore.ErrUnclear) {
		t.Errorf("slow insert: %v, want ErrUnclear", err)
	}
	if _, err := driver.Get(t.Context(), "accounts", []string{"a"}); !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("slow read: %v, want ErrUnavailable", err)
	}
}

func TestACancelledWriteThatWasNeverSentIsUnavailable(t *testing.T) {
	t.Parallel()
	driver := connect(t, newDouble(t), nil)
	t.Cleanup(func() { _ = driver.Close() })
	ensure(t, driver, accountSpec())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := driver.Write(ctx, []docstore.Op{insertOp(t, newAccount("a", "ann", 1))})[0]
	if !errors.Is(err, docstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want ErrUnavailable for the cancellation", err)
	}
}

func TestAClosedDriverIsUnavailable(t *testing.T) {
	t.Parallel()
	driver := connect(t, newDouble(t), nil)
	ensure(t, driver, accountSpec())
	for range 2 {
		if err := driver.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := driver.Write(t.Context(), []docstore.Op{insertOp(t, newAccount("a", "ann", 1))})[0]
	if !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("write: %v, want ErrUnavailable", err)
	}
	if _, err := driver.Get(t.Context(), "accounts", []string{"a"}); !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("get: %v, want ErrUnavailable", err)
	}
}

func TestAWriteRefusedOutrightIsUnavailableAndNothingHappened(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	driver := connect(t, double, quick)
	t.Cleanup(func() { _ = driver.Close() })
	ensure(t, driver, accountSpec())
	double.Stop()
	op := insertOp(t, newAccount("a", "ann", 1))
	// The first write goes to a connection that looks alive: nobody can tell what became of it.
	if err := driver.Write(t.Context(), []docstore.Op{op})[0]; !errors.Is(err, docstore.ErrUnclear) && !errors.Is(err, docstore.ErrUnavailable) {
		t.Errorf("write to a server that has just gone: %v", err)
	}
	if err := driver.Write(t.Context(), []docstore.Op{op})[0]; !errors.Is(err, docstore.ErrUnavailable) || errors.Is(err, docstore.ErrUnclear) {
		t.Errorf("later write: %v, want ErrUnavailable: it was never sent", err)
	}
	if err := double.Start(); err != nil {
		t.Fatal(err)
	}
	if err := driver.Write(t.Context(), []docstore.Op{op})[0]; err != nil {
		t.Error(err)
	}
}

func TestEveryUniqueIndexIsNamedWithAndWithoutTheServersHelp(t *testing.T) {
	t.Parallel()
	for _, hide := range []bool{false, true} {
		double, err := wiredouble.New(wiredouble.Config{HideKeyPattern: hide})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(double.Stop)
		accounts := openAccounts(t, storeOn(t, double, nil))
		errs := accounts.InsertMany(t.Context(), []*account{
			newAccount("a", "ann", 1), newAccount("b", "bob", 1), newAccount("a", "zoe", 1), newAccount("c", "ann", 1), newAccount("a", "ann", 1),
		})
		var got []string
		for _, err := range errs {
			index, ok := docstore.ExistsIn(err)
			got = append(got, fmt.Sprintf("%v %t %q", err == nil, ok, index))
		}
		want := []string{`true false ""`, `true false ""`, `false true ""`, `false true "owner"`, `false true ""`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("hidden pattern %t (-want +got):\n%s", hide, diff)
		}
		_, err = accounts.Update(t.Context(), "b", func(a *account) error { a.Owner = "ann"; return nil })
		if index, ok := docstore.ExistsIn(err); !ok || index != "owner" {
			t.Errorf("hidden pattern %t: update: %v, want owner taken", hide, err)
		}
	}
}

func TestReadsWaitForTheLastWriteAndCommandsAskForAMajority(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	finds, inserts := double.Heard("find"), double.Heard("insert")
	last := finds[len(finds)-1].Lookup("readConcern").Document()
	if _, _, ok := last.Lookup("afterClusterTime").TimestampOK(); !ok || last.Lookup("level").StringValue() != "majority" {
		t.Errorf("read concern %s, want majority after the time of the last write", last)
	}
	concern := inserts[0].Lookup("writeConcern").Document()
	if concern.Lookup("w").StringValue() != "majority" || !concern.Lookup("j").Boolean() || concern.Lookup("wtimeout").AsInt64() <= 0 {
		t.Errorf("write concern %s, want a journaled majority within a time", concern)
	}
	if _, ok := inserts[0].Lookup("txnNumber").Int64OK(); !ok {
		t.Error("the insert was not retryable")
	}
}
