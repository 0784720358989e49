package commission

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

const maxFound = 100

// entriesAbout gives the entries of an id, of an order, or of a number, by time.
func (s *Service) entriesAbout(ctx context.Context, what string) ([]*book.EntryDoc, error) {
	if !id.Valid(what) {
		return nil, nil
	}
	ids := []string{what}
	if book.Named(what) {
		ids = []string{book.AccrueID(what)}
		for _, kind := range []Kind{Withdraw, Confirm, TaxWithheld, Return, Adjust, Incentive, Transfer} {
			ids = append(ids, book.NumberID(kind, what))
		}
	}
	known, err := s.book.Entries.GetWhole(ctx, ids)
	if err != nil {
		return nil, err
	}
	if book.Named(what) {
		for _, at := range []string{book.ClawBackID(what, ""), book.SettleID(what, 0)} {
			page, err := s.book.Entries.Find(ctx, docstore.All().Between(at, strings.TrimSuffix(at, "/")+"0").First(maxFound))
			if err != nil {
				return nil, err
			}
			for _, doc := range page.Items {
				if doc.ID == book.SettleID(what, 0) || strings.HasPrefix(doc.ID, strings.TrimSuffix(at, "/")+"/") {
					known[doc.ID] = doc
				}
			}
		}
	}
	docs := make([]*book.EntryDoc, 0, len(known))
	for _, doc := range known {
		docs = append(docs, doc)
	}
	slices.SortFunc(docs, func(a, b *book.EntryDoc) int {
		return cmp.Or(strings.Compare(momentOf(a), momentOf(b)), strings.Compare(a.ID, b.ID))
	})
	return docs[:min(len(docs), maxFound)], nil
}

// Entries loads the entries that exist by id, sealed or not, at most docstore.MaxLimit at once.
func (s *Service) Entries(ctx context.Context, ids []string) (map[string]*Entry, error) {
	docs, err := s.book.Entries.GetWhole(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	entries := make(map[string]*Entry, len(docs))
	for id, doc := range docs {
		if entries[id], err = book.ParseEntry(doc); err != nil {
			return nil, fmt.Errorf("entries: %w", err)
		}
	}
	return entries, nil
}

// momentOf is the moment of an entry as its text has it: moments in this form sort like times.
func momentOf(d *book.EntryDoc) string {
	_, rest, _ := strings.Cut(d.Text, "\nat ")
	moment, _, _ := strings.Cut(rest, "\n")
	return moment
}

// members lists whom the entry moves, in order of appearance.
func members(e *Entry) []string {
	var all []string
	for i := range e.Postings {
		if member, _, ok := e.Postings[i].Account.Member(); ok && !slices.Contains(all, member) {
			all = append(all, member)
		}
	}
	return all
}

// StreamEntries gives the entries of seals from … to (0: the newest that is folded) in the order of the chain. Seals are
// read side by side; visit is called by one goroutine. An error of visit ends it.
func (s *Service) StreamEntries(ctx context.Context, from, to int64, visit func(*Seal, []*Entry) error) error {
	return s.book.StreamEntries(ctx, from, to, visit)
}

// SealAt gives the number of the last seal made before t; 0 when there is none.
func (s *Service) SealAt(ctx context.Context, t time.Time) (int64, error) {
	return s.book.SealAt(ctx, t)
}
