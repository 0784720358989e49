package commission

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"guanxi/commission/policy"
	"guanxi/internal/fault"
	"guanxi/internal/goldentest"
	"guanxi/internal/money"
)

// subjectWords says what each kind of rule names, in the order of precedence.
func subjectWords() map[string][2]string {
	return map[string][2]string{
		"sku":          {"one SKU", "某一规格"},
		"product":      {"one product, all its SKUs", "某一商品的全部规格"},
		"campaign":     {"one group buy", "某一次接龙或拼团"},
		"category":     {"a category of goods", "某一品类"},
		"community":    {"the community it was sold in", "成交所在的社群"},
		"grade":        {"the grade of the host when the order was placed", "下单时团长的等级"},
		policy.Default: {"everything else", "其余一切"},
	}
}

func roleDescriptions() [][4]string {
	return [][4]string{
		{string(Direct), roleWords[Direct], "who is credited for the buyer (first paid level)", "订单归属的推荐人（第一级）"},
		{string(Upline), roleWords[Upline], "who is credited for that person (second and last paid level); off by default, and only where the bond policy names one", "推荐人的推荐人（第二级，也是最后一级）；默认关闭，且须绑定规则也开启第二级"},
		{string(Host), roleWords[Host], "the host of the campaign", "开团的团长"},
		{string(HelpSell), roleWords[HelpSell], "the host who sold another host's campaign; **cannot be published yet**: no order names one", "帮卖的团长；订单尚不携带此角色，**暂不能发布**"},
		{string(Pickup), roleWords[Pickup], "the member who kept the chosen pickup point when the order was placed", "下单时所选自提点的负责人"},
		{string(StaffRole), roleWords[StaffRole], "the person of the brand's staff; an expense of its own; **cannot be published yet**: no order names one", "品牌员工，单独列支；订单尚不携带此角色，**暂不能发布**"},
	}
}

// example is one worked example: it is computed while the page is printed.
type example struct {
	title  string
	policy policy.Policy
	sale   Sale
	refund []money.Fen // of line 1, cumulative
}

func workedExamples() []example {
	of := func(cap money.BasisPoints, pays ...policy.Pay) policy.Policy {
		return policy.Policy{Cap: cap, Rules: []policy.Rule{{Pays: pays}}}
	}
	sold := func(paid ...money.Fen) Sale {
		s := Sale{Order: "o1", At: start, Host: "host", Pickup: "keeper", Referral: Referral{Direct: "referrer"}}
		for i, p := range paid {
			s.Lines = append(s.Lines, SaleLine{Line: i + 1, Units: 2, Paid: p})
		}
		return s
	}
	floor := of(3000, policy.Pay{Role: Direct, Rate: 800})
	floor.HasMarginFloor, floor.MarginFloor = true, 2500
	belowFloor := sold(10000)
	belowFloor.Lines[0].Cost = 3600
	return []example{
		{"A rate is rounded half up to the fen / 比例四舍五入到分", of(10_000, policy.Pay{Role: Direct, Rate: 833}), sold(990), nil},
		{"A fixed amount is per unit / 定额按件", of(10_000, policy.Pay{Role: Host, Fixed: 150}), sold(990), nil},
		{
			"The cap cuts everybody in proportion; the last fen goes to the largest remainder / 超过上限时等比例压缩，最后一分给余数最大者",
			of(1000, policy.Pay{Role: Direct, Rate: 800}, policy.Pay{Role: Host, Rate: 300}, policy.Pay{Role: Pickup, Rate: 300}), sold(10_000), nil,
		},
		{
			"Among equal remainders the role named first in the rule gets the fen / 余数相同，规则中写在前面的角色先得",
			of(1000, policy.Pay{Role: Direct, Rate: 500}, policy.Pay{Role: Host, Rate: 500}, policy.Pay{Role: Pickup, Rate: 500}), sold(100), nil,
		},
		{
			"Among equal remainders on two lines the earlier line gets the fen / 两行余数相同，行号小的先得",
			of(5000, policy.Pay{Role: Direct, Fixed: 5}), sold(15, 15), nil,
		},
		{"The margin floor bites before the cap / 毛利下限先于上限生效", floor, belowFloor, nil},
		{
			"Refunds take back in proportion, cumulatively, toward zero; the last one takes the rest / 退款按累计比例扣回，向零取整，退完时正好扣尽",
			of(10_000, policy.Pay{Role: Direct, Rate: 800}, policy.Pay{Role: Host, Rate: 100}), sold(997),
			[]money.Fen{332, 664, 997},
		},
	}
}

func (x *example) print(t *testing.T, out *strings.Builder) {
	t.Helper()
	must(t, x.policy.Check())
	must(t, x.sale.Check())
	fmt.Fprintf(out, "\n### %s\n\n```\n", x.title)
	for _, pay := range x.policy.Rules[0].Pays {
		if pay.Fixed > 0 {
			fmt.Fprintf(out, "rule   %-8s %s yuan per unit\n", pay.Role, pay.Fixed.Yuan())
		} else {
			fmt.Fprintf(out, "rule   %-8s %s\n", pay.Role, percent(pay.Rate))
		}
	}
	fmt.Fprintf(out, "cap    %s of what the buyer paid", percent(x.policy.Cap))
	if x.policy.HasMarginFloor {
		fmt.Fprintf(out, "; the brand keeps at least %s after the goods' cost", percent(x.policy.MarginFloor))
	}
	out.WriteString("\n")
	for _, l := range x.sale.Lines {
		fmt.Fprintf(out, "line %d paid %s yuan, %d units", l.Line, l.Paid.Yuan(), l.Units)
		if l.Cost > 0 {
			fmt.Fprintf(out, ", cost %s yuan each", l.Cost.Yuan())
		}
		out.WriteString("\n")
	}
	e := policy.Compute(&x.policy, x.sale)
	printPostings(out, "accrue", e)
	d := &Settlement{}
	for i, to := range x.refund {
		must(t, d.refund(Refund{Order: "o1", Number: "r" + strconv.Itoa(i+1), At: start, Lines: []RefundLine{{1, to, x.sale.Lines[0].Paid}}}, e))
		fmt.Fprintf(out, "refund so far %s of %s yuan\n", to.Yuan(), x.sale.Lines[0].Paid.Yuan())
		printPostings(out, "claw back", clawBackEntry(e, &d.Refunds[i]))
	}
	out.WriteString("```\n")
}

func printPostings(out *strings.Builder, what string, e *Entry) {
	for _, p := range e.Postings {
		fmt.Fprintf(out, "  %-9s %-26s %7s yuan", what, p.Account, p.Amount.Yuan())
		if p.Full != 0 {
			fmt.Fprintf(out, "  (%s before the cap)", p.Full.Yuan())
		}
		out.WriteString("\n")
	}
}

// TestThePolicyPageIsPrinted keeps docs/commission-policy.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestThePolicyPageIsPrinted(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	out.WriteString(`# Commission policies · 佣金规则

Printed from the code by a test (` + "`GUANXI_UPDATE=1 go test -run PolicyPage ./commission`" + `); the amounts below are computed while it is printed.

## Which rule counts · 适用哪一条规则

For every line of the sale the first kind below that has a rule for it decides, and it decides for the whole line: what that
rule does not pay is not paid. The order in which rules are written does not matter; two rules for the same thing are refused.

每一行商品按下表从上到下找到第一条适用的规则，整行只按这一条计算，该规则没有写的角色就不付。规则书写的先后不影响结果；同一对象写两条会被拒绝。

| | rule for · 规则对象 | meaning · 含义 |
|---|---|---|
`)
	words := subjectWords()
	for i, kind := range policy.Kinds() {
		if words[kind][0] == "" {
			t.Fatal("no words for", kind)
		}
		fmt.Fprintf(&out, "| %d | `%s` %s | %s · %s |\n", i+1, kind, ruleWords[kind], words[kind][0], words[kind][1])
	}
	out.WriteString(`
Community and grade are those of the moment the order was placed: what changes later changes no sale.
社群与等级以下单时为准，之后的变化不影响已成交的订单。

## Who can be paid · 付给谁

| role · 角色 | | who · 是谁 |
|---|---|---|
`)
	for _, r := range roleDescriptions() {
		fmt.Fprintf(&out, "| `%s` | %s | %s · %s |\n", r[0], r[1], r[2], r[3])
	}
	out.WriteString(`
One role is paid once per line. One person may stand in several roles; each is a posting of its own. With
` + "`no_self_purchase`" + ` a buyer is paid in no role for an own purchase, and nobody as the upline of the buyer.
每行每个角色只付一次；同一人兼任多个角色时分别入账。打开“自购不计佣”后，买家在自己的订单里以任何角色（推荐人、团长、自提点负责人）都不计佣，其上级也不计。

## How much · 金额与取整

| step | rule | 规则 |
|---|---|---|
| base | what the buyer really paid for the line: after coupons, without shipping | 该行买家实付：扣除优惠、不含运费 |
| rate | base × rate, rounded half away from zero to the fen | 实付 × 比例，四舍五入到分 |
| fixed | units × amount; nothing on a line the buyer paid nothing for | 件数 × 定额；实付为零的行（赠品）不付 |
| cap | all of one sale together ≤ base of the sale × cap, rounded down | 整单合计不超过整单实付 × 上限，向下取整 |
| margin floor | all together ≤ base − cost − (base × floor, rounded up) | 整单合计不超过 实付 − 成本 −（实付 × 毛利下限，向上取整） |
| when a bound bites | it is divided in proportion by the largest remainder; equal remainders: the earlier line, then the role named earlier in the rule | 按最大余数法等比例分配；余数相同先给行号小的，再给规则中写在前面的角色 |
| refund | of each posting of the line: amount × refunded so far ÷ paid, rounded toward zero; what is new of it goes back, so the last piece ends at exactly zero | 该行每笔佣金 × 累计退款 ÷ 实付，向零取整，差额扣回；退完时正好扣尽 |
| settlement | receipt + window of the category, never before the order's own after-sale window ends; an open after-sale case holds its lines only | 收货起算品类结算期，且不早于该订单售后期结束；售后处理中的行单独暂缓 |
| payout | ` + "`rail`" + ` of the policy: empty = members withdraw; ` + "`profit-sharing`" + ` = out of the order's own payment once every line has settled, at most the ceiling; what cannot be paid like that stays to be withdrawn | 付款方式：不填由会员提现；` + "`profit-sharing`" + ` 在整单结算后从本单货款分账，不超过分账上限；不能分账的部分留在可提现 |

## When · 何时生效

A version takes effect at the earliest a minute after it is published, never before an older version, and at most
GUANXI_POLICY_HORIZON_DAYS (366) ahead. One that has not taken effect can be recalled by two people: one proposes, another
carries it out; it then stands in nobody's way. Checking a policy is exactly what publishing does before it writes.
新版最早在发布一分钟后生效，不早于前一版，也不能晚于设定的天数；尚未生效的版本可由两人撤回（一人提出、另一人复核）。
“检查”与“发布”用的是同一套规则。

## Worked examples · 算例
`)
	for _, x := range workedExamples() {
		x.print(t, &out)
	}
	out.WriteString(`
## What is refused, and why · 拒绝的规则

| code | 原因 | reason |
|---|---|---|
`)
	for _, f := range []*fault.Fault{
		policy.ErrPolicyDepth, policy.ErrPolicyRecruiting, policy.ErrPolicySecondLevel, policy.ErrPolicyRole, policy.ErrPolicyNobody, policy.ErrPolicyAmbiguous, policy.ErrPolicyInvalid,
		policy.ErrPolicyPast, policy.ErrPolicyFar, policy.ErrPolicyInForce, policy.ErrPolicyOwn, policy.ErrPolicyRaced,
	} {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", f.Code, f.ZH, f.EN)
	}
	goldentest.Golden(t, "../docs/commission-policy.md", out.String())
}
