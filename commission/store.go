package commission

import (
	"context"
	"fmt"
	"strings"

	"guanxi/internal/docstore"
)

// Store is what a book keeps: its entries, the chain of seals over them, the purses the seals are folded into, and the
// checkpoints that sign the chain. Reading it is here; posting, sealing and folding are the ledger's.
type Store struct {
	name        string // of the book
	entries     *docstore.Collection[entryDoc]
	seals       *docstore.Collection[sealDoc]
	books       *docstore.Collection[bookDoc]
	purses      *docstore.Collection[purseDoc]
	pages       *docstore.Collection[pageDoc]
	checkpoints *docstore.Collection[Checkpoint]
}

// openBook opens what a book keeps. Indexes are few on purpose: every one of them is paid for with every posting.
func openBook(ctx context.Context, store *docstore.Store, name string) (b *Store, err error) {
	b = &Store{name: name}
	b.entries, err = docstore.Open[entryDoc](ctx, store, docstore.Spec{
		Name: "entries", ShardKey: "_id",
		Indexes: []docstore.Index{{Name: "unsealed", Fields: []string{"unsealed"}, Sparse: true}},
	})
	if err != nil {
		return nil, err
	}
	if b.seals, err = docstore.Open[sealDoc](ctx, store, docstore.Spec{Name: "seals", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	if b.books, err = docstore.Open[bookDoc](ctx, store, docstore.Spec{Name: "books"}); err != nil {
		return nil, err
	}
	if b.purses, err = docstore.Open[purseDoc](ctx, store, docstore.Spec{Name: "purses", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	if b.pages, err = docstore.Open[pageDoc](ctx, store, docstore.Spec{Name: "purse_pages", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	b.checkpoints, err = docstore.Open[Checkpoint](ctx, store, docstore.Spec{Name: "checkpoints"})
	return b, err
}

// bookmark says how far the seals have been worked off.
func (b *Store) bookmark(ctx context.Context) (*bookDoc, error) {
	book, err := b.books.Get(ctx, b.name)
	if missing(err) {
		return &bookDoc{}, nil
	}
	return book, err
}

// loadSeal gives a seal; nil when there is none.
func (b *Store) loadSeal(ctx context.Context, number int64) (*Seal, error) {
	doc, err := b.seals.Get(ctx, sealID(b.name, number))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSeal(doc)
}

// readTogether is how many entries are loaded at once by who reads a whole seal: few enough to stay near the processor.
const readTogether = 500

// eachEntry visits the documents of a seal's entries, in its order; nil is one that is gone. They are the visitor's.
func (b *Store) eachEntry(ctx context.Context, ids []string, visit func(i int, doc *entryDoc) error) error {
	for from := 0; from < len(ids); from += readTogether {
		part := ids[from:min(from+readTogether, len(ids))]
		docs, err := b.entries.GetMany(ctx, part)
		if err != nil {
			return err
		}
		for i, id := range part {
			if err := visit(from+i, docs[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// entriesOf loads the entries of a seal, in its order.
func (b *Store) entriesOf(ctx context.Context, seal *Seal) ([]*Entry, error) {
	entries := make([]*Entry, len(seal.Entries))
	err := b.eachEntry(ctx, seal.Entries, func(i int, doc *entryDoc) (err error) {
		if doc == nil {
			return seal.without(i)
		}
		entries[i], err = parseEntry(doc)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// entry loads one entry, or nil when there is none.
func (b *Store) entry(ctx context.Context, id string) (*Entry, error) {
	doc, err := b.entries.Get(ctx, id)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseEntry(doc)
}

// purse gives a member's purse; an empty one when nobody ever paid. Code: COM_MEMBER_INVALID.
func (b *Store) purse(ctx context.Context, member string) (*purseDoc, error) {
	if !named(member) {
		return nil, ErrMemberInvalid
	}
	doc, err := b.purses.Get(ctx, member)
	if missing(err) {
		return &purseDoc{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("purse: %w", err)
	}
	doc.ID = member
	return doc, nil
}

// linesFrom gives at least the lines after number from up to below, from the tail and from full pages.
func (b *Store) linesFrom(ctx context.Context, doc *purseDoc, from, below int64) ([]Line, error) {
	var ids []string
	first := doc.first()
	for n := from / pageLines; n*pageLines < min(first, below); n++ {
		ids = append(ids, pageID(doc.ID, n))
	}
	var all []Line
	if len(ids) > 0 {
		pages, err := b.pages.GetMany(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			if pages[id] == nil {
				return nil, fmt.Errorf("%w: statement page %s", errGone, id)
			}
			lines, err := linesBetween(pages[id].Lines, (from/pageLines+int64(i))*pageLines, from, below)
			if err != nil {
				return nil, err
			}
			all = append(all, lines...)
		}
	}
	if below <= first {
		return all, nil
	}
	tail, err := linesBetween(doc.Tail, first, from, below)
	return append(all, tail...), err
}

// linesBetween reads of a text that begins behind line number first what lies after from and up to below.
func linesBetween(text string, first, from, below int64) ([]Line, error) {
	for ; first < from && text != ""; first++ {
		_, text, _ = strings.Cut(text, "\n")
	}
	rest := text
	for n := first; n < below && rest != ""; n++ {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return parseLines(text[:len(text)-len(rest)], first)
}

// newestCheckpoint gives the newest checkpoint; nil when there is none.
func (b *Store) newestCheckpoint(ctx context.Context) (*Checkpoint, error) {
	page, err := b.checkpoints.Find(ctx, docstore.All().Between(b.name+"/", b.name+"0").Newest().First(1).Whole())
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}
