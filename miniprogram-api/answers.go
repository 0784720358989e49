package miniprogramapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// answer is what a recorded operation said under an Idempotency-Key.
type answer struct {
	docstore.Doc `bson:",inline"`
	Operation    string    `bson:"operation"`
	Hash         string    `bson:"hash"` // of the request
	Body         string    `bson:"body"` // the rendered output, as JSON
	At           time.Time `bson:"at"`
}

// answers remembers what was said, for KeepAnswers.
type answers struct {
	docs  *docstore.Collection[answer]
	clock clock.Clock
}

// keepAnswers is how long the same key gives the same answer.
const keepAnswers = 48 * time.Hour

func openAnswers(ctx context.Context, store *docstore.Store, c clock.Clock) (*answers, error) {
	docs, err := docstore.Open[answer](ctx, store, docstore.Spec{
		Name:    "answers",
		Indexes: []docstore.Index{{Name: "at", Fields: []string{"at"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("open answers: %w", err)
	}
	return &answers{docs: docs, clock: c}, nil
}

// recorded wraps a handler: the same key and request give the stored answer, the same key with another
// request is a conflict. Use cases below derive their ids from the key as well, so a crash between the change
// and the record repeats nothing.
func recorded[I, O any](
	a *answers, operation string, handle func(context.Context, *I) (*O, error),
) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		k, ok := any(in).(keyed)
		if !ok {
			return handle(ctx, in)
		}
		request, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("hash request: %w", err)
		}
		sum := sha256.Sum256(request)
		docID, hash := id.Derive("answer", memberOf(ctx), operation, k.idempotencyKey()), hex.EncodeToString(sum[:16])
		stored, err := a.docs.Get(ctx, docID)
		if err == nil {
			return replay[O](stored, hash)
		}
		if !errors.Is(err, docstore.ErrNotFound) {
			return nil, err
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, err // refusals are not recorded: the state may allow it later
		}
		return out, a.keep(ctx, docID, operation, hash, out)
	}
}

func replay[O any](stored *answer, hash string) (*O, error) {
	if stored.Hash != hash {
		return nil, errKeyReused
	}
	out := new(O)
	if err := json.Unmarshal([]byte(stored.Body), out); err != nil {
		return nil, fmt.Errorf("replay answer %s: %w", stored.ID, err)
	}
	return out, nil
}

func (a *answers) keep(ctx context.Context, docID, operation, hash string, out any) error {
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("record answer: %w", err)
	}
	doc := &answer{Operation: operation, Hash: hash, Body: string(body), At: a.clock.Now()}
	doc.ID = docID
	if err := a.docs.Insert(ctx, doc); err != nil && !docstore.Exists(err) {
		return fmt.Errorf("record answer: %w", err)
	}
	return nil
}

// forget deletes answers older than keepAnswers, a bounded number per call.
func (a *answers) forget(ctx context.Context, limit int) (int, error) {
	old := docstore.By("at").Between(nil, a.clock.Now().Add(-keepAnswers)).First(limit)
	page, err := a.docs.Find(ctx, old)
	if err != nil {
		return 0, fmt.Errorf("find old answers: %w", err)
	}
	for n, doc := range page.Items {
		if err := a.docs.Delete(ctx, doc.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return n, fmt.Errorf("forget answer: %w", err)
		}
	}
	return len(page.Items), nil
}
