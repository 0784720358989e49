package book

import (
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Named tells whether s can be a part of a document id: the store's alphabet, without the separator.
func Named(s string) bool {
	if len(s) > 64 || !id.Valid(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == '/' {
			return false
		}
	}
	return true
}

// Payable tells whether an amount can be paid.
func Payable(f money.Fen) bool { return f > 0 && f <= money.Max }

// Missing tells that a document does not exist.
func Missing(err error) bool { return errors.Is(err, docstore.ErrNotFound) }

// PageFault makes a paging that is not valid a refusal.
func PageFault(what string, err error) error {
	if errors.Is(err, docstore.ErrPage) {
		return ErrPageInvalid
	}
	return wrap(what, err)
}

// NoID tells an id no document can have.
func NoID(err error) bool { return errors.Is(err, docstore.ErrInvalid) }

// UnsealedEnd is the place behind all keys of a book in the index of what waits.
func UnsealedEnd(book string) string { return book + "0" } // "0" follows "/"

// ErrGone: something the chain says exists does not.
var ErrGone = errors.New("commission: a sealed entry is gone")

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
