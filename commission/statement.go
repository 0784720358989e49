package commission

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Page asks for a part of a list.
type Page struct {
	Size  int    // 1 to 200; 0 is 20
	After string // Statement.Next of the page before; "" begins at the newest
}

// Statement is one page of a member's statement, newest first. Next is empty on the last page.
type Statement struct {
	Lines []Line
	Next  string
}

const maxPage = 200

// Purse gives a member's purse with its newest lines. A member nobody ever paid has an empty one.
// Code: COM_MEMBER_INVALID.
func (s *Service) Purse(ctx context.Context, member string) (*Purse, error) {
	doc, err := s.purse(ctx, member)
	if err != nil {
		return nil, err
	}
	statement, err := s.statement(ctx, doc, pageLines, doc.Lines)
	if err != nil {
		return nil, fmt.Errorf("purse: %w", err)
	}
	return &Purse{Member: member, Balance: doc.Balance, Held: doc.held(), Lines: doc.Lines, Newest: statement.Lines}, nil
}

// Statement gives the lines of a member's purse, newest first, each with its reason in words.
// Codes: COM_MEMBER_INVALID, COM_PAGE_INVALID.
func (s *Service) Statement(ctx context.Context, member string, page Page) (Statement, error) {
	if page.Size == 0 {
		page.Size = 20
	}
	if page.Size < 1 || page.Size > maxPage {
		return Statement{}, ErrPageInvalid
	}
	doc, err := s.purse(ctx, member)
	if err != nil {
		return Statement{}, err
	}
	below := doc.Lines
	if page.After != "" {
		n, err := strconv.ParseInt(page.After, 10, 64)
		if err != nil || n < 1 {
			return Statement{}, ErrPageInvalid
		}
		below = min(n-1, doc.Lines)
	}
	statement, err := s.statement(ctx, doc, page.Size, below)
	if err != nil {
		return Statement{}, fmt.Errorf("statement: %w", err)
	}
	return statement, nil
}

func (s *Service) purse(ctx context.Context, member string) (*purseDoc, error) {
	if !named(member) {
		return nil, ErrMemberInvalid
	}
	doc, err := s.purses.Get(ctx, member)
	if missing(err) {
		return &purseDoc{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("purse: %w", err)
	}
	doc.ID = member
	return doc, nil
}

// statement gives the lines number below, below-1 … of a purse.
func (s *Service) statement(ctx context.Context, doc *purseDoc, size int, below int64) (Statement, error) {
	from := max(below-int64(size), 0)
	all, err := s.linesFrom(ctx, doc, from, below)
	if err != nil {
		return Statement{}, err
	}
	statement := Statement{Lines: make([]Line, 0, size)}
	for _, l := range slices.Backward(all) {
		if l.No <= below && l.No > from {
			l.Reason = words(&l)
			statement.Lines = append(statement.Lines, l)
		}
	}
	if from > 0 {
		statement.Next = strconv.FormatInt(from+1, 10)
	}
	return statement, nil
}

// linesFrom gives at least the lines after number from up to below, from the tail and from full pages.
func (s *Service) linesFrom(ctx context.Context, doc *purseDoc, from, below int64) ([]Line, error) {
	var ids []string
	first := doc.first()
	for n := from / pageLines; n*pageLines < min(first, below); n++ {
		ids = append(ids, pageID(doc.ID, n))
	}
	var all []Line
	if len(ids) > 0 {
		pages, err := s.pages.GetMany(ctx, ids)
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
