package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/console"
	"guanxi/distribution"
	"guanxi/member"
)

// people gives the sample's people their phones and homes.
func (s *seeder) people() {
	for i, h := range s.sample.hosts {
		host := &phone{name: "host-" + strconv.Itoa(i+1), nickname: h.Nickname, words: h.Words, host: true}
		s.hosts = append(s.hosts, host)
		for _, c := range h.Communities {
			p := &place{code: c.Code, name: c.Name, host: host, shares: map[*phone]string{}}
			s.communities[c.Code] = p
			for range c.Shoppers {
				n := len(s.shoppers)
				shopper := &phone{name: fmt.Sprintf("shopper-%03d", n+1), nickname: s.sample.shoppers[n], home: p}
				s.shoppers = append(s.shoppers, shopper)
				p.people = append(p.people, shopper)
			}
		}
	}
}

// brand publishes the rules and fills the shelves.
func (s *seeder) brand(ctx context.Context) error {
	added := make([]*catalog.Product, len(s.sample.goods))
	err := each(ctx, numbers(len(added)), func(ctx context.Context, i int) (err error) {
		added[i], err = s.addProduct(ctx, s.sample.goods[i])
		return err
	}, nil)
	if err != nil {
		return err
	}
	for i, p := range s.sample.goods {
		s.products[p.Code] = added[i].ID
		for j, sku := range p.SKUs {
			s.skus[p.Code+"/"+sku.Code] = added[i].SKUs[j].ID
		}
	}
	return errors.Join(s.publishPolicy(ctx), s.publishTax(ctx))
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// addProduct adds a product, a tenth of its price being room for the hosts, and its first delivery.
func (s *seeder) addProduct(ctx context.Context, p sampleProduct) (*catalog.Product, error) {
	in := catalog.ProductInput{
		Key: "demo-" + p.Code, Name: p.Name, Words: p.Words, Category: p.Category, Supplier: p.Supplier,
	}
	for _, sku := range p.SKUs {
		in.SKUs = append(in.SKUs, catalog.SKUInput{
			Code: sku.Code, Name: sku.Name, Price: sku.Price, Cost: sku.Cost, Floor: sku.Price * 9 / 10,
		})
	}
	added, err := s.app.Catalog.AddProduct(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("product %s: %w", p.Code, err)
	}
	for i, sku := range p.SKUs {
		err := s.app.Catalog.Receive(ctx, catalog.StockIn{Ref: "first/" + p.Code, SKU: added.SKUs[i].ID, Units: sku.Stock})
		if err != nil {
			return nil, fmt.Errorf("stock of %s: %w", p.Code, err)
		}
	}
	s.step(1)
	return added, nil
}

// publishPolicy is the first version: one person drafts it, another one publishes it.
func (s *seeder) publishPolicy(ctx context.Context) error {
	return s.policy(ctx, "开业规则", console.PolicyRules{
		From: s.start, Cap: 1500, NoSelfPurchase: true, Rules: s.rules(),
		Note: "直推 8%，团长 4%，总额不超过 15%；海鲜毛利低，5% 与 3%；大米按袋；自购不计佣",
	})
}

func (s *seeder) rules() []console.PolicyRule {
	return []console.PolicyRule{
		{Pays: []console.PolicyPay{{Role: commission.Direct, Rate: 800}, {Role: commission.Host, Rate: 400}}},
		{Category: "海鲜", Pays: []console.PolicyPay{{Role: commission.Direct, Rate: 500}, {Role: commission.Host, Rate: 300}}},
		{Product: s.products["rice"], Pays: []console.PolicyPay{{Role: commission.Direct, Fixed: 500}, {Role: commission.Host, Rate: 400}}},
	}
}

// crabPolicy is the second version: one campaign pays its host more.
func (s *seeder) crabPolicy(ctx context.Context, c *campaign) error {
	rules := append(s.rules(), console.PolicyRule{
		Campaign: c.id, Pays: []console.PolicyPay{{Role: commission.Direct, Rate: 500}, {Role: commission.Host, Rate: 800}},
	})
	return s.policy(ctx, "大闸蟹开船季", console.PolicyRules{
		Cap: 1500, NoSelfPurchase: true, Note: "开船季，这一场团长 8%；其余不变", Rules: rules,
	})
}

func (s *seeder) policy(ctx context.Context, title string, rules console.PolicyRules) error {
	var draft struct{ ID string }
	err := s.office.do(ctx, "maker", "/policy-drafts", map[string]any{"title": title, "policy": rules}, &draft)
	if err != nil {
		return fmt.Errorf("demo: seed: policy: %w", err)
	}
	if err := s.office.do(ctx, "checker", "/policy-drafts/"+draft.ID+"/publish", nil, nil); err != nil {
		return fmt.Errorf("demo: seed: policy: %w", err)
	}
	return nil
}

// publishTax puts the cumulative table in force: a host who earns less than 6,250 yuan a month has nothing withheld, and
// every withdrawal says why.
func (s *seeder) publishTax(ctx context.Context) error {
	table := tax.CumulativeTable()
	table.From = s.start
	if _, err := s.app.Taxes.Publish(ctx, table); err != nil {
		return fmt.Errorf("demo: seed: tax table: %w", err)
	}
	return nil
}

// login takes a phone in hand: wx.login, the real login, and a nickname.
func (s *seeder) login(ctx context.Context, p *phone) error {
	l, err := s.app.Members.Login(ctx, member.LoginInput{Code: s.app.Sandbox.LoginCode(p.name)})
	if err != nil {
		return fmt.Errorf("login of %s: %w", p.name, err)
	}
	p.member = l.MemberID
	if _, err := s.app.Members.EditProfile(ctx, p.member, member.ProfileEdit{Nickname: p.nickname}); err != nil {
		return fmt.Errorf("profile of %s: %w", p.name, err)
	}
	_, err = s.app.Members.Consent(ctx, member.ConsentInput{
		Member: p.member, Kind: member.PrivacyPolicy, Version: "2025-01", Granted: true,
	})
	if err != nil {
		return fmt.Errorf("consent of %s: %w", p.name, err)
	}
	return nil
}

// openHosts makes the hosts' communities with pickup points and shelves.
func (s *seeder) openHosts(ctx context.Context) error {
	for i, h := range s.sample.hosts {
		host := s.hosts[i]
		if err := s.login(ctx, host); err != nil {
			return fmt.Errorf("demo: seed: %w", err)
		}
		phoneCode := s.app.Sandbox.PhoneCode(host.name, "")
		if _, err := s.app.Members.BindPhone(ctx, host.member, phoneCode); err != nil {
			return fmt.Errorf("demo: seed: phone of %s: %w", host.name, err)
		}
		if err := s.letHost(ctx, host, h.Words); err != nil {
			return fmt.Errorf("demo: seed: hosting of %s: %w", host.name, err)
		}
		for _, c := range h.Communities {
			if err := s.openCommunity(ctx, s.communities[c.Code], c); err != nil {
				return fmt.Errorf("demo: seed: community %s: %w", c.Code, err)
			}
		}
	}
	return nil
}

// letHost is the host's application and the brand's yes.
func (s *seeder) letHost(ctx context.Context, host *phone, words string) error {
	if _, err := s.app.Hosting.Apply(ctx, hosting.ApplyInput{Member: host.member, Words: words}); err != nil {
		return err
	}
	return s.office.do(ctx, "service", "/hostings/"+host.member+"/approve", map[string]any{"reason": "面谈过，社区熟人多"}, nil)
}

func (s *seeder) openCommunity(ctx context.Context, p *place, c sampleCommunity) error {
	made, err := s.app.Communities.Create(ctx, community.CreateInput{
		Host: p.host.member, Key: "demo-" + c.Code, Name: c.Name, Words: c.Words,
	})
	if err != nil {
		return err
	}
	p.id = made.ID
	_, err = s.app.Communities.Edit(ctx, community.EditInput{
		Host: p.host.member, Community: p.id, Name: &c.Name, Words: &c.Words, Notice: &c.Notice,
	})
	if err != nil {
		return err
	}
	for i, point := range c.Points {
		added, err := s.app.Communities.AddPickupPoint(ctx, p.host.member, p.id, community.PickupInput{
			Key: "demo-" + strconv.Itoa(i), Name: point.Name, Address: point.Address, Phone: point.Phone, Hours: point.Hours,
		})
		if err != nil {
			return err
		}
		p.points = append(p.points, added.ID)
	}
	for i, pick := range c.Picks {
		_, err := s.app.Communities.Pick(ctx, p.host.member, p.id, community.PickInput{
			Product: s.products[pick.Product], Reason: &pick.Reason, Rank: new((i + 1) * 10),
		})
		if err != nil {
			return err
		}
	}
	return s.shareCommunity(ctx, p, p.host)
}

func (s *seeder) shareCommunity(ctx context.Context, p *place, by *phone) error {
	share, err := s.app.Distribution.Share(ctx, distribution.ShareInput{
		Sharer: by.member, Kind: distribution.KindCommunity, Target: p.id, Community: p.id, Host: p.host.member,
	})
	if err != nil {
		return err
	}
	p.shares[by] = share.ID
	return nil
}

// joinShoppers lets everybody come in by a share: the first dozen of a community by its host's, the others by a
// neighbour's.
func (s *seeder) joinShoppers(ctx context.Context) error {
	var early, late []*phone
	for _, p := range s.shoppers {
		if p.isEarly() {
			early = append(early, p)
		} else {
			late = append(late, p)
		}
	}
	for _, wave := range [][]*phone{early, late} {
		err := each(ctx, wave, s.join, func(*phone) { s.clock.Advance(20 * time.Second) })
		if err != nil {
			return err
		}
		if err := s.rest(ctx); err != nil {
			return err
		}
		for _, p := range wave {
			if p.isEarly() {
				if err := s.shareCommunity(ctx, p.home, p); err != nil {
					return fmt.Errorf("demo: seed: share of %s: %w", p.name, err)
				}
			}
		}
	}
	return nil
}

const keen = 6 // the first shoppers of each community: they buy, share and bring others

func (p *phone) index() int {
	for i, one := range p.home.people {
		if one == p {
			return i
		}
	}
	return 0
}

func (p *phone) isEarly() bool { return p.index() < keen }

func (s *seeder) join(ctx context.Context, p *phone) error {
	if err := s.login(ctx, p); err != nil {
		return err
	}
	by := p.home.host
	if n := p.index(); n >= keen && n%3 > 0 {
		by = p.home.people[n%keen]
	}
	_, err := s.app.Distribution.Open(ctx, distribution.OpenInput{Share: p.home.shares[by], Visitor: p.member, Scene: 1008})
	if err != nil {
		return fmt.Errorf("%s opens a share: %w", p.name, err)
	}
	s.step(1)
	return nil
}
