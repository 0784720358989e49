package console

import (
	"context"
	"errors"
	"strings"
	"testing"

	"guanxi/staff"
)

func TestAHashIsSaltedAndCarriesItsCost(t *testing.T) {
	t.Parallel()
	a, err := NewArgon(Cost{MemoryKiB: 64, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	one, err := a.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	two, err := a.Hash(t.Context(), "correct horse")
	if err != nil || one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatal(one, two, err)
	}
	dearer, err := NewArgon(Cost{MemoryKiB: 128, Passes: 2})
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false} {
		if got, err := dearer.Matches(t.Context(), staff.Trusted, one, password); got != want || err != nil {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	known := "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 43)
	for _, bad := range []string{
		"", "x", "$argon2i$v=19$m=64,t=1,p=1$a$b", strings.Replace(known, "m=64", "m=4294967295", 1), strings.Replace(known, "t=1", "t=0", 1),
		strings.Replace(known, "v=19", "v=16", 1), known + "$", strings.Replace(known, "AAAA", "!AAA", 1),
	} {
		if good, err := a.Matches(t.Context(), staff.Stranger, bad, "x"); good || !errors.Is(err, errHash) {
			t.Errorf("%s: %v, %v", bad, good, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a.turns[staff.Trusted] <- struct{}{}
	a.turns[staff.Trusted] <- struct{}{}
	if _, err := a.Hash(gone, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if good, err := a.Matches(t.Context(), staff.Stranger, one, "correct horse"); !good || err != nil {
		t.Error("strangers wait for those who are known:", err)
	}
	for range strangersWait {
		a.queue <- struct{}{}
	}
	if _, err := a.Matches(t.Context(), staff.Stranger, one, "x"); !errors.Is(err, staff.ErrTurns) {
		t.Error("a crowd of strangers is not turned away:", err)
	}
	if _, err := NewArgon(Cost{MemoryKiB: 1}); err == nil {
		t.Error("a cost of nothing was taken")
	}
}
