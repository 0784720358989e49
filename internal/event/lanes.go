package event

import (
	"sync"
	"time"
)

// lanes runs the consumers. Each consumer has a line of its own, with a bounded number of calls at a time; the
// consumers of one effect share a lane, which bounds their calls together and serves its lines in turn. So a slow
// consumer fills its own line and nobody else's, and a slow platform never stands before what only writes our store.
type lanes struct {
	mu     sync.Mutex
	closed bool
	lines  map[string]*line // by consumer
	all    sync.WaitGroup   // calls that run
}

// lane is what consumers of one effect share.
type lane struct {
	limit, running int
	lines          []*line
	turn           int // the line that is looked at next
}

// line is one consumer and what waits for it.
type line struct {
	consumer Consumer
	lane     *lane
	circuit  *circuit // of its platform; nil when it has none
	limit    int      // calls at the same time
	room     int      // messages that may wait
	running  int
	queue    []task
	tally    tally
}

// tally counts since the start of the process.
type tally struct{ delivered, failed, putOff, parked int64 }

// task is one message for one consumer.
type task struct {
	at   time.Time // of the message
	run  func()
	drop func() // called instead of run when the lanes close
	last bool   // the delivery has begun: it goes on when the line is full, and while the lanes close
}

// openLanes makes a line for every row of the table.
func openLanes(c RelayConfig) *lanes {
	l := &lanes{lines: map[string]*line{}}
	shared, circuits := map[Effect]*lane{}, map[string]*circuit{}
	for _, row := range c.Consumers {
		effect := row.Effect
		if !row.outside() {
			effect = Inside
		}
		if shared[effect] == nil {
			shared[effect] = &lane{limit: c.Workers * lanePerWorker(effect)}
		}
		one := &line{consumer: row, lane: shared[effect], limit: c.Workers, room: max(c.Queue/2, 1)}
		if row.outside() {
			one.limit, one.room = max(c.Workers/2, 1), c.Line
		}
		if row.Platform != "" {
			if circuits[row.Platform] == nil {
				circuits[row.Platform] = &circuit{random: c.Random}
			}
			one.circuit = circuits[row.Platform]
		}
		one.lane.lines = append(one.lane.lines, one)
		l.lines[row.Name] = one
	}
	return l
}

// lanePerWorker: inside, several slow consumers must not take every place; outside, there are few of them.
func lanePerWorker(e Effect) int {
	if e == Inside {
		return 4
	}
	return 2
}

// send queues a task for a consumer without ever waiting. Errors: errFull, errClosed.
func (l *lanes) send(consumer string, t task) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.lines[consumer]
	switch {
	case l.closed && !t.last:
		return errClosed
	case len(one.queue) >= one.room && !t.last:
		return errFull
	}
	one.queue = append(one.queue, t)
	l.pump(one.lane)
	return nil
}

// pump starts what may start. The lock is held.
func (l *lanes) pump(shared *lane) {
	for {
		one := shared.next()
		if one == nil {
			return
		}
		t := one.pop()
		l.all.Go(func() { l.run(one, t) })
	}
}

// run carries out a task, and then whatever its lane has next.
func (l *lanes) run(one *line, t task) {
	for {
		t.run()
		l.mu.Lock()
		one.running--
		one.lane.running--
		next := one.lane.next()
		if next == nil {
			l.mu.Unlock()
			return
		}
		one, t = next, next.pop()
		l.mu.Unlock()
	}
}

// next gives the line whose turn it is; nil when none may start another call.
func (s *lane) next() *line {
	if s.running >= s.limit {
		return nil
	}
	for i := range s.lines {
		one := s.lines[(s.turn+i)%len(s.lines)]
		if len(one.queue) > 0 && one.running < one.limit {
			s.turn = (s.turn + i + 1) % len(s.lines)
			return one
		}
	}
	return nil
}

func (one *line) pop() task {
	t := one.queue[0]
	one.queue[0] = task{} // lets go of what it holds
	one.queue = one.queue[1:]
	one.running++
	one.lane.running++
	return t
}

// close drops what waits; what runs may end, and its deliveries with it.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	var dropped []task
	for _, one := range l.lines {
		dropped = append(dropped, one.queue...)
		one.queue = nil
	}
	l.all.Add(1) // so that nobody ends before what was dropped has been told
	l.mu.Unlock()
	for _, t := range dropped {
		t.drop()
	}
	l.all.Done()
}

func (l *lanes) count(consumer string, change func(*tally)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.lines[consumer].tally)
}

func (l *lanes) queued() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.lines {
		n += len(one.queue)
	}
	return n
}

// spawn runs work that no consumer waits for; false when the lanes are closed.
func (l *lanes) spawn(work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.all.Go(work)
	return true
}
