package sharing

import (
	"errors"
	"time"

	"guanxi/internal/money"
)

// Config are the tunable rules. Zero values mean the defaults.
type Config struct {
	// On lets completed orders begin; what has begun goes on without it. Payments are only frozen when the payment adapter
	// asks for it, so the two are switched together; payments that were frozen before it is switched off are freed by the
	// platform after 180 days.
	On      bool
	Ceiling money.BasisPoints // of a payment that may go to others. Default 3,000; more on application to the platform
	Min     money.Fen         // the smallest part. Default and least 1
	Note    string            // what the member reads, at most 80 characters. Default 推广佣金
	// Last is how long after the payment an order can wait for its commission to settle; then everything stays in the
	// purses, and the rest is freed. Default 170 days: after 180 the platform frees it by itself.
	Last time.Duration
	// ShortTries is how often a purse is asked that is short: it follows the ledger a moment later. Default 5.
	ShortTries int
	// FreeTries is how often an unfreezing is tried that is refused. Default 5.
	FreeTries int
	Lease     time.Duration // how long an order belongs to who works on it. Default 1 min
	TendCount int           // the most orders one Tend looks at. Default 1,000
	Workers   int           // worked on side by side by Tend. Default 4, at most 64
}

func (c *Config) complete() error {
	orDefault(&c.Ceiling, 3_000)
	orDefault(&c.Min, 1)
	orDefault(&c.Note, "推广佣金")
	orDefault(&c.Last, 170*24*time.Hour)
	orDefault(&c.ShortTries, 5)
	orDefault(&c.FreeTries, 5)
	orDefault(&c.Lease, time.Minute)
	orDefault(&c.TendCount, 1000)
	orDefault(&c.Workers, 4)
	switch {
	case c.Ceiling < 0 || c.Ceiling > 10_000:
		return errors.New("sharing: config: the ceiling is not 0 to 10,000 basis points")
	case c.Min < 1 || c.Min > money.Max || len([]rune(c.Note)) > 80:
		return errors.New("sharing: config: smallest part or note")
	case c.Last < time.Hour || c.Lease < time.Second:
		return errors.New("sharing: config: a duration is too short")
	case c.ShortTries < 1 || c.FreeTries < 1 || c.TendCount < 1 || c.TendCount > 100_000 || c.Workers < 1 || c.Workers > 64:
		return errors.New("sharing: config: a count is out of range")
	}
	return nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// most is what may go to others of what the buyer has paid for good: rounded down, the platform rounds nothing up.
func (c *Config) most(total money.Fen) money.Fen {
	most := total.Portion(c.Ceiling)
	if int64(most)*10_000 > int64(total)*int64(c.Ceiling) {
		most--
	}
	return most
}
