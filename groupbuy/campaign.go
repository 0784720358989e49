package groupbuy

import (
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
	"guanxi/internal/money"
)

// State is where a campaign stands.
type State string

// The states of a campaign.
const (
	Draft     State = "draft"
	Scheduled State = "scheduled" // published: everybody sees it, nobody can buy yet
	Open      State = "open"
	Closed    State = "closed"  // no new orders; those admitted in time may still be paid
	Settled   State = "settled" // final: it took place
	Failed    State = "failed"  // final: the minimum was missed, everybody is refunded
	Cancelled State = "cancelled"
)

// move is something that happens to a campaign.
type move string

const (
	moveEdit    move = "edit"
	movePublish move = "publish"
	moveOpen    move = "open"
	moveForm    move = "form" // the minimum is reached: a fact beside the state
	moveClose   move = "close"
	moveSettle  move = "settle"
	moveFail    move = "fail"
	moveCancel  move = "cancel"
)

// moves is every allowed move and where it leads.
var moves = fsm.Table[State, move]{
	{Draft, moveEdit, Draft},
	{Scheduled, moveEdit, Scheduled},
	{Draft, movePublish, Scheduled},
	{Scheduled, moveOpen, Open},
	{Open, moveForm, Open},
	{Closed, moveForm, Closed},
	{Settled, moveForm, Settled}, // settled empty, then a payment was heard of late
	{Open, moveClose, Closed},
	{Closed, moveSettle, Settled},
	{Closed, moveFail, Failed},
	{Draft, moveCancel, Cancelled},
	{Scheduled, moveCancel, Cancelled},
	{Open, moveCancel, Cancelled},
	{Closed, moveCancel, Cancelled},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("campaign")}
}

// Item is one thing a campaign offers, as it was known when the campaign was last edited or published.
type Item struct {
	SKU       string    `bson:"sku"`
	Product   string    `bson:"product"`
	Name      string    `bson:"name"`
	Category  string    `bson:"category"`
	Price     money.Fen `bson:"price"`         // what a unit sells at here
	Own       money.Fen `bson:"own,omitempty"` // the host's price; 0 = the catalog's
	Cost      money.Fen `bson:"cost"`
	PerPerson int64     `bson:"per_person,omitempty"` // units; 0 = no limit
	Total     int64     `bson:"total,omitempty"`      // units over all members; 0 = no limit
	Buckets   int       `bson:"buckets,omitempty"`    // how many allotments the total is split into; 0 = one
}

// Campaign is one group buy of the chain kind.
type Campaign struct {
	docstore.Doc `bson:",inline"`
	Host         string    `bson:"host"`
	Community    string    `bson:"community"`
	Title        string    `bson:"title"`
	Words        string    `bson:"words,omitempty"`
	Items        []Item    `bson:"items"`
	StartsAt     time.Time `bson:"starts_at"`
	EndsAt       time.Time `bson:"ends_at"`
	PerPerson    int64     `bson:"per_person,omitempty"` // units of all items together; 0 = no limit
	MinSeats     int64     `bson:"min_seats,omitempty"`
	MinUnits     int64     `bson:"min_units,omitempty"`
	Pickup       []string  `bson:"pickup,omitempty"`
	State        State     `bson:"state"`
	Reason       string    `bson:"reason,omitempty"` // why it failed or was cancelled
	DraftedAt    time.Time `bson:"drafted_at"`
	OpenedAt     time.Time `bson:"opened_at,omitempty"`
	FormedAt     time.Time `bson:"formed_at,omitempty"` // set once; a campaign that has formed stays so
	ClosedAt     time.Time `bson:"closed_at,omitempty"`
	DoneAt       time.Time `bson:"done_at,omitempty"`   // settled, failed or cancelled
	NextAt       time.Time `bson:"next_at,omitempty"`   // when the clock has something to do here
	Feed         *feed     `bson:"feed,omitempty"`      // its place in the community's feed
	CopyOf       string    `bson:"copy_of,omitempty"`   // the campaign it was copied from
	MadeFrom     string    `bson:"made_from,omitempty"` // hash of the input: the same key must bring the same
}

type feed struct {
	In   string    `bson:"in"`
	Rank int       `bson:"rank"` // 2 open, 1 preview, 0 over
	At   time.Time `bson:"at"`
}

// settleLag is how long after closing an order may still be admitted by a process that has not heard of it
// (Config.Memory) with room for clocks that differ.
const settleLag = 3 * time.Second

// move changes the state if the table allows it.
func (c *Campaign) move(m move, now time.Time) bool {
	to, ok := moves.Move(c.State, m)
	if !ok {
		return false
	}
	c.State = to
	switch m {
	case moveOpen:
		c.OpenedAt = now
		c.Emit(EventOpened, CampaignOpened{Campaign: c.ID, Community: c.Community, Host: c.Host})
	case moveClose:
		c.ClosedAt = now
		c.Emit(EventClosed, CampaignClosed{Campaign: c.ID})
	case moveForm:
		if c.FormedAt.IsZero() {
			c.FormedAt = now
			c.Emit(EventFormed, CampaignFormed{Campaign: c.ID})
		}
	case moveSettle:
		c.DoneAt = now
		c.Emit(EventSettled, CampaignSettled{Campaign: c.ID})
	case moveFail, moveCancel:
		c.DoneAt = now
		if !c.OpenedAt.IsZero() { // before that there is nobody to refund
			c.Emit(EventFailed, CampaignFailed{Campaign: c.ID, Reason: c.Reason, Cancelled: m == moveCancel})
		}
	case moveEdit, movePublish:
	}
	c.settle()
	return true
}

// settle derives what the indexes need from the state.
func (c *Campaign) settle() {
	c.NextAt, c.Feed = time.Time{}, nil
	rank := -1
	switch c.State {
	case Scheduled:
		c.NextAt, rank = c.StartsAt, 1
	case Open:
		c.NextAt, rank = c.EndsAt, 2
	case Closed:
		c.NextAt, rank = c.ClosedAt.Add(settleLag), 0
	case Settled:
		rank = 0
	case Draft, Failed, Cancelled:
	}
	if rank >= 0 {
		c.Feed = &feed{In: c.Community, Rank: rank, At: c.StartsAt}
	}
}

// advance makes the moves that the clock asks for.
func (c *Campaign) advance(now time.Time) {
	if c.State == Scheduled && !now.Before(c.StartsAt) {
		c.move(moveOpen, now)
	}
	if c.State == Open && !now.Before(c.EndsAt) {
		c.move(moveClose, now)
	}
}

// admits says whether somebody may buy now. It trusts the schedule, not the last tick: a campaign whose start
// has come is open even if nobody has written it down yet.
func (c *Campaign) admits(now time.Time) error {
	switch {
	case c.State == Draft:
		return ErrNotFound
	case c.State != Scheduled && c.State != Open, !now.Before(c.EndsAt):
		return ErrEnded
	case now.Before(c.StartsAt):
		return ErrNotOpen
	}
	return nil
}

// Dead reports whether the campaign will never take place.
func (c *Campaign) Dead() bool { return c.State == Failed || c.State == Cancelled }

// Formed reports whether the minimum was reached.
func (c *Campaign) Formed() bool { return !c.FormedAt.IsZero() }

// reached says whether a count satisfies the minimum. A campaign without a minimum forms with its first seat.
func (c *Campaign) reached(n turnout) bool {
	return n.seats > 0 && n.people >= c.MinSeats && n.units >= c.MinUnits
}

// turnout is who is in a campaign now. People are counted up to the minimum only, and only where there is one.
type turnout struct{ seats, units, people int64 }

func (c *Campaign) item(sku string) *Item {
	i := slices.IndexFunc(c.Items, func(it Item) bool { return it.SKU == sku })
	if i < 0 {
		return nil
	}
	return &c.Items[i]
}
