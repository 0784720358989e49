package book

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
	Entries     *docstore.Collection[EntryDoc]
	Seals       *docstore.Collection[SealDoc]
	Books       *docstore.Collection[Bookmark]
	Purses      *docstore.Collection[PurseDoc]
	Pages       *docstore.Collection[PageDoc]
	Checkpoints *docstore.Collection[Checkpoint]
}

// Open opens what a book keeps. Indexes are few on purpose: every one of them is paid for with every posting.
func Open(ctx context.Context, store *docstore.Store, name string) (b *Store, err error) {
	b = &Store{name: name}
	b.Entries, err = docstore.Open[EntryDoc](ctx, store, docstore.Spec{
		Name: "entries", ShardKey: "_id",
		Indexes: []docstore.Index{{Name: "unsealed", Fields: []string{"unsealed"}, Sparse: true}},
	})
	if err != nil {
		return nil, err
	}
	if b.Seals, err = docstore.Open[SealDoc](ctx, store, docstore.Spec{Name: "seals", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	if b.Books, err = docstore.Open[Bookmark](ctx, store, docstore.Spec{Name: "books"}); err != nil {
		return nil, err
	}
	if b.Purses, err = docstore.Open[PurseDoc](ctx, store, docstore.Spec{Name: "purses", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	if b.Pages, err = docstore.Open[PageDoc](ctx, store, docstore.Spec{Name: "purse_pages", ShardKey: "_id"}); err != nil {
		return nil, err
	}
	b.Checkpoints, err = docstore.Open[Checkpoint](ctx, store, docstore.Spec{Name: "checkpoints"})
	return b, err
}

// Bookmark says how far the seals have been worked off.
func (b *Store) Bookmark(ctx context.Context) (*Bookmark, error) {
	book, err := b.Books.Get(ctx, b.name)
	if Missing(err) {
		return &Bookmark{}, nil
	}
	return book, err
}

// LoadSeal gives a seal; nil when there is none.
func (b *Store) LoadSeal(ctx context.Context, number int64) (*Seal, error) {
	doc, err := b.Seals.Get(ctx, SealID(b.name, number))
	if Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseSeal(doc)
}

// readTogether is how many entries are loaded at once by who reads a whole seal: few enough to stay near the processor.
const readTogether = 500

// EachEntry visits the documents of a seal's entries, in its order; nil is one that is gone. They are the visitor's.
func (b *Store) EachEntry(ctx context.Context, ids []string, visit func(i int, doc *EntryDoc) error) error {
	for from := 0; from < len(ids); from += readTogether {
		part := ids[from:min(from+readTogether, len(ids))]
		docs, err := b.Entries.GetMany(ctx, part)
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

// EntriesOf loads the entries of a seal, in its order.
func (b *Store) EntriesOf(ctx context.Context, seal *Seal) ([]*Entry, error) {
	entries := make([]*Entry, len(seal.Entries))
	err := b.EachEntry(ctx, seal.Entries, func(i int, doc *EntryDoc) (err error) {
		if doc == nil {
			return seal.Without(i)
		}
		entries[i], err = ParseEntry(doc)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Entry loads one entry, or nil when there is none.
func (b *Store) Entry(ctx context.Context, id string) (*Entry, error) {
	doc, err := b.Entries.Get(ctx, id)
	if Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseEntry(doc)
}

// Purse gives a member's purse; an empty one when nobody ever paid. Code: COM_MEMBER_INVALID.
func (b *Store) Purse(ctx context.Context, member string) (*PurseDoc, error) {
	if !Named(member) {
		return nil, ErrMemberInvalid
	}
	doc, err := b.Purses.Get(ctx, member)
	if Missing(err) {
		return &PurseDoc{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("purse: %w", err)
	}
	doc.ID = member
	return doc, nil
}

// LinesFrom gives at least the lines after number from up to below, from the tail and from full pages.
func (b *Store) LinesFrom(ctx context.Context, doc *PurseDoc, from, below int64) ([]Line, error) {
	var ids []string
	first := doc.First()
	for n := from / PageLines; n*PageLines < min(first, below); n++ {
		ids = append(ids, PageID(doc.ID, n))
	}
	var all []Line
	if len(ids) > 0 {
		pages, err := b.Pages.GetMany(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			if pages[id] == nil {
				return nil, fmt.Errorf("%w: statement page %s", ErrGone, id)
			}
			lines, err := linesBetween(pages[id].Lines, (from/PageLines+int64(i))*PageLines, from, below)
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

// NewestCheckpoint gives the newest checkpoint; nil when there is none.
func (b *Store) NewestCheckpoint(ctx context.Context) (*Checkpoint, error) {
	page, err := b.Checkpoints.Find(ctx, docstore.All().Between(b.name+"/", b.name+"0").Newest().First(1).Whole())
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}
