package wiredouble

import (
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
)

// snapshots keeps what was there at the moments somebody reads with read concern "snapshot".
type snapshots struct {
	mu sync.Mutex
	at map[primitive.Timestamp]map[string]*collection
}

// frozen is a collection as it was at the moment a find asks for, or, when it names none, as it is now; at says which moment.
func (s *Server) frozen(r *request) (c *collection, at primitive.Timestamp, f *failure) {
	asked := r.body.Lookup("readConcern", "atClusterTime")
	s.snapshots.mu.Lock()
	defer s.snapshots.mu.Unlock()
	if t, i, ok := asked.TimestampOK(); ok {
		all := s.snapshots.at[primitive.Timestamp{T: t, I: i}]
		if all == nil {
			return nil, at, fail(239, "SnapshotTooOld", "nothing is kept of that moment")
		}
		c, at = all[r.text("$db")+"."+r.text("find")], primitive.Timestamp{T: t, I: i}
	} else {
		s.clock.tick()
		at = s.clock.now()
		if s.snapshots.at == nil {
			s.snapshots.at = map[primitive.Timestamp]map[string]*collection{}
		}
		all := s.freeze()
		s.snapshots.at[at], c = all, all[r.text("$db")+"."+r.text("find")]
	}
	if c == nil {
		c = newDataCollection()
	}
	return c, at, nil
}

func (s *Server) freeze() map[string]*collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.collections { // all of them, before any is copied: one moment
		c.mu.Lock()
		defer c.mu.Unlock()
	}
	all := map[string]*collection{}
	for name, c := range s.collections {
		frozen := newDataCollection()
		frozen.indexes[0].entries = slices.Clone(c.indexes[0].entries)
		all[name] = frozen
	}
	return all
}

// stamped says in an answer of which moment it is.
func stamped(reply bson.D, at primitive.Timestamp) bson.D {
	for i, e := range reply {
		if cursor, ok := e.Value.(bson.D); ok && e.Key == "cursor" {
			reply[i].Value = append(cursor, bson.E{Key: "atClusterTime", Value: at})
		}
	}
	return reply
}
