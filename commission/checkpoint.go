package commission

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
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

// text is what is signed.
func (c *Checkpoint) text() string {
	facts := ""
	if c.Facts > 0 {
		facts = " facts=" + strconv.FormatInt(c.Facts, 10) + " facts-hash=" + hex.EncodeToString(c.FactsHash)
	}
	return checkpointMagic + c.Book + " " + strconv.FormatInt(c.Number, 10) + " seal=" + strconv.FormatInt(c.Seal, 10) +
		" hash=" + hex.EncodeToString(c.Hash) + " at=" + c.At.UTC().Format(textTime) + " prev=" + hex.EncodeToString(c.Prev) + facts +
		" key=" + base64.StdEncoding.EncodeToString(c.Key)
}

// Line is the checkpoint for keeping elsewhere; ParseCheckpoint reads it.
func (c *Checkpoint) Line() string {
	return c.text() + " signature=" + base64.StdEncoding.EncodeToString(c.Signature)
}

// ParseCheckpoint reads a Line. It does not check the signature; see Signed.
func ParseCheckpoint(line string) (Checkpoint, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), checkpointMagic)
	if !ok {
		return Checkpoint{}, errText
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
	c.At, errs[1] = time.Parse(textTime, at)
	c.Prev, errs[2] = hex.DecodeString(prev)
	c.Key, errs[3] = base64.StdEncoding.DecodeString(key)
	c.Signature, errs[4] = base64.StdEncoding.DecodeString(signature)
	c.FactsHash, errs[5] = hex.DecodeString(facts)
	for _, err := range errs {
		if err != nil || r.err != nil || r.rest != "" {
			return Checkpoint{}, errText
		}
	}
	return c, nil
}

// Signed tells whether the signature is that of the checkpoint's own key.
func (c *Checkpoint) Signed() bool {
	return len(c.Key) == ed25519.PublicKeySize && ed25519.Verify(c.Key, []byte(c.text()), c.Signature)
}

func (c *Checkpoint) digest() []byte {
	sum := sha256.Sum256([]byte(c.Line()))
	return sum[:]
}

// SignCheckpoint signs the newest folded seal and the head of the chain of facts, unless both are signed already; nil when
// there was nothing to sign or there is no key. The line is told to Config.Anchor after it is stored; a process that dies in
// between leaves the telling to the next checkpoint, which signs this one, too.
func (s *Service) SignCheckpoint(ctx context.Context) (*Checkpoint, error) {
	if len(s.config.Key) == 0 {
		return nil, nil
	}
	last, err := s.newestCheckpoint(ctx)
	if err != nil {
		return nil, wrap("checkpoint", err)
	}
	c, err := s.checkpointAfter(ctx, last)
	if err != nil || c == nil {
		return nil, wrap("checkpoint", err)
	}
	c.ID = sealID(c.Book, c.Number)
	c.Signature = ed25519.Sign(s.config.Key, []byte(c.text()))
	if err := s.checkpoints.Insert(ctx, c); docstore.Exists(err) {
		return nil, nil // another process has signed
	} else if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if s.config.Anchor != nil {
		s.config.Anchor(c.Line())
	}
	return c, nil
}

// checkpointAfter is the next checkpoint without its signature; nil when the last one says it all.
func (s *Service) checkpointAfter(ctx context.Context, last *Checkpoint) (*Checkpoint, error) {
	c := &Checkpoint{ //nolint:forcetypeassert // an ed25519 key has an ed25519 public key
		Book: s.config.Book, Number: 1, At: s.clock.Now(), Key: s.config.Key.Public().(ed25519.PublicKey),
	}
	if s.config.Facts != nil {
		var err error
		if c.Facts, c.FactsHash, err = s.config.Facts(ctx); err != nil {
			return nil, err
		}
	}
	book, err := s.bookmark(ctx)
	if err != nil || book.rebuilding() || book.Folded == 0 && c.Facts == 0 {
		return nil, err
	}
	if last != nil {
		if last.Seal >= book.Folded && last.Facts >= c.Facts {
			return nil, nil
		}
		c.Number, c.Prev = last.Number+1, last.digest()
	}
	if book.Folded == 0 {
		return c, nil
	}
	seal, err := s.loadSeal(ctx, book.Folded)
	if err != nil || seal == nil {
		return nil, err
	}
	c.Seal, c.Hash = seal.Number, seal.Hash[:]
	return c, nil
}

func (s *Service) newestCheckpoint(ctx context.Context) (*Checkpoint, error) {
	page, err := s.checkpoints.Find(ctx, docstore.All().Between(s.config.Book+"/", s.config.Book+"0").Newest().First(1).Whole())
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}

// Checkpoints lists the checkpoints, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Checkpoints(ctx context.Context, page docstore.Paging) (docstore.Page[Checkpoint], error) {
	list, err := s.checkpoints.List(ctx, docstore.All().Between(s.config.Book+"/", s.config.Book+"0").Newest(), page)
	return list, pageFault("checkpoints", err)
}

// Tend does what nobody waits for: posts approved vouchers a crash left, finishes closing months, signs a checkpoint when
// one is due. Call it every few seconds.
func (s *Service) Tend(ctx context.Context) error {
	if err := s.tendVouchers(ctx); err != nil {
		return fmt.Errorf("tend: %w", err)
	}
	closing, err := s.periods.Find(ctx, docstore.By("closing").First(10))
	if err != nil {
		return fmt.Errorf("tend: %w", err)
	}
	for _, p := range closing.Items {
		if _, err := s.finishClose(ctx, p); err != nil {
			return fmt.Errorf("tend: close period: %w", err)
		}
	}
	return wrap("tend", s.tendCheckpoint(ctx))
}

// tendCheckpoint signs when the newest checkpoint is old enough. Until then nobody has to look: it can only become newer.
func (s *Service) tendCheckpoint(ctx context.Context) error {
	now := s.clock.Now()
	if len(s.config.Key) == 0 || now.UnixNano() < s.nextCheckpoint.Load() {
		return nil
	}
	last, err := s.newestCheckpoint(ctx)
	if err != nil {
		return err
	}
	next := now.Add(min(s.config.CheckpointEvery, time.Minute)) // when there is nothing new to sign
	if last != nil && now.Sub(last.At) < s.config.CheckpointEvery {
		next = last.At.Add(s.config.CheckpointEvery)
	} else if _, err := s.SignCheckpoint(ctx); err != nil {
		return err
	}
	s.nextCheckpoint.Store(next.UnixNano())
	return nil
}
