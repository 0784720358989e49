package withdrawal

import (
	"errors"
	"time"

	"guanxi/internal/money"
)

// NoLimit switches a limit off.
const NoLimit = -1

// Config are the tunable rules. Zero values mean the defaults; NoLimit switches a limit off, or sets it to its greatest
// value where one is named.
type Config struct {
	Min        money.Fen // the smallest amount, gross and net. Default and least 10 fen: the platform's
	MaxPerTime money.Fen // default 5,000 yuan
	MaxPerDay  money.Fen // default 20,000 yuan
	MaxMonthly money.Fen // default 100,000 yuan
	MaxCount   int       // requests per day. Default 3, at most 20

	NewAccountDays int // no withdrawal before the membership is that old. Default 3
	// VelocityCount requests within VelocityHours, cancelled and failed ones included, make the next one wait for a
	// person. Defaults 3 and 24.
	VelocityCount, VelocityHours int
	// Several lets a member have more than one open withdrawal. Default: one at a time.
	Several bool
	// Effects overrides what a finding does. Only TooNew, Velocity, SharedIdentity and SharedDevice may be changed.
	Effects map[Code]Effect

	AutoLimit      money.Fen     // above it a person must look. Default 500 yuan; NoLimit: never
	TwoPersonLimit money.Fen     // from this amount two people must look. Default 2,000 yuan; NoLimit: never
	ReviewDays     int           // a held withdrawal nobody reviewed goes back. Default 7
	RealNameFrom   money.Fen     // from this amount the platform wants the name. Default 2,000 yuan
	Remark         string        // what the member reads in the wallet, at most 32 characters. Default 佣金提现
	ConfirmWithin  time.Duration // how long the platform waits for the member. Default 24 h
	// Forgets is how long the platform surely remembers a number. Older unknown numbers are never sent again; a
	// person must find out. Default 25 days (the platform answers for 30).
	Forgets time.Duration

	Rail  string        // the rail new transfers take: "" is Deps.Rail, otherwise one of Deps.Others
	Lease time.Duration // how long a request belongs to who is reserving its money. Default 1 min

	TendCount int // the most withdrawals one Tend looks at. Default 1,000
	Workers   int // worked on side by side by Tend. Default 4, at most 64
}

func (c Config) withDefaults() (Config, error) {
	if c.Remark == "" {
		c.Remark = "佣金提现"
	}
	if err := errors.Join(c.amounts(), c.counts(), c.durations()); err != nil {
		return c, err
	}
	switch {
	case c.Min < 10:
		return c, errors.New("withdrawal: config: the platform transfers at least 10 fen")
	case len([]rune(c.Remark)) > 32:
		return c, errors.New("withdrawal: config: the remark is longer than 32 characters")
	}
	for code, effect := range c.Effects {
		if !code.tunable() || !effect.known() {
			return c, errors.New("withdrawal: config: this effect cannot be set")
		}
	}
	return c, nil
}

func (c *Config) amounts() error {
	for _, m := range []struct {
		field    *money.Fen
		standard money.Fen
	}{
		{&c.Min, 10},
		{&c.MaxPerTime, 5_000_00},
		{&c.MaxPerDay, 20_000_00},
		{&c.MaxMonthly, 100_000_00},
		{&c.AutoLimit, 500_00},
		{&c.TwoPersonLimit, 2_000_00},
		{&c.RealNameFrom, 2_000_00},
	} {
		switch {
		case *m.field == 0:
			*m.field = m.standard
		case *m.field == NoLimit:
			*m.field = money.Max
		case *m.field < 0 || *m.field > money.Max:
			return errors.New("withdrawal: config: an amount is out of range")
		}
	}
	return nil
}

func (c *Config) counts() error {
	switch c.NewAccountDays {
	case NoLimit:
		c.NewAccountDays = 0
	case 0:
		c.NewAccountDays = 3
	}
	for _, n := range []struct {
		field          *int
		standard, most int
	}{
		{&c.MaxCount, 3, 20},
		{&c.VelocityCount, 3, 1000},
		{&c.VelocityHours, 24, 24 * 30},
		{&c.ReviewDays, 7, 366},
		{&c.TendCount, 1000, 100_000},
		{&c.Workers, 4, 64},
	} {
		switch {
		case *n.field == 0:
			*n.field = n.standard
		case *n.field == NoLimit:
			*n.field = n.most
		case *n.field < 0 || *n.field > n.most:
			return errors.New("withdrawal: config: a count is out of range")
		}
	}
	if c.NewAccountDays < 0 || c.NewAccountDays > 366 {
		return errors.New("withdrawal: config: a count is out of range")
	}
	return nil
}

func (c *Config) durations() error {
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{
		{&c.ConfirmWithin, 24 * time.Hour},
		{&c.Forgets, 25 * 24 * time.Hour},
		{&c.Lease, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.standard
		}
		if *d.field < time.Second {
			return errors.New("withdrawal: config: a duration is too short")
		}
	}
	return nil
}
