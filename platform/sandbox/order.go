package sandbox

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const orderShards = 64

// payOrder is one out_trade_no. mu guards everything but the identity.
type payOrder struct {
	seq    uint64
	number string

	mu            sync.Mutex
	terms         terms
	state         string // NOTPAY SUCCESS REFUND CLOSED
	prepayID      string
	prepayAt      time.Time
	createdAt     time.Time
	transactionID string
	paidAt        time.Time
	coupon, fee   int64
	prefunded     bool // the coupon: it settles in full
	refunds       []*refund
	shipping      *shipping
}

// The trade states of the platform.
const (
	stateOpen   = "NOTPAY"
	statePaid   = "SUCCESS"
	stateRefund = "REFUND"
	stateClosed = "CLOSED"
)

// terms is what a prepay asked for; two prepays of one number must not differ in it.
type terms struct {
	AppID, MchID, Description, Number string
	Attach, GoodsTag, NotifyURL       string
	Detail, SceneInfo                 string
	OpenID                            string
	Total                             int64
	ExpiresAt                         int64 // unix seconds, 0 = none
	ProfitSharing                     bool
}

// orders keeps the newest orders: a ring by sequence number, so that prepay and transaction ids (which carry
// it) need no index of their own, and sharded maps by out_trade_no.
type orders struct {
	seed                                 maphash.Seed
	gone                                 func(*payOrder) // told when an order falls out of the ring
	next                                 atomic.Uint64
	ring                                 []atomic.Pointer[payOrder]
	shards                               [orderShards]orderShard
	known, paidFen, refundedFen, shipped atomic.Int64
}

type orderShard struct {
	mu       sync.Mutex
	byNumber map[string]*payOrder
}

func (o *orders) shard(number string) *orderShard {
	return &o.shards[maphash.String(o.seed, number)%orderShards]
}

func (o *orders) init(size int, gone func(*payOrder)) {
	o.seed, o.gone = maphash.MakeSeed(), gone
	o.ring = make([]atomic.Pointer[payOrder], size)
	for i := range o.shards {
		o.shards[i].byNumber = map[string]*payOrder{}
	}
}

func (o *orders) count() int64 { return o.known.Load() }

func (o *orders) get(number string) *payOrder {
	shard := o.shard(number)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.byNumber[number]
}

// getOrAdd returns the order of that number, made by fill when there is none. fresh tells which.
func (o *orders) getOrAdd(number string, fill func(*payOrder)) (order *payOrder, fresh bool) {
	shard := o.shard(number)
	shard.mu.Lock()
	if order = shard.byNumber[number]; order != nil {
		shard.mu.Unlock()
		return order, false
	}
	order = &payOrder{seq: o.next.Add(1), number: number}
	fill(order)
	shard.byNumber[number] = order
	shard.mu.Unlock()
	o.known.Add(1)
	if old := o.ring[order.seq%uint64(len(o.ring))].Swap(order); old != nil {
		o.forget(old)
		o.gone(old)
	}
	return order, true
}

func (o *orders) forget(old *payOrder) {
	shard := o.shard(old.number)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.byNumber[old.number] == old {
		delete(shard.byNumber, old.number)
		o.known.Add(-1)
	}
}

func (o *orders) bySeq(text string) *payOrder {
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil
	}
	if order := o.ring[seq%uint64(len(o.ring))].Load(); order != nil && order.seq == seq {
		return order
	}
	return nil
}

// each visits the kept orders, oldest first, without holding any lock.
func (o *orders) each(visit func(*payOrder)) {
	newest, size := o.next.Load(), uint64(len(o.ring))
	first := uint64(1)
	if newest > size {
		first = newest - size + 1
	}
	for seq := first; seq <= newest; seq++ {
		if order := o.ring[seq%size].Load(); order != nil && order.seq == seq {
			visit(order)
		}
	}
}

const seqDigits = 10

// newPrepayID is wx + yyyymmddhhmmss + sequence + random.
func newPrepayID(seq uint64, at time.Time) string {
	return fmt.Sprintf("wx%s%0*d%s", at.In(shanghai()).Format("20060102150405"), seqDigits, seq, randomHex(5))
}

func (o *orders) byPrepay(id string) *payOrder {
	if len(id) != 2+14+seqDigits+10 {
		return nil
	}
	return o.bySeq(id[16 : 16+seqDigits])
}

// newTransactionID has the 28 digits of the real ones.
func newTransactionID(seq uint64, at time.Time) string {
	return fmt.Sprintf("4200001109%s%0*d", at.In(shanghai()).Format("20060102"), seqDigits, seq)
}

func (o *orders) byTransaction(id string) *payOrder {
	if len(id) != 18+seqDigits {
		return nil
	}
	order := o.bySeq(id[18:])
	if order == nil {
		return nil
	}
	order.mu.Lock()
	defer order.mu.Unlock()
	if order.transactionID != id {
		return nil
	}
	return order
}
