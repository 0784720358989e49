package notary

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const (
	maxFacts = 500 // of one link
	maxRaces = 100 // lost elections in one call
)

// adopted remembers which collections have been taken in: a bookmark, the chain itself says it too.
type adopted struct {
	docstore.Doc `bson:",inline"`
	Collections  []string `bson:"collections"`
}

const adoptedID = "adopted"

// Notary writes the chain. Its methods are safe for concurrent use by several processes.
type Notary struct {
	store *docstore.Store
	clock clock.Clock
	chain
	books *docstore.Collection[adopted]
	step  func(string) error // for tests that die in between
}

// chain reads links.
type chain struct{ links *docstore.Collection[link] }

func openChain(ctx context.Context, store *docstore.Store) (c chain, err error) {
	c.links, err = docstore.Open[link](ctx, store, docstore.Spec{Name: "facts", ShardKey: "_id"})
	if err != nil {
		return c, fmt.Errorf("notary: %w", err)
	}
	return c, nil
}

// New opens the chain of a store. Open every chained collection before the first Seal.
func New(ctx context.Context, store *docstore.Store, c clock.Clock) (*Notary, error) {
	links, err := openChain(ctx, store)
	if err != nil {
		return nil, err
	}
	books, err := docstore.Open[adopted](ctx, store, docstore.Spec{Name: "fact_books"})
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	return &Notary{store: store, clock: c, chain: links, books: books, step: func(string) error { return nil }}, nil
}

// Run takes in what is older than the chain and then seals what is changed, until ctx ends: soon after this process wrote
// something (delay bounds how soon), and every few minutes for what other processes left when they died. Errors are told and
// tried again.
func (n *Notary) Run(ctx context.Context, delay time.Duration, failed func(error)) {
	for wait := delay; ; wait = leftBehind {
		select {
		case <-ctx.Done():
			return
		case <-n.store.Changed():
			wait = delay
		case <-time.After(wait):
			wait = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait): // so that one link takes what is written together
		}
		if err := n.CatchUp(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// leftBehind is how often a process that hears of no change of its own looks for marks that another one left when it died.
const leftBehind = 5 * time.Minute

// CatchUp adopts what is older than the chain and seals everything that is marked.
func (n *Notary) CatchUp(ctx context.Context) error {
	if err := n.Adopt(ctx); err != nil {
		return err
	}
	for {
		sealed, err := n.Seal(ctx)
		if err != nil || sealed == 0 {
			return err
		}
	}
}

// Head is the newest link; number 0 when there is none.
func (n *Notary) Head(ctx context.Context) (Head, error) {
	l, err := n.head(ctx)
	if err != nil || l == nil {
		return Head{}, err
	}
	return Head{l.number(), l.Hash}, nil
}

func (c chain) head(ctx context.Context) (*link, error) {
	l, err := c.links.FindOne(ctx, docstore.All().Newest())
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil //nolint:nilnil // the beginning
	}
	return l, err
}

// Seal writes one link over what is marked and returns how many documents it holds; 0 when nothing waited.
func (n *Notary) Seal(ctx context.Context) (int, error) {
	sealed, err := n.elect(ctx, func(ctx context.Context) (lot, error) {
		var all lot
		for _, c := range n.store.Chained() {
			facts, err := c.Waiting(ctx, maxFacts-all.size)
			if err != nil {
				return all, err
			}
			if all.add(wordFact, c, facts); all.size == maxFacts {
				break
			}
		}
		return all, nil
	})
	if err != nil {
		return 0, fmt.Errorf("seal facts: %w", err)
	}
	return sealed, nil
}

// lot is what one link holds.
type lot struct {
	lines []string
	size  int // documents
	parts []part
}

type part struct {
	from  docstore.Chained
	facts []docstore.Fact
}

func (l *lot) add(word string, from docstore.Chained, facts []docstore.Fact) {
	if len(facts) == 0 {
		return
	}
	for i := range facts {
		l.lines = append(l.lines, line(word, &facts[i]))
	}
	l.size, l.parts = l.size+len(facts), append(l.parts, part{from, facts})
}

// elect reads the head, then collects, then writes the link that follows that head. Whoever loses begins again, so that a
// link never holds an older state of a document than the links before it.
func (n *Notary) elect(ctx context.Context, collect func(context.Context) (lot, error)) (int, error) {
	for range maxRaces {
		head, err := n.head(ctx)
		if err != nil {
			return 0, err
		}
		all, err := collect(ctx)
		if err != nil || len(all.lines) == 0 {
			return 0, err
		}
		l := after(head, clock.Milli(n.clock.Now()), all.lines)
		if err = n.step("collected"); err != nil {
			return 0, err
		}
		if err = n.links.Insert(ctx, l); docstore.Exists(err) {
			continue
		} else if err != nil {
			return 0, err
		}
		if err = n.step("linked"); err != nil {
			return 0, err
		}
		for _, p := range all.parts {
			if err := p.from.Proved(ctx, l.number(), p.facts); err != nil {
				return 0, err
			}
		}
		return all.size, nil
	}
	return 0, docstore.ErrContended
}

// Adopt takes in, once per collection, the documents that are older than the chain.
func (n *Notary) Adopt(ctx context.Context) error {
	book, err := n.books.Get(ctx, adoptedID)
	if errors.Is(err, docstore.ErrNotFound) {
		book, err = &adopted{}, nil
	}
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	var fresh []string
	for _, c := range n.store.Chained() {
		if slices.Contains(book.Collections, c.Name()) {
			continue
		}
		if err := n.adopt(ctx, c); err != nil {
			return fmt.Errorf("adopt %s: %w", c.Name(), err)
		}
		fresh = append(fresh, c.Name())
	}
	if len(fresh) == 0 {
		return nil
	}
	return n.adoption(ctx, fresh)
}

// adoption writes down that what was there before is in the chain.
func (n *Notary) adoption(ctx context.Context, fresh []string) error {
	_, err := n.elect(ctx, func(ctx context.Context) (l lot, err error) {
		book, err := n.books.Get(ctx, adoptedID)
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return l, err
		}
		for _, name := range fresh {
			if book == nil || !slices.Contains(book.Collections, name) {
				l.lines = append(l.lines, wordAdopted+" "+name)
			}
		}
		return l, nil
	})
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	if err := n.step("adopted"); err != nil {
		return err
	}
	_, err = n.books.Upsert(ctx, adoptedID, func(b *adopted) error {
		for _, name := range fresh {
			if !slices.Contains(b.Collections, name) {
				b.Collections = append(b.Collections, name)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	return nil
}

// adopt walks one collection.
func (n *Notary) adopt(ctx context.Context, c docstore.Chained) error {
	for at := ""; ; {
		next := ""
		_, err := n.elect(ctx, func(ctx context.Context) (l lot, err error) {
			var facts []docstore.Fact
			if facts, next, err = c.Scan(ctx, at, maxFacts); err != nil {
				return l, err
			}
			old := slices.DeleteFunc(facts, func(f docstore.Fact) bool { return f.Waiting || f.Proven > 0 })
			l.add(wordBefore, c, old)
			return l, nil
		})
		if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		at = next
	}
}
