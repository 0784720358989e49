package demo

import (
	"context"

	"guanxi/internal/clock"
)

// world says what the page has to know.
func (s *seeder) world(ctx context.Context) (*World, error) {
	w := &World{
		Format: worldFormat, State: stateReady, Since: clock.Day(s.start), SeededAt: s.clock.Now(), Months: s.months,
		Operators: operators(),
	}
	for i := range w.Operators {
		w.Operators[i].Password = password
	}
	for _, p := range append(append([]*phone{}, s.hosts...), s.shoppers...) {
		one := Person{Person: p.name, Member: p.member, Nickname: p.nickname, Host: p.host, Words: p.words}
		if p.home != nil {
			one.Community = p.home.id
			if p.isEarly() {
				one.Words = "爱分享"
			}
		}
		w.People = append(w.People, one)
	}
	for _, h := range s.sample.hosts {
		for _, c := range h.Communities {
			p := s.communities[c.Code]
			w.Communities = append(w.Communities, Community{ID: p.id, Name: p.name, Host: p.host.name})
		}
	}
	for i, c := range s.campaigns {
		if c.Scene != "" {
			w.Scenes = append(w.Scenes, c.scene(i))
		}
	}
	for _, p := range s.purses {
		purse := Purse{Person: p.name}
		if err := purse.refresh(ctx, s.app.App, p.member); err != nil {
			return nil, err
		}
		w.Purses = append(w.Purses, purse)
	}
	return w, nil
}

func (c *campaign) scene(i int) Scene {
	sharer := c.place.people[i%keen]
	scene := Scene{
		Campaign: c.id, Title: c.Title, Community: c.place.id, Host: c.place.host.name, Share: c.shares[sharer],
		Sharer: sharer.name, Words: c.Scene,
	}
	if c.spare != nil {
		scene.Buyer = c.spare.name
	}
	return scene
}
