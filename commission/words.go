package commission

import (
	"strconv"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// roleWords names what a role earns.
var roleWords = map[Role]string{
	Direct: "推荐佣金", Upline: "二级推荐佣金", Host: "团长佣金", Pickup: "自提点佣金",
	HelpSell: "帮卖佣金", StaffRole: "员工激励",
}

// whyWords says why the sale is credited as it is; everybody who is paid for it reads the same.
var whyWords = map[string]string{
	"first-touch":   "买家首次打开的分享决定归属",
	"last-touch":    "买家下单前最后打开的分享决定归属",
	"permanent":     "买家与推荐人是长期绑定关系",
	"staff":         "由品牌员工指定归属",
	"campaign-host": "买家没有其他推荐人，归开团的团长",
	book.WhySelf:    "推荐人自己购买",
	"none":          "没有可归属的推荐人",
}

// ruleWords names the kinds of rules, for people.
var ruleWords = map[string]string{
	"sku": "按规格", "product": "按商品", "campaign": "按活动", "category": "按品类",
	"community": "按社群", "grade": "按团长等级", policy.Default: "通用规则",
}

func words(l *Line) string {
	roles := make([]string, 0, len(l.Roles))
	for _, r := range l.Roles {
		roles = append(roles, roleWords[r])
	}
	if l.Number != "" {
		return numberedWords(l)
	}
	what := strings.Join(roles, "、")
	if what == "" {
		what = "佣金"
	}
	switch l.Kind {
	case Accrue:
		return "订单 " + l.Order + " 成交，" + what + " " + l.Change.Pending.Yuan() + " 元入账，收货并过售后期后可提现"
	case Settle:
		return "订单 " + l.Order + " 售后期已满，" + what + " " + l.Change.Available.Yuan() + " 元转为可提现"
	case ClawBack:
		return "订单 " + l.Order + " 退款，按退款比例扣回" + what + " " + (-sumOf(l.Change)).Yuan() + " 元" + takenFrom(l.Change)
	}
	return "订单 " + l.Order + " " + what
}

// numberedWords words what belongs to no sale.
func numberedWords(l *Line) string {
	switch l.Kind {
	case Withdraw:
		return "申请提现 " + l.Change.Withdrawing.Yuan() + " 元，转入提现中（提现单 " + l.Number + "）"
	case Confirm:
		return "提现 " + l.Change.Withdrawn.Yuan() + " 元已到账（提现单 " + l.Number + "）"
	case Fail:
		return "提现未成功，" + l.Change.Available.Yuan() + " 元退回可提现（提现单 " + l.Number + "）"
	case TaxWithheld:
		return "提现代扣个人所得税 " + (-l.Change.Withdrawing).Yuan() + " 元（提现单 " + l.Number + "）"
	case Return:
		return "已到账的提现被退回，" + l.Change.Available.Yuan() + " 元恢复可提现（提现单 " + l.Number + "）"
	case Adjust:
		return "人工更正，可提现 " + signed(l.Change.Available) + " 元，经两人复核（凭证 " + l.Number + "）"
	case Incentive:
		return "员工激励 " + l.Change.Available.Yuan() + " 元（凭证 " + l.Number + "）"
	}
	return "账务变动 " + signed(sumOf(l.Change)) + " 元（" + l.Number + "）"
}

func takenFrom(c Balance) string {
	if c.Available != 0 {
		return "（货款结算后退款，从可提现余额扣回；余额不足时由以后的收入先补足）"
	}
	return "（从待结算中扣回）"
}

func sumOf(b Balance) money.Fen { return b.Pending + b.Available + b.Withdrawing + b.Withdrawn }

func percent(bp money.BasisPoints) string {
	text := strconv.FormatInt(int64(bp)/100, 10)
	if rest := int64(bp) % 100; rest != 0 {
		text += "." + strings.TrimRight(string([]byte{byte('0' + rest/10), byte('0' + rest%10)}), "0")
	}
	return text + "%"
}

func moment(t time.Time) string { return t.In(clock.Shanghai()).Format("2006-01-02 15:04") }

func ruleText(name string) string {
	kind, value, _ := strings.Cut(name, ":")
	if value == "" {
		return ruleWords[kind]
	}
	return ruleWords[kind] + "（" + value + "）"
}
