package sandbox

import "net/http"

// describe is a sharing on the wire.
func (sh *share) describe() map[string]any {
	state := "PROCESSING"
	if sh.finished {
		state = "FINISHED"
	}
	receivers := []map[string]any{}
	for _, p := range sh.parts {
		one := map[string]any{
			"type": p.Kind, "account": p.Account, "amount": p.Amount, "description": p.Note, "result": p.Result,
			"detail_id": p.ID, "create_time": rfc3339(sh.createdAt),
		}
		if p.Reason != "" {
			one["fail_reason"] = p.Reason
		}
		if !p.DoneAt.IsZero() {
			one["finish_time"] = rfc3339(p.DoneAt)
		}
		receivers = append(receivers, one)
	}
	sh.order.mu.Lock()
	defer sh.order.mu.Unlock()
	return map[string]any{
		"transaction_id": sh.order.transactionID, "out_order_no": sh.number, "order_id": sh.id, "state": state,
		"receivers": receivers,
	}
}

func (s *Sandbox) queryShare(number string) payCall {
	return func(r *http.Request, _ []byte) (any, *payError) {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		sh := s.sharing.byNumber[number]
		if sh == nil || s.orders.byTransaction(r.URL.Query().Get("transaction_id")) != sh.order {
			return nil, errNoShare()
		}
		return sh.describe(), nil
	}
}

func errNoShare() *payError {
	return &payError{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "记录不存在"}
}

// unsplit is GET /v3/profitsharing/transactions/{id}/amounts.
func (s *Sandbox) unsplit(id string) payCall {
	return func(*http.Request, []byte) (any, *payError) {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		order := s.orders.byTransaction(id)
		if order == nil {
			return nil, errNoShare()
		}
		return map[string]any{"transaction_id": id, "unsplit_amount": s.restOf(order)}, nil
	}
}
