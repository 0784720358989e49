package groupbuy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/internal/text"
)

// DraftInput is what a host fills in.
type DraftInput struct {
	Key       string // of the caller; the same host and key is the same campaign
	Host      string
	Community string
	Title     string // 1–60 runes
	Words     string // at most 2,000 runes
	Items     []ItemInput
	StartsAt  time.Time
	EndsAt    time.Time // after StartsAt, at most 90 days later
	PerPerson int64     // units one member may buy of everything; 0 = no limit
	MinSeats  int64     // 0–100,000
	MinUnits  int64
	Pickup    []string // pickup points of the community, at most 50
}

// ItemInput is one thing on offer.
type ItemInput struct {
	SKU       string
	Price     money.Fen // 0 = the catalog's
	PerPerson int64     // units; 0 = no limit
	Total     int64     // units; 0 = no limit
}

// Limits of a campaign.
const (
	maxTitle  = 60
	maxWords  = 2000
	maxItems  = 100
	maxPickup = 50
	maxLimit  = 1_000_000
	maxSeats  = 100_000
	maxLength = 90 * 24 * time.Hour
	maxAhead  = 365 * 24 * time.Hour
)

func (in *DraftInput) check(now time.Time) error {
	bad := ErrInvalid
	wrong := func(name, why string) { bad = bad.With(name, why) }
	title, ok := text.Line(in.Title, 1, maxTitle)
	if in.Title = title; !ok {
		wrong("title", "须为 1 至 60 个字 (1 to 60 characters)")
	}
	words, ok := text.Words(in.Words, 0, maxWords)
	blank := words == "" && in.Words != "" // only "" clears
	if in.Words = words; !ok || blank {
		wrong("words", "最多 2000 个字 (at most 2,000 characters)")
	}
	if !in.EndsAt.After(in.StartsAt) || in.EndsAt.Sub(in.StartsAt) > maxLength {
		wrong("ends_at", "须晚于开始时间且不超过 90 天 (after the start, at most 90 days)")
	}
	if in.StartsAt.IsZero() || in.StartsAt.After(now.Add(maxAhead)) || !in.EndsAt.After(now) {
		wrong("starts_at", "时间超出范围 (time out of range)")
	}
	for _, limit := range []struct {
		name  string
		value int64
		most  int64
	}{{"per_person", in.PerPerson, maxLimit}, {"min_seats", in.MinSeats, maxSeats}, {"min_units", in.MinUnits, maxLimit}} {
		if limit.value < 0 || limit.value > limit.most {
			wrong(limit.name, "数值超出范围 (out of range)")
		}
	}
	if len(in.Pickup) > maxPickup {
		wrong("pickup", "自提点过多 (too many pickup points)")
	}
	for i, point := range in.Pickup {
		if !id.Valid(point) {
			wrong("pickup["+strconv.Itoa(i)+"]", "自提点有误 (not a pickup point)")
		}
	}
	in.checkItems(wrong)
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

func (in *DraftInput) checkItems(wrong func(name, why string)) {
	if len(in.Items) < 1 || len(in.Items) > maxItems {
		wrong("items", "须有 1 至 100 个商品 (1 to 100 items)")
		return
	}
	seen := map[string]bool{}
	for i, it := range in.Items {
		field := "items[" + strconv.Itoa(i) + "]."
		if len(it.SKU) > 90 || !id.Valid(it.SKU) || seen[it.SKU] {
			wrong(field+"sku", "规格有误或重复 (not a variant, or twice)")
		}
		seen[it.SKU] = true
		if it.Price < 0 || it.Price > money.Max {
			wrong(field+"price", "价格超出范围 (price out of range)")
		}
		if it.PerPerson < 0 || it.PerPerson > maxLimit {
			wrong(field+"per_person", "数值超出范围 (out of range)")
		}
		if it.Total < 0 || it.Total > maxLimit {
			wrong(field+"total", "数值超出范围 (out of range)")
		}
	}
}

func (in *DraftInput) hash() string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	parts := []string{
		in.Community, in.Title, in.Words, n(in.StartsAt.UnixMilli()), n(in.EndsAt.UnixMilli()),
		n(in.PerPerson), n(in.MinSeats), n(in.MinUnits), n(int64(len(in.Pickup))),
	}
	parts = append(parts, in.Pickup...)
	for _, it := range in.Items {
		parts = append(parts, it.SKU, n(int64(it.Price)), n(it.PerPerson), n(it.Total))
	}
	return id.Derive(parts...)
}

// fill puts a checked input and the goods it names on the campaign.
func (c *Campaign) fill(in *DraftInput, items []Item) {
	c.Title, c.Words, c.Items = in.Title, in.Words, items
	c.StartsAt, c.EndsAt = clock.Milli(in.StartsAt), clock.Milli(in.EndsAt)
	c.PerPerson, c.MinSeats, c.MinUnits, c.Pickup = in.PerPerson, in.MinSeats, in.MinUnits, in.Pickup
	if len(in.Pickup) == 0 {
		c.Pickup = nil
	}
}

// Draft begins a campaign. The same host and key with the same content answers the campaign begun before.
// Codes: GRP_INVALID, GRP_GOODS, GRP_PRICE_FLOOR, GRP_NOT_HOST, GRP_KEY_REUSED.
func (s *Service) Draft(ctx context.Context, in DraftInput) (*Campaign, error) {
	if err := s.checkOwner(ctx, in.Key, in.Host, in.Community); err != nil {
		return nil, err
	}
	return s.insert(ctx, in, "")
}

func (s *Service) checkOwner(ctx context.Context, key, host, community string) error {
	switch {
	case !id.ValidKey(key):
		return ErrInvalid.With("key", "缺少幂等编号 (an idempotency key is required)")
	case !id.Valid(host):
		return ErrInvalid.With("host", "团长有误 (not a host)")
	case !id.Valid(community):
		return ErrInvalid.With("community", "社群有误 (not a community)")
	}
	return s.requireHost(ctx, community, host)
}

func (s *Service) requireHost(ctx context.Context, community, host string) error {
	err := s.communities.RequireHost(ctx, community, host)
	if fault.Of(err) != nil {
		return ErrNotHost.Because(err)
	}
	if err == nil {
		err = s.communities.MayStart(ctx, host)
	}
	return wrap("require host", err)
}

func (s *Service) insert(ctx context.Context, in DraftInput, copyOf string) (*Campaign, error) {
	now := s.clock.Now()
	if err := in.check(now); err != nil {
		return nil, err
	}
	if err := s.checkPickup(ctx, in.Community, in.Pickup); err != nil {
		return nil, err
	}
	items, err := s.price(ctx, in.Items, false)
	if err != nil {
		return nil, err
	}
	c := &Campaign{
		Host: in.Host, Community: in.Community, State: Draft, DraftedAt: now, CopyOf: copyOf, MadeFrom: in.hash(),
	}
	c.ID = id.Derive("campaign", in.Host, in.Key)
	c.fill(&in, items)
	c.settle()
	err = s.campaigns.Insert(ctx, c)
	if !docstore.Exists(err) {
		return c, wrap("draft campaign", err)
	}
	stored, err := s.campaigns.Get(ctx, c.ID)
	if err != nil {
		return nil, wrap("draft campaign", err)
	}
	if stored.MadeFrom != c.MadeFrom || stored.CopyOf != copyOf {
		return nil, ErrKeyReused
	}
	return stored, nil
}

// price looks the items up in the catalog and refuses a host's own price below the brand's floor. What is off sale may
// be drafted; published it may not be.
func (s *Service) price(ctx context.Context, wanted []ItemInput, publish bool) ([]Item, error) {
	skus := make([]string, len(wanted))
	for i, it := range wanted {
		skus[i] = it.SKU
	}
	goods, err := s.goods.SKUs(ctx, skus)
	if err != nil {
		return nil, wrap("look goods up", err)
	}
	items, bad, low := make([]Item, len(wanted)), ErrGoods, ErrPriceFloor
	for i, it := range wanted {
		good, ok := goods[it.SKU]
		price := it.Price
		if price == 0 {
			price = good.Price
		}
		if !ok || publish && good.Off || price < 1 || price > money.Max {
			bad = bad.With("items["+strconv.Itoa(i)+"].sku", "商品不存在或已下架 (does not exist or is not on sale)")
		}
		if ok && price < good.Floor {
			low = low.With("items["+strconv.Itoa(i)+"].price", "低于品牌底价 (below the lowest price the brand allows)")
		}
		items[i] = Item{
			SKU: it.SKU, Product: good.Product, Name: good.Name, Category: good.Category, Price: price, Own: it.Price,
			Cost: good.Cost, PerPerson: it.PerPerson, Total: it.Total, Buckets: bucketsOf(it.Total),
		}
	}
	switch {
	case len(bad.Fields) > 0:
		return nil, bad
	case len(low.Fields) > 0:
		return nil, low
	}
	return items, nil
}

// checkPickup refuses pickup points that are not open ones of the community.
func (s *Service) checkPickup(ctx context.Context, community string, points []string) error {
	if len(points) == 0 {
		return nil
	}
	there, err := s.communities.PickupPoints(ctx, community)
	if err != nil {
		return wrap("pickup points", err)
	}
	bad := ErrInvalid
	for i, point := range points {
		if !slices.Contains(there, point) || slices.Contains(points[:i], point) {
			bad = bad.With("pickup["+strconv.Itoa(i)+"]", "没有这个自提点，或重复 (no such pickup point, or twice)")
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

const editTries = 5

// Edit changes what a draft or a scheduled campaign says; its host and community stay. Change is given all that it says
// and may be called again. Pickup points are looked up when they change, and at publishing.
// Codes: GRP_NOT_FOUND, GRP_NOT_HOST, GRP_STATE, GRP_INVALID, GRP_GOODS,
// GRP_PRICE_FLOOR.
func (s *Service) Edit(ctx context.Context, host, campaign string, change func(*DraftInput)) (*Campaign, error) {
	for range editTries {
		stored, err := s.run(ctx, host, campaign)
		if err != nil {
			return nil, err
		}
		in := stored.input()
		change(&in)
		if c, err := s.edit(ctx, stored, in); !errors.Is(err, errMoved) {
			return c, err
		}
	}
	return nil, wrap("edit campaign", docstore.ErrContended)
}

// errMoved ends an edit of a campaign that somebody else has written meanwhile.
var errMoved = errors.New("groupbuy: edited meanwhile")

func (s *Service) edit(ctx context.Context, stored *Campaign, in DraftInput) (*Campaign, error) {
	now := s.clock.Now()
	if err := in.check(now); err != nil {
		return nil, err
	}
	if !slices.Equal(in.Pickup, stored.Pickup) {
		if err := s.checkPickup(ctx, stored.Community, in.Pickup); err != nil {
			return nil, err
		}
	}
	items, err := s.price(ctx, in.Items, false)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, "edit", stored.ID, func(c *Campaign) error {
		if c.State == Scheduled && !now.Before(c.StartsAt) {
			return ErrState // open in all but name
		}
		if c.Version != stored.Version {
			return errMoved
		}
		if !c.move(moveEdit, now) {
			return ErrState
		}
		c.fill(&in, items)
		c.settle()
		return nil
	})
}

// CopyInput asks for last week's campaign again.
type CopyInput struct {
	Key              string // the same host and key is the same copy
	Host, Campaign   string
	StartsAt, EndsAt time.Time
}

// Copy drafts a campaign like an earlier one, in the same community, with new times and today's catalog.
// Codes: GRP_NOT_FOUND, GRP_NOT_HOST, GRP_INVALID, GRP_GOODS, GRP_PRICE_FLOOR, GRP_KEY_REUSED.
func (s *Service) Copy(ctx context.Context, in CopyInput) (*Campaign, error) {
	from, err := s.owned(ctx, in.Host, in.Campaign)
	if err != nil {
		return nil, err
	}
	if err := s.checkOwner(ctx, in.Key, in.Host, from.Community); err != nil {
		return nil, err
	}
	again := from.input()
	again.Key, again.StartsAt, again.EndsAt = in.Key, in.StartsAt, in.EndsAt
	return s.insert(ctx, again, from.ID)
}

// input is what a host would fill in to get this campaign.
func (c *Campaign) input() DraftInput {
	in := DraftInput{
		Host: c.Host, Community: c.Community, Title: c.Title, Words: c.Words, StartsAt: c.StartsAt, EndsAt: c.EndsAt,
		PerPerson: c.PerPerson, MinSeats: c.MinSeats, MinUnits: c.MinUnits, Pickup: slices.Clone(c.Pickup),
	}
	for _, it := range c.Items {
		in.Items = append(in.Items, ItemInput{SKU: it.SKU, Price: it.Own, PerPerson: it.PerPerson, Total: it.Total})
	}
	return in
}

// owned loads a campaign for its host. A draft of somebody else does not exist for the asker.
func (s *Service) owned(ctx context.Context, host, campaign string) (*Campaign, error) {
	c, err := s.campaigns.Get(ctx, campaign)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, wrap("campaign", err)
	}
	if c.Host == host {
		return c, nil
	}
	if c.State == Draft {
		return nil, ErrNotFound
	}
	return nil, ErrNotHost
}

// run is owned for a host whom the brand lets run what is there.
func (s *Service) run(ctx context.Context, host, campaign string) (*Campaign, error) {
	c, err := s.owned(ctx, host, campaign)
	if err != nil {
		return nil, err
	}
	return c, wrap("may run", s.communities.MayRun(ctx, host))
}

// change updates a campaign and forgets what was known of it.
func (s *Service) change(ctx context.Context, what, campaign string, fn func(*Campaign) error) (*Campaign, error) {
	defer s.known.forget(campaign)
	c, err := s.campaigns.Update(ctx, campaign, fn)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	if fault.Of(err) != nil {
		return nil, err
	}
	return c, wrap(what+" campaign", err)
}
