package order

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden compares text with a file in testdata; GUANXI_UPDATE=1 writes it anew, for a person to read the diff.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GUANXI_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestOrderMovesAreExactlyTheTable(t *testing.T) {
	t.Parallel()
	states := []State{
		StatePlaced, StateClosing, StateClosed, StatePaid, StateConfirmed, StateShipped, StateReceived,
		StateCompleted, StateRefunding, StateRefunded,
	}
	causes := []cause{
		byPayment, byGivingUp, byUnpayable, byLatePayment, byForming, byShipping, byReceiving, byWindowEnd,
		byWholeRefund, byFullyReturned,
	}
	var b strings.Builder
	for _, from := range states {
		for _, by := range causes {
			o := &Order{State: from}
			to := "refused"
			if err := o.move(by); err == nil {
				to = string(o.State)
			}
			b.WriteString(pad(string(from), 10) + " + " + pad(string(by), 14) + " = " + to + "\n")
		}
	}
	golden(t, "moves.txt", b.String())
}

func TestRefundStepsAreExactlyTheTable(t *testing.T) {
	t.Parallel()
	all := []RefundStage{
		StageRequested, StageRefused, StageAsked, StageSubmitted, StageProcessing, StageAbnormal, StageDone, StageClosed,
	}
	var b strings.Builder
	for _, from := range all {
		for _, to := range all {
			answer := "refused"
			if r := (&Refund{Stage: from}); r.step(to) {
				answer = "allowed"
			}
			b.WriteString(pad(string(from), 10) + " → " + pad(string(to), 10) + " = " + answer + "\n")
		}
	}
	golden(t, "refund_steps.txt", b.String())
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }
