package sandbox

import (
	"context"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"guanxi/internal/clock"
)

// Sandbox is the three platforms in one process. It is safe for concurrent use.
type Sandbox struct {
	cfg         Config
	now         clock.Clock // business time
	real        clock.System
	platform    *rsa.PrivateKey
	merchant    *rsa.PublicKey
	platformPEM string
	aead        cipher.AEAD

	faults   faults
	mini     tokens
	corp     tokens
	people   people
	messages messages
	orders   orders
	refunds  refundIndex
	post     postOffice
	wecom    wecom
	bills    bills
	ledger   ledger

	transfers transfers
	names     names
	sharing   sharing

	signs, signNanos, requests atomic.Int64
}

// Stats are counters since New.
type Stats struct {
	Requests      int64 // answered requests
	Signatures    int64 // RSA signatures made
	SignNanos     int64 // time they took, when Config.Nanos is set
	Delivered     int64 // notifications the merchant took
	Undelivered   int64 // attempts the merchant refused or did not answer
	Lost          int64 // notifications given up, dropped by a fault or by a full queue
	Pending       int64 // notifications and refunds still on their way
	Orders        int64 // orders known
	FaultsStruck  int64 // faults that have struck
	PaidFen       int64 // money taken
	RefundedFen   int64 // money given back
	ShippedOrders int64
	Transfers     int64 // transfers known
	OpenTransfers int64 // of them not final
	SentFen       int64 // money transferred
	SharedFen     int64 // money shared with others, less what they gave back
}

// New builds a sandbox. It fails only on unusable keys.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Sandbox{cfg: cfg, now: cfg.Clock}
	if err := s.loadKeys(); err != nil {
		return nil, err
	}
	s.mini.init(cfg.Clock, cfg.MiniTokenSeconds)
	s.corp.init(cfg.Clock, cfg.WeComTokenSeconds)
	s.people.init(cfg.MaxCodes)
	s.messages.init()
	s.orders.init(cfg.MaxOrders, func(o *payOrder) {
		s.dropRefunds(o)
		s.sharing.drop(o)
	})
	s.refunds.init()
	s.post.init(cfg)
	s.wecom.init()
	s.bills.init()
	s.ledger.style = cfg.Bills
	s.transfers.init(cfg.MaxTransfers)
	s.names.init()
	s.sharing.init()
	return s, nil
}

// ServeHTTP routes by Host; /sandbox/ is the people's side and works on every Host.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.expireTransfers()
	if strings.HasPrefix(r.URL.Path, "/sandbox/") {
		s.serveHands(w, r)
		return
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch host {
	case "api.weixin.qq.com", "api2.weixin.qq.com":
		s.serveMini(w, r)
	case "api.mch.weixin.qq.com", "api2.mch.weixin.qq.com":
		s.servePay(w, r)
	case "qyapi.weixin.qq.com":
		s.serveWeCom(w, r)
	default:
		http.Error(w, "sandbox: no platform has this host", http.StatusMisdirectedRequest)
	}
}

// Handler is the sandbox itself.
func (s *Sandbox) Handler() http.Handler { return s }

// Stats reads the counters.
func (s *Sandbox) Stats() Stats {
	known, open, sent := s.transfers.count()
	return Stats{
		Transfers: known, OpenTransfers: open, SentFen: sent, SharedFen: s.sharing.outFen.Load(),
		Requests: s.requests.Load(), Signatures: s.signs.Load(), SignNanos: s.signNanos.Load(),
		Delivered: s.post.delivered.Load(), Undelivered: s.post.refused.Load(), Lost: s.post.lost.Load(),
		Pending: s.post.pendingNow(), Orders: s.orders.count(), FaultsStruck: s.faults.struck.Load(),
		PaidFen: s.orders.paidFen.Load(), RefundedFen: s.orders.refundedFen.Load(), ShippedOrders: s.orders.shipped.Load(),
	}
}

// Drain waits until every notification has been taken or given up and every refund is final.
func (s *Sandbox) Drain(ctx context.Context) error { return s.post.drain(ctx) }

// Close stops sending notifications; what was still on its way is lost.
func (s *Sandbox) Close() { s.post.close() }

// serveHands answers what a person does with a phone, and the levers of the tester.
func (s *Sandbox) serveHands(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/sandbox/")
	if r.Method == http.MethodGet && path == "" {
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok", "stats": s.Stats(), "faults": s.Faults()})
		return
	}
	if r.Method == http.MethodDelete && path == "faults" {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "sandbox: POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := readBody(r)
	if err != nil {
		http.Error(w, "sandbox: "+err.Error(), http.StatusBadRequest)
		return
	}
	serve, ok := map[string]func(http.ResponseWriter, []byte){
		"wx-login": s.handLogin, "phone-code": s.handPhone, "subscribe": s.handSubscribe, "messages": s.handMessages, "pay": s.handPay,
		"faults": s.handFaults, "wecom-event": s.handWeComEvent, "transfer-confirm": s.handConfirm,
		"transfers": s.handTransfers, "top-up": s.handTopUp, "real-name": s.handRealName,
		"bills": s.handBills,
	}[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	serve(w, body)
}

const maxBody = 1 << 20 // bytes of any request

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("body over %d bytes", maxBody)
	}
	return body, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "sandbox: encode answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
