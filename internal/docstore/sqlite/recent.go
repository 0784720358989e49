package sqlite

import (
	"hash/maphash"
	"sync"

	"guanxi/internal/docstore"
)

// recent keeps records that were written or read lately, and which ids were found to be absent, so that most readings by
// id need no transaction of SQLite's: beginning one costs more than the reading, because every commit makes each reader
// forget its pages. It can do so because this process is the only one that writes (the lock file) and all writes pass the
// one writer.
//
// It never answers with anything older than the last acknowledged write: the writer forgets a record before its commit
// and puts the new one after it, and a reader that has gone to SQLite in between does not keep what it found.
type recent struct {
	seed   maphash.Seed
	half   int // bytes of one generation of one shard; 0 = keeps nothing
	shards [recentShards]recentShard
}

const (
	recentShards   = 32
	recentOverhead = 200 // bytes of a record beside its body and names, roughly
)

type recordName struct{ collection, id string }

// recentShard has two generations: when the young one is full it becomes the old one, and the old one is forgotten.
type recentShard struct {
	mu         sync.Mutex
	epoch      uint64 // counts writes: what was read in an earlier one is not kept
	bytes      int    // of the young
	young, old map[recordName]docstore.Record
}

func newRecent(mebibytes int) *recent {
	r := &recent{seed: maphash.MakeSeed(), half: max(mebibytes, 0) << 20 / recentShards / 2}
	for i := range r.shards {
		r.shards[i].young = map[recordName]docstore.Record{}
	}
	return r
}

func (r *recent) shard(name recordName) *recentShard {
	return &r.shards[maphash.String(r.seed, name.id)%recentShards]
}

// get answers a record, of version 0 when there is none, or the epoch to hand to keep after it has been read from SQLite.
// Nobody may change the body.
func (r *recent) get(name recordName) (record docstore.Record, found bool, epoch uint64) {
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if record, found = s.young[name]; !found {
		if record, found = s.old[name]; found {
			delete(s.old, name)
			s.put(name, record, r.half)
		}
	}
	return record, found, s.epoch
}

// keep remembers what was read (the zero record: that there is none), unless something was written since.
func (r *recent) keep(name recordName, record docstore.Record, epoch uint64) {
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch {
		s.put(name, record, r.half)
	}
}

func (s *recentShard) put(name recordName, record docstore.Record, half int) {
	size := len(record.Body) + 2*len(name.id) + recentOverhead
	if size > half/8 {
		s.drop(name)
		return
	}
	if s.bytes += size; s.bytes > half { // a record put twice counts twice: the generation only ends a little earlier
		s.young, s.old, s.bytes = map[recordName]docstore.Record{}, s.young, size
	}
	delete(s.old, name)
	s.young[name] = record
}

func (s *recentShard) drop(name recordName) {
	delete(s.young, name)
	delete(s.old, name)
}

// committing forgets what the group is about to change; committed must follow, whatever becomes of the commit.
func (r *recent) committing(group []*request) { r.change(group, false) }

// committed puts what was stored; after a commit that failed or is in doubt (good is false) SQLite is asked again.
func (r *recent) committed(group []*request, good bool) { r.change(group, good) }

func (r *recent) change(group []*request, good bool) {
	if r.half == 0 {
		return
	}
	for _, one := range group {
		for i := range one.ops {
			op := &one.ops[i]
			name := recordName{op.Collection, op.ID}
			s := r.shard(name)
			s.mu.Lock()
			s.epoch++
			if good && one.results[i] == nil && op.Kind != docstore.Delete {
				s.put(name, docstore.Record{ID: op.ID, Version: op.Next, Body: op.Body}, r.half)
			} else {
				s.drop(name)
			}
			s.mu.Unlock()
		}
	}
}
