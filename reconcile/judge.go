package reconcile

import (
	"time"

	"guanxi/internal/money"
)

// judge says what is wrong with a line, given what our books have under its number (nil: nothing) and the end of
// the bill's day. "" is agreement. It is the whole rule of what a difference is, but for doubled and missing
// lines, which no single line can show.
func judge(l Line, ours *Fact, ends time.Time, rate money.BasisPoints) Difference {
	switch {
	case l.Move == Fee:
		return ""
	case !l.Move.matched() || l.Number == "":
		return Unexplained
	case ours == nil && l.State == LineFailed:
		return "" // nothing moved, and we know of nothing
	case ours == nil:
		return MissingOurs
	case !agree(l.State, *ours, ends):
		return StateWrong
	case l.Amount != ours.Amount:
		return AmountWrong
	case l.Platform != "" && ours.Platform != "" && l.Platform != ours.Platform:
		return NumberWrong
	case rate > 0 && !fair(l, rate):
		return FeeWrong
	}
	return ""
}

// agree compares states. A bill is older than our books: what it calls under way may be over since.
func agree(line LineState, ours Fact, ends time.Time) bool {
	switch line {
	case LineDone:
		return ours.State == FactDone
	case LineOpen:
		return ours.State == FactOpen || ours.State == FactDone && !ours.At.Before(ends)
	}
	return ours.State != FactDone
}

// fair tells whether a trade line's fee is the agreed one, give or take the fen the platform rounds by; refunds give
// it back in proportion.
func fair(l Line, rate money.BasisPoints) bool {
	due := l.Amount.Portion(rate)
	if l.Move == Refund {
		due = -due
	}
	off := l.Fee - due
	return off >= -1 && off <= 1
}

// counts tells whether a fact is a movement of the day [from, to): what must then be in a bill.
func counts(f Fact, from, to time.Time) bool {
	return f.State == FactDone && f.Amount != 0 && !f.At.Before(from) && f.At.Before(to)
}
