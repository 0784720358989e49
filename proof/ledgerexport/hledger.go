package ledgerexport

import (
	"strings"

	"guanxi/internal/money"
)

// hledger is the syntax hledger and ledger have in common.
type hledger struct{}

func (hledger) head(b []byte, title string) []byte {
	return append(append(append(b, "; "...), title...), "\n\ncommodity CNY\n    format 1000.00 CNY\n\n"...)
}

func (hledger) comment(b []byte, words string) []byte {
	return append(append(append(b, "; "...), words...), '\n')
}

func (hledger) open(b []byte, _, account string) []byte {
	return append(append(append(b, "account "...), account...), '\n')
}

func (hledger) transaction(b []byte, day, code, words string) []byte {
	b = append(append(b, day...), " * "...)
	if code != "" {
		b = append(append(append(b, '('), code...), ") "...)
	}
	return append(append(b, words...), '\n')
}

func (hledger) fact(b []byte, indent, key, value string) []byte {
	b = append(append(append(append(b, "  "...), indent...), "; "...), key...)
	return append(append(append(b, ": "...), tag(value)...), '\n')
}

func (hledger) posting(b []byte, account string, amount money.Fen) []byte {
	b = append(append(b, "    "...), account...)
	return append(figure(b, account, amount), '\n')
}

func (h hledger) assert(b []byte, day, account string, amount money.Fen) []byte {
	b = h.transaction(append(b, '\n'), day, "", "期末余额")
	b = append(append(b, "    "...), account...)
	b = append(figure(b, account, 0), " = "...)
	return append(append(b, amount.Yuan()...), " CNY\n"...)
}

// tag writes a value as one tag: what would end it, or mean something in it, is written as % and two digits.
func tag(s string) string {
	const hex, special = "0123456789ABCDEF", ",;[]%"
	s = strings.ToValidUTF8(s, "\uFFFD")
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		edge := c == ' ' && (i == 0 || i == len(s)-1)
		if c < ' ' || c == 0x7f || edge || strings.IndexByte(special, c) >= 0 {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return string(b)
}
