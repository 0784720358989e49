package order

import (
	"errors"
	"strconv"
	"testing"
)

func TestIncidentsOfAnOrderAreBoundedAndTheFirstStay(t *testing.T) {
	t.Parallel()
	o := Order{}
	for n := range 2 * MaxIncidents {
		if kept := o.record(IncidentMismatch, strconv.Itoa(n), start); kept != (n < MaxIncidents) {
			t.Fatal(n, kept)
		}
	}
	if len(o.Incidents) != MaxIncidents || o.Incidents[0].Detail != "0" {
		t.Error(o.Incidents)
	}
}

// What members and hosts ask for ends at the bound; the brand has as much again, and what the system returns is never
// stopped.
func TestCasesOfAnOrderAreBounded(t *testing.T) {
	t.Parallel()
	o := Order{Lines: []Line{{Units: 1, Paid: 100}}, Payment: &Settlement{}}
	fill := func(by Asker, most int) {
		t.Helper()
		for len(o.Refunds) < most {
			if err := o.addRefund(Refund{By: by, Stage: StageRequested}, start); err != nil {
				t.Fatal(len(o.Refunds), err)
			}
		}
	}
	full := func(by Asker) {
		t.Helper()
		if err := o.addRefund(Refund{By: by, Stage: StageRequested}, start); !errors.Is(err, ErrRefundLimit) || len(o.Refunds)%MaxCases != 0 {
			t.Fatalf("%s at %d: %v", by, len(o.Refunds), err)
		}
	}
	fill(ByMember, MaxCases)
	full(ByMember)
	full(ByHost)
	fill(ByBrand, 2*MaxCases)
	full(ByBrand)
	fill(BySystem, 2*MaxCases+1)
}
