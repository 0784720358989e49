package reconcile

import (
	"time"

	"guanxi/internal/money"
)

// judge says what is wrong with a line, given what our books have under its number (nil: nothing). "" is agreement. It is
// the whole rule of what a difference is, but for what no single line can show: doubled and missing lines, and what the
// trade bill of the day says of a fund line (see tradeSide).
func judge(l Line, ours *Fact, rate money.BasisPoints) Difference {
	switch {
	case l.Move == Fee:
		return ""
	case !l.Move.matched() || l.Number == "":
		return Unexplained
	case ours == nil && l.State == LineFailed:
		return "" // nothing moved, and we know of nothing
	case ours == nil:
		return MissingOurs
	case !agree(l.State, *ours):
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

// agree compares states. A bill's row is written once and never again: what it calls under way may have been over within the
// hour. Only when our books say that it never will be, or that people must act, does it matter that the bill counts it.
func agree(line LineState, ours Fact) bool {
	switch line {
	case LineDone:
		return ours.State == FactDone
	case LineOpen:
		return ours.State == FactOpen || ours.State == FactDone
	case LineStuck:
		return ours.State != FactFailed
	}
	return ours.State != FactDone
}

// fair reports whether a trade line's fee is the agreed one, give or take the fen the platform rounds by; refunds give
// it back in proportion.
func fair(l Line, rate money.BasisPoints) bool {
	due := l.settled().Portion(rate)
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
