package text

import "testing"

func TestWhatPeopleWriteHasOneForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"  阳光花园\t", "阳光花园", true},
		{"\u200b\ufeff王姐\u200d", "王姐", true},
		{"e\u0301te", "\u00e9te", true}, // composed, and counted as three
		{"👩\u200d🌾 农场", "👩\u200d🌾 农场", true},
		{"❤\ufe0f", "❤\ufe0f", true},
		{"", "", false},
		{"   ", "", false},
		{"\u3000\u00a0", "", false},
		{"\u200b\u200b", "", false},
		{"\u200d", "", false},
		{"\ufeff", "", false},
		{"\u00ad", "", false},
		{"\u3164", "", false},
		{"\u2800\u2800", "", false},
		{"\u0301", "", false},
		{"\ufe0f", "", false},
		{"\u034f", "", false},
		{"王\u202e姐", "王\u202e姐", false},
		{"王\u200b姐", "王\u200b姐", false},
		{"王\x00姐", "王\x00姐", false},
		{"王\n姐", "王\n姐", false},
		{"王\u3164姐", "王\u3164姐", false},
		{"\xff", "\xff", false},
		{"王\ufffd", "王\ufffd", false},
		{"一二三四五六七八九十一", "一二三四五六七八九十一", false},
	} {
		if got, ok := Line(c.in, 1, 10); got != c.want || ok != c.ok {
			t.Errorf("%q: %q %v", c.in, got, ok)
		}
	}
	if got, ok := Words(" 第一行\r\n第二行\t完 \n", 0, 100); got != "第一行\n第二行\t完" || !ok {
		t.Errorf("%q %v", got, ok)
	}
	if got, ok := Words("", 0, 100); got != "" || !ok {
		t.Errorf("%q %v", got, ok)
	}
}

func FuzzTextStaysAsItIs(f *testing.F) {
	f.Add(" a\u200d ")
	f.Fuzz(func(t *testing.T, s string) {
		if once := Plain(s); Plain(once) != once {
			t.Errorf("%q becomes %q and then %q", s, once, Plain(once))
		}
	})
}
