package commission

import (
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// named tells whether s can be a part of a document id: the store's alphabet, without the separator.
func named(s string) bool {
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

func payable(f money.Fen) bool { return f > 0 && f <= money.Max }

func missing(err error) bool { return errors.Is(err, docstore.ErrNotFound) }

func pageFault(what string, err error) error {
	if errors.Is(err, docstore.ErrPage) {
		return ErrPageInvalid
	}
	return wrap(what, err)
}

// noID tells an id no document can have.
func noID(err error) bool { return errors.Is(err, docstore.ErrInvalid) }

func unsealedEnd(book string) string { return book + "0" } // "0" follows "/"

var errGone = errors.New("commission: a sealed entry is gone")

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
