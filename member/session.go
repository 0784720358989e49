package member

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"guanxi/internal/docstore"
)

// Session is one sign-in. Its id is the hash of the token; the token itself is known only to the client.
//
// A session has one state and one way out of it: it is alive until it expires, is deleted (Logout), or its
// member's generation passes it (LogoutEverywhere). Nothing brings it back.
type Session struct {
	docstore.Doc `bson:",inline"`
	Member       string    `bson:"member"`
	Generation   int64     `bson:"generation"`
	At           time.Time `bson:"at"`
	ExpiresAt    time.Time `bson:"expires_at"`
}

// Principal is who is asking.
type Principal struct {
	Member  string
	Session string // the session's id: safe to log, of no use as a token
}

// tokenLength is the length of 32 bytes in unpadded base64.
const tokenLength = 43

// TokenPurpose is what a member's tokens are drawn for (docstore.KeyRing).
const TokenPurpose = "member"

// sessionID is the stored name of a token; ok is false for what cannot be one.
func sessionID(token string) (sessionID string, ok bool) {
	if len(token) != tokenLength {
		return "", false
	}
	for i := range len(token) {
		c := token[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", false
		}
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:]), true
}
