package commission

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

const maxFound = 100

// entriesAbout gives the entries of an id, of an order, or of a number, by time.
func (s *Service) entriesAbout(ctx context.Context, what string) ([]*entryDoc, error) {
	if !id.Valid(what) {
		return nil, nil
	}
	ids := []string{what}
	if named(what) {
		ids = []string{accrueID(what)}
		for _, kind := range []Kind{Withdraw, Confirm, TaxWithheld, Return, Adjust, Incentive, Transfer} {
			ids = append(ids, numberID(kind, what))
		}
	}
	known, err := s.book.entries.GetWhole(ctx, ids)
	if err != nil {
		return nil, err
	}
	if named(what) {
		for _, at := range []string{clawBackID(what, ""), settleID(what, 0)} {
			page, err := s.book.entries.Find(ctx, docstore.All().Between(at, strings.TrimSuffix(at, "/")+"0").First(maxFound))
			if err != nil {
				return nil, err
			}
			for _, doc := range page.Items {
				if doc.ID == settleID(what, 0) || strings.HasPrefix(doc.ID, strings.TrimSuffix(at, "/")+"/") {
					known[doc.ID] = doc
				}
			}
		}
	}
	docs := make([]*entryDoc, 0, len(known))
	for _, doc := range known {
		docs = append(docs, doc)
	}
	slices.SortFunc(docs, func(a, b *entryDoc) int {
		return cmp.Or(strings.Compare(momentOf(a), momentOf(b)), strings.Compare(a.ID, b.ID))
	})
	return docs[:min(len(docs), maxFound)], nil
}

// Entries loads the entries that exist by id, sealed or not, at most docstore.MaxLimit at once.
func (s *Service) Entries(ctx context.Context, ids []string) (map[string]*Entry, error) {
	docs, err := s.book.entries.GetWhole(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	entries := make(map[string]*Entry, len(docs))
	for id, doc := range docs {
		if entries[id], err = parseEntry(doc); err != nil {
			return nil, fmt.Errorf("entries: %w", err)
		}
	}
	return entries, nil
}

// momentOf is the moment of an entry as its text has it: moments in this form sort like times.
func momentOf(d *entryDoc) string {
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
