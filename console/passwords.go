package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"guanxi/staff"
)

// Cost is how slow a hash is. Raising it is safe at any time: a stored hash carries the cost it was made with.
type Cost struct {
	MemoryKiB uint32 // default 19,456
	Passes    uint32 // default 2
}

// Argon hashes passwords with argon2id (RFC 9106). The defaults are OWASP's smallest recommended setting: 19 MiB and two
// passes. A hash takes a core and its memory for some 20 ms, so only a few run at a time and others wait. Strangers wait for
// each other and never stand before somebody who is known; of them, too many are turned away.
type Argon struct {
	cost  Cost
	turns map[staff.Turn]chan struct{}
	queue chan struct{} // strangers who wait
}

const (
	trustedAtOnce  = 2
	strangerAtOnce = 1
	strangersWait  = 32

	saltBytes = 16
	hashBytes = 32
)

var errHash = errors.New("console: a stored password hash cannot be read")

// NewArgon checks the cost; zero values take the defaults.
func NewArgon(c Cost) (*Argon, error) {
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 19_456
	}
	if c.Passes == 0 {
		c.Passes = 2
	}
	if !c.sane() {
		return nil, errors.New("console: password cost out of range")
	}
	return &Argon{
		cost:  c,
		turns: map[staff.Turn]chan struct{}{staff.Trusted: make(chan struct{}, trustedAtOnce), staff.Stranger: make(chan struct{}, strangerAtOnce)},
		queue: make(chan struct{}, strangersWait),
	}, nil
}

// sane bounds what a stored hash may ask of us, too.
func (c Cost) sane() bool {
	return c.MemoryKiB >= 8 && c.MemoryKiB <= 1<<20 && c.Passes >= 1 && c.Passes <= 64
}

// Hash makes "$argon2id$v=19$m=…,t=…,p=1$salt$hash".
func (a *Argon) Hash(ctx context.Context, password string) (string, error) {
	var salt [saltBytes]byte
	_, _ = rand.Read(salt[:])
	sum, err := a.sum(ctx, staff.Trusted, a.cost, salt[:], password)
	if err != nil {
		return "", err
	}
	text := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, a.cost.MemoryKiB, a.cost.Passes,
		text.EncodeToString(salt[:]), text.EncodeToString(sum)), nil
}

// Matches compares in constant time.
func (a *Argon) Matches(ctx context.Context, turn staff.Turn, hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errHash
	}
	var version int
	var cost Cost
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &cost.MemoryKiB, &cost.Passes); err != nil {
		return false, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) != saltBytes || len(want) != hashBytes || version != argon2.Version || !cost.sane() {
		return false, errHash
	}
	got, err := a.sum(ctx, turn, cost, salt, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (a *Argon) sum(ctx context.Context, turn staff.Turn, c Cost, salt []byte, password string) ([]byte, error) {
	if turn == staff.Stranger {
		select {
		case a.queue <- struct{}{}:
			defer func() { <-a.queue }()
		default:
			return nil, staff.ErrTurns
		}
	}
	turns := a.turns[turn]
	select {
	case turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-turns }()
	return argon2.IDKey([]byte(password), salt, c.Passes, c.MemoryKiB, 1, hashBytes), nil
}
