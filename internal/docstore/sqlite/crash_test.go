package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

// ticket is the document of the crash tests: Half is always Number / 2, in body and index.
type ticket struct {
	docstore.Doc `bson:",inline"`
	Round        string `bson:"round"`
	Number       int64  `bson:"number"`
	Half         int64  `bson:"half"`
	Ballast      string `bson:"ballast"`
}

func ticketSpec(indexes int) docstore.Spec {
	return docstore.Spec{Name: "tickets", Indexes: []docstore.Index{
		{Name: "round", Fields: []string{"round", "number"}, Unique: true},
		{Name: "half", Fields: []string{"half"}},
		{Name: "number", Fields: []string{"number", "round"}},
	}[:indexes]}
}

func openTickets(t testing.TB, dir string, indexes int) (*docstore.Collection[ticket], *docstore.Store) {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	store := docstoretest.StoreOn(t, driver, clock.System{})
	c, err := docstore.Open[ticket](t.Context(), store, ticketSpec(indexes))
	if err != nil {
		t.Fatal(err)
	}
	return c, store
}

const (
	crashDir   = "GUANXI_TEST_CRASH_DIR" // set in the child only
	crashRound = "GUANXI_TEST_CRASH_ROUND"
	writers    = 32
)

// TestCrashChild is the victim: it writes until it is killed and prints what was acknowledged.
func TestCrashChild(t *testing.T) {
	dir, round := os.Getenv(crashDir), os.Getenv(crashRound)
	if dir == "" {
		t.Skip("runs only as the child of TestKilled…")
	}
	indexes := 2
	if round == "index" {
		fmt.Println("ok start 0")
		indexes = 3
	}
	c, _ := openTickets(t, dir, indexes)
	if round == "index" {
		fmt.Println("ok indexed 0")
		return
	}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := int64(1); ; n++ {
				number := n*writers + int64(w)
				doc := &ticket{Doc: docstore.Doc{ID: fmt.Sprintf("t/%s/%d", round, number)}, Round: round, Number: number, Half: number / 2}
				if err := c.Insert(t.Context(), doc); err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("ok %s 1\n", doc.ID)
				got, err := c.Upsert(t.Context(), fmt.Sprintf("count/%s/%d", round, w%8), func(k *ticket) error {
					k.Round, k.Number = "count/"+round+"/"+strconv.Itoa(w%8), k.Number+1
					k.Half = k.Number / 2
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("ok %s %d\n", got.ID, got.Version)
			}
		})
	}
	all.Wait()
}

// runVictim starts the child and kills it (SIGKILL) after it acknowledged enough or after some time; it returns the
// highest acknowledged version by id.
func runVictim(t *testing.T, dir, round string, enough int, patience time.Duration) map[string]int64 {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.timeout=60s")
	child.Env = append(os.Environ(), crashDir+"="+dir, crashRound+"="+round)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]int64{}
	lines, seen := bufio.NewScanner(out), 0
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "ok" {
			continue
		}
		version, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			continue // the last line may be torn
		}
		acknowledged[fields[1]] = max(acknowledged[fields[1]], version)
		if seen++; seen == enough {
			time.AfterFunc(patience, func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait()
	return acknowledged
}

func TestKilledUnderLoadLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir, total := t.TempDir(), 0
	for round := range 5 {
		acknowledged := runVictim(t, dir, strconv.Itoa(round), 500+700*round, 0)
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			c, _ := openTickets(t, dir, 2)
			for id, version := range acknowledged {
				got, err := c.Get(t.Context(), id)
				if err != nil || got.Version < version {
					t.Fatalf("%s: version %d was acknowledged, found %+v, %v", id, version, got, err)
				}
			}
			checkIndexes(t, c, "round", "half")
		})
		total += len(acknowledged)
	}
	t.Logf("%d documents acknowledged over 5 kills", total)
	if total < 2000 {
		t.Fatal("too few writes to mean anything")
	}
}

// checkIndexes walks every index and wants every document exactly once, under its own values.
func checkIndexes(t *testing.T, c *docstore.Collection[ticket], indexes ...string) {
	t.Helper()
	docs := map[string]ticket{}
	err := c.Each(t.Context(), docstore.All(), func(doc *ticket) error { docs[doc.ID] = *doc; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for id, doc := range docs {
		if doc.Half != doc.Number/2 {
			t.Fatalf("%s is torn: %+v", id, doc)
		}
	}
	for _, index := range indexes {
		seen, last := 0, int64(-1)
		err := c.Each(t.Context(), docstore.By(index), func(doc *ticket) error {
			stored, ok := docs[doc.ID]
			if !ok || stored.Version != doc.Version || (index == "half" && doc.Half < last) {
				return fmt.Errorf("index %s: %s is not where it belongs", index, doc.ID)
			}
			seen, last = seen+1, doc.Half
			return nil
		})
		if err != nil || seen != len(docs) {
			t.Fatalf("index %s has %d of %d documents, %v", index, seen, len(docs), err)
		}
	}
}

func TestKilledWhileFillingAnIndexGoesOnWithIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	t.Run("old data", func(t *testing.T) {
		c, _ := openTickets(t, dir, 2)
		docs := make([]*ticket, 12000)
		for i := range docs {
			docs[i] = &ticket{Doc: docstore.Doc{ID: fmt.Sprint("old/", i)}, Round: "old", Number: int64(i), Half: int64(i / 2), Ballast: strings.Repeat("b", 200)}
		}
		for _, err := range c.InsertMany(t.Context(), docs) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	killed := 0
	for _, after := range []time.Duration{5, 30, 60, 90, 120} {
		if acknowledged := runVictim(t, dir, "index", 1, after*time.Millisecond); acknowledged["indexed"] == 0 && len(acknowledged) == 1 {
			killed++
		}
	}
	t.Logf("killed %d times in the middle", killed)
	t.Run("in the end", func(t *testing.T) {
		c, _ := openTickets(t, dir, 3)
		checkIndexes(t, c, "round", "half", "number")
	})
}
