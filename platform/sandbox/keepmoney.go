package sandbox

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// keptAccount is what the merchant and the people have beside orders.
type keptAccount struct {
	ToppedUp  int64             `json:"topped_up"`
	TopUps    []topUp           `json:"top_ups,omitempty"`
	Movements []Movement        `json:"movements,omitempty"`
	Adjust    int64             `json:"adjust,omitempty"` // by fees, coupons and movements
	Spent     int64             `json:"spent"`
	Out       int64             `json:"out"`       // shared with others
	Transfers uint64            `json:"transfers"` // numbers given
	Shares    uint64            `json:"shares"`
	Names     map[string]string `json:"names,omitempty"`
	Receivers []*receiver       `json:"receivers,omitempty"`
}

type keptTransfer struct {
	Number    string        `json:"number"`
	ID        string        `json:"id"`
	Package   string        `json:"package,omitempty"`
	Terms     transferTerms `json:"terms"`
	State     string        `json:"state"`
	Reason    string        `json:"reason,omitempty"`
	Locked    bool          `json:"locked,omitempty"`
	Stuck     bool          `json:"stuck,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

type keptShare struct {
	Number    string       `json:"number"`
	ID        string       `json:"id"`
	Order     string       `json:"order"`
	Terms     string       `json:"terms"`
	Unfreeze  bool         `json:"unfreeze"`
	Finished  bool         `json:"finished"`
	Parts     []*sharePart `json:"parts"`
	Returns   []keptReturn `json:"returns,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
}

type keptReturn struct {
	Number    string    `json:"number"`
	ID        string    `json:"id"`
	Note      string    `json:"note"`
	MchID     string    `json:"mch_id"`
	Amount    int64     `json:"amount"`
	Result    string    `json:"result"`
	Reason    string    `json:"reason,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	DoneAt    time.Time `json:"done_at,omitzero"`
}

// keptMoney is taken before the orders are, so that every sharing's order is among them.
type keptMoney struct {
	account   *keptAccount
	shares    []*keptShare
	transfers []*keptTransfer
}

func (s *Sandbox) keptMoney() (k keptMoney) {
	k.account, k.shares = s.keptSharing()
	k.transfers = s.keptTransfers(k.account)
	s.ledger.mu.Lock()
	k.account.Movements, k.account.Adjust = slices.Clone(s.ledger.moves), s.ledger.adjust.Load()
	s.ledger.mu.Unlock()
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	k.account.Names = maps.Clone(s.names.byOpenID)
	return k
}

// save writes what comes after the orders: the account first, then sharings and transfers.
func (money keptMoney) save(encoder *json.Encoder) error {
	account, shares, transfers := money.account, money.shares, money.transfers
	if err := encoder.Encode(map[string]any{"account": account}); err != nil {
		return err
	}
	for _, k := range shares {
		if err := encoder.Encode(map[string]any{"share": k}); err != nil {
			return err
		}
	}
	for _, k := range transfers {
		if err := encoder.Encode(map[string]any{"transfer": k}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sandbox) keptTransfers(account *keptAccount) []*keptTransfer {
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	account.ToppedUp, account.Spent, account.Transfers = x.toppedUp, x.spent, x.next
	account.TopUps = slices.Clone(x.topUps)
	kept := make([]*keptTransfer, 0, len(x.all))
	for _, t := range x.all {
		kept = append(kept, &keptTransfer{
			t.number, t.id, t.pack, t.terms, t.state, t.reason, t.locked, t.stuck, t.createdAt, t.updatedAt,
		})
	}
	return kept
}

func (s *Sandbox) keptSharing() (*keptAccount, []*keptShare) {
	x := &s.sharing
	x.mu.Lock()
	defer x.mu.Unlock()
	account := &keptAccount{Out: x.outFen.Load(), Shares: x.next}
	for _, key := range slices.Sorted(maps.Keys(x.receivers)) {
		account.Receivers = append(account.Receivers, x.receivers[key])
	}
	byShare := map[*share]*keptShare{}
	var kept []*keptShare
	for _, sh := range x.byID {
		k := &keptShare{
			Number: sh.number, ID: sh.id, Order: sh.order.number, Terms: sh.terms, Unfreeze: sh.unfreeze,
			Finished: sh.finished, CreatedAt: sh.createdAt,
		}
		for _, p := range sh.parts {
			part := *p
			k.Parts = append(k.Parts, &part)
		}
		byShare[sh] = k
		kept = append(kept, k)
	}
	for _, b := range x.returns {
		k := byShare[b.share]
		k.Returns = append(k.Returns, keptReturn{b.number, b.id, b.note, b.mchID, b.amount, b.result, b.reason, b.createdAt, b.doneAt})
	}
	slices.SortFunc(kept, func(a, b *keptShare) int { return strings.Compare(a.ID, b.ID) })
	return account, kept
}

func (s *Sandbox) restoreAccount(k *keptAccount) {
	s.transfers.mu.Lock()
	s.transfers.toppedUp, s.transfers.spent, s.transfers.next = k.ToppedUp, k.Spent, k.Transfers
	s.transfers.topUps = k.TopUps
	s.transfers.mu.Unlock()
	s.ledger.mu.Lock()
	s.ledger.moves = k.Movements
	s.ledger.adjust.Add(k.Adjust)
	s.ledger.mu.Unlock()
	for openID, name := range k.Names {
		s.setNameOf(openID, name)
	}
	s.sharing.mu.Lock()
	defer s.sharing.mu.Unlock()
	s.sharing.next = k.Shares
	s.sharing.outFen.Store(k.Out)
	for _, r := range k.Receivers {
		s.sharing.receivers[r.Kind+"\n"+r.Account] = r
	}
}

// restoreTransfer takes up what was on its way: it moves on as if its time had passed.
func (s *Sandbox) restoreTransfer(k *keptTransfer) {
	x := &s.transfers
	x.mu.Lock()
	defer x.mu.Unlock()
	t := &transfer{
		k.Number, k.ID, k.Package, k.Terms, k.State, k.Reason, k.Locked, k.Stuck, k.CreatedAt, k.UpdatedAt,
	}
	x.put(t)
	if t.locked {
		x.locked += t.terms.Amount
	}
	switch {
	case t.state == transferAccepted:
		s.acceptTransfer(t)
	case t.state == transferProcessing:
		x.waiting = append(x.waiting, t)
	case t.state == transferMoving && !t.stuck:
		s.planTransfer(t)
	case t.state == transferCanceling:
		s.planCancel(t)
	}
}

// restoreShare takes up a sharing, and finishes what was on its way.
func (s *Sandbox) restoreShare(k *keptShare) error {
	order := s.orders.get(k.Order)
	if order == nil { // forgotten since, as the oldest orders are
		return nil
	}
	s.sharing.mu.Lock()
	defer s.sharing.mu.Unlock()
	sh := &share{
		number: k.Number, id: k.ID, order: order, terms: k.Terms, unfreeze: k.Unfreeze, finished: k.Finished,
		parts: k.Parts, createdAt: k.CreatedAt,
	}
	s.sharing.put(sh)
	if !sh.finished {
		s.planShare(sh)
	}
	for _, r := range k.Returns {
		back := &shareReturn{
			number: r.Number, id: r.ID, note: r.Note, mchID: r.MchID, share: sh, part: sh.merchantPart(r.MchID),
			amount: r.Amount, result: r.Result, reason: r.Reason, createdAt: r.CreatedAt, doneAt: r.DoneAt,
		}
		if back.part == nil {
			return errors.New("sandbox: load: a return without its sharing")
		}
		s.sharing.returns[back.number] = back
		if back.result == "PROCESSING" {
			s.planReturn(back)
		}
	}
	return nil
}
