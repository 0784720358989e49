package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// postOffice delivers notifications. A notification waiting for its next attempt is a timer, not a goroutine.
type postOffice struct {
	client  *http.Client
	retries []time.Duration
	limit   int64
	slots   chan struct{}
	ctx     context.Context // ends every delivery when the sandbox closes
	cancel  context.CancelFunc

	mu      sync.Mutex
	pending int64
	idle    chan struct{} // closed while nothing is pending
	held    func()        // a reordered notification waiting for the next one
	waiting []func()      // outcomes waiting to be released
	wake    chan struct{} // tells drain that something is held

	delivered, refused, lost atomic.Int64
}

func (p *postOffice) init(cfg Config) {
	p.client, p.retries, p.limit = cfg.NotifyClient, cfg.NotifyRetries, int64(cfg.MaxPending)
	p.slots = make(chan struct{}, cfg.NotifyWorkers)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.idle, p.wake = make(chan struct{}), make(chan struct{}, 1)
	close(p.idle)
}

func (p *postOffice) close() {
	p.cancel()
	p.client.CloseIdleConnections()
}

// begin counts one more thing on its way; it reports whether there is room.
func (p *postOffice) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending >= p.limit || p.ctx.Err() != nil {
		p.lost.Add(1)
		return false
	}
	if p.pending == 0 {
		p.idle = make(chan struct{})
	}
	p.pending++
	return true
}

func (p *postOffice) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending--; p.pending == 0 {
		close(p.idle)
	}
}

func (p *postOffice) pendingNow() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending
}

func (p *postOffice) drain(ctx context.Context) error {
	for {
		idle := p.release() // nobody else is coming
		select {
		case <-idle:
			if p.pendingNow() == 0 {
				return nil
			}
		case <-p.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release lets everything go that was held back. It gives what closes when nothing is on its way.
func (p *postOffice) release() (idle <-chan struct{}) {
	p.mu.Lock()
	idle, held, waiting := p.idle, p.held, p.waiting
	p.held, p.waiting = nil, nil
	p.mu.Unlock()
	if held != nil {
		held()
	}
	for _, run := range waiting {
		run()
	}
	return idle
}

// later runs work after d of real time (heldBack: when released), counted as pending until it is done.
func (p *postOffice) later(d time.Duration, work func()) {
	if !p.begin() {
		return
	}
	run := func() {
		defer p.end()
		if p.ctx.Err() == nil {
			work()
		}
	}
	switch {
	case d <= 0:
		go run()
	case d == heldBack:
		p.hold(run)
	default:
		time.AfterFunc(d, run)
	}
}

func (p *postOffice) hold(run func()) {
	p.mu.Lock()
	p.waiting = append(p.waiting, run)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

type notification struct {
	url, event string
	body       []byte
	strange    Rule // how the first attempt misbehaves
}

// notify encrypts what happened and sends it to url, as often as the schedule allows. It does not wait.
func (s *Sandbox) notify(url, event, originalType, summary string, resource any) {
	if url == "" {
		return
	}
	n := &notification{url: url, event: event, body: s.envelope(event, originalType, summary, resource)}
	copies := 1
	if rule, ok := s.faults.take("notify:" + event); ok {
		switch rule.Action {
		case ActionLose:
			s.post.lost.Add(1)
			return
		case ActionDuplicate:
			copies = 2
		case ActionDelay:
			s.post.later(time.Duration(rule.DelayMS)*time.Millisecond, func() { s.dispatch(n, 0) })
			return
		case ActionReorder:
			s.hold(n)
			return
		default:
			n.strange = rule
		}
	}
	for range copies {
		s.dispatch(n, 0)
	}
	s.letGo()
}

// envelope is the notification body: the resource encrypted with the APIv3 key.
func (s *Sandbox) envelope(event, originalType, summary string, resource any) []byte {
	plain, err := json.Marshal(resource)
	if err != nil {
		return nil
	}
	nonce := randomHex(6) // 12 characters, used as text
	sealed := s.aead.Seal(nil, []byte(nonce), plain, []byte(originalType))
	body, err := json.Marshal(map[string]any{
		"id": "EV-" + randomHex(16), "create_time": rfc3339(s.real.Now()), "event_type": event,
		"resource_type": "encrypt-resource", "summary": summary,
		"resource": map[string]string{
			"algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.StdEncoding.EncodeToString(sealed),
			"associated_data": originalType, "nonce": nonce, "original_type": originalType,
		},
	})
	if err != nil {
		return nil
	}
	return body
}

// hold keeps n back until another notification has gone out, or Drain.
func (s *Sandbox) hold(n *notification) {
	if !s.post.begin() {
		return
	}
	release := func() {
		s.dispatch(n, 0)
		s.post.end()
	}
	s.post.mu.Lock()
	before := s.post.held
	s.post.held = release
	s.post.mu.Unlock()
	select {
	case s.post.wake <- struct{}{}:
	default:
	}
	if before != nil {
		before()
	}
}

func (s *Sandbox) letGo() {
	s.post.mu.Lock()
	release := s.post.held
	s.post.held = nil
	s.post.mu.Unlock()
	if release != nil {
		release()
	}
}

// dispatch makes attempt number try and plans the next one when the merchant does not take it.
func (s *Sandbox) dispatch(n *notification, try int) {
	wait := time.Duration(0)
	if try > 0 {
		wait = s.post.retries[try-1]
	}
	s.post.later(wait, func() {
		select {
		case s.post.slots <- struct{}{}:
			defer func() { <-s.post.slots }()
		case <-s.post.ctx.Done():
			return
		}
		switch {
		case s.deliver(n, try):
			s.post.delivered.Add(1)
		case try < len(s.post.retries):
			s.post.refused.Add(1)
			s.dispatch(n, try+1)
		default:
			s.post.refused.Add(1)
			s.post.lost.Add(1)
		}
	})
}

func (s *Sandbox) deliver(n *notification, try int) bool {
	request, err := http.NewRequestWithContext(s.post.ctx, http.MethodPost, n.url, bytes.NewReader(n.body))
	if err != nil {
		return false
	}
	timestamp, nonce := strconv.FormatInt(s.real.Now().Unix(), 10), randomHex(16)
	serial := s.cfg.PublicKeyID
	var signature string
	switch {
	case try == 0 && n.strange.Action == ActionProbe:
		signature = "WECHATPAY/SIGNTEST/" + base64.StdEncoding.EncodeToString([]byte(randomHex(120)))
	case try == 0 && n.strange.Action == ActionStranger:
		serial = "PUB_KEY_ID_0000000000000000000000000000"
		signature = s.sign(timestamp, nonce, n.body)
	default:
		signature = s.sign(timestamp, nonce, n.body)
	}
	h := request.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Mozilla/4.0")
	h.Set("Request-Id", randomHex(16))
	h.Set("Wechatpay-Timestamp", timestamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", serial)
	h.Set("Wechatpay-Signature", signature)
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	response, err := s.post.client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return response.StatusCode == http.StatusOK || response.StatusCode == http.StatusNoContent
}
