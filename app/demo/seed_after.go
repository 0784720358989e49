package demo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"guanxi/order"
	"guanxi/platform/sandbox"
)

// aftersale is what a buyer wants back.
type aftersale int

const (
	afterNothing  aftersale = iota
	afterWhole              // everything, before the goods are sent
	afterPart               // one unit of the first line, before the goods are sent
	afterApproved           // one unit after receipt; the host agrees
	afterRefused            // one unit after receipt; the host does not agree
	afterPending            // asked for after sending; the host has not looked yet
)

// pay taps "pay" in WeChat.
func (s *seeder) pay(ctx context.Context, b *purchase) error {
	p, err := s.app.Orders.Prepay(ctx, b.buyer.member, b.order)
	if err != nil {
		return fmt.Errorf("%s prepays: %w", b.buyer.name, err)
	}
	_, err = s.app.Sandbox.Pay(sandbox.PayInput{
		Package: p.Package, OpenID: s.app.Sandbox.OpenID(b.buyer.name), TimeStamp: p.TimeStamp, NonceStr: p.NonceStr,
		SignType: p.SignType, PaySign: p.PaySign,
	})
	if err != nil {
		return fmt.Errorf("%s pays: %w", b.buyer.name, err)
	}
	return nil
}

// planAfter is shipping, receiving and what goes back.
func (s *seeder) planAfter(c *campaign) {
	if c.Story != storyGood || c.Tomorrow {
		return
	}
	sent := grid(c.ends.Add(map[order.ShipKind]time.Duration{
		order.ShipPickup: time.Hour, order.ShipCity: 2 * time.Hour, order.ShipExpress: 14 * time.Hour,
	}[c.Ship]))
	for i, b := range c.buys {
		if b.fate != fatePaid {
			continue
		}
		if i%9 == 4 {
			b.after = afterWhole + aftersale((i+len(s.campaigns))%4)
			if b.after >= afterApproved && (c.Day >= -4 || c.Left > 0) {
				b.after = afterPending
			}
		}
		if c.Left > 0 {
			s.planLive(b)
			continue
		}
		if b.after == afterWhole || b.after == afterPart {
			at := awake(grid(b.at.Add(90 * time.Minute)))
			if !at.Before(c.ends) {
				at = c.ends.Add(-10 * time.Minute)
			}
			if at.Before(b.at.Add(window)) {
				b.after = afterNothing
			} else {
				s.plan.add(at, func(ctx context.Context) error { return s.takeBack(ctx, b) })
			}
		}
		s.plan.add(sent.Add(time.Duration(i)*time.Second), func(ctx context.Context) error { return s.ship(ctx, b, i) })
		s.planReceipt(b, sent)
	}
}

// planLive takes something back in a campaign that is still open, so that the page has it.
func (s *seeder) planLive(b *purchase) {
	if b.after != afterPart || b.in.MinSeats > 0 || b.in.Single {
		b.after = afterNothing
		return
	}
	at := b.at.Add(40 * time.Minute)
	if at.After(s.now.Add(-10 * time.Minute)) {
		at = s.now.Add(-10 * time.Minute)
	}
	if at.Sub(b.at) > window {
		s.plan.add(at, func(ctx context.Context) error { return s.takeBack(ctx, b) })
	}
}

func (s *seeder) planReceipt(b *purchase, sent time.Time) {
	least, most := time.Hour, 26*time.Hour
	switch b.in.Ship {
	case order.ShipCity:
		least, most = 2*time.Hour, 8*time.Hour
	case order.ShipExpress:
		least, most = 40*time.Hour, 80*time.Hour
	case order.ShipPickup:
	}
	at := awake(grid(sent.Add(least + time.Duration(s.draw.Int64N(int64(most-least))))))
	handed := b.in.Ship == order.ShipPickup && s.draw.IntN(10) < 6
	asks := awake(at.Add(3 * time.Hour))
	if b.after == afterPending && b.in.Ship == order.ShipExpress { // before it is received: the carrier has it
		asks = awake(grid(sent.Add(time.Hour)))
		at = asks.Add(30 * 24 * time.Hour)
	}
	s.plan.add(at, func(ctx context.Context) error { return s.receive(ctx, b, handed) })
	if b.after < afterApproved {
		return
	}
	if limit := s.now.Add(-30 * time.Minute); asks.After(limit) && sent.Add(window).Before(limit) && b.after == afterPending {
		asks = limit
	}
	s.plan.add(asks, func(ctx context.Context) error { return s.ask(ctx, b) })
	if b.after != afterPending {
		s.plan.add(awake(asks.Add(3*time.Hour)), func(ctx context.Context) error { return s.decide(ctx, b) })
	}
}

// takeBack asks for money before the goods are sent: it goes back by itself.
func (s *seeder) takeBack(ctx context.Context, b *purchase) error {
	in := order.RefundInput{Key: "demo-back", Order: b.order, By: b.buyer.member, Reason: "买多了，退掉"}
	if b.after == afterPart {
		in.Reason, in.Lines = "少要一份", []order.RefundLine{{Line: 1, Units: 1}}
	}
	_, err := s.app.Orders.Refund(ctx, in)
	return because(err, b, "takes back")
}

// ask asks for a refund that the host has to agree to.
func (s *seeder) ask(ctx context.Context, b *purchase) error {
	reasons := []string{"有一份压坏了，照片发群里了", "收到少一份", "味道不新鲜", "买错码了"}
	_, err := s.app.Orders.Refund(ctx, order.RefundInput{
		Key: "demo-ask", Order: b.order, By: b.buyer.member, Lines: []order.RefundLine{{Line: 1, Units: 1}},
		Reason: reasons[len(b.buyer.nickname)%len(reasons)],
	})
	return because(err, b, "asks for a refund")
}

func (s *seeder) decide(ctx context.Context, b *purchase) error {
	o, err := s.app.Orders.Get(ctx, b.order)
	if err != nil {
		return because(err, b, "is looked at")
	}
	host := b.in.place.host.member
	for i := range o.Refunds {
		if o.Refunds[i].Stage != order.StageRequested {
			continue
		}
		if b.after == afterApproved {
			_, err = s.app.Orders.ApproveRefund(ctx, host, b.order, o.Refunds[i].Number)
		} else {
			_, err = s.app.Orders.RefuseRefund(ctx, host, b.order, o.Refunds[i].Number, "核对过照片，是正常的自然果斑，给你下单减三元")
		}
		if err != nil {
			return because(err, b, "is answered")
		}
	}
	return nil
}

// ship sends what is still to be sent.
func (s *seeder) ship(ctx context.Context, b *purchase, i int) error {
	o, err := s.app.Orders.Get(ctx, b.order)
	if err != nil || o.State != order.StateConfirmed {
		return err
	}
	in := order.ShipInput{Kind: b.in.Ship}
	if in.Kind == order.ShipExpress {
		in.Company, in.Tracking = "ZTO", "7"+strconv.Itoa(7300000000000 + len(b.in.Title)*100000 + i*37)[:13]
	}
	_, err = s.app.Orders.Ship(ctx, b.in.place.host.member, b.order, in)
	return because(err, b, "is shipped to")
}

func (s *seeder) receive(ctx context.Context, b *purchase, handed bool) error {
	o, err := s.app.Orders.Get(ctx, b.order)
	if err != nil || o.State != order.StateShipped {
		return err
	}
	if handed && o.Pickup != nil {
		_, err = s.app.Orders.Collect(ctx, order.CollectInput{By: b.in.place.host.member, Order: b.order, Code: o.Code.Reveal()})
	} else {
		_, err = s.app.Orders.Receive(ctx, b.buyer.member, b.order)
	}
	return because(err, b, "receives")
}

func because(err error, b *purchase, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s (%s): %w", b.buyer.name, what, b.in.Title, err)
}
