package groupbuy

import "slices"

// spans is a set of numbers kept as ascending closed intervals [from, to, from, to …]. Seat numbers are
// dense, so that it stays short, and adding one twice is seen.
type spans []int64

// add reports whether n is new.
func (s *spans) add(n int64) bool {
	v := *s
	i := 0 // the first interval that ends at n-1 or later
	if size := len(v); size > 0 && v[size-1] < n-1 {
		i = size
	} else {
		for i < size && v[i+1] < n-1 {
			i += 2
		}
	}
	switch {
	case i == len(v) || n < v[i]-1:
		*s = slices.Insert(v, i, n, n)
	case n == v[i]-1:
		v[i] = n
	case n <= v[i+1]:
		return false
	default: // n == v[i+1]+1
		v[i+1] = n
		if i+2 < len(v) && v[i+2] == n+1 {
			*s = slices.Delete(v, i+1, i+3)
		}
	}
	return true
}

// has reports whether n is in the set.
func (s spans) has(n int64) bool {
	for i := 0; i < len(s); i += 2 {
		if s[i] <= n && n <= s[i+1] {
			return true
		}
	}
	return false
}

// upto is the largest n for which 1..n are all in the set.
func (s spans) upto() int64 {
	if len(s) == 0 || s[0] != 1 {
		return 0
	}
	return s[1]
}
