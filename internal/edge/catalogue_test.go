package edge_test

import (
	"strings"
	"testing"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/console"
	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/member"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
	"guanxi/staff"
	"guanxi/staff/task"
)

// Codes are stable and say their domain; two refusals never share one.
func TestTheCatalogueOfFaultsIsClean(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for prefix, list := range map[string][]*fault.Fault{
		"API_": miniprogramapi.Faults(), "MEM_": member.Faults(), "COMM_": community.Faults(), "CAT_": catalog.Faults(), "GRP_": groupbuy.Faults(),
		"ORD_": order.Faults(), "DIST_": distribution.Faults(), "COM_": commission.Faults(),
		"WDR_": withdrawal.Faults(), "TAX_": tax.Faults(), "REC_": reconcile.Faults(), "STF_": staff.Faults(), "OUT_": outreach.Faults(), "CON_": console.Faults(), "TSK_": task.Faults(), "HST_": hosting.Faults(),
	} {
		for _, f := range list {
			if seen[f.Code] || !strings.HasPrefix(f.Code, prefix) || f.Code != strings.ToUpper(f.Code) {
				t.Errorf("%s: twice, or not beginning with %s", f.Code, prefix)
			}
			seen[f.Code] = true
			if f.ZH == "" || f.EN == "" || strings.ContainsAny(f.ZH+f.EN, "%{}") || !strings.ContainsFunc(f.ZH, func(r rune) bool { return r > 0x3000 }) {
				t.Errorf("%s: %q / %q", f.Code, f.ZH, f.EN)
			}
			if status := edge.StatusOf(f.Kind); status < 400 || status > 599 {
				t.Errorf("%s: status %d", f.Code, status)
			}
		}
	}
	if len(seen) < 80 {
		t.Errorf("only %d faults", len(seen))
	}
}
