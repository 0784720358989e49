package task

import (
	"slices"
	"time"

	"guanxi/staff"
)

// Rule says who must look at a kind of task, within which time, and in which words it is shown.
type Rule struct {
	Kind   string
	Role   staff.Role
	Within time.Duration
	ZH, EN string
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// rules is the whole table: a kind that is not in it cannot be reported. The first word of a kind is its subject's.
var rules = [...]Rule{
	{"order/payment-mismatch", staff.Operations, 2 * hour, "支付通知与订单不符", "a payment does not fit its order"},
	{"order/paid-after-close", staff.Operations, day, "订单关闭后才付款，款项应自动退回", "paid after the order was closed; the money should go back by itself"},
	{"order/double-payment", staff.Operations, 4 * hour, "同一订单被支付两次，多付的一笔须退回", "an order was paid twice; the second payment must go back"},
	{"order/refunded-elsewhere", staff.Operations, 4 * hour, "有一笔退款不是本系统发起的", "a refund was made outside of this program"},
	{"order/refund-mismatch", staff.Operations, 4 * hour, "退款结果与我方记录不符", "a refund's outcome does not fit our record"},
	{"order/refund-abnormal", staff.Operations, 4 * hour, "退款异常，须到商户平台处理", "a refund could not be carried out; act at the merchant's desk"},
	{"order/refund-refused", staff.FinanceMaker, 4 * hour, "平台拒绝退款，多为余额不足", "the platform refuses a refund; mostly the balance is too low"},
	{"order/refund-stuck", staff.Operations, 2 * hour, "退款无法继续", "a refund cannot go on"},
	{"order/overdue", staff.Operations, day, "订单在同一状态停留过久", "an order stays too long in one state"},
	{"order/incident", staff.Operations, 4 * hour, "订单异常", "an order's incident"},

	{"withdrawal/wrong-amount", staff.FinanceMaker, 2 * hour, "转账金额与平台不符", "the platform names another amount of a transfer"},
	{"withdrawal/wrong-bill", staff.FinanceMaker, 2 * hour, "转账单号与平台不符", "the platform names another number of a transfer"},
	{"withdrawal/contradiction", staff.FinanceMaker, 2 * hour, "平台对转账结果前后说法不一", "the platform contradicts itself about a transfer"},
	{"withdrawal/never-sent", staff.FinanceMaker, 2 * hour, "平台有一笔我方从未发出的转账", "the platform has a transfer we never sent"},
	{"withdrawal/forgotten", staff.FinanceMaker, day, "平台已查不到这笔转账", "the platform does not remember a transfer"},
	{"withdrawal/ledger-refused", staff.FinanceMaker, 2 * hour, "账簿拒绝记这笔提现", "the ledger refuses a withdrawal's entry"},
	{"withdrawal/send-refused", staff.FinanceMaker, 2 * hour, "平台一再拒绝发起转账", "the platform refuses again and again to begin a transfer"},
	{"withdrawal/overdue", staff.FinanceMaker, day, "提现在同一状态停留过久", "a withdrawal stays too long in one state"},
	{"withdrawal/incident", staff.FinanceMaker, 2 * hour, "提现异常", "a withdrawal's incident"},

	{"sharing/trouble", staff.FinanceMaker, day, "分账异常", "a sharing's trouble"},
	{"sharing/overdue", staff.FinanceMaker, day, "分账在同一状态停留过久", "a sharing stays too long in one state"},

	{"bill/differing", staff.FinanceMaker, 2 * day, "当日对账有差异", "a day's bill differs from our books"},
	{"bill/unreadable", staff.FinanceMaker, day, "当日账单无法读取", "a day's bill cannot be read"},
	{"bill/overdue", staff.FinanceMaker, day, "当日账单迟迟不能核对", "a day's bill is not matched for too long"},
	{"bill/lost", staff.FinanceMaker, 2 * day, "账单已超过平台保留期，未能取得", "the platform no longer has a day's bill"},

	{"event/parked", staff.Operations, 2 * hour, "有事件多次处理失败，已搁置", "events failed too often and are parked"},
}

// Kinds lists every kind with its rule.
func Kinds() []Rule { return slices.Clone(rules[:]) }

// KindOf finds the rule of a kind.
func KindOf(kind string) (Rule, bool) {
	at := slices.IndexFunc(rules[:], func(r Rule) bool { return r.Kind == kind })
	if at < 0 {
		return Rule{}, false
	}
	return rules[at], true
}
