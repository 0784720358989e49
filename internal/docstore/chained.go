package docstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/bson"
)

// Fact says that a document of a chained collection had a content at a version.
type Fact struct {
	Collection, ID string
	Version        int64
	Digest         [sha256.Size]byte // over every stored byte of it but version, token, outbox and marks
	Proven         int64             // the link of the chain that holds it; 0 = none
	Waiting        bool              // changed since that link was made, or never in one
}

// Chained is the notary's view of a chained collection.
type Chained struct{ outbox }

// Chained lists the opened chained collections, by name, each once.
func (s *Store) Chained() []Chained {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.chained)
	slices.SortStableFunc(all, func(a, b Chained) int {
		switch {
		case a.Name() < b.Name():
			return -1
		case a.Name() > b.Name():
			return 1
		}
		return 0
	})
	return slices.CompactFunc(all, func(a, b Chained) bool { return a.Name() == b.Name() })
}

// OpenChained opens a chained collection by its name alone, for reading what the chain holds of it: for whoever knows the
// chain and not the documents. On a store that is not read only, open the collection with its own Spec first.
func OpenChained(ctx context.Context, store *Store, name string) (Chained, error) {
	for _, c := range store.Chained() {
		if c.Name() == name {
			return c, nil
		}
	}
	spec := Spec{Name: name, Chained: true}
	if err := checkSpec(&spec); err != nil {
		return Chained{}, err
	}
	if err := store.driver.Ensure(ctx, spec); err != nil {
		return Chained{}, fmt.Errorf("collection %s: %w", name, err)
	}
	return Chained{outbox{&core{store: store, spec: spec}}}, nil
}

// Changed receives after this process began to write to a chained collection.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// mark notes, in the write that is being prepared, that the content waits for the chain.
func (c *core) mark(meta *Doc) {
	if !c.spec.Chained {
		return
	}
	if meta.Unproven.IsZero() {
		meta.Unproven = c.store.clock.Now()
	}
	select {
	case c.store.changed <- struct{}{}:
	default:
	}
}

// Waiting returns what no link holds yet, oldest first.
func (c Chained) Waiting(ctx context.Context, limit int) ([]Fact, error) {
	records, _, err := c.store.driver.Find(ctx, c.spec.Name, By(UnprovenIndex).First(limit))
	if err != nil {
		return nil, c.fail("find what waits for the chain", "", err)
	}
	return c.facts(records)
}

// Scan returns all documents, page by page, in the order of their ids.
func (c Chained) Scan(ctx context.Context, after string, limit int) (facts []Fact, next string, err error) {
	records, next, err := c.store.driver.Find(ctx, c.spec.Name, All().First(limit).Continue(after))
	if err != nil {
		return nil, "", c.fail("scan", "", err)
	}
	facts, err = c.facts(records)
	return facts, next, err
}

// Facts returns the documents that exist, by id.
func (c Chained) Facts(ctx context.Context, ids []string) (map[string]Fact, error) {
	found := make(map[string]Fact, len(ids))
	for chunk := range slices.Chunk(ids, 500) {
		records, err := c.store.driver.Get(ctx, c.spec.Name, chunk)
		if err != nil {
			return nil, c.fail("get facts", "", err)
		}
		facts, err := c.facts(records)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			found[f.ID] = f
		}
	}
	return found, nil
}

func (c Chained) facts(records []Record) ([]Fact, error) {
	facts := make([]Fact, len(records))
	for i, r := range records {
		facts[i] = Fact{Collection: c.spec.Name, ID: r.ID, Version: r.Version}
		if err := facts[i].read(r.Body); err != nil {
			return nil, c.fail("read", r.ID, err)
		}
	}
	return facts, nil
}

// read takes the digest of a stored body.
func (f *Fact) read(body bson.Raw) error {
	elements, err := body.Elements()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	sum := sha256.New()
	for _, element := range elements {
		switch element.Key() {
		case "version", "token", "outbox", "waiting":
		case "unproven":
			f.Waiting = true
		case "proven":
			f.Proven, _ = element.Value().AsInt64OK()
		default:
			sum.Write(element)
		}
	}
	f.Digest = [sha256.Size]byte(sum.Sum(nil))
	return nil
}

// Proved notes that a link holds these facts. What was changed in between stays marked, and so does what could not be
// written: the next link holds it again, which is harmless.
func (c Chained) Proved(ctx context.Context, link int64, facts []Fact) error {
	var failed error
	for chunk := range slices.Chunk(facts, 500) {
		ids, known := make([]string, len(chunk)), make(map[string]int64, len(chunk))
		for i, f := range chunk {
			ids[i], known[f.ID] = f.ID, f.Version
		}
		records, err := c.store.driver.Get(ctx, c.spec.Name, ids)
		if err != nil {
			return c.fail("note what is proved", "", err)
		}
		var ops []Op
		for _, r := range records {
			if r.Version != known[r.ID] {
				continue
			}
			op, err := c.proved(r, link)
			if errors.Is(err, ErrStale) { // of an older schema: written anew, it waits for the next link
				_, err = Op{}, c.tend(ctx, r.ID, func(d *Doc) error { d.Unproven = c.store.clock.Now(); return nil })
			} else if err == nil {
				ops = append(ops, op)
			}
			failed = errors.Join(failed, err)
		}
		if len(ops) == 0 {
			continue
		}
		for i, err := range c.store.driver.Write(ctx, ops) {
			if err != nil && !errors.Is(err, ErrStale) {
				failed = errors.Join(failed, c.fail("note what is proved", ops[i].ID, err))
			}
		}
	}
	return failed
}

func (c Chained) proved(r Record, link int64) (Op, error) {
	var meta Doc
	if err := c.store.Unmarshal(r.Body, &meta); err != nil {
		return Op{}, c.fail("note what is proved", r.ID, err)
	}
	if meta.Schema != c.spec.Schema {
		return Op{}, ErrStale
	}
	meta.ID, meta.Unproven, meta.Proven = r.ID, time.Time{}, link
	meta.Version, meta.Token = r.Version+1, int64(rand.Uint64()>>1)
	next, _, err := c.reshape(r.Body, &meta)
	if err != nil {
		return Op{}, c.fail("note what is proved", r.ID, err)
	}
	return c.op(r.ID, r.Version, next)
}
