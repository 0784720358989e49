package order

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/internal/goldentest"
)

// TestStories plays testdata/stories/*.txt. A line is a command and, behind "=>", its answer, where the order then
// stands, its refunds and the events it told: the whole is compared.
func TestStories(t *testing.T) {
	t.Parallel()
	goldentest.Play(t, 28, func(t *testing.T) func([]string) string {
		s := &story{world: newWorld(t), buyer: "mia"}
		return func(words []string) string { return s.play(words) + s.stand() }
	})
}

// story follows one order.
type story struct {
	*world
	id, buyer string
}

func (s *story) play(words []string) string {
	ctx, arg := s.t.Context(), func(n int) string { return goldentest.Arg(words, n) }
	switch words[0] {
	case "place": // place [key [sku:units …] [buyer]]
		in := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Pickup: "gate"}
		if arg(1) != "" {
			in.Key = arg(1)
		}
		for _, w := range words[min(2, len(words)):] {
			sku, units, ok := strings.Cut(w, ":")
			if !ok { // somebody else buys
				in.Member, s.buyer = w, w
				continue
			}
			n, _ := strconv.ParseInt(units, 10, 64)
			in.Lines = append(in.Lines, Wish{sku, n})
		}
		if in.Lines == nil {
			in.Lines = []Wish{{"tea", 3}, {"nuts", 1}}
		}
		o, err := s.orders.Place(ctx, in)
		if err == nil {
			s.id = o.ID
		}
		return code(err)
	case "prepay":
		_, err := s.orders.Prepay(ctx, s.buyer, s.id)
		return code(err)
	case "cancel":
		_, err := s.orders.Cancel(ctx, "mia", s.id)
		return code(err)
	case "wait":
		d, err := time.ParseDuration(arg(1))
		s.must(nil, err)
		s.clock.Advance(d)
		return "ok"
	case "tick":
		moved, err := s.orders.Tick(ctx)
		return fmt.Sprintf("moved %d %v", moved, err != nil)
	case "seat":
		return code(s.orders.Seated(ctx, s.id, 7, arg(1) == "formed"))
	case "formed":
		return code(s.orders.ConfirmCampaign(ctx, "spring"))
	case "failed":
		return code(s.orders.RefundCampaign(ctx, "spring", "未成团"))
	case "ship":
		in := ShipInput{Kind: ShipKind(arg(1)), Company: arg(2), Tracking: arg(3)}
		_, err := s.orders.Ship(ctx, "hana", s.id, in)
		return code(err)
	case "receive":
		_, err := s.orders.Receive(ctx, s.buyer, s.id)
		return code(err)
	case "collect":
		in := CollectInput{By: "hana", Order: s.id, Code: s.get(s.id).Code.Reveal()}
		if arg(1) != "" {
			in.By = arg(1)
		}
		if arg(2) == "wrong" {
			in.Code = "00000000x"
		}
		_, err := s.orders.Collect(ctx, in)
		return code(err)
	case "brandship":
		_, err := s.orders.BrandShip(ctx, s.id, ShipInput{Kind: ShipKind(arg(1)), Company: arg(2), Tracking: arg(3)})
		return code(err)
	case "trust":
		s.trust()
		return "ok"
	case "revoke":
		s.hosts.revoke()
		return "ok"
	}
	if answer, ok := s.playPlatform(words, arg); ok {
		return answer
	}
	return s.playRefund(words, arg)
}

// playPlatform are the lines of the payment platform and its messages.
func (s *story) playPlatform(words []string, arg func(int) string) (string, bool) {
	ctx := s.t.Context()
	switch words[0] {
	case "pay":
		return strconv.FormatBool(s.platform.pay(s.id)), true
	case "payanyway":
		s.platform.payAnyway(s.id, s.get(s.id).Amount)
		return "ok", true
	case "away":
		s.platform.away, _ = strconv.Atoi(arg(1))
		return "ok", true
	case "unclear":
		s.platform.unclear, _ = strconv.Atoi(arg(1))
		return "ok", true
	case "poor":
		s.platform.poor = arg(1) == "yes"
		return "ok", true
	case "notify": // notify [what is wrong]
		p := s.platform.notice(s.id)
		switch arg(1) {
		case "amount":
			p.Total++
		case "app":
			p.AppID = "wxother"
		case "merchant":
			p.MchID = "1"
		case "currency":
			p.Currency = "USD"
		case "number":
			p.Number = "unknown"
		case "transaction":
			p.TransactionID = "other"
		}
		outcome, err := s.orders.Settle(ctx, p)
		return code(err) + " " + string(outcome), true
	case "heal":
		outcome, err := s.orders.Heal(ctx, s.id)
		return code(err) + " " + string(outcome), true
	}
	return "", false
}

// playRefund are the lines about money going back; refunds are named by their n.
func (s *story) playRefund(words []string, arg func(int) string) string {
	ctx, number := s.t.Context(), s.id+"r"+arg(1)
	switch words[0] {
	case "refund": // refund who key [line:units …]
		in := RefundInput{Key: arg(2), Order: s.id, By: arg(1), Reason: "不想要了"}
		for _, w := range words[3:] {
			line, units, _ := strings.Cut(w, ":")
			n, _ := strconv.Atoi(line)
			u, _ := strconv.ParseInt(units, 10, 64)
			in.Lines = append(in.Lines, RefundLine{n, u})
		}
		r, err := s.orders.Refund(ctx, in)
		return code(err) + " " + strings.TrimPrefix(r.Number, s.id)
	case "missing": // missing key: nothing came
		r, err := s.orders.Refund(ctx, RefundInput{Key: arg(1), Order: s.id, By: "mia", Reason: "没有收到", NotArrived: true})
		return code(err) + " " + strings.TrimPrefix(r.Number, s.id)
	case "brand": // brand n who [no]
		_, err := s.orders.DecideForBrand(ctx, BrandDecision{
			Order: s.id, Refund: number, By: arg(2), Release: arg(3) != "no", Words: "核对过了",
		})
		return code(err)
	case "brandrefund": // brandrefund who key [line:units …]
		in := RefundInput{Key: arg(2), Order: s.id, By: arg(1), Reason: "品牌补偿"}
		for _, w := range words[3:] {
			line, units, _ := strings.Cut(w, ":")
			n, _ := strconv.Atoi(line)
			u, _ := strconv.ParseInt(units, 10, 64)
			in.Lines = append(in.Lines, RefundLine{n, u})
		}
		r, err := s.orders.BrandRefund(ctx, in)
		return code(err) + " " + strings.TrimPrefix(r.Number, s.id)
	case "refundwhole":
		return code(s.orders.RefundWhole(ctx, s.id, arg(1), "缺货"))
	case "approve":
		_, err := s.orders.ApproveRefund(ctx, arg(2), s.id, number)
		return code(err)
	case "refuse":
		_, err := s.orders.RefuseRefund(ctx, arg(2), s.id, number, "已拆封")
		return code(err)
	case "submit":
		return code(s.orders.SubmitRefund(ctx, s.id, number))
	case "land": // land n STATE: at the platform, silently
		s.platform.land(number, RefundState(arg(2)))
		return "ok"
	case "notifyrefund": // notifyrefund n [wrong amount]
		receipt := s.platform.refundNotice(number)
		if arg(2) != "" {
			receipt.Refund++
		}
		stage, err := s.orders.SettleRefund(ctx, receipt)
		return code(err) + " " + string(stage)
	case "healrefund":
		stage, err := s.orders.HealRefund(ctx, s.id, number)
		return code(err) + " " + string(stage)
	}
	s.t.Fatalf("no such command: %v", words)
	return ""
}

// stand tells where the order is after a command.
func (s *story) stand() string {
	if s.id == "" {
		return ""
	}
	o := s.get(s.id)
	out := " | " + string(o.State)
	if o.Seat != 0 {
		out += " seat " + strconv.FormatInt(o.Seat, 10)
	}
	if !o.NextAt.IsZero() {
		out += " next " + o.NextAt.Sub(start).String()
	}
	if len(o.Refunds) > 0 {
		out += " |"
		for i := range o.Refunds {
			r := &o.Refunds[i]
			out += fmt.Sprintf(" %s:%s:%d", strings.TrimPrefix(r.Number, s.id), r.Stage, r.Amount)
			if r.Desk == DeskBrand {
				out += fmt.Sprint("@brand", r.Why)
			}
		}
	}
	for n, m := range s.takeMail() {
		if n == 0 {
			out += " |"
		}
		out += " " + m.Name
		if m.Name == EventIncident {
			var in Incidence
			s.must(nil, s.store.Unmarshal(m.Msg.Body, &in))
			out += "(" + string(in.Kind) + ")"
		}
	}
	return out
}
