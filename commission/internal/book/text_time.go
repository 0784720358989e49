package book

import "time"

// TextTime is how moments are written in everything that is text and hashed: always 24 characters.
const TextTime = "2006-01-02T15:04:05.000Z"

// parseTime is time.Parse(textTime, s), several times faster for what appendTime writes.
func parseTime(s string) (time.Time, error) {
	if len(s) != len(TextTime) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != '.' || s[23] != 'Z' {
		return time.Parse(TextTime, s)
	}
	year, month, day := natural(s[0:4]), natural(s[5:7]), natural(s[8:10])
	hour, minute, second, milli := natural(s[11:13]), natural(s[14:16]), natural(s[17:19]), natural(s[20:23])
	bad := year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
		second < 0 || second > 59 || milli < 0
	if bad {
		return time.Parse(TextTime, s)
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), time.UTC)
	if t.Day() != day { // there is no such day in this month
		return time.Parse(TextTime, s)
	}
	return t, nil
}

// natural reads a number of digits only; -1 when there is anything else.
func natural(s string) (n int) {
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return -1
		}
		n = 10*n + int(c)
	}
	return n
}

// appendTime is t.UTC().AppendFormat(b, textTime), several times faster.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, TextTime)
	}
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / int(time.Millisecond)
	two := func(b []byte, n int, before byte) []byte { return append(b, before, byte('0'+n/10), byte('0'+n%10)) }
	b = append(b, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10))
	b = two(two(b, int(month), '-'), day, '-')
	b = two(two(two(b, hour, 'T'), minute, ':'), second, ':')
	return append(b, '.', byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10), 'Z')
}
