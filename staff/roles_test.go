package staff

import (
	"slices"
	"strings"
	"testing"
)

func TestTheAuditorReadsEverythingAndNobodyElseBoth(t *testing.T) {
	t.Parallel()
	every := PermissionsOf(Roles())
	for _, p := range every {
		reads := strings.HasSuffix(string(p), ".read")
		if reads != Allowed([]Role{Auditor}, p) {
			t.Errorf("auditor and %s", p)
		}
	}
	if len(every) != 41 {
		t.Errorf("%d permissions are given to anybody", len(every))
	}
}

// No single role may prepare and decide the same thing, and who keeps the accounts touches no money.
func TestDutiesAreApart(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]Permission{{PolicyDraft, PolicyPublish}, {AdjustmentPropose, AdjustmentApprove}, {TaxDraft, TaxPublish}, {PayeeSet, PayeeConfirm}, {GradeSet, GradeConfirm}, {BondPropose, BondConfirm}} {
		for _, r := range Roles() {
			if Allowed([]Role{r}, pair[0]) && Allowed([]Role{r}, pair[1]) {
				t.Errorf("%s may both %s and %s", r, pair[0], pair[1])
			}
		}
	}
	for _, p := range Admin.Permissions() {
		if !slices.Contains([]Permission{OperatorRead, OperatorManage, AuditRead}, p) {
			t.Errorf("admin may %s", p)
		}
	}
	for _, r := range Roles() {
		if r != Admin && Allowed([]Role{r}, OperatorManage) {
			t.Errorf("%s keeps accounts", r)
		}
	}
	if Allowed(nil, EntryRead) || Allowed([]Role{"owner"}, EntryRead) {
		t.Error("a role that is none may read")
	}
}
