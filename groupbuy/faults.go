package groupbuy

import "guanxi/internal/fault"

// What this domain refuses, and in which words.
var (
	ErrNotFound     = fault.Define("GRP_NOT_FOUND", fault.NotFound, "没有这个接龙", "there is no such group buy")
	ErrNotHost      = fault.Define("GRP_NOT_HOST", fault.Denied, "只有团长本人可以操作", "only its host may do this")
	ErrInvalid      = fault.Define("GRP_INVALID", fault.Invalid, "接龙内容有误", "the group buy is not filled in correctly")
	ErrPageInvalid  = fault.Define("GRP_PAGE_INVALID", fault.Invalid, "翻页参数有误", "the page asked for does not exist")
	ErrKeyReused    = fault.Define("GRP_KEY_REUSED", fault.Conflict, "同一个编号已用于别的内容", "the same key was used with another content")
	ErrState        = fault.Define("GRP_STATE", fault.Conflict, "接龙当前状态不允许此操作", "the group buy is not in a state that allows this")
	ErrGoods        = fault.Define("GRP_GOODS", fault.Invalid, "有商品不存在或已下架", "a product does not exist or is not on sale")
	ErrPriceFloor   = fault.Define("GRP_PRICE_FLOOR", fault.Invalid, "有商品定价低于品牌底价", "a price is below the lowest the brand allows")
	ErrNotOpen      = fault.Define("GRP_NOT_OPEN", fault.Conflict, "接龙尚未开始", "the group buy has not started yet")
	ErrEnded        = fault.Define("GRP_ENDED", fault.Conflict, "接龙已结束", "the group buy is over")
	ErrNotOffered   = fault.Define("GRP_NOT_OFFERED", fault.Invalid, "接龙中没有该商品", "the group buy does not offer this product")
	ErrWishInvalid  = fault.Define("GRP_WISH_INVALID", fault.Invalid, "购买内容有误", "the order is not filled in correctly")
	ErrPerPerson    = fault.Define("GRP_LIMIT_PERSON", fault.Conflict, "超出每人限购数量", "more than one person may buy")
	ErrTotal        = fault.Define("GRP_LIMIT_TOTAL", fault.Conflict, "该商品已达本次接龙限量", "the group buy's limit of this product is reached")
	ErrTooMany      = fault.Define("GRP_TOO_MANY", fault.Exhausted, "您在本接龙的订单过多", "you have too many orders in this group buy")
	ErrBusy         = fault.Define("GRP_BUSY", fault.Unavailable, "参与的人太多，请稍后再试", "too many people are joining right now, try again")
	ErrSeatNotFound = fault.Define("GRP_SEAT_NOT_FOUND", fault.NotFound, "没有这个接龙号", "there is no such seat")
)

// Faults lists every refusal of this domain.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrNotFound, ErrNotHost, ErrInvalid, ErrPageInvalid, ErrKeyReused, ErrState, ErrGoods, ErrPriceFloor, ErrNotOpen,
		ErrEnded, ErrNotOffered, ErrWishInvalid, ErrPerPerson, ErrTotal, ErrTooMany, ErrBusy, ErrSeatNotFound,
	}
}
