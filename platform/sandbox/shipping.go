package sandbox

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// shipping is what the merchant has told about an order's delivery; the order's lock guards it.
type shipping struct {
	logistics, mode int
	parcels         []parcel
	all             bool // everything is on its way
	reshipped       bool // the single second chance is used
	uploadedAt      time.Time
	finished        int
}

type parcel struct {
	TrackingNo     string `json:"tracking_no"`
	ExpressCompany string `json:"express_company"`
	ItemDesc       string `json:"item_desc"`
	Contact        struct {
		Consignor string `json:"consignor_contact"`
		Receiver  string `json:"receiver_contact"`
	} `json:"contact"`
}

type orderKey struct {
	NumberType    int    `json:"order_number_type"`
	TransactionID string `json:"transaction_id"`
	MchID         string `json:"mchid"`
	Number        string `json:"out_trade_no"`
}

type shippingWire struct {
	OrderKey   orderKey `json:"order_key"`
	Logistics  int      `json:"logistics_type"`
	Mode       int      `json:"delivery_mode"`
	All        bool     `json:"is_all_delivered"`
	Parcels    []parcel `json:"shipping_list"`
	UploadTime string   `json:"upload_time"`
	Payer      struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
}

const maxParcels = 15

var (
	uploadTimePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?\+08:00$`)
	contactPattern    = regexp.MustCompile(`^[\d+\-]*\*+[\d*]*\d{4}$`)
)

func (s *Sandbox) serveUploadShipping(w http.ResponseWriter, body []byte) {
	var in shippingWire
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	at, err := time.Parse(time.RFC3339, in.UploadTime)
	if err != nil || !uploadTimePattern.MatchString(in.UploadTime) || !validShipping(&in) {
		wxError(w, 40097)
		return
	}
	wxError(w, s.upload(&in, at))
}

func validShipping(in *shippingWire) bool {
	if in.Logistics < 1 || in.Logistics > 4 || in.Mode < 1 || in.Mode > 2 {
		return false
	}
	express, split := in.Logistics == 1, in.Mode == 2
	if n := len(in.Parcels); n < 1 || n > maxParcels || n > 1 && !split || split && !express {
		return false
	}
	for _, p := range in.Parcels {
		if !filled(p.ItemDesc, 120) {
			return false
		}
		if express && (p.TrackingNo == "" || len(p.TrackingNo) > 128 || p.ExpressCompany == "") {
			return false
		}
		contact := p.Contact.Consignor + p.Contact.Receiver
		if p.ExpressCompany == "SF" && !contactPattern.MatchString(contact) {
			return false
		}
	}
	return true
}

func (s *Sandbox) findForShipping(key orderKey) *payOrder {
	switch key.NumberType {
	case 1:
		if key.MchID == s.cfg.MchID {
			return s.orders.get(key.Number)
		}
	case 2:
		return s.orders.byTransaction(key.TransactionID)
	}
	return nil
}

func (s *Sandbox) upload(in *shippingWire, at time.Time) int {
	order := s.findForShipping(in.OrderKey)
	if order == nil {
		return 10060001
	}
	order.mu.Lock()
	defer order.mu.Unlock()
	now := s.now.Now()
	if order.paidAt.IsZero() || now.Sub(order.paidAt) < s.cfg.ShippingDelay {
		return 10060001
	}
	if in.Payer.OpenID != order.terms.OpenID {
		return 40003
	}
	if order.fullyRefunded() {
		return 10060004
	}
	before := order.shipping
	if before == nil {
		order.shipping = &shipping{}
		before = order.shipping
		s.orders.shipped.Add(1)
	} else if !at.After(before.uploadedAt) {
		return 40097
	}
	if before.all {
		if before.reshipped {
			return 10060003
		}
		before.reshipped, before.parcels = true, nil
	}
	if len(before.parcels)+len(in.Parcels) > maxParcels {
		return 40097
	}
	before.parcels = append(before.parcels, in.Parcels...)
	before.logistics, before.mode, before.uploadedAt = in.Logistics, in.Mode, at
	if before.all = in.Mode == 1 || in.All; before.all {
		before.finished++
	}
	return 0
}

func (o *payOrder) fullyRefunded() bool {
	given := int64(0)
	for _, r := range o.refunds {
		if r.status == "SUCCESS" {
			given += r.terms.Refund
		}
	}
	return given >= o.terms.Total
}

func (s *Sandbox) serveTradeManaged(w http.ResponseWriter, body []byte) {
	var in struct {
		AppID string `json:"appid"`
	}
	if json.Unmarshal(body, &in) != nil || in.AppID != s.cfg.AppID {
		wxError(w, 40013)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "is_trade_managed": true})
}

func (s *Sandbox) serveShippingOrder(w http.ResponseWriter, body []byte) {
	var in struct {
		TransactionID string `json:"transaction_id"`
		MerchantID    string `json:"merchant_id"`
		Number        string `json:"merchant_trade_no"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	key := orderKey{NumberType: 2, TransactionID: in.TransactionID}
	if in.TransactionID == "" {
		key = orderKey{NumberType: 1, MchID: in.MerchantID, Number: in.Number}
	}
	order := s.findForShipping(key)
	if order == nil {
		wxError(w, 10060001)
		return
	}
	order.mu.Lock()
	defer order.mu.Unlock()
	if order.paidAt.IsZero() || s.now.Now().Sub(order.paidAt) < s.cfg.ShippingDelay {
		wxError(w, 10060001)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"errcode": 0, "errmsg": "ok", "order": order.shippingView()})
}

// shippingView is the order in the words of shipping; o.mu is held.
func (o *payOrder) shippingView() map[string]any {
	view := map[string]any{
		"transaction_id": o.transactionID, "merchant_id": o.terms.MchID, "merchant_trade_no": o.number,
		"description": o.terms.Description, "paid_amount": o.terms.Total, "openid": o.terms.OpenID,
		"trade_create_time": o.createdAt.Unix(), "pay_time": o.paidAt.Unix(), "in_complaint": false, "order_state": 1,
	}
	sh := o.shipping
	if sh != nil {
		list := make([]map[string]any, 0, len(sh.parcels))
		for _, p := range sh.parcels {
			list = append(list, map[string]any{
				"tracking_no": p.TrackingNo, "express_company": p.ExpressCompany, "upload_time": sh.uploadedAt.Unix(),
				"goods_desc": strings.TrimSpace(p.ItemDesc),
			})
		}
		view["shipping"] = map[string]any{
			"delivery_mode": sh.mode, "logistics_type": sh.logistics, "finish_shipping": sh.all,
			"finish_shipping_count": sh.finished, "shipping_list": list,
		}
		if sh.all {
			view["order_state"] = 2
		}
	}
	if o.fullyRefunded() {
		view["order_state"] = 5
	}
	return view
}
