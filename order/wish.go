package order

import (
	"cmp"
	"slices"
	"strconv"

	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/internal/text"
)

// Limits of an order.
const (
	MaxLines = 50
	MaxUnits = 9999 // of one line
	MaxNote  = 200  // characters of the member's note
)

// PlaceInput is a purchase. Key is the caller's idempotency key: 1 to 128 visible ASCII characters.
type PlaceInput struct {
	Key, Member, Campaign string
	Lines                 []Wish // every SKU once
	Pickup                string // pickup point of the campaign's community; optional
	Note                  string // for the host; optional
	Share                 string // the share link the member came by; optional
}

// check refuses what can never be placed.
func (in *PlaceInput) check() error {
	if !validKey(in.Key) {
		return ErrBadInput.With("key", "幂等键无效 / the idempotency key is not valid")
	}
	if !id.Valid(in.Member) {
		return ErrBadInput.With("member", "会员编号无效 / the member id is not valid")
	}
	if !id.Valid(in.Campaign) {
		return ErrBadInput.With("campaign", "活动编号无效 / the campaign id is not valid")
	}
	if in.Pickup != "" && !id.Valid(in.Pickup) {
		return ErrUnknownPickup
	}
	if in.Share != "" && !id.Valid(in.Share) {
		return ErrBadInput.With("share", "分享编号无效 / the share id is not valid")
	}
	if !clean(&in.Note, 0, MaxNote) {
		return ErrBadInput.With("note", "备注过长或含有无效字符 / the note is too long or not valid text")
	}
	return checkLines(in.Lines)
}

func checkLines(lines []Wish) error {
	if len(lines) == 0 || len(lines) > MaxLines {
		return ErrBadLines.With("lines", "应有 1 到 50 行 / between 1 and 50 lines are allowed")
	}
	seen := make(map[string]bool, len(lines))
	for i, l := range lines {
		field := "lines[" + strconv.Itoa(i) + "]"
		if !id.Valid(l.SKU) || seen[l.SKU] {
			return ErrBadLines.With(field+".sku", "商品编号无效或重复 / the SKU is not valid or named twice")
		}
		if l.Units < 1 || l.Units > MaxUnits {
			return ErrBadLines.With(field+".units", "数量应为 1 到 9999 / between 1 and 9999 units are allowed")
		}
		seen[l.SKU] = true
	}
	return nil
}

// content is the hash two requests share exactly when they ask for the same; the order of lines does not matter.
func (in *PlaceInput) content() string {
	lines := slices.Clone(in.Lines)
	slices.SortFunc(lines, func(a, b Wish) int { return cmp.Compare(a.SKU, b.SKU) })
	parts := []string{"place", in.Campaign, in.Pickup, in.Note, in.Share}
	for _, l := range lines {
		parts = append(parts, l.SKU, strconv.FormatInt(l.Units, 10))
	}
	return id.Derive(parts...)
}

// price turns an offer into locked lines in the order of the wish. An offer for other lines can only be the
// answer to an earlier admission under the same key. Errors: ErrKeyReused, ErrBadAmount.
func price(wish []Wish, offer Offer) ([]Line, money.Fen, error) {
	offered := make(map[string]OfferLine, len(offer.Lines))
	for _, l := range offer.Lines {
		offered[l.SKU] = l
	}
	if len(offer.Lines) != len(wish) {
		return nil, 0, ErrKeyReused
	}
	lines, total := make([]Line, len(wish)), money.Fen(0)
	for i, w := range wish {
		l, ok := offered[w.SKU]
		if !ok || l.Units != w.Units {
			return nil, 0, ErrKeyReused
		}
		if l.Price < 0 || l.Price > money.Max || l.Cost < 0 || l.Cost > money.Max {
			return nil, 0, ErrBadAmount
		}
		// At most 50 × 9,999 × money.Max: far inside int64.
		due := l.Price * money.Fen(w.Units)
		total += due
		lines[i] = Line{
			SKU: l.SKU, Product: l.Product, Name: l.Name, Category: l.Category,
			Units: w.Units, Price: l.Price, Cost: l.Cost, Paid: due,
		}
	}
	if total < 1 || total > money.Max {
		return nil, 0, ErrBadAmount
	}
	return lines, total, nil
}

// pickupFault makes a domain's "no such point" ours and lets an outage through.
func pickupFault(err error) error {
	if f := fault.Of(err); f != nil && (f.Kind == fault.NotFound || f.Kind == fault.Invalid) {
		return ErrUnknownPickup.Because(err)
	}
	return err
}

func validKey(key string) bool {
	return id.ValidKey(key)
}

// clean brings what somebody wrote into its one form and tells whether it is a text of least to most characters.
func clean(words *string, least, most int) (ok bool) {
	*words, ok = text.Words(*words, least, most)
	return ok
}

// cut shortens text to at most limit characters.
func cut(words string, limit int) string {
	if runes := []rune(words); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return words
}
