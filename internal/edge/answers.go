package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// answer is what a recorded operation said under an Idempotency-Key.
type answer struct {
	docstore.Doc `bson:",inline"`
	Operation    string             `bson:"operation"`
	Hash         string             `bson:"hash"` // of the request
	Body         docstore.Encrypted `bson:"body"` // the rendered output, as JSON: it may name a person or a place
	At           time.Time          `bson:"at"`
}

// answers remembers what was said, for KeepAnswers.
type answers struct {
	docs  *docstore.Collection[answer]
	clock clock.Clock

	mu      sync.Mutex
	running map[string]chan struct{} // closed when the one who holds the key has answered
}

// openTo stands before the names of operations that need no session.
const openTo = "open:"

// keepAnswers is how long the same key gives the same answer.
const keepAnswers = 48 * time.Hour

func openAnswers(ctx context.Context, store *docstore.Store, c clock.Clock, name string) (*answers, error) {
	docs, err := docstore.Open[answer](ctx, store, docstore.Spec{
		Name:    name,
		Indexes: []docstore.Index{{Name: "at", Fields: []string{"at"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return &answers{docs: docs, clock: c, running: map[string]chan struct{}{}}, nil
}

// recorded wraps a handler: the same key and request give the stored answer, the same key with another
// request is a conflict. Callers of one key take turns in this process; between processes the first record
// wins. Use cases below are idempotent by themselves or derive their ids from the key, so a crash between the
// change and the record repeats nothing.
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
		hash := hex.EncodeToString(sum[:16])
		docID := id.Derive("answer", Caller(ctx), operation, k.idempotencyKey())
		if strings.HasPrefix(operation, openTo) {
			// Nobody is logged in: two people may have thought of the same key, and neither may see the other's answer.
			docID = id.Derive("answer", "", operation, k.idempotencyKey(), hash)
		}
		leave, err := a.enter(ctx, docID)
		if err != nil {
			return nil, err
		}
		defer leave()
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
		if first, err := a.keep(ctx, docID, operation, hash, out); first != nil || err != nil {
			if err != nil {
				return nil, err
			}
			return replay[O](first, hash)
		}
		return out, nil
	}
}

func replay[O any](stored *answer, hash string) (*O, error) {
	if stored.Hash != hash {
		return nil, ErrKeyReused
	}
	out := new(O)
	if err := json.Unmarshal([]byte(stored.Body.Reveal()), out); err != nil {
		return nil, fmt.Errorf("replay answer %s: %w", stored.ID, err)
	}
	return out, nil
}

// keep records an answer, or gives the one that another process recorded first.
func (a *answers) keep(ctx context.Context, docID, operation, hash string, out any) (first *answer, err error) {
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("record answer: %w", err)
	}
	doc := &answer{Operation: operation, Hash: hash, Body: docstore.Encrypted(body), At: a.clock.Now()}
	doc.ID = docID
	err = a.docs.Insert(ctx, doc)
	if docstore.Exists(err) {
		first, err = a.docs.Get(ctx, docID)
	}
	if err != nil {
		return nil, fmt.Errorf("record answer: %w", err)
	}
	return first, nil
}

// enter waits until nobody in this process answers under the same key.
func (a *answers) enter(ctx context.Context, docID string) (leave func(), err error) {
	mine := make(chan struct{})
	for {
		a.mu.Lock()
		before, taken := a.running[docID]
		if !taken {
			a.running[docID] = mine
		}
		a.mu.Unlock()
		if !taken {
			return func() {
				a.mu.Lock()
				delete(a.running, docID)
				a.mu.Unlock()
				close(mine)
			}, nil
		}
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
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
