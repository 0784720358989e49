package app_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/goldentest"
	"guanxi/proof/crosscheck"
)

// TestEveryCollectionSaysHowItIsProved holds the table against what the program opens: a new collection has to say whether
// money or law hangs on it, and whether the chain of facts holds it.
func TestEveryCollectionSaysHowItIsProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want, chained []string
	got := w.Store.Collections()
	for _, p := range crosscheck.Proofs() {
		want = append(want, p.Collection)
		if p.Why == "" {
			t.Errorf("%s: why?", p.Collection)
		}
	}
	for _, c := range w.Store.Chained() {
		chained = append(chained, c.Name())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("crosscheck.Proofs (-table +program):\n%s", diff)
	}
	inChain := crosscheck.Chained()
	slices.Sort(inChain)
	if diff := cmp.Diff(inChain, chained); diff != "" {
		t.Errorf("docstore.Spec.Chained (-table +program):\n%s", diff)
	}
}

// TestProofsArePrinted keeps docs/proof.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestProofsArePrinted(t *testing.T) {
	t.Parallel()
	var now bytes.Buffer
	now.WriteString(`# What proves which document

` + "`guanxi verify`" + ` and ` + "`guanxi audit`" + ` prove every document money or law depends on, in one of three ways:

- **chain**: a link of the chain of facts holds its content. Every change is marked in the write that makes it; a moment
  later the notary seals what is marked (collection, id, version, digest) into the next link. What was changed, set back,
  put in or taken away past the program is named. Nothing is ever deleted from these collections.
- **own chain**: it is a chain itself: the seals of the book, the checkpoints, the links.
- **recomputed**: it is worked out again from what is chained, and compared.

Checkpoints, at least one an hour and one at every clean stop, sign the newest seal and the newest link together; their
lines are kept outside of the store (GUANXI_LEDGER_ANCHOR), so that the ends of both chains cannot be taken away unseen.
Documents older than the chain were taken in when the first program that keeps it started: verify counts them as "older
than the chain". An order whose sale an earlier release accrued has lines and people in its accrual, but no digest: verify
counts those, too. While an earlier release still runs beside this one, what it writes carries no mark and is named: stop it.

`)
	if err := crosscheck.WriteProofs(&now); err != nil {
		t.Fatal(err)
	}
	goldentest.Golden(t, "../docs/proof.md", now.String())
}
