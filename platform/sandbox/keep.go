package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// keptOrder is one order in a stream of Save. Its fields are the sandbox's own business.
type keptOrder struct {
	Seq           uint64       `json:"seq"`
	Terms         terms        `json:"terms"`
	State         string       `json:"state"`
	PrepayID      string       `json:"prepay_id"`
	PrepayAt      time.Time    `json:"prepay_at"`
	CreatedAt     time.Time    `json:"created_at"`
	TransactionID string       `json:"transaction_id,omitempty"`
	PaidAt        time.Time    `json:"paid_at,omitzero"`
	Coupon        int64        `json:"coupon,omitempty"`
	Prefunded     bool         `json:"prefunded,omitempty"`
	Fee           int64        `json:"fee,omitempty"`
	Refunds       []keptRefund `json:"refunds,omitempty"`
	Shipping      *keptParcels `json:"shipping,omitempty"`
}

type keptRefund struct {
	Number    string      `json:"number"`
	ID        string      `json:"id"`
	Terms     refundTerms `json:"terms"`
	Status    string      `json:"status"`
	CreatedAt time.Time   `json:"created_at"`
	DoneAt    time.Time   `json:"done_at,omitzero"`
}

type keptParcels struct {
	Logistics  int       `json:"logistics"`
	Mode       int       `json:"mode"`
	Parcels    []parcel  `json:"parcels"`
	All        bool      `json:"all"`
	Reshipped  bool      `json:"reshipped"`
	UploadedAt time.Time `json:"uploaded_at"`
	Finished   int       `json:"finished"`
}

// keptLine is one line of a stream of Save.
type keptLine struct {
	keptOrder
	Account  *keptAccount  `json:"account,omitempty"`
	Transfer *keptTransfer `json:"transfer,omitempty"`
	Share    *keptShare    `json:"share,omitempty"`
}

// Save writes every kept order, transfer and sharing, and the merchant's account, one JSON object per line, so that a sandbox that is started again with the same keys
// still knows what was paid. A refund that is still processing is written as such. Codes, tokens and what is on its
// way to the merchant are not kept: the merchant's query heals those.
func (s *Sandbox) Save(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	var failed error
	money := s.keptMoney()
	s.orders.each(func(o *payOrder) {
		if failed == nil {
			failed = encoder.Encode(o.kept())
		}
	})
	if failed == nil {
		failed = money.save(encoder)
	}
	if failed == nil {
		failed = buffered.Flush()
	}
	if failed != nil {
		return fmt.Errorf("sandbox: save: %w", failed)
	}
	return nil
}

func (o *payOrder) kept() keptOrder {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := keptOrder{
		Seq: o.seq, Terms: o.terms, State: o.state, PrepayID: o.prepayID, PrepayAt: o.prepayAt, CreatedAt: o.createdAt,
		TransactionID: o.transactionID, PaidAt: o.paidAt, Coupon: o.coupon, Prefunded: o.prefunded, Fee: o.fee,
	}
	for _, r := range o.refunds {
		k.Refunds = append(k.Refunds, keptRefund{r.number, r.id, r.terms, r.status, r.createdAt, r.doneAt})
	}
	if sh := o.shipping; sh != nil {
		k.Shipping = &keptParcels{sh.logistics, sh.mode, sh.parcels, sh.all, sh.reshipped, sh.uploadedAt, sh.finished}
	}
	return k
}

// Load reads what Save wrote into a sandbox that has not served yet. Refunds that were processing become final now,
// and are notified.
func (s *Sandbox) Load(r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var k keptLine
		if err := decoder.Decode(&k); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("sandbox: load: %w", err)
		}
		switch {
		case k.Transfer != nil:
			s.restoreTransfer(k.Transfer)
		case k.Account != nil:
			s.restoreAccount(k.Account)
		case k.Share != nil:
			if err := s.restoreShare(k.Share); err != nil {
				return err
			}
		case k.Seq == 0 || k.Terms.Number == "":
			return errors.New("sandbox: load: a line is not an order, a transfer, a sharing or the account")
		default:
			s.restore(k.keptOrder)
		}
	}
}

func (s *Sandbox) restore(k keptOrder) {
	for { // the next new order comes after the newest kept one
		next := s.orders.next.Load()
		if k.Seq <= next || s.orders.next.CompareAndSwap(next, k.Seq) {
			break
		}
	}
	o := &payOrder{
		seq: k.Seq, number: k.Terms.Number, terms: k.Terms, state: k.State, prepayID: k.PrepayID, prepayAt: k.PrepayAt,
		createdAt: k.CreatedAt, transactionID: k.TransactionID, paidAt: k.PaidAt,
		coupon: k.Coupon, prefunded: k.Prefunded, fee: k.Fee,
	}
	if sh := k.Shipping; sh != nil {
		o.shipping = &shipping{sh.Logistics, sh.Mode, sh.Parcels, sh.All, sh.Reshipped, sh.UploadedAt, sh.Finished}
		s.orders.shipped.Add(1)
	}
	s.orders.put(o)
	if !o.paidAt.IsZero() {
		s.orders.paidFen.Add(o.terms.Total)
	}
	o.mu.Lock() // a processing refund may become final while the next is read
	defer o.mu.Unlock()
	for _, kr := range k.Refunds {
		r := &refund{o, kr.Number, kr.ID, kr.Terms, kr.Status, kr.CreatedAt, kr.DoneAt}
		o.refunds = append(o.refunds, r)
		s.refunds.restore(r)
		switch r.status {
		case "SUCCESS":
			s.orders.refundedFen.Add(r.terms.Refund)
		case "PROCESSING":
			s.planRefund(r)
		}
	}
}

// put stores an order that has its sequence number already.
func (o *orders) put(order *payOrder) {
	shard := o.shard(order.number)
	shard.mu.Lock()
	shard.byNumber[order.number] = order
	shard.mu.Unlock()
	o.known.Add(1)
	if old := o.ring[order.seq%uint64(len(o.ring))].Swap(order); old != nil {
		o.forget(old)
		o.gone(old)
	}
}

func (x *refundIndex) restore(r *refund) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(r.id) >= refundDigits {
		if n, err := strconv.ParseUint(r.id[len(r.id)-refundDigits:], 10, 64); err == nil {
			x.next = max(x.next, n)
		}
	}
	x.byNumber[r.number] = r
}
