package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/sqlite"
)

// run carries a command out and gives its output and the exit code main would end with.
func run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	c := command()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.ExecuteContext(t.Context())
	switch {
	case err == nil:
		return out.String(), 0
	case errors.As(err, &undecided{}):
		return out.String() + err.Error(), 2
	}
	return out.String() + err.Error(), 1
}

// reading are the commands that only look.
func reading(dir, out string) [][]string {
	return [][]string{
		{"verify", "--dir", dir},
		{"audit", "--dir", dir},
		{"ledger", "export", "--dir", dir, "--out", out},
	}
}

func TestReadingCommandsMakeNoStore(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out.csv")
	absent, empty := filepath.Join(t.TempDir(), "absent"), t.TempDir()
	for _, dir := range []string{absent, empty} {
		for _, args := range append(reading(dir, out), []string{"ledger", "rebuild", "--dir", dir}) {
			text, code := run(t, args...)
			if code != 2 || !strings.Contains(text, "no store") {
				t.Errorf("%v: code %d: %s", args, code, text)
			}
		}
	}
	if _, err := os.Stat(absent); !os.IsNotExist(err) {
		t.Error("the folder was made")
	}
	if files, err := os.ReadDir(empty); err != nil || len(files) > 0 {
		t.Errorf("the empty folder holds %v, %v", files, err)
	}
}

func TestReadingCommandsSayThatAStoreIsEmptyAndLeaveItSo(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.csv")
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	// One collection of an older program, without the indexes this one has.
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: docstore.BlindKeyRing()})
	if err != nil {
		t.Fatal(err)
	}
	type plain struct {
		docstore.Doc `bson:",inline"`
	}
	if _, err := docstore.Open[plain](t.Context(), store, docstore.Spec{Name: "vouchers"}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "guanxi.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range reading(dir, out) {
		if text, code := run(t, args...); code != 2 || strings.Contains(text, "✓") {
			t.Errorf("%v: code %d: %s", args, code, text)
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, "guanxi.db"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store was written to: %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Error("an export of nothing was left")
	}
}

func TestAnAnchorThatProvesNothingIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	blank, words := filepath.Join(dir, "blank"), filepath.Join(dir, "words")
	for name, text := range map[string]string{blank: "\n\n", words: "hello\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, anchor := range []string{"/dev/null", dir, blank, words, filepath.Join(dir, "none")} {
		if text, code := run(t, "verify", "--dir", dir, "--anchor", anchor); code != 1 || !strings.Contains(text, "anchor file") {
			t.Errorf("%s: code %d: %s", anchor, code, text)
		}
	}
}
