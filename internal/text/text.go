// Package text brings what people write into one form before it is stored, compared or counted: titles, names, notes,
// reasons, words.
//
// Every text is composed (NFC) and trimmed of spaces and of characters nobody sees. A text in which nothing can be seen
// (spaces, zero-width characters, blank letters, lone combining marks) is empty. Characters that cannot be seen but change
// what is read (control, direction and format characters) make it unfit; the zero-width joiner and the variation selectors
// between visible characters are allowed, because emoji and some scripts are built with them.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Line is the clean form of a text of one line, and whether it has least to most characters and nothing unfit in it.
func Line(s string, least, most int) (clean string, ok bool) { return tidy(s, least, most, false) }

// Words is Line for running text: line breaks and tabs are allowed.
func Words(s string, least, most int) (clean string, ok bool) { return tidy(s, least, most, true) }

// Plain is the clean form alone, for who has a check of his own.
func Plain(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	s = strings.TrimFunc(norm.NFC.String(s), blank)
	if strings.IndexFunc(s, seen) < 0 {
		return ""
	}
	return s
}

func tidy(s string, least, most int, running bool) (string, bool) {
	if !utf8.ValidString(s) {
		return s, false
	}
	if running {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	s = Plain(s)
	if n := utf8.RuneCountInString(s); n < least || n > most {
		return s, false
	}
	for _, r := range s {
		switch {
		case running && (r == '\n' || r == '\t'), r == joiner:
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029', r == utf8.RuneError, hollow(r):
			return s, false
		}
	}
	return s, true
}

const joiner = '\u200d'

// blank are characters that show nothing: they are no part of a text at its ends.
func blank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' || hollow(r) || zeroWidth(r)
}

// zeroWidth are those that take no room; the marks of direction are not among them, they are unfit wherever they stand.
func zeroWidth(r rune) bool {
	switch r {
	case '\u00ad', '\u034f', '\u180e', '\u200b', '\u200c', joiner, '\u2060', '\ufeff':
		return true
	}
	return false
}

// hollow are letters and signs that are drawn as nothing.
func hollow(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return false
}

// seen are characters that show something by themselves.
func seen(r rune) bool {
	return !blank(r) && !unicode.IsControl(r) && !unicode.In(r, unicode.Cf, unicode.M, unicode.Co, unicode.Cs)
}
