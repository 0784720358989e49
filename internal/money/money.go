// Package money counts in fen and never in floats.
//
// A Fen is one hundredth of a yuan. Ratios are decimals or basis points; every division says who gets the
// remainder, and Split conserves the sum to the fen.
package money

import (
	"errors"
	"fmt"
	"sort"
	"strconv"

	"github.com/shopspring/decimal"
)

// Fen is an amount in 1/100 yuan. Negative amounts are money owed the other way.
type Fen int64

// Max is the largest single amount the system accepts: 100 million yuan. It keeps sums of a billion
// amounts inside int64.
const Max Fen = 10_000_000_000

// BasisPoints is a ratio in 1/10,000: 500 is 5 %.
type BasisPoints int64

// ErrWeights reports weights that cannot carry a split: negative, or all zero.
var ErrWeights = errors.New("money: weights must be non-negative and not all zero")

// Yuan renders the amount with two decimals: 327 is "3.27", -5 is "-0.05".
func (f Fen) Yuan() string {
	sign, v := "", int64(f)
	if v < 0 {
		sign, v = "-", -v
	}
	return sign + strconv.FormatInt(v/100, 10) + "." + fmt.Sprintf("%02d", v%100)
}

// Portion is f × bp / 10,000, rounded half away from zero.
func (f Fen) Portion(bp BasisPoints) Fen { return f.Times(decimal.New(int64(bp), -4)) }

// Times is f × ratio, rounded half away from zero.
func (f Fen) Times(ratio decimal.Decimal) Fen {
	return Fen(decimal.NewFromInt(int64(f)).Mul(ratio).Round(0).IntPart())
}

// Share is the exact cumulative share part/whole of f, rounded toward zero. Taking
// Share(f, cum) - Share(f, previous cum) for growing cum gives pieces that end at exactly f.
func (f Fen) Share(part, whole Fen) Fen {
	if whole == 0 {
		return 0
	}
	product := decimal.NewFromInt(int64(f)).Mul(decimal.NewFromInt(int64(part)))
	quotient, _ := product.QuoRem(decimal.NewFromInt(int64(whole)), 0)
	return Fen(quotient.IntPart())
}

// ParseYuan reads "12.30" or "12.3" or "12". More than two decimals is an error: nobody owes half a fen.
func ParseYuan(s string) (Fen, error) {
	d, err := decimal.NewFromString(s)
	if err != nil {
		return 0, fmt.Errorf("money: %q is not an amount", s)
	}
	cents := d.Shift(2)
	if !cents.IsInteger() {
		return 0, fmt.Errorf("money: %q has more than two decimals", s)
	}
	if cents.Abs().GreaterThan(decimal.NewFromInt(int64(Max))) {
		return 0, fmt.Errorf("money: %q is too large", s)
	}
	return Fen(cents.IntPart()), nil
}

// Split divides total by weights with the largest-remainder method: the parts always sum to total. Fen left
// over go to the largest remainders; among equals, to the earlier part.
func Split(total Fen, weights []int64) ([]Fen, error) {
	sum := int64(0)
	for _, w := range weights {
		if w < 0 {
			return nil, ErrWeights
		}
		sum += w
	}
	if sum == 0 {
		return nil, ErrWeights
	}
	if total < 0 {
		parts, err := Split(-total, weights)
		for i := range parts {
			parts[i] = -parts[i]
		}
		return parts, err
	}
	return largestRemainder(total, weights, sum), nil
}

func largestRemainder(total Fen, weights []int64, sum int64) []Fen {
	type rest struct {
		index int
		value decimal.Decimal
	}
	parts, rests, left := make([]Fen, len(weights)), make([]rest, len(weights)), total
	whole := decimal.NewFromInt(sum)
	for i, w := range weights {
		product := decimal.NewFromInt(int64(total)).Mul(decimal.NewFromInt(w))
		quotient, remainder := product.QuoRem(whole, 0)
		parts[i] = Fen(quotient.IntPart())
		rests[i] = rest{i, remainder}
		left -= parts[i]
	}
	sort.SliceStable(rests, func(a, b int) bool { return rests[a].value.GreaterThan(rests[b].value) })
	for i := range int(left) {
		parts[rests[i].index]++
	}
	return parts
}

// Sum adds amounts.
func Sum(amounts ...Fen) Fen {
	total := Fen(0)
	for _, a := range amounts {
		total += a
	}
	return total
}
