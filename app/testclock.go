package app

import (
	"time"

	"guanxi/internal/clock"
)

// clockOffset sets a process's clock wrong, to try out what several processes do when one's is: "90s". It is no setting of a
// program that real people reach, and is refused there.
const clockOffset = "GUANXI_TEST_CLOCK_OFFSET"

func (v Values) clock() clock.System {
	ahead, err := time.ParseDuration(v[clockOffset])
	if err != nil || v["GUANXI_SANDBOX_URL"] == "" { // refused by Check
		return clock.System{}
	}
	return clock.Ahead(ahead)
}

func (v Values) checkClock(add func(name, why string)) {
	if v[clockOffset] == "" {
		return
	}
	if v["GUANXI_SANDBOX_URL"] == "" {
		add(clockOffset, "is for tests with the sandbox only")
	}
	if _, err := time.ParseDuration(v[clockOffset]); err != nil {
		add(clockOffset, "must be a duration, e.g. 90s")
	}
}
