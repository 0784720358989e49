package mongotest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

func TestAPageCostsWhatItReturnsHoweverFarTheCursorIs(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	batch := make([]*account, 3000)
	for i := range batch {
		batch[i] = newAccount(fmt.Sprintf("a%04d", (i*7919)%3000), fmt.Sprintf("owner%04d", i), int64(i%3)) // all opened at once
	}
	for _, err := range accounts.InsertMany(t.Context(), batch) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []docstore.Query{
		docstore.All(), docstore.By("opened"), docstore.By("opened").Newest(), docstore.By("opened", 1),
		docstore.By("opened", 1, start()), docstore.By("opened").Between(0, 2), docstore.By("owner").Newest(),
	} {
		before, seen, finds := double.Stats(), 0, 0
		q.Limit = 50
		for {
			page, err := accounts.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			seen, finds = seen+len(page.Items), finds+1
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		examined := double.Stats().Examined - before.Examined
		if examined > seen+2*finds {
			t.Errorf("query %q %v: %d entries examined for %d documents on %d pages", q.Index, q.Equal, examined, seen, finds)
		}
	}
}

func TestACursorThatWasTamperedWithIsRefused(t *testing.T) {
	t.Parallel()
	accounts := openAccounts(t, storeOn(t, newDouble(t), nil))
	for i := range 3 {
		if err := accounts.Insert(t.Context(), newAccount(fmt.Sprint("a", i), fmt.Sprint("owner", i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(v any) string {
		raw, err := bson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	for name, cursor := range map[string]string{
		"not base64":        "§",
		"not a document":    "AAAA",
		"an operator":       encode(bson.M{"k": bson.A{bson.M{"$gt": ""}}}),
		"a pattern":         encode(bson.M{"k": bson.A{bson.D{{Key: "$regex", Value: ".*"}}}}),
		"too few values":    encode(bson.M{"k": bson.A{}}),
		"too many values":   encode(bson.M{"k": bson.A{"a", "b"}}),
		"nothing":           encode(bson.M{}),
		"far too long":      encode(bson.M{"k": bson.A{string(make([]byte, 9000))}}),
		"cut in the middle": encode(bson.M{"k": bson.A{"a1"}})[:9],
	} {
		if _, err := accounts.Find(t.Context(), docstore.All().Continue(cursor)); !errors.Is(err, docstore.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func TestACursorCannotLeaveTheRangeOfItsQuery(t *testing.T) {
	t.Parallel()
	accounts := openAccounts(t, storeOn(t, newDouble(t), nil))
	for i := range 9 {
		if err := accounts.Insert(t.Context(), newAccount(fmt.Sprint("a", i), fmt.Sprint("owner", i), int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	narrow := docstore.By("opened").Between(3, 6).First(2)
	for _, other := range []docstore.Query{docstore.By("opened").First(1), docstore.By("opened").Newest().First(1)} {
		foreign, err := accounts.Find(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []docstore.Query{narrow, narrow.Newest()} {
			err := accounts.Each(t.Context(), q.Continue(foreign.Next), func(a *account) error {
				if a.Balance < 3 || a.Balance >= 6 {
					t.Errorf("balance %d is outside the range", a.Balance)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestEnsureOnOldData(t *testing.T) {
	t.Parallel()
	old := docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "owner", Fields: []string{"owner"}, Unique: true}}}
	for name, one := range map[string]struct {
		spec docstore.Spec
		want error
	}{
		"an index over a field nobody has":  {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "region", Fields: []string{"region"}}}}, docstore.ErrInvalid},
		"a sparse one over it":              {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "region", Fields: []string{"region"}, Sparse: true}}}, nil},
		"a sparse one over half of it":      {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "region", Fields: []string{"owner", "region"}, Sparse: true}}}, docstore.ErrInvalid},
		"a unique one that data breaks":     {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "opened", Fields: []string{"opened"}, Unique: true}}}, docstore.ErrInvalid},
		"a unique one that data keeps":      {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "balance", Fields: []string{"balance"}, Unique: true}}}, nil},
		"an old name over other fields":     {docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "owner", Fields: []string{"balance"}}}}, nil},
		"the same again":                    {old, nil},
		"none but the one every spec gains": {docstore.Spec{Name: "accounts"}, nil},
	} {
		double := newDouble(t)
		accounts, err := docstore.Open[account](t.Context(), storeOn(t, double, nil), old)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := accounts.Insert(t.Context(), newAccount(fmt.Sprint("a", i), fmt.Sprint("owner", i), int64(i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := docstore.Open[account](t.Context(), storeOn(t, double, nil), one.spec); !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
}

func TestARetiredUniqueIndexRefusesNothing(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 1)); err != nil {
		t.Fatal(err)
	}
	spec := docstore.Spec{Name: "accounts", Indexes: []docstore.Index{{Name: "owner", Fields: []string{"owner"}}}, Retired: accountSpec().Indexes[:1]}
	later, err := docstore.Open[account](t.Context(), storeOn(t, double, nil), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Insert(t.Context(), newAccount("b", "ann", 2)); err != nil {
		t.Fatal(err)
	}
	page, err := later.Find(t.Context(), docstore.By("owner", "ann").Newest())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range page.Items {
		got = append(got, a.ID)
	}
	if diff := cmp.Diff([]string{"b", "a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAWriteThatLandsLateIsNotAppliedTwice(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	accounts := openAccounts(t, storeOn(t, double, nil))
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Fatal(err)
	}
	late, landed := make(chan struct{}), make(chan struct{}, 2)
	held, arrived := make(chan struct{}), make(chan struct{}, 1)
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Late, Command: "update", Times: 2, Gate: late, Landed: landed})
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.Held, Command: "update", Gate: held, Struck: arrived})
	go func() { // both attempts are under way; the next round's write arrives; then they land; then it goes on
		<-arrived
		close(late)
		<-landed
		<-landed
		close(held)
	}()
	if _, err := accounts.Update(t.Context(), "a", deposit(5)); err != nil && !errors.Is(err, docstore.ErrUnclear) {
		t.Fatal(err)
	}
	if got := balanceOf(t, double, "a"); got != 15 {
		t.Errorf("balance %d, want 15", got)
	}
}
