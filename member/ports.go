package member

import (
	"context"
	"time"
)

// Platform is who knows people by their code: WeChat (platform/weixin). Adapters wrap ErrPlatformAway when the
// platform cannot be asked now and ErrCodeRefused when it says no to the code; a cause they attach must hold
// neither the code nor a number.
type Platform interface {
	// CodeToSession turns a wx.login code into the person's identity. A code works once.
	CodeToSession(ctx context.Context, code string) (Identity, error)
	// PhoneNumber turns a phone button's code into the number. It is another code than the login's.
	PhoneNumber(ctx context.Context, code string) (PhoneNumber, error)
}

// Identity is what the platform says about the holder of a login code.
type Identity struct {
	AppID   string
	OpenID  string
	UnionID string // empty unless the app is bound to an open-platform account
}

// PhoneNumber is a verified number. Number is without the country code: 13800000013 and 86.
type PhoneNumber struct {
	Number      string
	CountryCode string
}

// String hides the number.
func (PhoneNumber) String() string { return "***" }

// GoString hides the number from %#v.
func (PhoneNumber) GoString() string { return "***" }

// SessionCache keeps answers of Authenticate where other processes find them too (internal/redisx). It may
// forget, fail or be nil; keys are hashes, values hold ids only.
type SessionCache interface {
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Drop(ctx context.Context, key string) error
}
