package sandbox

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The actions a Rule can order. Which of them make sense depends on what is matched.
const (
	ActionDuplicate   = "duplicate"            // notification: send it twice, at the same time
	ActionReorder     = "reorder"              // notification: hold it until the next one has been sent
	ActionLose        = "lose"                 // notification: never send it; request: cut the connection before doing anything
	ActionDelay       = "delay"                // wait DelayMS first
	ActionHold        = "hold"                 // outcome: only when Drain or ClearFaults is called
	ActionRateLimit   = "ratelimit"            // 429 FREQUENCY_LIMITED, or errcode 45009
	ActionExpire      = "expire"               // errcode 42001, and the token really dies
	ActionFail        = "fail"                 // 500 SYSTEM_ERROR or errcode -1, or Code with Status; nothing is done
	ActionAfterAccept = "timeout_after_accept" // do the work, then cut the connection
	ActionProbe       = "signtest"             // notification: a wrong signature starting WECHATPAY/SIGNTEST/; retried right
	ActionStranger    = "unknown_serial"       // notification: a serial nobody knows; retried right
	ActionAbnormal    = "abnormal"             // refund: ends ABNORMAL
	ActionClosed      = "closed"               // refund: ends CLOSED
	ActionUnsigned    = "unsigned"             // answer without a signature
)

// Rule orders one misbehaviour for the next Times things that match.
type Rule struct {
	// Match is a prefix: of a request path (/v3/pay/transactions/jsapi), of a notification
	// (notify:TRANSACTION.SUCCESS, notify:REFUND), or of an outcome: refund; transfer:accept, transfer:confirm,
	// transfer:cancel and transfer:expire (fail with Code as the reason, delay, hold, lose); sharing:order, sharing:return.
	Match   string `json:"match"`
	Action  string `json:"action"`
	Times   int    `json:"times"` // 0 means once
	DelayMS int    `json:"delay_ms,omitempty"`
	Code    string `json:"code,omitempty"`   // fail: NOT_ENOUGH, ORDER_NOT_EXIST, or an errcode
	Status  int    `json:"status,omitempty"` // fail: HTTP status; default 500
}

const (
	maxRules = 1000
	heldBack = time.Duration(math.MaxInt64) // until Drain or ClearFaults
)

// wait is how long an outcome takes that takes d by itself.
func (r *Rule) wait(d time.Duration) time.Duration {
	switch r.Action {
	case ActionDelay:
		return d + time.Duration(r.DelayMS)*time.Millisecond
	case ActionHold:
		return heldBack
	}
	return d
}

// faults holds the rules; when there is none, asking costs one atomic read.
type faults struct {
	active atomic.Int64
	struck atomic.Int64
	mu     sync.Mutex
	rules  []Rule
}

// Inject adds a rule. Rules strike in the order they came; of those that match, the first strikes.
func (s *Sandbox) Inject(rules ...Rule) {
	f := &s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		if len(f.rules) >= maxRules {
			return
		}
		if r.Times <= 0 {
			r.Times = 1
		}
		f.rules = append(f.rules, r)
	}
	f.active.Store(int64(len(f.rules)))
}

// Faults lists the rules that have not been used up.
func (s *Sandbox) Faults() []Rule {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return append([]Rule{}, s.faults.rules...)
}

// ClearFaults forgets every rule and lets go what was held back.
func (s *Sandbox) ClearFaults() {
	s.faults.mu.Lock()
	s.faults.rules = nil
	s.faults.active.Store(0)
	s.faults.mu.Unlock()
	s.post.release()
}

// take uses up one strike of the first matching rule.
func (f *faults) take(what string) (Rule, bool) {
	if f.active.Load() == 0 {
		return Rule{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.rules {
		if !strings.HasPrefix(what, f.rules[i].Match) {
			continue
		}
		r := f.rules[i]
		if f.rules[i].Times--; f.rules[i].Times == 0 {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			f.active.Store(int64(len(f.rules)))
		}
		f.struck.Add(1)
		return r, true
	}
	return Rule{}, false
}

func (s *Sandbox) handFaults(w http.ResponseWriter, body []byte) {
	var in struct {
		Rules []Rule `json:"rules"`
		Rule
	}
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "sandbox: not JSON", http.StatusBadRequest)
		return
	}
	if in.Match != "" {
		in.Rules = append(in.Rules, in.Rule)
	}
	for _, r := range in.Rules {
		if r.Match == "" || !knownAction(r.Action) || r.Times < 0 || r.DelayMS < 0 {
			http.Error(w, "sandbox: a rule needs match and a known action", http.StatusBadRequest)
			return
		}
	}
	s.Inject(in.Rules...)
	writeJSON(w, http.StatusOK, map[string]any{"faults": s.Faults()})
}

func knownAction(action string) bool {
	switch action {
	case ActionDuplicate, ActionReorder, ActionLose, ActionDelay, ActionHold, ActionRateLimit, ActionExpire, ActionFail,
		ActionAfterAccept, ActionProbe, ActionStranger, ActionAbnormal, ActionClosed, ActionUnsigned:
		return true
	}
	return false
}

// pause waits as a rule says, or until the caller gave up. It reports whether the caller still listens.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}

// mute swallows an answer, for work that is done but never confirmed.
type mute struct{ header http.Header }

func (m mute) Header() http.Header       { return m.header }
func (mute) Write(b []byte) (int, error) { return len(b), nil }
func (mute) WriteHeader(int)             {}
