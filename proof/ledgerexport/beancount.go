package ledgerexport

import (
	"strings"
	"time"

	"guanxi/internal/money"
)

// beancount is the syntax of beancount 2 and 3.
type beancount struct{}

func (beancount) head(b []byte, title string) []byte {
	b = append(append(append(b, "option \"title\" "...), quote(title)...), '\n')
	return append(b, "option \"operating_currency\" \"CNY\"\n"...)
}

func (beancount) comment(b []byte, words string) []byte {
	return append(append(append(b, "; "...), words...), '\n')
}

func (beancount) open(b []byte, day, account string) []byte {
	return append(append(append(append(b, day...), " open "...), account...), " CNY\n"...)
}

// transaction needs no code: the facts tell the order or the number.
func (beancount) transaction(b []byte, day, _, words string) []byte {
	return append(append(append(append(b, day...), " * "...), quote(words)...), '\n')
}

func (beancount) fact(b []byte, indent, key, value string) []byte {
	b = append(append(append(b, indent...), key...), ": "...)
	return append(append(b, quote(value)...), '\n')
}

func (beancount) posting(b []byte, account string, amount money.Fen) []byte {
	b = append(append(b, "  "...), account...)
	return append(figure(b, account, amount), '\n')
}

// assert stands on the next day: beancount looks at the morning.
func (beancount) assert(b []byte, day, account string, amount money.Fen) []byte {
	if t, err := time.Parse(time.DateOnly, day); err == nil {
		day = t.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	b = append(append(append(b, day...), " balance "...), account...)
	return append(figure(b, account, amount), '\n')
}

// quote writes a string as beancount reads it. Control characters that have no escape become spaces.
func quote(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c == 0x7f:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
