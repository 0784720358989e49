// Package clock is the only place, besides cmd, that reads the machine's time.
//
// Everything that needs "now" holds a Clock, so that a test can move time by hand and a rule stays a pure
// function. Stored times are UTC with millisecond precision (see Milli); Asia/Shanghai is used only where a
// business day is meant (see Day).
package clock

import (
	"sync"
	"time"
)

// Clock tells the present moment, UTC, cut to milliseconds.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock.
type System struct{ ahead time.Duration }

// Ahead is the machine's clock set wrong, for trying out what a machine with a wrong clock does to the others.
func Ahead(d time.Duration) System { return System{d} }

// Now returns the machine's time.
func (s System) Now() time.Time { return Milli(time.Now().Add(s.ahead)) }

// Milli cuts t to what the store keeps: UTC, milliseconds.
func Milli(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Shanghai is the business time zone. China has had no daylight saving time since 1991, so a fixed
// offset is exact and needs no zone file.
func Shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// Day is the business day of t in Shanghai, as 2006-01-02.
func Day(t time.Time) string { return t.In(Shanghai()).Format(time.DateOnly) }

// Manual is a clock that moves only when told to. The zero value stands at the zero time; use NewManual.
type Manual struct {
	mu  sync.Mutex
	now time.Time
}

// NewManual returns a clock standing at start.
func NewManual(start time.Time) *Manual { return &Manual{now: Milli(start)} }

// Now returns where the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock forward by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Milli(m.now.Add(d))
}

// Set puts the clock at t.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Milli(t)
}

// Stopwatch measures durations on the monotonic clock. It never tells "now", so a rule cannot be built on it.
type Stopwatch struct{ from time.Time }

// StartStopwatch begins to measure.
func StartStopwatch() Stopwatch { return Stopwatch{time.Now()} }

// Elapsed is how long ago the stopwatch was started.
func (s Stopwatch) Elapsed() time.Duration { return time.Since(s.from) }

// Nanos returns a counter of monotonic nanoseconds, for meters.
func Nanos() func() int64 {
	s := StartStopwatch()
	return func() int64 { return int64(s.Elapsed()) }
}
