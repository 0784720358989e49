package outreach

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// Yuan writes an amount as templates want it: 12.30元.
func Yuan(amount money.Fen) string { return amount.Yuan() + "元" }

// Clock writes a time as templates want it, in China: 2026年3月2日 10:00.
func Clock(t time.Time) string { return t.In(clock.Shanghai()).Format("2006年1月2日 15:04") }

// fieldKind is a kind of template field, as the platform limits it.
type fieldKind struct {
	name  string
	most  int // characters
	takes []Kind
	keeps func(rune) bool // other characters are left out
	cuts  bool            // too long is cut; otherwise it does not fit: half a number is another number
}

var fieldKinds = [...]fieldKind{
	{"thing", 20, []Kind{Words, Amount, Moment, Code}, unicode.IsPrint, true},
	{"phrase", 5, []Kind{Words}, isHan, true},
	{"character_string", 32, []Kind{Code, Amount}, isASCII, false},
	{"amount", 14, []Kind{Amount}, isAmount, false}, // ten digits, a point, two digits, 元
	{"number", 32, []Kind{Amount}, isNumber, false},
	{"time", 32, []Kind{Moment}, unicode.IsPrint, false},
	{"date", 32, []Kind{Moment}, unicode.IsPrint, false},
}

func isHan(r rune) bool    { return unicode.Is(unicode.Han, r) }
func isASCII(r rune) bool  { return r > ' ' && r < 0x7f }
func isNumber(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == '-' }
func isAmount(r rune) bool { return isNumber(r) || r == '¥' || r == '元' }

// kindOf finds the kind of a field by its key: thing1, amount2 …
func kindOf(key string) *fieldKind {
	name := strings.TrimRight(key, "0123456789")
	digits := len(key) - len(name)
	for i := range fieldKinds {
		if fieldKinds[i].name == name && digits >= 1 && digits <= 2 {
			return &fieldKinds[i]
		}
	}
	return nil
}

// fit makes a value one that the platform takes for a field: one line, allowed characters only, not too long, not empty.
// It is "" when nothing of the value can be shown there.
func fit(key, value string) string {
	k := kindOf(key)
	if k == nil {
		return ""
	}
	value = strings.Join(strings.Fields(value), " ")
	value = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !k.keeps(r) {
			return -1
		}
		return r
	}, value)
	if value == "" && k.name == "thing" {
		return "无"
	}
	runes := []rune(value)
	switch {
	case len(runes) <= k.most:
		return value
	case !k.cuts:
		return ""
	case k.name == "thing":
		return strings.TrimSpace(string(runes[:k.most-1])) + "…"
	}
	return string(runes[:k.most])
}

func (k *fieldKind) fits(v Kind) bool { return slices.Contains(k.takes, v) }
