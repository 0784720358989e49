package commission

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"guanxi/commission/internal/book"
	"guanxi/internal/money"
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
	doc, err := s.book.Purse(ctx, member)
	if err != nil {
		return nil, err
	}
	statement, err := s.statement(ctx, doc, book.PageLines, doc.Lines)
	if err != nil {
		return nil, fmt.Errorf("purse: %w", err)
	}
	return &Purse{Member: member, Balance: doc.Balance, Held: doc.Held(), Lines: doc.Lines, Newest: statement.Lines}, nil
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
	doc, err := s.book.Purse(ctx, member)
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

// statement gives the lines number below, below-1 … of a purse.
func (s *Service) statement(ctx context.Context, doc *book.PurseDoc, size int, below int64) (Statement, error) {
	from := max(below-int64(size), 0)
	all, err := s.book.LinesFrom(ctx, doc, from, below)
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

// Purse is a member's commission account at this moment.
type Purse struct {
	Member string
	Balance
	Held   money.Fen // of Available: withdrawals whose entries are not folded yet
	Lines  int64     // statement lines so far
	Newest []Line    // the newest lines, newest first; at most 32
}
