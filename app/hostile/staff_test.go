package hostile_test

import (
	"net/http"
	"strings"
	"testing"
)

// One administrator wants to be a maker and two checkers.
func TestOneAdministratorGivesNoMoneyRole(t *testing.T) {
	t.Parallel()
	admin := operator(t, "admin")
	login := "evil" + word(6)
	got := admin.call("POST", "/console/api/operators", map[string]any{
		"login": login, "name": "自己人", "roles": []string{"finance-checker"}, "password": "correct horse battery 1",
	})
	if strings.Contains(string(got.body), "correct horse") {
		t.Errorf("the answer carries a password: %s", got.body)
	}
	again := &person{t: t, base: admin.base}
	entered := again.call("POST", "/console/api/login", map[string]any{"login": login, "password": "correct horse battery 1"})
	if entered.status == http.StatusOK {
		again.token = entered.text("token")
		for _, read := range []string{"/console/api/withdrawals", "/console/api/adjustments"} {
			if got := again.call("GET", read, nil); got.status == http.StatusOK {
				t.Errorf("an operator made by one administrator reads %s", read)
			}
		}
	}
}

// Staff wants to pay somebody who does not exist, an amount that does not exist.
func TestAVoucherHasABoundAndAPayee(t *testing.T) {
	t.Parallel()
	maker := operator(t, "maker")
	member := world(t).People[0].Member
	voucher := func(kind, from, to string, fen int64, why string) map[string]any {
		return map[string]any{"kind": kind, "from": from, "to": to, "amount_fen": fen, "reason": why}
	}
	nobody := "nobody" + word(20)
	for _, body := range []map[string]any{
		voucher("adjust", "brand:adjustment", "member:"+nobody+":available", 1000, "给不存在的人"),
		voucher("incentive", "brand:adjustment", "member:"+nobody+":available", 1000, "给不存在的人"),
		voucher("adjust", "brand:adjustment", "member:"+member+":available", 10_000_000_000, "一亿元"),
		voucher("adjust", "member:"+member+":available", "brand:adjustment", 10_000_000_000, "负一亿元"),
		voucher("adjust", "brand:adjustment", "member:"+member+":available", 0, "零"),
		voucher("adjust", "brand:adjustment", "member:"+member+":available", -5, "负数"),
	} {
		maker.refused(maker.call("POST", "/console/api/adjustments", body))
	}
}

// A rule dated far away must not bar the way of every later one.
func TestNoRuleIsDatedBeyondTheHorizon(t *testing.T) {
	t.Parallel()
	maker := operator(t, "maker")
	for _, when := range []string{"9999-01-01T00:00:00Z", "3000-01-01T00:00:00Z"} {
		got := maker.call("POST", "/console/api/policies/check", map[string]any{
			"from": when, "cap_bp": 1000, "rules": []any{map[string]any{"pays": []any{map[string]any{"role": "direct", "rate_bp": 100}}}},
		})
		if problems, _ := got.object()["problems"].([]any); got.status == http.StatusOK && len(problems) == 0 && got.object()["ok"] != false {
			t.Errorf("check finds nothing wrong with a rule from %s: %s", when, got.body)
		}
	}
}

// A member's token opens no door of the staff's, and the other way round.
func TestTheTwoEdgesDoNotTakeEachOthersTokens(t *testing.T) {
	t.Parallel()
	p, admin := guest(t), operator(t, "admin")
	p.refused(p.call("GET", "/console/api/me", nil), http.StatusUnauthorized, http.StatusTooManyRequests)
	admin.refused(admin.call("GET", "/v1/me", nil), http.StatusUnauthorized, http.StatusTooManyRequests)
}
