package groupbuy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

type shelf map[string]Good

func (s shelf) SKUs(_ context.Context, ids []string) (map[string]Good, error) {
	found := map[string]Good{}
	for _, one := range ids {
		if g, ok := s[one]; ok {
			found[one] = g
		}
	}
	return found, nil
}

type village map[string]string // community: host

var errNotHost = fault.Define("COMM_NOT_HOST", fault.Denied, "不是团长", "not the host")

func (v village) PickupPoints(context.Context, string) ([]string, error) { return []string{"p1"}, nil }

func (v village) RequireHost(_ context.Context, community, member string) error {
	if v[community] != member {
		return errNotHost
	}
	return nil
}

func (village) MayStart(context.Context, string) error { return nil }
func (village) MayRun(context.Context, string) error   { return nil }

type market struct {
	*Service
	clock *clock.Manual
	store *docstore.Store
	goods shelf
}

func newMarket(t testing.TB) *market {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	return newMarketOn(t, c, docstoretest.NewStore(t, c))
}

func newMarketOn(t testing.TB, c *clock.Manual, store *docstore.Store) *market {
	t.Helper()
	m := &market{clock: c, store: store, goods: shelf{
		"tea-1":  {SKU: "tea-1", Product: "tea", Name: "正山小种", Category: "茶", Price: 6800, Cost: 3000},
		"pear-1": {SKU: "pear-1", Product: "pear", Name: "秋月梨", Category: "果", Price: 3990, Cost: 2000},
		"old-1":  {SKU: "old-1", Product: "old", Name: "旧品", Category: "茶", Price: 100, Off: true},
	}}
	m.Service = m.second(t)
	return m
}

// second is another process on the same store, so to say.
func (m *market) second(t testing.TB) *Service {
	t.Helper()
	s, err := New(t.Context(), Deps{
		Store: m.store, Clock: m.clock, IDs: id.Random{}, Goods: m.goods,
		Communities: village{"garden": "li", "tower": "wang"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *market) input() DraftInput {
	return DraftInput{
		Key: "k1", Host: "li", Community: "garden", Title: "周三水果团", Words: "现摘现发",
		Items:    []ItemInput{{SKU: "tea-1", Price: 5900}, {SKU: "pear-1"}},
		StartsAt: m.clock.Now(), EndsAt: m.clock.Now().Add(24 * time.Hour), Pickup: []string{"p1"},
	}
}

// open drafts and publishes a campaign.
func (m *market) open(t testing.TB, change func(*DraftInput)) *Campaign {
	t.Helper()
	in := m.input()
	if change != nil {
		change(&in)
	}
	c, err := m.Draft(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = m.Publish(t.Context(), in.Host, c.ID); err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *market) admission(c *Campaign, member, order string, units int64) Admission {
	return Admission{
		Order: order, Campaign: c.ID, Member: member, Lines: []Wish{{"tea-1", units}}, Until: m.clock.Now().Add(15 * time.Minute),
	}
}

func (m *market) paid(c *Campaign, member, order string, units int64) SeatInput {
	return SeatInput{
		Order: order, Campaign: c.ID, Member: member, Lines: []Wish{{"tea-1", units}}, Amount: money.Fen(5900 * units), PaidAt: m.clock.Now(),
	}
}

func (m *market) tick(t testing.TB) {
	t.Helper()
	if _, err := m.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// emitted lists the waiting events of a collection in the order of their documents' ids.
func (m *market) emitted(t testing.TB, campaign string) (names []string) {
	t.Helper()
	c, err := m.Get(t.Context(), campaign)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range c.Outbox {
		names = append(names, message.Name)
	}
	return names
}

func expectFault(t *testing.T, err error, want *fault.Fault) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want.Code)
	}
}

func expectState(t *testing.T, m *market, campaign string, want State, events ...string) {
	t.Helper()
	c, err := m.Get(t.Context(), campaign)
	if err != nil || c.State != want {
		t.Fatalf("campaign is %s, %v; want %s", c.State, err, want)
	}
	if diff := cmp.Diff(events, m.emitted(t, campaign)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMovesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/moves.txt")
	if err != nil {
		t.Fatal(err)
	}
	order := []move{moveEdit, movePublish, moveOpen, moveForm, moveClose, moveSettle, moveFail, moveCancel}
	rows, now := 0, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for line := range strings.Lines(string(text)) {
		cells := strings.Fields(line)
		if len(cells) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		rows++
		for i, m := range order {
			c := Campaign{State: State(cells[0])}
			got := "-"
			if c.move(m, now) {
				got = string(c.State)
			}
			if got != cells[i+1] {
				t.Errorf("%s in %s leads to %s, the table says %s", m, cells[0], got, cells[i+1])
			}
		}
	}
	causes := map[move]bool{}
	for _, m := range moves {
		causes[m.By] = true
	}
	if rows != 7 || len(causes) != len(order) {
		t.Errorf("the table has %d states, the code %d moves", rows, len(causes))
	}
}

func TestACampaignFromDraftToSettled(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, func(in *DraftInput) { in.MinSeats = 2; in.StartsAt = m.clock.Now().Add(time.Hour) })
	expectState(t, m, c.ID, Scheduled)
	_, err := m.Admit(t.Context(), m.admission(c, "ann", "o1", 1))
	expectFault(t, err, ErrNotOpen)
	m.clock.Advance(time.Hour)
	// the start has come; nobody has ticked yet
	offer := must[Offer](t)(m.Admit(t.Context(), m.admission(c, "ann", "o1", 2)))
	want := Offer{Host: "li", Community: "garden", Pickup: []string{"p1"}, Lines: []OfferLine{{
		SKU: "tea-1", Product: "tea", Name: "正山小种", Units: 2, Price: 5900, Cost: 3000, Category: "茶",
	}}}
	if diff := cmp.Diff(want, offer); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, must[Offer](t)(m.Admit(t.Context(), m.admission(c, "ann", "o1", 2)))); diff != "" {
		t.Error(diff)
	}
	m.tick(t)
	expectState(t, m, c.ID, Open, EventOpened)
	for range 2 {
		if seat := must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 2))); seat.Number != 1 {
			t.Errorf("number %d", seat.Number)
		}
	}
	m.clock.Advance(23*time.Hour - 5*time.Minute)
	must[Offer](t)(m.Admit(t.Context(), m.admission(c, "bob", "o2", 1)))
	m.clock.Advance(5 * time.Minute)
	m.tick(t)
	expectState(t, m, c.ID, Closed, EventOpened, EventClosed)
	_, err = m.Admit(t.Context(), m.admission(c, "cat", "o3", 1))
	expectFault(t, err, ErrEnded)
	must[Offer](t)(m.Admit(t.Context(), Admission{ // admitted before the end, asked again
		Order: "o2", Campaign: c.ID, Member: "bob", Lines: []Wish{{"tea-1", 1}}, Until: m.clock.Now().Add(time.Minute),
	}))
	// bob pays late; he was admitted in time
	must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "bob", "o2", 1)))
	expectState(t, m, c.ID, Closed, EventOpened, EventClosed, EventFormed)
	m.clock.Advance(settleLag)
	m.tick(t)
	expectState(t, m, c.ID, Settled, EventOpened, EventClosed, EventFormed, EventSettled)
	m.clock.Advance(time.Hour)
	m.tick(t)
	got := must[Progress](t)(m.Progress(t.Context(), c.ID))
	wantProgress := Progress{
		Campaign: c.ID, State: Settled, Seats: 2, Units: 3, Amount: 3 * 5900, MinSeats: 2, Formed: true, FormedAt: got.FormedAt,
		EndsAt: c.EndsAt, LastSeat: 2, Version: got.Version,
	}
	if diff := cmp.Diff(wantProgress, got); diff != "" {
		t.Error(diff)
	}
}

func TestClosingWaitsForOrdersAdmittedInTimeThenFails(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, func(in *DraftInput) { in.MinUnits = 3 })
	must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 2)))
	m.clock.Advance(24*time.Hour - time.Minute)
	must[Offer](t)(m.Admit(t.Context(), m.admission(c, "bob", "o2", 1)))
	m.clock.Advance(time.Minute)
	m.tick(t)
	m.clock.Advance(settleLag)
	m.tick(t)
	expectState(t, m, c.ID, Closed, EventOpened, EventClosed)
	m.clock.Advance(14*time.Minute + m.config.Grace - settleLag - time.Millisecond)
	m.tick(t)
	expectState(t, m, c.ID, Closed, EventOpened, EventClosed)
	m.clock.Advance(time.Millisecond)
	m.tick(t)
	expectState(t, m, c.ID, Failed, EventOpened, EventClosed, EventFailed)
	// a payment from nowhere is stranded, once
	for range 2 {
		seat := must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "bob", "o2", 1)))
		var names []string
		for _, message := range seat.Outbox {
			names = append(names, message.Name)
		}
		if diff := cmp.Diff([]string{EventTaken, EventStranded}, names); !seat.Stranded || diff != "" {
			t.Errorf("stranded %v\n%s", seat.Stranded, diff)
		}
	}
}

func TestAPaymentHeardOfAfterAnEmptyCampaignSettledFormsIt(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	must[Offer](t)(m.Admit(t.Context(), m.admission(c, "ann", "o1", 1)))
	late := m.paid(c, "ann", "o1", 1) // paid now; every word of it is lost for two days
	m.clock.Advance(48 * time.Hour)
	m.tick(t)
	m.clock.Advance(settleLag)
	m.tick(t)
	expectState(t, m, c.ID, Settled, EventOpened, EventClosed, EventSettled)
	for range 2 {
		must[*Seat](t)(m.TakeSeat(t.Context(), late))
		expectState(t, m, c.ID, Settled, EventOpened, EventClosed, EventSettled, EventFormed)
	}
	if formed := must[bool](t)(m.Formed(t.Context(), c.ID)); !formed {
		t.Error("nobody will ever confirm the order")
	}
}

func TestWithdrawnOrdersLetACampaignSettleAtOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	must[Offer](t)(m.Admit(t.Context(), m.admission(c, "ann", "o1", 2)))
	for range 2 {
		if err := m.Withdraw(t.Context(), c.ID, "ann", "o1"); err != nil {
			t.Fatal(err)
		}
	}
	must[*Campaign](t)(m.CloseEarly(t.Context(), "li", c.ID))
	must[*Campaign](t)(m.CloseEarly(t.Context(), "li", c.ID))
	m.clock.Advance(settleLag)
	m.tick(t)
	expectState(t, m, c.ID, Settled, EventOpened, EventClosed, EventSettled)
}

func TestCancellingRefundsOnlyWhatWasOpen(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	preview := m.open(t, func(in *DraftInput) { in.StartsAt = m.clock.Now().Add(time.Hour) })
	must[*Campaign](t)(m.Cancel(t.Context(), "li", preview.ID, "下雨"))
	expectState(t, m, preview.ID, Cancelled)
	c := m.open(t, func(in *DraftInput) { in.Key = "k2" })
	must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 2)))
	for range 2 {
		must[*Campaign](t)(m.Cancel(t.Context(), "li", c.ID, "下雨"))
	}
	expectState(t, m, c.ID, Cancelled, EventOpened, EventFormed, EventFailed)
	_, err := m.CloseEarly(t.Context(), "li", c.ID)
	expectFault(t, err, ErrState)
	_, err = m.Publish(t.Context(), "li", c.ID)
	expectFault(t, err, ErrState)
}

func TestLimitsPerPersonPerItemAndInTotal(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, func(in *DraftInput) {
		in.PerPerson = 5
		in.Items[0].PerPerson, in.Items[1].Total = 3, 4
	})
	admit := func(member, order string, lines ...Wish) error {
		a := m.admission(c, member, order, 1)
		a.Lines = lines
		_, quote := m.Quote(t.Context(), a)
		_, err := m.Admit(t.Context(), a)
		if fault.Of(quote) != nil && !errors.Is(err, fault.Of(quote)) {
			t.Errorf("quote says %v, admit %v", quote, err)
		}
		return err
	}
	expectFault(t, admit("ann", "o1", Wish{"tea-1", 4}), ErrPerPerson)
	expectFault(t, admit("ann", "o1", Wish{"tea-1", 2}, Wish{"tea-1", 2}), ErrPerPerson)
	expectFault(t, admit("ann", "o1", Wish{"tea-1", 3}, Wish{"pear-1", 3}), ErrPerPerson)
	if err := admit("ann", "o1", Wish{"tea-1", 3}, Wish{"pear-1", 2}); err != nil {
		t.Fatal(err)
	}
	expectFault(t, admit("ann", "o2", Wish{"pear-1", 1}), ErrPerPerson)
	expectFault(t, admit("bob", "o3", Wish{"tea-1", 1}, Wish{"pear-1", 3}), ErrTotal)
	if err := admit("bob", "o4", Wish{"tea-1", 3}, Wish{"pear-1", 2}); err != nil { // o3 left no claim behind
		t.Fatal(err)
	}
	// other lines under the same order are refused while it has its claim, and change nothing
	expectFault(t, admit("bob", "o4", Wish{"tea-1", 1}, Wish{"pear-1", 1}), ErrKeyReused)
	if err := m.Withdraw(t.Context(), c.ID, "bob", "o4"); err != nil {
		t.Fatal(err)
	}
	if err := admit("bob", "o4", Wish{"tea-1", 1}, Wish{"pear-1", 1}); err != nil {
		t.Fatal(err)
	}
	if err := admit("cat", "o5", Wish{"pear-1", 1}); err != nil {
		t.Fatal(err)
	}
	expectFault(t, admit("dan", "o6", Wish{"pear-1", 1}), ErrTotal)
	// paid claims outlive their time, unpaid ones do not
	seat := m.paid(c, "ann", "o1", 3)
	seat.Lines = []Wish{{"tea-1", 3}, {"pear-1", 2}}
	must[*Seat](t)(m.TakeSeat(t.Context(), seat))
	m.clock.Advance(15*time.Minute + m.config.Grace + time.Millisecond)
	expectFault(t, admit("ann", "o7", Wish{"pear-1", 1}), ErrPerPerson)
	expectFault(t, admit("dan", "o8", Wish{"pear-1", 3}), ErrTotal)
	if err := admit("dan", "o8", Wish{"pear-1", 2}); err != nil {
		t.Fatal(err)
	}
	// a refunded seat gives its limits back, once
	for range 2 {
		if err := m.Leave(t.Context(), c.ID, "o1"); err != nil {
			t.Fatal(err)
		}
	}
	expectFault(t, admit("ann", "o9", Wish{"pear-1", 3}), ErrTotal)
	if err := admit("ann", "o9", Wish{"pear-1", 2}); err != nil {
		t.Fatal(err)
	}
}

func TestLeavingKeepsTheNumberWhicheverIsToldFirst(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 2)))
	if err := m.Leave(t.Context(), c.ID, "o2"); err != nil { // the refund is told before the seat
		t.Fatal(err)
	}
	for range 2 {
		must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "bob", "o2", 1)))
		if err := m.Leave(t.Context(), c.ID, "o2"); err != nil {
			t.Fatal(err)
		}
	}
	must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "cat", "o3", 1)))
	type row struct {
		Number int64
		Order  string
		Left   bool
	}
	var rows []row
	for page := (Paging{Limit: 2}); ; {
		found := must[docstore.Page[Seat]](t)(m.Seats(t.Context(), c.ID, page))
		for _, seat := range found.Items {
			rows = append(rows, row{seat.Number, seat.Order, seat.Left})
		}
		if page.After = found.Next; page.After == "" {
			break
		}
	}
	if diff := cmp.Diff([]row{{1, "o1", false}, {2, "o2", true}, {3, "o3", false}}, rows); diff != "" {
		t.Error(diff)
	}
	p := must[Progress](t)(m.Progress(t.Context(), c.ID))
	if p.Seats != 2 || p.Units != 3 || p.Amount != 3*5900 || p.Left != 1 || p.LastSeat != 3 {
		t.Errorf("%+v", p)
	}
	expectFault(t, m.Leave(t.Context(), c.ID, "茶"), ErrSeatNotFound)
}

func TestOnlyItsHostMayTouchACampaign(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	ctx := t.Context()
	in := m.input()
	in.Host = "wang"
	_, err := m.Draft(ctx, in)
	expectFault(t, err, ErrNotHost)
	draft := must[*Campaign](t)(m.Draft(ctx, m.input()))
	open := m.open(t, func(in *DraftInput) { in.Key = "k2" })
	for name, do := range map[string]func(id string) error{
		"edit": func(id string) error {
			_, err := m.Edit(ctx, "wang", id, func(in *DraftInput) { *in = m.input() })
			return err
		},
		"publish": func(id string) error { _, err := m.Publish(ctx, "wang", id); return err },
		"close":   func(id string) error { _, err := m.CloseEarly(ctx, "wang", id); return err },
		"cancel":  func(id string) error { _, err := m.Cancel(ctx, "wang", id, "x"); return err },
		"copy": func(id string) error {
			_, err := m.Copy(ctx, CopyInput{Key: "c", Host: "wang", Campaign: id, StartsAt: in.StartsAt, EndsAt: in.EndsAt})
			return err
		},
	} {
		if err := do(draft.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a draft: %v", name, err)
		}
		if err := do(open.ID); !errors.Is(err, ErrNotHost) {
			t.Errorf("%s: %v", name, err)
		}
		if err := do("nothing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

func TestCopyOpensLastWeeksCampaignAgainAtTodaysPrices(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	from := m.open(t, func(in *DraftInput) { in.MinSeats = 3; in.Items[0].PerPerson = 2 })
	m.clock.Advance(7 * 24 * time.Hour)
	m.goods["pear-1"] = Good{SKU: "pear-1", Product: "pear", Name: "秋月梨", Category: "果", Price: 4290, Cost: 2000}
	in := CopyInput{Key: "again", Host: "li", Campaign: from.ID, StartsAt: m.clock.Now(), EndsAt: m.clock.Now().Add(time.Hour)}
	c := must[*Campaign](t)(m.Copy(t.Context(), in))
	again := must[*Campaign](t)(m.Copy(t.Context(), in))
	if again.ID != c.ID || c.ID == from.ID || c.State != Draft || c.CopyOf != from.ID || c.MinSeats != 3 {
		t.Errorf("%+v", c)
	}
	if c.Items[0].Price != 5900 || c.Items[0].PerPerson != 2 || c.Items[1].Price != 4290 {
		t.Errorf("%+v", c.Items)
	}
	in.EndsAt = in.EndsAt.Add(time.Hour)
	_, err := m.Copy(t.Context(), in)
	expectFault(t, err, ErrKeyReused)
	must[*Campaign](t)(m.Publish(t.Context(), "li", c.ID))
	expectState(t, m, c.ID, Open, EventOpened)
}

func TestTheFeedShowsOpenThenPreviewsThenOverNewestFirst(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	ids := map[string]string{}
	for i, name := range []string{"over", "open1", "open2", "preview", "cancelled"} {
		c := m.open(t, func(in *DraftInput) {
			in.Key, in.Title = name, name
			in.StartsAt = m.clock.Now().Add(time.Duration(i) * time.Minute)
			if name == "preview" {
				in.StartsAt = m.clock.Now().Add(2 * time.Hour)
			}
		})
		ids[name] = c.ID
	}
	in := m.input()
	in.Key = "draft"
	must[*Campaign](t)(m.Draft(t.Context(), in))
	m.clock.Advance(time.Hour)
	m.tick(t)
	must[*Campaign](t)(m.CloseEarly(t.Context(), "li", ids["over"]))
	must[*Campaign](t)(m.Cancel(t.Context(), "li", ids["cancelled"], "x"))
	titles := func(page docstore.Page[Campaign]) (titles []string) {
		for _, c := range page.Items {
			titles = append(titles, c.Title)
		}
		return titles
	}
	feed := must[docstore.Page[Campaign]](t)(m.Feed(t.Context(), "garden", Paging{}))
	if diff := cmp.Diff([]string{"open2", "open1", "preview", "over"}, titles(feed)); diff != "" {
		t.Error(diff)
	}
	mine := must[docstore.Page[Campaign]](t)(m.ByHost(t.Context(), "li", Paging{Limit: 100}))
	if len(mine.Items) != 6 {
		t.Error(titles(mine))
	}
	_, err := m.Feed(t.Context(), "garden", Paging{After: "nonsense\x00"})
	expectFault(t, err, ErrPageInvalid)
}

func TestBadDraftsAreRefusedWithTheirFields(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	for name, spoil := range map[string]func(*DraftInput){
		"key":                 func(in *DraftInput) { in.Key = "" },
		"title":               func(in *DraftInput) { in.Title = strings.Repeat("团", 61) },
		"words":               func(in *DraftInput) { in.Words = "\x01" },
		"ends_at":             func(in *DraftInput) { in.EndsAt = in.StartsAt.Add(91 * 24 * time.Hour) },
		"starts_at":           func(in *DraftInput) { in.StartsAt, in.EndsAt = in.StartsAt.Add(-9*time.Hour), in.StartsAt },
		"items":               func(in *DraftInput) { in.Items = make([]ItemInput, 101) },
		"items[1].sku":        func(in *DraftInput) { in.Items[1].SKU = "tea-1" },
		"items[0].price":      func(in *DraftInput) { in.Items[0].Price = money.Max + 1 },
		"items[0].per_person": func(in *DraftInput) { in.Items[0].PerPerson = -1 },
		"items[0].total":      func(in *DraftInput) { in.Items[0].Total = -1 },
		"per_person":          func(in *DraftInput) { in.PerPerson = -1 },
		"min_seats":           func(in *DraftInput) { in.MinSeats = 100_001 },
		"pickup[0]":           func(in *DraftInput) { in.Pickup[0] = "" },
		"pickup[1]":           func(in *DraftInput) { in.Pickup = []string{"p1", "nowhere"} },
		"items[0].sku":        func(in *DraftInput) { in.Items[0].SKU = "nosuch-1" },
	} {
		in := m.input()
		spoil(&in)
		_, err := m.Draft(t.Context(), in)
		f := fault.Of(err)
		if f == nil || len(f.Fields) != 1 || f.Fields[0].Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	off := m.input()
	off.Items[1].SKU = "old-1"
	c := must[*Campaign](t)(m.Draft(t.Context(), off))
	_, err := m.Publish(t.Context(), "li", c.ID)
	expectFault(t, err, ErrGoods)
	off.Title = "别的"
	_, err = m.Draft(t.Context(), off)
	expectFault(t, err, ErrKeyReused)
}

func TestBadWishesAreRefused(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	for name, one := range map[string]struct {
		spoil func(*Admission)
		want  *fault.Fault
	}{
		"unknown campaign": {func(a *Admission) { a.Campaign = "x" }, ErrNotFound},
		"bad campaign":     {func(a *Admission) { a.Campaign = "团" }, ErrNotFound},
		"no lines":         {func(a *Admission) { a.Lines = nil }, ErrWishInvalid},
		"zero units":       {func(a *Admission) { a.Lines[0].Units = 0 }, ErrWishInvalid},
		"negative units":   {func(a *Admission) { a.Lines[0].Units = -1 }, ErrWishInvalid},
		"huge units":       {func(a *Admission) { a.Lines[0].Units = 1 << 62 }, ErrWishInvalid},
		"not offered":      {func(a *Admission) { a.Lines[0].SKU = "old-1" }, ErrNotOffered},
		"no order":         {func(a *Admission) { a.Order = "" }, ErrWishInvalid},
		"no member":        {func(a *Admission) { a.Member = "" }, ErrWishInvalid},
		"until over":       {func(a *Admission) { a.Until = m.clock.Now() }, ErrWishInvalid},
		"until too far":    {func(a *Admission) { a.Until = m.clock.Now().Add(3 * time.Hour) }, ErrWishInvalid},
	} {
		a := m.admission(c, "ann", "o1", 1)
		one.spoil(&a)
		if _, err := m.Admit(t.Context(), a); !errors.Is(err, one.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := m.input()
	in.Key = "draft"
	draft := must[*Campaign](t)(m.Draft(t.Context(), in))
	_, err := m.Admit(t.Context(), m.admission(draft, "ann", "o1", 1))
	expectFault(t, err, ErrNotFound)
}

func TestFiveHundredSeatsOverTwoProcessesAreNumberedOneToFiveHundred(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	other := m.second(t)
	c := m.open(t, func(in *DraftInput) { in.MinSeats = 50 }) // every one of fifty people
	var all sync.WaitGroup
	numbers := make([]int64, 500)
	for i := range numbers {
		for _, s := range []*Service{m.Service, other} { // every order's event reaches both
			all.Go(func() {
				seat, err := s.TakeSeat(t.Context(), m.paid(c, fmt.Sprint("m", i%50), fmt.Sprint("o", i), 1))
				if err != nil {
					t.Error(err)
					return
				}
				if old := atomic.SwapInt64(&numbers[i], seat.Number); old != 0 && old != seat.Number {
					t.Errorf("order %d has numbers %d and %d", i, old, seat.Number)
				}
			})
		}
	}
	all.Wait()
	seen := make([]bool, 501)
	for i, n := range numbers {
		if n < 1 || n > 500 || seen[n] {
			t.Fatalf("order %d has number %d", i, n)
		}
		seen[n] = true
	}
	p := must[Progress](t)(m.Progress(t.Context(), c.ID))
	if p.Seats != 500 || p.Units != 500 || p.LastSeat != 500 {
		t.Errorf("%+v", p)
	}
	expectState(t, m, c.ID, Open, EventOpened, EventFormed)
}

func TestTenThousandAdmissionsKeepALimitOfTwo(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	other := m.second(t)
	c := m.open(t, func(in *DraftInput) { in.PerPerson = 2; in.Items[0].Total = 300 })
	var all sync.WaitGroup
	var admitted, person, sum atomic.Int64
	gate := make(chan struct{}, 256)
	for i := range 10_000 {
		all.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			s := []*Service{m.Service, other}[i%2]
			_, err := s.Admit(t.Context(), m.admission(c, fmt.Sprint("m", i%200), fmt.Sprint("o", i), 1))
			switch {
			case err == nil:
				admitted.Add(1)
			case errors.Is(err, ErrPerPerson):
				person.Add(1)
			case errors.Is(err, ErrTotal):
				sum.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if admitted.Load() != 300 || admitted.Load()+person.Load()+sum.Load() != 10_000 {
		t.Errorf("%d admitted, %d over the personal limit, %d over the total", admitted.Load(), person.Load(), sum.Load())
	}
	for i := range 200 {
		q, err := m.quotas.Get(t.Context(), quotaID(c.ID, fmt.Sprint("m", i)))
		if err == nil && q.units("") > 2 {
			t.Errorf("member %d has %d units", i, q.units(""))
		}
	}
}

func TestAGapLeftByAStoreThatFailedIsFilledFirst(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	for _, n := range []int64{1, 2, 4, 6} {
		seat := &Seat{Campaign: c.ID, Order: fmt.Sprint("before", n), Member: "ann", Number: n, Lines: []Wish{{"tea-1", 1}}, Units: 1}
		seat.ID = seatID(c.ID, n)
		if err := m.seats.Insert(t.Context(), seat); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := m.TakeSeat(t.Context(), m.paid(c, "bob", fmt.Sprint("o", i%10), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	page := must[docstore.Page[Seat]](t)(m.Seats(t.Context(), c.ID, Paging{Limit: 100}))
	for i, seat := range page.Items {
		if seat.Number != int64(i+1) {
			t.Fatalf("seat %d stands at %d", seat.Number, i+1)
		}
	}
	if len(page.Items) != 14 {
		t.Errorf("%d seats", len(page.Items))
	}
	tally, err := m.recount(t.Context(), c.ID)
	if err != nil || tally.Seats != 14 || tally.Counted.upto() != 14 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func expect(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// People form a campaign: one person counts once however many orders, one's own host not at all, and who has left no longer.
func TestPeopleFormACampaignNotOrders(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, func(in *DraftInput) { in.MinSeats = 3 })
	take := func(member, order string) {
		t.Helper()
		must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, member, order, 1)))
	}
	says := func(when string, seats, missing int64, formed, ever bool) {
		t.Helper()
		p := must[Progress](t)(m.Progress(t.Context(), c.ID))
		if p.Seats != seats || p.Missing != missing || p.Formed != formed || p.FormedAt.IsZero() == ever {
			t.Errorf("%s: %+v", when, p)
		}
	}
	for n := range 5 {
		take("ann", fmt.Sprint("a", n))
	}
	says("one person, five orders", 5, 2, false, false)
	take(c.Host, "h1")
	says("and the host herself", 6, 2, false, false)
	take("bob", "b1")
	says("two people", 7, 1, false, false)
	expect(t, m.Leave(t.Context(), c.ID, "b1"))
	says("one of them left", 6, 2, false, false)
	take("bob", "b2")
	take("cat", "c1")
	says("three people", 8, 0, true, true)
	for n := range 5 {
		expect(t, m.Leave(t.Context(), c.ID, fmt.Sprint("a", n)))
	}
	says("one of them left with all orders", 3, 1, false, true)
	if !must[bool](t)(m.Formed(t.Context(), c.ID)) {
		t.Error("what was confirmed is fulfilled: it has formed once")
	}
}

// A closed campaign is decided as soon as nothing can change it, not after a wait fixed while an order was unpaid.
func TestAFailedCampaignIsDecidedWhenTheLastUnpaidOrderIs(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*market, *Campaign){
		"given up": func(m *market, c *Campaign) { expect(t, m.Withdraw(t.Context(), c.ID, "bob", "o2")) },
		"paid":     func(m *market, c *Campaign) { must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "bob", "o2", 1))) },
	} {
		m := newMarket(t)
		c := m.open(t, func(in *DraftInput) { in.MinSeats = 5 })
		must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 1)))
		must[Offer](t)(m.Admit(t.Context(), m.admission(c, "bob", "o2", 1)))
		must[*Campaign](t)(m.CloseEarly(t.Context(), c.Host, c.ID))
		m.clock.Advance(settleLag)
		m.tick(t)
		expectState(t, m, c.ID, Closed, EventOpened, EventClosed) // bob may still pay
		m.clock.Advance(time.Second)
		end(m, c)
		m.clock.Advance(time.Millisecond)
		m.tick(t)
		if got := must[*Campaign](t)(m.Get(t.Context(), c.ID)); got.State != Failed {
			t.Errorf("%s: %s, to be looked at again at %s, now %s", name, got.State, got.NextAt, m.clock.Now())
		}
	}
}

// Whoever pays while the host calls it off is told that, not that too few came.
func TestAStrandedSeatSaysThatTheHostCancelled(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	c := m.open(t, nil)
	must[*Campaign](t)(m.Cancel(t.Context(), c.Host, c.ID, "下雨"))
	seat := must[*Seat](t)(m.TakeSeat(t.Context(), m.paid(c, "ann", "o1", 1)))
	for _, message := range seat.Outbox {
		if message.Name != EventStranded {
			continue
		}
		if message.Body.Lookup("reason").StringValue() != "下雨" || !message.Body.Lookup("cancelled").Boolean() {
			t.Errorf("%s", message.Body)
		}
	}
	if !seat.Stranded {
		t.Error("not stranded")
	}
}
