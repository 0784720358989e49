package catalog

import "guanxi/internal/fault"

// What this domain refuses, and in which words.
var (
	ErrProductNotFound = fault.Define("CAT_PRODUCT_NOT_FOUND", fault.NotFound, "没有这个商品", "there is no such product")
	ErrSKUNotFound     = fault.Define("CAT_SKU_NOT_FOUND", fault.NotFound, "没有这个规格", "there is no such variant of a product")
	ErrProductInvalid  = fault.Define("CAT_PRODUCT_INVALID", fault.Invalid, "商品信息有误", "the product is not filled in correctly")
	ErrStockInvalid    = fault.Define("CAT_STOCK_INVALID", fault.Invalid, "库存操作的内容有误", "the stock movement is not filled in correctly")
	ErrPageInvalid     = fault.Define("CAT_PAGE_INVALID", fault.Invalid, "翻页参数有误", "the page asked for does not exist")
	ErrKeyReused       = fault.Define("CAT_KEY_REUSED", fault.Conflict, "同一个编号已用于别的内容", "the same key was used with another content")
	ErrSoldOut         = fault.Define("CAT_SOLD_OUT", fault.Conflict, "库存不足，被别人抢先了", "not enough units are left")
	ErrBusy            = fault.Define("CAT_BUSY", fault.Unavailable, "下单的人太多，请稍后再试", "too many people are ordering this right now, try again")
	ErrHoldLate        = fault.Define("CAT_HOLD_LATE", fault.Conflict, "订单已超时，请重新下单", "the order has run out of time, place it again")
	// ErrOversoldRefused: a paid order whose hold had lapsed and for which no units are left; refund it whole.
	ErrOversoldRefused = fault.Define("CAT_OVERSOLD_REFUSED", fault.Conflict, "库存已被释放并售完，订单将全额退款",
		"the units were given back and sold, the order will be refunded")
)

// Faults lists every refusal of this domain.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrProductNotFound, ErrSKUNotFound, ErrProductInvalid, ErrStockInvalid, ErrPageInvalid, ErrKeyReused,
		ErrSoldOut, ErrBusy, ErrHoldLate, ErrOversoldRefused,
	}
}
