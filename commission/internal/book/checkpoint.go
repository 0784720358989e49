package book

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// Checkpoint is a signed statement that the chain stood at a seal with this hash, id <book>/<number>. Each one signs the
// one before it, too. A chain of hashes alone cannot tell that its newest links were taken away; a checkpoint can, and when
// its line is kept outside of the store (Config.Anchor), even somebody who may rewrite the whole store cannot hide it.
type Checkpoint struct {
	docstore.Doc `bson:",inline"`
	Book         string    `bson:"book"`
	Number       int64     `bson:"number"` // from 1, without gaps
	Seal         int64     `bson:"seal"`
	Hash         []byte    `bson:"hash"` // of the seal
	At           time.Time `bson:"at"`
	Prev         []byte    `bson:"prev,omitempty"`  // digest of the checkpoint before
	Facts        int64     `bson:"facts,omitempty"` // head of the chain of facts (package notary); 0 = it had none
	FactsHash    []byte    `bson:"facts_hash,omitempty"`
	Key          []byte    `bson:"key"` // public, ed25519
	Signature    []byte    `bson:"signature"`
}

const checkpointMagic = "guanxi-checkpoint 1 "

// Text is what is signed.
func (c *Checkpoint) Text() string {
	facts := ""
	if c.Facts > 0 {
		facts = " facts=" + strconv.FormatInt(c.Facts, 10) + " facts-hash=" + hex.EncodeToString(c.FactsHash)
	}
	return checkpointMagic + c.Book + " " + strconv.FormatInt(c.Number, 10) + " seal=" + strconv.FormatInt(c.Seal, 10) +
		" hash=" + hex.EncodeToString(c.Hash) + " at=" + c.At.UTC().Format(TextTime) + " prev=" + hex.EncodeToString(c.Prev) + facts +
		" key=" + base64.StdEncoding.EncodeToString(c.Key)
}

// Line is the checkpoint for keeping elsewhere; ParseCheckpoint reads it.
func (c *Checkpoint) Line() string {
	return c.Text() + " signature=" + base64.StdEncoding.EncodeToString(c.Signature)
}

// ParseCheckpoint reads a Line. It does not check the signature; see Signed.
func ParseCheckpoint(line string) (Checkpoint, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), checkpointMagic)
	if !ok {
		return Checkpoint{}, ErrText
	}
	r := reader{rest: rest}
	c := Checkpoint{Book: r.take(""), Number: r.number(""), Seal: r.number("seal")}
	hash, at, prev, facts := r.take("hash"), r.take("at"), r.take("prev"), ""
	if strings.HasPrefix(r.rest, "facts=") {
		c.Facts, facts = r.number("facts"), r.take("facts-hash")
	}
	key, signature := r.take("key"), r.take("signature")
	var errs [6]error
	c.Hash, errs[0] = hex.DecodeString(hash)
	c.At, errs[1] = time.Parse(TextTime, at)
	c.Prev, errs[2] = hex.DecodeString(prev)
	c.Key, errs[3] = base64.StdEncoding.DecodeString(key)
	c.Signature, errs[4] = base64.StdEncoding.DecodeString(signature)
	c.FactsHash, errs[5] = hex.DecodeString(facts)
	for _, err := range errs {
		if err != nil || r.err != nil || r.rest != "" {
			return Checkpoint{}, ErrText
		}
	}
	return c, nil
}

// Signed tells whether the signature is that of the checkpoint's own key.
func (c *Checkpoint) Signed() bool {
	return len(c.Key) == ed25519.PublicKeySize && ed25519.Verify(c.Key, []byte(c.Text()), c.Signature)
}

// Digest is what the next checkpoint signs of this one.
func (c *Checkpoint) Digest() []byte {
	sum := sha256.Sum256([]byte(c.Line()))
	return sum[:]
}
