package order

import "guanxi/internal/fault"

// The refusals of this domain. Match them with errors.Is.
var (
	ErrNotFound = fault.Define("ORD_NOT_FOUND", fault.NotFound,
		"没有找到这个订单", "there is no such order")
	ErrBadInput = fault.Define("ORD_BAD_INPUT", fault.Invalid,
		"订单信息有误，请检查后重试", "some of the input is not valid")
	ErrBadLines = fault.Define("ORD_BAD_LINES", fault.Invalid,
		"商品或数量不正确", "the lines of the order are not valid")
	ErrBadAmount = fault.Define("ORD_BAD_AMOUNT", fault.Invalid,
		"订单金额超出允许范围", "the amount of the order is outside the allowed range")
	ErrUnknownPickup = fault.Define("ORD_UNKNOWN_PICKUP", fault.Invalid,
		"自提点不存在", "there is no such pickup point")
	ErrKeyReused = fault.Define("ORD_KEY_REUSED", fault.Conflict,
		"同一个请求编号对应了不同的内容", "this idempotency key was used with other content")
	ErrUnpaidLimit = fault.Define("ORD_UNPAID_LIMIT", fault.Exhausted,
		"未付款的订单或商品过多，请先付款或取消", "too much is unpaid; pay for it or cancel it first")
	ErrExpired = fault.Define("ORD_EXPIRED", fault.Conflict,
		"订单已过支付时限，请重新下单", "the time to pay this order is over")
	ErrAlreadyPaid = fault.Define("ORD_ALREADY_PAID", fault.Conflict,
		"订单已经支付", "this order is already paid")
	ErrNotPayable = fault.Define("ORD_NOT_PAYABLE", fault.Conflict,
		"订单已不能支付", "this order can no longer be paid")
	ErrNotPaid = fault.Define("ORD_NOT_PAID", fault.Conflict,
		"订单尚未支付", "this order has not been paid")
	ErrWrongState = fault.Define("ORD_WRONG_STATE", fault.Conflict,
		"订单当前状态不能进行此操作", "the state of the order does not allow this")
	ErrAlreadyShipped = fault.Define("ORD_ALREADY_SHIPPED", fault.Conflict,
		"订单已用其他方式发货", "this order was already shipped in another way")
	ErrPaymentMismatch = fault.Define("ORD_PAYMENT_MISMATCH", fault.Conflict,
		"支付信息与订单不符，已记录", "the payment does not match the order; this was recorded")
	ErrRefundMismatch = fault.Define("ORD_REFUND_MISMATCH", fault.Conflict,
		"退款信息与订单不符，已记录", "the refund does not match the order; this was recorded")
	ErrRefundNotFound = fault.Define("ORD_REFUND_NOT_FOUND", fault.NotFound,
		"没有找到这笔退款", "there is no such refund")
	ErrRefundLines = fault.Define("ORD_REFUND_LINES", fault.Invalid,
		"退款商品或数量不正确", "the lines of the refund are not valid")
	ErrRefundTooMuch = fault.Define("ORD_REFUND_TOO_MUCH", fault.Conflict,
		"可退数量不足", "fewer units are left to refund")
	ErrRefundLimit = fault.Define("ORD_REFUND_LIMIT", fault.Conflict,
		"这个订单的退款次数已达上限", "this order cannot have more refunds")
	ErrAfterSaleOver = fault.Define("ORD_AFTER_SALE_OVER", fault.Conflict,
		"已超过售后期限", "the after-sale window is over")
	ErrOwnOrder = fault.Define("ORD_OWN_ORDER", fault.Denied,
		"自己的订单由品牌处理", "your own order is decided by the brand")
	ErrBrandDecides = fault.Define("ORD_BRAND_DECIDES", fault.Conflict,
		"这笔退款由品牌处理，请等待答复", "the brand decides about this refund")
	ErrSameOperator = fault.Define("ORD_SAME_OPERATOR", fault.Conflict,
		"金额较大，须由另一位同事同意", "another operator must agree")
	ErrNoPickup = fault.Define("ORD_NO_PICKUP", fault.Conflict,
		"这个订单没有选自提点", "this order has no pickup point")
	ErrCodeWrong = fault.Define("ORD_CODE_WRONG", fault.Invalid,
		"提货码不正确", "the collection code is wrong")
	ErrCodeLocked = fault.Define("ORD_CODE_LOCKED", fault.Exhausted,
		"提货码错误次数过多，请稍后再试", "too many wrong codes; try again later")
	ErrHostPaused = fault.Define("ORD_HOST_PAUSED", fault.Conflict,
		"这位团长暂时不能接单", "this host takes no orders at the moment")

	// ErrPaymentsAway is wrapped by the payment adapter when the platform is away or the outcome is unknown:
	// ask again with the same number.
	ErrPaymentsAway = fault.Define("ORD_PAYMENTS_AWAY", fault.Unavailable,
		"支付平台暂时没有响应，请稍后再试", "the payment platform does not answer; try again later")
	// ErrPaymentRefused is wrapped by the payment adapter when the platform's no is final.
	ErrPaymentRefused = fault.Define("ORD_PAYMENT_REFUSED", fault.Conflict,
		"支付平台拒绝了这次请求", "the payment platform refused the request")
)

// Faults lists every refusal of this domain for the error catalogue.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrNotFound, ErrBadInput, ErrBadLines, ErrBadAmount, ErrUnknownPickup, ErrKeyReused, ErrUnpaidLimit, ErrExpired,
		ErrAlreadyPaid, ErrNotPayable, ErrNotPaid, ErrWrongState, ErrAlreadyShipped, ErrPaymentMismatch,
		ErrRefundMismatch, ErrRefundNotFound, ErrRefundLines, ErrRefundTooMuch, ErrRefundLimit,
		ErrAfterSaleOver, ErrHostPaused, ErrOwnOrder, ErrBrandDecides, ErrSameOperator, ErrNoPickup,
		ErrCodeWrong, ErrCodeLocked, ErrPaymentsAway, ErrPaymentRefused,
	}
}
