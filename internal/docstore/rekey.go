package docstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsoncodec"
)

// RekeyCollection keeps how far each collection has been encrypted anew.
const RekeyCollection = "rekeys"

// rekeying is how far one collection has come.
type rekeying struct {
	Doc   `bson:",inline"` // id: the collection
	Key   string           `bson:"key"`   // the key everything is encrypted with up to After
	After string           `bson:"after"` // cursor of the page that comes next
	Done  bool             `bson:"done"`
	Clean bool             `bson:"clean"` // nothing failed since the beginning
	Bound bool             `bson:"bound"` // nothing unbound is left: such a value is refused from the next start on
	At    time.Time        `bson:"at"`
}

// rekeyer is a collection with secrets.
type rekeyer interface {
	rekeyPage(ctx context.Context, after string, size int) (rekeyedPage, error)
}

type rekeyedPage struct {
	next          string
	read, changed int
	failed        int
	ids           []string // of those that failed; the first few
}

// Rekeying says how Rekey goes about it.
type Rekeying struct {
	Page     int                                        // documents read at once; default 100
	Pause    time.Duration                              // between pages, so that a live store keeps its breath; default none
	Again    bool                                       // begin anew although it has been done with the newest key
	Progress func(RekeyProgress)                        // after every page; may be nil
	Sleep    func(context.Context, time.Duration) error // default waits
}

// RekeyProgress is how far one collection has come in this call.
type RekeyProgress struct {
	Collection    string
	Read, Changed int
	Failed        int      // could not be read or written
	Unreadable    []string // ids of the first of them
	Done          bool
}

// Rekey encrypts everything anew with the newest key of the ring, bound to its place, and brings lookup hashes to the newest
// lookup key. It works on a live store: each document is replaced only while nobody else has written it. It goes on where an
// earlier call with the same key stopped. A document that cannot be read is told and left; the collection is then not done.
func (s *Store) Rekey(ctx context.Context, how Rekeying) ([]RekeyProgress, error) {
	if s.keys.blind {
		return nil, errors.New("docstore: rekey: there are no keys")
	}
	if how.Page <= 0 {
		how.Page = 100
	}
	if how.Sleep == nil {
		how.Sleep = wait
	}
	marks, err := s.rekeyMarks(ctx)
	if err != nil {
		return nil, fmt.Errorf("docstore: rekey: %w", err)
	}
	s.mu.Lock()
	names := make([]string, 0, len(s.rekeyers))
	for name := range s.rekeyers {
		names = append(names, name)
	}
	s.mu.Unlock()
	slices.Sort(names)
	var all []RekeyProgress
	for _, name := range names {
		p, err := s.rekeyOne(ctx, marks, name, how)
		all = append(all, p)
		if err != nil {
			return all, fmt.Errorf("docstore: rekey %s: %w", name, err)
		}
	}
	return all, nil
}

func (s *Store) rekeyOne(ctx context.Context, marks *Collection[rekeying], name string, how Rekeying) (RekeyProgress, error) {
	p := RekeyProgress{Collection: name}
	s.mu.Lock()
	collection := s.rekeyers[name]
	s.mu.Unlock()
	mark, err := marks.Get(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, err
	}
	after := ""
	if mark != nil && mark.Key == s.keys.keyring() && !how.Again {
		if mark.Done {
			p.Done = true
			return p, nil
		}
		after = mark.After
	}
	clean := after == "" // only a pass from the beginning proves that nothing unbound is left
	if mark != nil && after != "" {
		clean = mark.Bound
	}
	for {
		page, err := collection.rekeyPage(ctx, after, how.Page)
		if err != nil {
			return p, err
		}
		p.Read, p.Changed, p.Failed = p.Read+page.read, p.Changed+page.changed, p.Failed+page.failed
		p.Unreadable = append(p.Unreadable, page.ids[:min(len(page.ids), 20-min(len(p.Unreadable), 20))]...)
		clean = clean && page.failed == 0
		after, p.Done = page.next, page.next == "" && clean
		_, err = marks.Upsert(ctx, name, func(m *rekeying) error {
			m.Key, m.After, m.At, m.Bound = s.keys.keyring(), after, s.clock.Now(), clean
			m.Done = p.Done
			return nil
		})
		if err != nil {
			return p, err
		}
		if how.Progress != nil {
			how.Progress(p)
		}
		if page.next == "" {
			return p, nil
		}
		if err := how.Sleep(ctx, how.Pause); err != nil {
			return p, err
		}
	}
}

// keyring names what everything is to be brought to: the newest key and the newest lookup key.
func (r *KeyRing) keyring() string { return r.newest + "/" + r.Lookup("keyring", "")[:8] }

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rekeyMarks opens the marks, once. They emit nothing, so nobody has to look into their outbox.
func (s *Store) rekeyMarks(ctx context.Context) (*Collection[rekeying], error) {
	s.mu.Lock()
	known := s.marks
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	marks, err := Open[rekeying](ctx, s, Spec{Name: RekeyCollection})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.marks = marks
	}
	return marks, err
}

// learnBound finds out whether everything in the collection has been bound to its place.
func (c *core) learnBound(ctx context.Context) error {
	if !c.secret || c.store.keys.blind {
		return nil
	}
	records, err := c.store.driver.Get(ctx, RekeyCollection, []string{c.spec.Name})
	if err != nil {
		if errors.Is(err, ErrInvalid) {
			return nil // no such collection yet
		}
		return fmt.Errorf("collection %s: %w", c.spec.Name, err)
	}
	if len(records) == 1 {
		var mark rekeying
		if err := c.store.Unmarshal(records[0].Body, &mark); err == nil {
			c.bound = mark.Done && mark.Bound
		}
	}
	return nil
}

func (c *core) registry() *bsoncodec.Registry {
	if c.bound {
		return c.store.strict
	}
	return c.store.registry
}

// rekeyPage encrypts one page of documents anew.
func (c *Collection[T]) rekeyPage(ctx context.Context, after string, size int) (p rekeyedPage, err error) {
	q, err := c.checkQuery(All().First(size).Continue(after))
	if err != nil {
		return p, err
	}
	records, next, err := c.store.driver.Find(ctx, c.spec.Name, q)
	if err != nil {
		return p, c.fail("rekey", "", err)
	}
	p.next, p.read = next, len(records)
	for _, r := range records {
		changed, err := c.rekeyDoc(ctx, r)
		switch {
		case err == nil && changed:
			p.changed++
		case errors.Is(err, ErrUnreadable) || Exists(err): // the latter: two documents hold what a unique index wants once
			p.failed++
			p.ids = append(p.ids, r.ID)
			c.store.note(c.spec.Name, r.ID, err)
		case err != nil:
			return p, err
		}
	}
	return p, nil
}

// rekeyDoc replaces one document, unless it is as it should be; somebody else's write in between is looked at again.
func (c *Collection[T]) rekeyDoc(ctx context.Context, r Record) (changed bool, err error) {
	for range maxRetries {
		op, needed, err := c.rekeyed(r)
		if err != nil || !needed {
			return false, err
		}
		err = c.store.driver.Write(ctx, []Op{op})[0]
		if err == nil {
			c.store.readable(c.spec.Name, r.ID)
			return true, nil
		}
		if !errors.Is(err, ErrStale) && !errors.Is(err, ErrUnclear) {
			return false, c.fail("rekey", r.ID, err)
		}
		records, err := c.store.driver.Get(ctx, c.spec.Name, []string{r.ID})
		if err != nil {
			return false, c.fail("rekey", r.ID, err)
		}
		if len(records) == 0 {
			return false, nil // deleted meanwhile
		}
		r = records[0]
	}
	return false, c.fail("rekey", r.ID, ErrContended)
}

// rekeyed makes the write that brings a document to the newest keys.
func (c *Collection[T]) rekeyed(r Record) (op Op, needed bool, err error) {
	lenient := c.lenient()
	doc, err := lenient.decode(r.ID, r.Body)
	if err != nil {
		return Op{}, false, err
	}
	old, sealedNow, err := c.store.keys.stale(r.Body)
	if err != nil {
		return Op{}, false, &unreadable{c.spec.Name, r.ID, err}
	}
	body, err := c.store.Marshal(doc)
	if err != nil {
		return Op{}, false, c.fail("rekey", r.ID, err)
	}
	clearNow := 0
	if _, err := secrets(body, func(_ string, kind byte, data []byte) (byte, []byte, error) {
		if kind == kindClear {
			clearNow++
		}
		return kind, data, nil
	}); err != nil {
		return Op{}, false, c.fail("rekey", r.ID, err)
	}
	hashes, moved, err := c.rehash(body)
	if err != nil {
		return Op{}, false, c.fail("rekey", r.ID, err)
	}
	if old == 0 && sealedNow == clearNow && !moved {
		return Op{}, false, nil
	}
	if moved {
		fresh := new(T)
		if err := bson.UnmarshalWithRegistry(c.store.registry, hashes, fresh); err != nil {
			return Op{}, false, c.fail("rekey", r.ID, err)
		}
		doc = fresh
	}
	op, err = c.prepare(doc, c.meta(doc), r.Version)
	return op, true, err
}

// lenient is the collection as it reads what is not bound yet.
func (c *Collection[T]) lenient() *Collection[T] {
	plain := *c.core
	plain.bound = false
	return &Collection[T]{core: &plain, meta: c.meta, plan: c.plan}
}

// rehash brings the declared lookup hashes of a clear body to the newest lookup key.
func (c *core) rehash(body bson.Raw) (bson.Raw, bool, error) {
	moved := false
	for _, l := range c.spec.Lookups {
		kind, text, ok := body.Lookup(l.Of).BinaryOK()
		hash, has := body.Lookup(l.Field).StringValueOK()
		if !ok || kind != kindClear || !has {
			continue
		}
		if want := c.store.keys.Lookup(l.Purpose, string(text)); hash != want {
			at := bytes.Index(body, append([]byte(l.Field+"\x00"), body.Lookup(l.Field).Value...))
			if at < 0 || len(hash) != len(want) {
				return nil, false, fmt.Errorf("%w: lookup %s", ErrInvalid, l.Field)
			}
			body = bytes.Clone(body)
			copy(body[at+len(l.Field)+1+4:], want)
			moved = true
		}
	}
	return body, moved, nil
}
