package mongotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// What a client process is told by its environment.
const (
	envURL  = "GUANXI_MONGOTEST_URL"
	envName = "GUANXI_MONGOTEST_NAME"
)

const (
	hammerCallers = 8
	hammerRounds  = 25
	hammerPlaces  = 40
)

// TestMain runs this binary as a client process when the environment says so.
func TestMain(m *testing.M) {
	url := os.Getenv(envURL)
	if url == "" {
		os.Exit(m.Run())
	}
	told, err := hammer(url, os.Getenv(envName))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(told)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// told is what a client process was answered.
type told struct {
	Yes, No, Unclear []string          // marks on the hot document
	Won              map[string]string // place → the document that was told it has it
	Lost             map[string]string // place → the document that was told somebody else has it
	Wrong            []string          // answers outside the contract
}

// hammer lets many callers mark one document and fight for the values of one unique index.
func hammer(url, name string) (told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	driver, err := mongo.Open(ctx, mongo.Options{URL: url, Database: "trial"})
	if err != nil {
		return told{}, err
	}
	ring, err := docstore.NewKeyRing(make([]byte, 32), docstore.Key{ID: "t1", Secret: make([]byte, 32)})
	if err != nil {
		return told{}, err
	}
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: ring})
	if err != nil {
		return told{}, err
	}
	accounts, err := docstore.Open[account](ctx, store, accountSpec())
	if err != nil {
		return told{}, err
	}
	h := hammering{name: name, accounts: accounts}
	h.told.Won, h.told.Lost = map[string]string{}, map[string]string{}
	var callers sync.WaitGroup
	for caller := range hammerCallers {
		callers.Go(func() {
			for round := range hammerRounds {
				h.mark(ctx, fmt.Sprintf("%s/%d/%d", name, caller, round))
			}
		})
		callers.Go(func() {
			for place := range hammerPlaces {
				h.claim(ctx, fmt.Sprintf("place%03d", place), fmt.Sprintf("%s/%d/%d", name, caller, place))
			}
		})
	}
	callers.Wait()
	return h.told, store.Close()
}

type hammering struct {
	name     string
	accounts *docstore.Collection[account]
	mu       sync.Mutex
	told     told
}

func (h *hammering) mark(ctx context.Context, mark string) {
	_, err := h.accounts.Update(ctx, "hot", func(a *account) error {
		if slices.Contains(a.Marks, mark) {
			return errors.New("marked already: applied twice")
		}
		a.Marks, a.Balance = append(a.Marks, mark), a.Balance+1
		return nil
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.told.Yes = append(h.told.Yes, mark)
	case errors.Is(err, docstore.ErrUnclear):
		h.told.Unclear = append(h.told.Unclear, mark)
	case errors.Is(err, docstore.ErrContended), errors.Is(err, docstore.ErrUnavailable):
		h.told.No = append(h.told.No, mark)
	default:
		h.told.Wrong = append(h.told.Wrong, err.Error())
	}
}

func (h *hammering) claim(ctx context.Context, place, id string) {
	err := h.accounts.Insert(ctx, newAccount(id, place, 0))
	index, taken := docstore.ExistsIn(err)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		if other := h.told.Won[place]; other != "" {
			h.told.Wrong = append(h.told.Wrong, place+" was given to "+other+" and "+id)
		}
		h.told.Won[place] = id
	case taken && index == "owner":
		h.told.Lost[place] = id
	case !errors.Is(err, docstore.ErrUnclear) && !errors.Is(err, docstore.ErrUnavailable):
		h.told.Wrong = append(h.told.Wrong, err.Error())
	}
}

func TestTwoProcessesOnOneDocumentAndOneUniqueIndexAreToldTheTruth(t *testing.T) {
	t.Parallel()
	for _, weather := range []string{"calm", "stormy"} {
		t.Run(weather, func(t *testing.T) {
			t.Parallel()
			double := newDouble(t)
			accounts := openAccounts(t, storeOn(t, double, nil))
			if err := accounts.Insert(t.Context(), newAccount("hot", "nobody", 0)); err != nil {
				t.Fatal(err)
			}
			if weather == "stormy" {
				storm(double)
			}
			answers := runClients(t, double.URL(), "p1", "p2")
			double.Behave()
			checkMarks(t, accounts, answers, weather == "calm")
			checkPlaces(t, accounts, answers)
		})
	}
}

// storm makes every kind of trouble come round again and again.
func storm(double *wiredouble.Server) {
	for i, kind := range []wiredouble.Kind{
		wiredouble.LoseReply, wiredouble.CutBefore, wiredouble.CutReply, wiredouble.NotPrimary, wiredouble.Unconfirmed,
	} {
		for j, command := range []string{"insert", "update", "find"} {
			if kind == wiredouble.Unconfirmed && command == "find" {
				continue
			}
			double.Misbehave(wiredouble.Fault{Kind: kind, Command: command, Skip: 5 * i, Every: 47 + 4*i + 2*j, Times: 1 << 20})
		}
	}
}

// runClients runs client processes side by side until they end.
func runClients(t *testing.T, url string, names ...string) []told {
	t.Helper()
	answers, errs := make([]told, len(names)), make([]error, len(names))
	var running sync.WaitGroup
	for i, name := range names {
		running.Go(func() {
			client := exec.CommandContext(background(t), os.Args[0])
			client.Env = append(os.Environ(), envURL+"="+url, envName+"="+name)
			client.Stderr = os.Stderr
			out, err := client.Output()
			if err == nil {
				err = json.Unmarshal(out, &answers[i])
			}
			errs[i] = err
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i := range answers {
		for _, wrong := range answers[i].Wrong {
			t.Errorf("client %d: %s", i, wrong)
		}
	}
	return answers
}

func checkMarks(t *testing.T, accounts *docstore.Collection[account], answers []told, calm bool) {
	t.Helper()
	hot, err := accounts.Get(t.Context(), "hot")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, mark := range hot.Marks {
		there[mark]++
	}
	if hot.Balance != int64(len(hot.Marks)) || len(there) != len(hot.Marks) {
		t.Errorf("balance %d, %d marks, %d different", hot.Balance, len(hot.Marks), len(there))
	}
	yes, no, unclear := 0, 0, 0
	for _, one := range answers {
		yes, no, unclear = yes+len(one.Yes), no+len(one.No), unclear+len(one.Unclear)
		for _, mark := range one.Yes {
			if there[mark] != 1 {
				t.Errorf("%s was told yes and is there %d times", mark, there[mark])
			}
		}
		for _, mark := range one.No {
			if there[mark] != 0 {
				t.Errorf("%s was told no and is there", mark)
			}
		}
	}
	if all := len(answers) * hammerCallers * hammerRounds; yes+no+unclear != all {
		t.Errorf("%d answers for %d marks", yes+no+unclear, all)
	}
	if calm && unclear > 0 {
		t.Errorf("%d unclear answers in calm weather", unclear)
	}
	t.Logf("marks: %d yes, %d no, %d unclear", yes, no, unclear)
}

func checkPlaces(t *testing.T, accounts *docstore.Collection[account], answers []told) {
	t.Helper()
	for place := range hammerPlaces {
		name := fmt.Sprintf("place%03d", place)
		found, err := accounts.FindOne(t.Context(), docstore.By("owner", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, one := range answers {
			if won := one.Won[name]; won != "" && won != found.ID {
				t.Errorf("client %d was told that %s has %s, but %s has it", i, won, name, found.ID)
			}
		}
		for i, one := range answers {
			if one.Lost[name] == found.ID {
				t.Errorf("client %d was told that %s is taken from %s, which has it", i, name, found.ID)
			}
		}
	}
	n, err := accounts.Count(t.Context(), docstore.By("owner").Between("place", "placf"), 0)
	if err != nil || n != hammerPlaces {
		t.Errorf("%d places taken, %v; want %d", n, err, hammerPlaces)
	}
}
