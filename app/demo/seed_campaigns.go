package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/order"
)

// campaign is one sample group buy with those who buy in it.
type campaign struct {
	sampleCampaign
	key          string
	place        *place
	starts, ends time.Time
	id           string
	shares       map[*phone]string // sharer → share id
	buys         []*purchase
	spare        *phone // belongs here and has not bought
}

// fate is what becomes of a purchase.
type fate int

const (
	fatePaid      fate = iota
	fateExpires        // placed and never paid
	fateWithdrawn      // cancelled before payment
	fateWaits          // placed a moment ago, not paid yet
)

// purchase is one person buying in one campaign.
type purchase struct {
	in     *campaign
	buyer  *phone
	by     *phone // whose share was opened; nil: came by the feed
	at     time.Time
	lines  []wish
	pickup int // index of the place's points; -1: none
	note   string
	fate   fate
	after  aftersale
	order  string
}

type wish struct {
	sku   string
	units int64
}

// planCampaigns draws who buys what, when and by whose share.
func (s *seeder) planCampaigns() error {
	for i := range s.sample.campaigns {
		p := s.communities[s.sample.campaigns[i].Community]
		if p == nil {
			return fmt.Errorf("demo: sample data: no community %s", s.sample.campaigns[i].Community)
		}
		c := &campaign{
			sampleCampaign: s.sample.campaigns[i], key: "demo-campaign-" + strconv.Itoa(i+1), place: p, shares: map[*phone]string{},
		}
		s.campaigns = append(s.campaigns, c)
		c.starts, c.ends = s.times(c)
		s.planLife(c)
		s.planBuys(c)
		s.planAfter(c)
	}
	return nil
}

// midnight is where the business day of t began.
func midnight(t time.Time) time.Time {
	t = t.In(clock.Shanghai())
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

func (s *seeder) times(c *campaign) (starts, ends time.Time) {
	today := midnight(s.now)
	switch {
	case c.Tomorrow:
		starts = today.AddDate(0, 0, 1).Add(10 * time.Hour)
		return starts, starts.Add(hours(c.Hours))
	case c.Left > 0:
		starts = s.now.Add(-hours(c.Ago)).Truncate(10 * time.Minute)
		return starts, s.now.Add(hours(c.Left)).Truncate(10 * time.Minute)
	}
	starts = today.AddDate(0, 0, c.Day).Add(hours(c.Hour))
	return starts, starts.Add(hours(c.Hours))
}

// drafted is when the host writes a campaign of the past down.
func (c *campaign) drafted() time.Time {
	return c.starts.Add(-30 * time.Minute).Truncate(3 * time.Hour)
}

// planLife is what the host does with a campaign, and when time moves it.
func (s *seeder) planLife(c *campaign) {
	drafted := c.drafted()
	if c.Tomorrow {
		drafted = s.now.Add(-2 * time.Hour)
	}
	s.plan.add(drafted, func(ctx context.Context) error { return s.publish(ctx, c) })
	s.plan.add(c.ends, nil)
	if c.Story != storyGood {
		s.plan.add(c.ends.Add(40*time.Minute), nil) // whoever was admitted in time has paid or not
	}
	if c.Story == storyCancelled {
		s.plan.add(c.starts.Add(c.ends.Sub(c.starts)*6/10), func(ctx context.Context) error {
			_, err := s.app.Campaigns.Cancel(ctx, c.place.host.member, c.id, c.Reason)
			return err
		})
	}
}

func (s *seeder) publish(ctx context.Context, c *campaign) error {
	in := groupbuy.DraftInput{
		Key: c.key, Host: c.place.host.member, Community: c.place.id, Title: c.Title, Words: c.Words,
		StartsAt: c.starts, EndsAt: c.ends, MinSeats: c.MinSeats,
	}
	if c.Ship == order.ShipPickup || c.Ship == "" {
		in.Pickup = c.place.points
	}
	for _, it := range c.Items {
		if s.skus[it.SKU] == "" {
			return fmt.Errorf("sample data: no SKU %s", it.SKU)
		}
		in.Items = append(in.Items, groupbuy.ItemInput{SKU: s.skus[it.SKU], Price: it.Price, PerPerson: it.PerPerson})
	}
	drafted, err := s.app.Campaigns.Draft(ctx, in)
	if err != nil {
		return fmt.Errorf("draft %s: %w", c.Title, err)
	}
	if c.id = drafted.ID; c.Story == storyDraft {
		return nil
	}
	if _, err := s.app.Campaigns.Publish(ctx, c.place.host.member, c.id); err != nil {
		return fmt.Errorf("publish %s: %w", c.Title, err)
	}
	for _, by := range append([]*phone{c.place.host}, c.place.people[:keen]...) {
		share, err := s.app.Distribution.Share(ctx, distribution.ShareInput{
			Sharer: by.member, Kind: distribution.KindCampaign, Target: c.id, Community: c.place.id, Host: c.place.host.member,
		})
		if err != nil {
			return fmt.Errorf("share %s: %w", c.Title, err)
		}
		c.shares[by] = share.ID
	}
	return nil
}

// waves are when people buy, in parts of a campaign's time: most right after the start.
func waves() []float64 {
	return []float64{.012, .012, .012, .012, .012, .05, .05, .15, .35, .5, .5, .65, .88}
}

// when is a moment of the campaign at which somebody buys. After the first rush everybody keeps to round hours, and
// nobody buys at night.
func (s *seeder) when(c *campaign, span time.Duration) time.Time {
	part := waves()[s.draw.IntN(len(waves()))]
	jitter := time.Duration(s.draw.IntN(200)) * time.Second
	at := c.starts.Add(time.Duration(float64(span) * part))
	if round := awake(grid(at)); c.Left == 0 && part > .02 && round.Add(10*time.Minute).Before(c.starts.Add(span)) {
		at = round
	}
	return at.Add(jitter)
}

// grid moves a time to the next full three hours, so that people act together and seeding stays short.
func grid(t time.Time) time.Time { return t.Add(3*time.Hour - 1).Truncate(3 * time.Hour) }

// awake moves what would happen at night to the morning.
func awake(t time.Time) time.Time {
	for t.In(clock.Shanghai()).Hour() < 7 {
		t = t.Add(3 * time.Hour)
	}
	return t
}

func (s *seeder) planBuys(c *campaign) {
	pool := s.draw.Perm(len(c.place.people))
	span := min(c.ends.Sub(c.starts), s.now.Add(-12*time.Minute).Sub(c.starts))
	if c.Story == storyCancelled {
		span /= 2
	}
	extra := 0
	if c.Buyers >= 20 && c.Story == storyGood && !c.Single {
		extra = 3
	}
	for i := range c.Buyers + extra {
		b := &purchase{in: c, buyer: s.buyer(c, pool, i), pickup: -1}
		b.at = s.when(c, span)
		b.by = s.opens(c, b.buyer)
		b.lines = s.basket(c)
		if c.Ship == order.ShipPickup || c.Ship == "" {
			b.pickup = s.draw.IntN(1000)
		}
		if s.draw.IntN(7) == 0 {
			b.note = notes()[s.draw.IntN(len(notes()))]
		}
		switch {
		case i < c.Buyers:
		case c.Left > 0:
			b.fate, b.at = fateWaits, s.now.Add(-time.Duration(5+i%3)*time.Minute)
		case i == c.Buyers:
			b.fate = fateWithdrawn
		default:
			b.fate = fateExpires
		}
		c.buys = append(c.buys, b)
		s.plan.add(b.at, func(ctx context.Context) error { return s.buy(ctx, b) })
	}
	for _, p := range c.place.people[keen:] {
		if !slices.ContainsFunc(c.buys, func(b *purchase) bool { return b.buyer == p }) {
			c.spare = p
		}
	}
}

// buyer is mostly somebody from the community; now and then a friend brings somebody from elsewhere.
func (s *seeder) buyer(c *campaign, pool []int, i int) *phone {
	if i < len(pool)-2 && i%8 != 7 {
		return c.place.people[pool[i]]
	}
	for {
		p := s.shoppers[s.draw.IntN(len(s.shoppers))]
		if p.home != c.place && !slices.ContainsFunc(c.buys, func(b *purchase) bool { return b.buyer == p }) {
			return p
		}
	}
}

func (s *seeder) opens(c *campaign, buyer *phone) *phone {
	friend := c.place.people[s.draw.IntN(keen)]
	switch n := s.draw.IntN(10); {
	case friend != buyer && (n < 5 || buyer.home != c.place):
		return friend
	case n < 8 || buyer.home != c.place:
		return c.place.host
	}
	return nil
}

func (s *seeder) basket(c *campaign) []wish {
	if c.Single {
		return []wish{{c.Items[0].SKU, 1}}
	}
	var lines []wish
	for n, i := range s.draw.Perm(len(c.Items)) {
		if n > 0 && s.draw.IntN(10) < 6 {
			break
		}
		units := int64(1)
		switch d := s.draw.IntN(10); {
		case d == 0 && c.Items[i].PerPerson == 0:
			units = 3
		case d < 4:
			units = 2
		}
		lines = append(lines, wish{c.Items[i].SKU, units})
	}
	return lines
}

func notes() []string {
	return []string{
		"放门口就行，谢谢", "下班七点后来拿", "麻烦挑熟一点的", "老人来取，报手机尾号", "要新鲜的呀", "上次很好吃，再来一份",
		"孩子放学顺路拿", "麻烦用袋子装一下", "可以晚一天取吗",
	}
}

// buy goes from the share to the payment.
func (s *seeder) buy(ctx context.Context, b *purchase) error {
	if b.by != nil {
		_, err := s.app.Distribution.Open(ctx, distribution.OpenInput{
			Share: b.in.shares[b.by], Visitor: b.buyer.member, Scene: 1007,
		})
		if err != nil {
			return fmt.Errorf("%s opens a share: %w", b.buyer.name, err)
		}
	}
	in := order.PlaceInput{Key: b.in.key, Member: b.buyer.member, Campaign: b.in.id, Note: b.note, Share: b.in.shares[b.by]}
	for _, l := range b.lines {
		in.Lines = append(in.Lines, order.Wish{SKU: s.skus[l.sku], Units: l.units})
	}
	if b.pickup >= 0 {
		in.Pickup = b.in.place.points[b.pickup%len(b.in.place.points)]
	}
	placed, err := s.app.Orders.Place(ctx, in)
	if err != nil {
		return fmt.Errorf("%s places in %s: %w", b.buyer.name, b.in.Title, err)
	}
	b.order = placed.ID
	switch b.fate {
	case fateExpires, fateWaits:
		return nil
	case fateWithdrawn:
		_, err := s.app.Orders.Cancel(ctx, b.buyer.member, b.order)
		return err
	case fatePaid:
	}
	return s.pay(ctx, b)
}
