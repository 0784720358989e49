package groupbuy

import (
	"context"
	"errors"
	"sync"
	"time"

	"guanxi/internal/docstore"
)

// numbering lets the callers of one campaign and process take their numbers together: the first who comes leads,
// and inserts the seats of all who wait in one commit of the store. It remembers the next number; the hint saves a
// reading, the store alone decides who gets a number.
//
// Numbers have no gaps: a batch begins at the first number that is not stored, and an order that already has a
// seat is found before the batch and not tried. If another process takes a number or an order of the batch all
// the same, the orders left over fill the place at once. Should the store fail in the middle of a batch, the
// orders that were not stored are told so, come again with their event, and find the gap (see nextNumber).
type numbering struct {
	mu    sync.Mutex
	lines map[string]*line
	next  map[string]int64
}

type line struct{ waiting []*taking }

// taking is one caller's wish for a number.
type taking struct {
	seat  Seat
	event SeatTaken
	lead  chan bool // true: you lead now; false: you are answered
	got   *Seat
	err   error
}

const (
	maxNumberHints = 4096
	maxNumberBatch = 64
	maxNumbers     = 200 // rounds lost against other processes before a caller gives up
)

func newNumbering() *numbering {
	return &numbering{lines: map[string]*line{}, next: map[string]int64{}}
}

func (n *numbering) hint(campaign string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next[campaign]
}

// learn remembers the next number; 0 forgets it.
func (n *numbering) learn(campaign string, next int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.next) >= maxNumberHints {
		clear(n.next)
	}
	n.next[campaign] = next
}

// join queues a wish and tells whether its caller leads.
func (n *numbering) join(mine *taking) (leads bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lines[mine.seat.Campaign]
	if l == nil {
		n.lines[mine.seat.Campaign] = &line{}
		return true
	}
	l.waiting = append(l.waiting, mine)
	return false
}

// batch claims those who wait, the leader first.
func (n *numbering) batch(mine *taking) []*taking {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lines[mine.seat.Campaign]
	size := min(len(l.waiting), maxNumberBatch-1)
	batch := append([]*taking{mine}, l.waiting[:size]...)
	l.waiting = l.waiting[size:]
	return batch
}

// handOver makes the first who still waits the leader.
func (n *numbering) handOver(campaign string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lines[campaign]
	if len(l.waiting) == 0 {
		delete(n.lines, campaign)
		return
	}
	next := l.waiting[0]
	l.waiting = l.waiting[1:]
	next.lead <- true
}

// allocate inserts the seat under the next free number, or finds the one its order has.
func (s *Service) allocate(ctx context.Context, seat Seat, event SeatTaken) (*Seat, error) {
	mine := &taking{seat: seat, event: event, lead: make(chan bool, 1)}
	if !s.numbers.join(mine) && !<-mine.lead { // bounded by the leader's own time
		return mine.got, mine.err
	}
	batch := s.numbers.batch(mine)
	func() {
		defer s.numbers.handOver(seat.Campaign) // whatever happens, somebody else goes on
		// the leader works for all of them: its own going away must not end it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		s.place(ctx, seat.Campaign, batch)
	}()
	for _, other := range batch[1:] {
		other.lead <- false
	}
	return mine.got, mine.err
}

// place answers every wish of a batch.
func (s *Service) place(ctx context.Context, campaign string, batch []*taking) {
	first, rest := map[string]*taking{}, make([]*taking, 0, len(batch))
	for _, one := range batch {
		if first[one.seat.Order] == nil {
			first[one.seat.Order] = one
			rest = append(rest, one)
		}
	}
	for range maxNumbers {
		if rest = s.placeOnce(ctx, campaign, rest); len(rest) == 0 {
			break
		}
	}
	for _, one := range rest {
		one.err = docstore.ErrContended
	}
	for _, one := range batch { // one order asked twice in a batch: each gets a seat of its own to keep
		if of := first[one.seat.Order]; of != one {
			if one.err = of.err; of.got != nil {
				copied := *of.got
				one.got = &copied
			}
		}
	}
}

// placeOnce tries the wishes on the next numbers and returns those that have to be tried again.
func (s *Service) placeOnce(ctx context.Context, campaign string, wishes []*taking) (again []*taking) {
	next, err := s.nextNumber(ctx, campaign)
	if err == nil && len(wishes) > 1 { // the last of a batch leaves no gap when it is refused
		wishes, err = s.unseated(ctx, campaign, wishes)
	}
	if err != nil {
		for _, one := range wishes {
			one.err = err
		}
		return nil
	}
	if len(wishes) == 0 {
		return nil
	}
	seats := make([]*Seat, len(wishes))
	for i, one := range wishes {
		seat := one.seat
		seat.Number, one.event.Number = next+int64(i), next+int64(i)
		seat.ID = seatID(campaign, seat.Number)
		seat.Emit(EventTaken, one.event)
		seats[i] = &seat
	}
	lost := false
	for i, err := range s.seats.InsertMany(ctx, seats) {
		switch one := wishes[i]; {
		case err == nil:
			one.got = seats[i]
		case docstore.Exists(err):
			lost, again = true, append(again, one)
		default:
			lost, one.err = true, err
		}
	}
	if !lost {
		s.numbers.learn(campaign, next+int64(len(wishes)))
		return nil
	}
	s.numbers.learn(campaign, 0)
	// Either the number is another's or the order has a seat; a driver may not know which of them refused.
	left, err := s.unseated(ctx, campaign, again)
	for _, one := range left {
		one.err = err
	}
	if err != nil {
		return nil
	}
	return left
}

// unseated answers the wishes whose order has a seat and returns the others.
func (s *Service) unseated(ctx context.Context, campaign string, wishes []*taking) (left []*taking, err error) {
	found, errs := make([]*Seat, len(wishes)), make([]error, len(wishes))
	var all sync.WaitGroup
	for i, one := range wishes {
		all.Go(func() { found[i], errs[i] = s.SeatOf(ctx, campaign, one.seat.Order) })
	}
	all.Wait()
	for i, one := range wishes {
		switch {
		case errs[i] == nil:
			one.got = found[i]
		case errors.Is(errs[i], ErrSeatNotFound):
			left = append(left, one)
		default:
			left, err = append(left, one), errs[i]
		}
	}
	return left, err
}

// nextNumber is the first number that is not stored. The tally knows up to where there are no gaps; what lies
// above is read.
func (s *Service) nextNumber(ctx context.Context, campaign string) (int64, error) {
	if next := s.numbers.hint(campaign); next > 0 {
		return next, nil
	}
	gapless := int64(0)
	t, err := s.tallies.Get(ctx, campaign)
	if err == nil {
		gapless = t.Counted.upto()
	} else if !errors.Is(err, docstore.ErrNotFound) {
		return 0, err
	}
	q := docstore.By("number", campaign).Between(gapless+1, nil).First(recountPage)
	for {
		page, err := s.seats.Find(ctx, q)
		if err != nil {
			return 0, err
		}
		for _, seat := range page.Items {
			if seat.Number != gapless+1 {
				return gapless + 1, nil
			}
			gapless++
		}
		if page.Next == "" {
			return gapless + 1, nil
		}
		q = q.Continue(page.Next)
	}
}
