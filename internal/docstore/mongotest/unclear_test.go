package mongotest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// What a server says in the place of a refusal, and what it may mean at the first attempt.
var (
	refusals    = []int{13, 18, 10107, 13435, 14031}                                                      // nothing happened: unavailable
	impossible  = []int{2, 9, 14, 121, 10334, 17280}                                                      // nothing happened: invalid
	anythingYet = []int{1, 6, 8, 20, 50, 63, 64, 89, 91, 112, 189, 262, 8000, 11600, 11602, 13388, 99999} // who knows
)

// itemErrorCase is one write whose answer is an error for its only item.
type itemErrorCase struct {
	code      int
	carried   bool            // the write took place all the same
	lost      wiredouble.Kind // before it, the answer to a first attempt was lost; 0 = it was the first
	forgetful bool
}

func (c itemErrorCase) String() string {
	return fmt.Sprintf("code %d carried out %t after %d forgetful %t", c.code, c.carried, c.lost, c.forgetful)
}

func itemErrorCases() (cases []itemErrorCase) {
	for _, code := range slices.Concat(refusals, impossible, anythingYet) {
		cases = append(cases, itemErrorCase{code: code})
		if slices.Contains(anythingYet, code) {
			cases = append(cases, itemErrorCase{code: code, carried: true})
		}
	}
	for _, code := range []int{refusals[0], impossible[0], anythingYet[0]} { // each costs the client a look for its primary
		for _, carried := range []bool{false, true} {
			cases = append(cases, itemErrorCase{code: code, carried: carried, lost: wiredouble.CutBefore},
				itemErrorCase{code: code, carried: carried, lost: wiredouble.LoseReply},
				itemErrorCase{code: code, carried: carried, lost: wiredouble.LoseReply, forgetful: true})
		}
	}
	return cases
}

func (c itemErrorCase) arm(double *wiredouble.Server, command string) {
	if c.lost != 0 {
		double.Misbehave(wiredouble.Fault{Kind: c.lost, Command: command})
	}
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.ItemError, Command: command, Code: c.code, CarriedOut: c.carried})
}

// want is what the driver must answer.
func (c itemErrorCase) want() error {
	switch {
	case c.lost != 0 || slices.Contains(anythingYet, c.code):
		return docstore.ErrUnclear
	case slices.Contains(impossible, c.code):
		return docstore.ErrInvalid
	}
	return docstore.ErrUnavailable
}

// eachItemError runs every case on one of two servers, under an id of its own.
func eachItemError(t *testing.T, run func(c itemErrorCase, double *wiredouble.Server, id string)) {
	t.Helper()
	doubles := map[bool]*wiredouble.Server{}
	for _, forgetful := range []bool{false, true} {
		double, err := wiredouble.New(wiredouble.Config{Forgetful: forgetful})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(double.Stop)
		doubles[forgetful] = double
	}
	for n, c := range itemErrorCases() {
		run(c, doubles[c.forgetful], fmt.Sprintf("case%03d", n))
		doubles[c.forgetful].Behave()
	}
}

func TestAnItemErrorIsARefusalOnlyWhenItIsKnownToBeOne(t *testing.T) {
	t.Parallel()
	drivers := map[*wiredouble.Server]docstore.Driver{}
	eachItemError(t, func(c itemErrorCase, double *wiredouble.Server, id string) {
		driver := drivers[double]
		if driver == nil {
			driver = connect(t, double, nil)
			t.Cleanup(func() { _ = driver.Close() })
			ensure(t, driver, accountSpec())
			drivers[double] = driver
		}
		insert, update := insertOp(t, newAccount(id, id, 10)), insertOp(t, newAccount(id, id, 15))
		update.Kind, update.Version = docstore.Replace, 1
		ops := map[string]docstore.Op{
			"insert": insert, "update": update, "delete": {Kind: docstore.Delete, Collection: "accounts", ID: id, Version: 1},
		}
		for _, command := range []string{"insert", "update", "delete"} {
			c.arm(double, command)
			got := driver.Write(t.Context(), []docstore.Op{ops[command]})[0]
			double.Behave()
			if !errors.Is(got, c.want()) || c.want() != docstore.ErrUnclear && errors.Is(got, docstore.ErrUnclear) {
				t.Errorf("%s, %s: %v, want %v", command, c, got, c.want())
			}
			if command == "insert" { // the next two need it
				if err := driver.Write(t.Context(), []docstore.Op{insert})[0]; err != nil && !docstore.Exists(err) {
					t.Fatal(err)
				}
			}
		}
	})
}

// A caller that is told "invalid" or "unavailable" may believe that nothing happened, one that is told nil that it
// happened once.
func TestWhatACallerIsToldAfterAnItemErrorIsTrue(t *testing.T) {
	t.Parallel()
	stores := map[*wiredouble.Server]*docstore.Collection[account]{}
	eachItemError(t, func(c itemErrorCase, double *wiredouble.Server, id string) {
		accounts := stores[double]
		if accounts == nil {
			accounts = openAccounts(t, storeOn(t, double, nil))
			stores[double] = accounts
		}
		balance := func(id string) int64 {
			a, err := accounts.Get(t.Context(), id)
			if errors.Is(err, docstore.ErrNotFound) {
				return 0
			}
			if err != nil {
				t.Fatal(err)
			}
			return a.Balance
		}
		c.arm(double, "insert")
		err := accounts.Insert(t.Context(), newAccount(id, id, 10))
		double.Behave()
		c.checkTold(t, "insert", err, balance(id), 0, 10)
		id += "b"
		if err := accounts.Insert(t.Context(), newAccount(id, id, 10)); err != nil {
			t.Fatal(err)
		}
		c.arm(double, "update")
		_, err = accounts.Update(t.Context(), id, deposit(5))
		double.Behave()
		c.checkTold(t, "update", err, balance(id), 10, 15)
		before := balance(id)
		c.arm(double, "delete")
		err = accounts.Delete(t.Context(), id, nil)
		double.Behave()
		c.checkTold(t, "delete", err, balance(id), before, 0)
	})
}

func (c itemErrorCase) checkTold(t *testing.T, verb string, told error, balance, before, after int64) {
	t.Helper()
	switch {
	case told == nil && balance != after:
		t.Errorf("%s, %s: told done, balance %d, want %d", verb, c, balance, after)
	case refused(told) && balance != before:
		t.Errorf("%s, %s: told %v, balance %d, want %d", verb, c, told, balance, before)
	case told != nil && !refused(told) && !errors.Is(told, docstore.ErrUnclear):
		t.Errorf("%s, %s: %v", verb, c, told)
	}
}

func refused(err error) bool {
	return errors.Is(err, docstore.ErrInvalid) || errors.Is(err, docstore.ErrUnavailable)
}

// A server without a table of retried writes carries the client's repetition out anew.
func TestARepeatedWriteOnAForgetfulServerIsRecognisedAsOurOwn(t *testing.T) {
	t.Parallel()
	double, err := wiredouble.New(wiredouble.Config{Forgetful: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(double.Stop)
	accounts := openAccounts(t, storeOn(t, double, nil))
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "insert"})
	if err := accounts.Insert(t.Context(), newAccount("a", "ann", 10)); err != nil {
		t.Errorf("insert: %v", err)
	}
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "update"})
	if _, err := accounts.Update(t.Context(), "a", deposit(5)); err != nil {
		t.Errorf("update: %v", err)
	}
	if got := balanceOf(t, double, "a"); got != 15 {
		t.Errorf("balance %d, want 15", got)
	}
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "insert"})
	if err := accounts.Insert(t.Context(), newAccount("c", "ann", 1)); !docstore.Exists(err) {
		t.Errorf("an owner that is taken: %v", err)
	}
	double.Misbehave(wiredouble.Fault{Kind: wiredouble.LoseReply, Command: "delete"})
	if err := accounts.Delete(t.Context(), "a", nil); err != nil {
		t.Errorf("delete: %v", err)
	}
}
