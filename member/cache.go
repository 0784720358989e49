package member

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// verdict is a session that the store confirmed at CheckedAt. It is believed for Config.CacheFor after that,
// wherever it has been kept in the meantime, and never beyond the session's own expiry.
type verdict struct {
	member    string
	expiresAt time.Time
	checkedAt time.Time
}

func (v verdict) holds(now time.Time, maxAge time.Duration) bool {
	age := now.Sub(v.checkedAt)
	return age >= 0 && age < maxAge && now.Before(v.expiresAt)
}

func (v verdict) encode() []byte {
	return []byte(v.member + " " + strconv.FormatInt(v.expiresAt.UnixMilli(), 10) + " " +
		strconv.FormatInt(v.checkedAt.UnixMilli(), 10))
}

func decodeVerdict(raw []byte) (verdict, bool) {
	parts := strings.Split(string(raw), " ")
	if len(parts) != 3 || parts[0] == "" {
		return verdict{}, false
	}
	expires, err1 := strconv.ParseInt(parts[1], 10, 64)
	checked, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return verdict{}, false
	}
	return verdict{parts[0], time.UnixMilli(expires).UTC(), time.UnixMilli(checked).UTC()}, true
}

// memory is the bounded in-process cache of verdicts. A revocation raises the epoch, and a verdict read from the store
// before that is not kept: else a reader that was overtaken by a logout would put the dead session back.
type memory struct {
	mu        sync.RWMutex
	size      int
	epoch     uint64
	revokedAt time.Time // the last revocation made here
	verdicts  map[string]verdict
	byMember  map[string]map[string]struct{}
}

func newMemory(size int) *memory {
	return &memory{size: size, verdicts: map[string]verdict{}, byMember: map[string]map[string]struct{}{}}
}

// get answers from memory and gives the epoch to hand to put later.
func (m *memory) get(session string) (v verdict, found bool, epoch uint64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, found = m.verdicts[session]
	return v, found, m.epoch
}

func (m *memory) put(session string, v verdict, epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch != m.epoch || m.size <= 0 {
		return
	}
	if _, there := m.verdicts[session]; !there && len(m.verdicts) >= m.size {
		m.evict()
	}
	m.verdicts[session] = v
	if m.byMember[v.member] == nil {
		m.byMember[v.member] = map[string]struct{}{}
	}
	m.byMember[v.member][session] = struct{}{}
}

// evict makes room by dropping an eighth of the entries, whichever the map gives first: entries live for seconds,
// so there is no order worth keeping.
func (m *memory) evict() {
	left := max(1, m.size/8)
	for session := range m.verdicts {
		m.remove(session)
		if left--; left == 0 {
			return
		}
	}
}

func (m *memory) remove(session string) {
	v, found := m.verdicts[session]
	if !found {
		return
	}
	delete(m.verdicts, session)
	delete(m.byMember[v.member], session)
	if len(m.byMember[v.member]) == 0 {
		delete(m.byMember, v.member)
	}
}

// revoke forgets one session.
func (m *memory) revoke(session string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.revokedAt = now
	m.remove(session)
}

// quiet tells whether nothing was revoked here for a while. Until then the shared cache is not asked: it may have
// failed to forget, and what was revoked here is over here at once.
func (m *memory) quiet(now time.Time, while time.Duration) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.revokedAt.IsZero() || now.Sub(m.revokedAt) >= while
}

// revokeAll forgets every session of a member and tells which they were.
func (m *memory) revokeAll(member string, now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.revokedAt = now
	sessions := make([]string, 0, len(m.byMember[member]))
	for session := range m.byMember[member] {
		sessions = append(sessions, session)
	}
	for _, session := range sessions {
		m.remove(session)
	}
	return sessions
}
