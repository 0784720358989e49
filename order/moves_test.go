package order

import (
	"strings"
	"testing"

	"guanxi/internal/goldentest"
)

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
			b.WriteString(goldentest.Pad(string(from), 10) + " + " + goldentest.Pad(string(by), 14) + " = " + to + "\n")
		}
	}
	goldentest.Golden(t, "testdata/moves.txt", b.String())
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
			b.WriteString(goldentest.Pad(string(from), 10) + " → " + goldentest.Pad(string(to), 10) + " = " + answer + "\n")
		}
	}
	goldentest.Golden(t, "testdata/refund_steps.txt", b.String())
}
