package docstore

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// unreadable is why one document cannot be read. It holds nothing of its content.
type unreadable struct {
	collection, document string
	cause                error
}

func (u *unreadable) Error() string {
	return fmt.Sprintf("docstore: unreadable document %s/%s: %v", u.collection, u.document, u.cause)
}

func (u *unreadable) Unwrap() error { return u.cause }

func (u *unreadable) Is(target error) bool { return target == ErrUnreadable }

// Unreadable is a document that was passed over.
type Unreadable struct {
	Collection string
	Document   string
	Why        string
	First      time.Time // when this process met it first
	Last       time.Time
	Times      int
}

// maxLost bounds what is remembered; everything beyond is only counted.
const maxLost = 1000

// lost remembers the documents that were passed over in this process.
type lost struct {
	mu     sync.Mutex
	docs   map[string]*Unreadable
	more   int
	listen func(Unreadable)
}

// OnUnreadable sets the one listener that hears of every document at its first being passed over. It must not block.
func (s *Store) OnUnreadable(listen func(Unreadable)) {
	s.lost.mu.Lock()
	defer s.lost.mu.Unlock()
	s.lost.listen = listen
}

// Unreadable lists the documents this process has passed over, by collection and id, and how many more there were.
func (s *Store) Unreadable() (list []Unreadable, more int) {
	s.lost.mu.Lock()
	defer s.lost.mu.Unlock()
	for _, u := range s.lost.docs {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b Unreadable) int {
		return cmp.Or(cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Document, b.Document))
	})
	return list, s.lost.more
}

// note remembers a document that was passed over.
func (s *Store) note(collection, document string, err error) {
	now := s.clock.Now()
	s.lost.mu.Lock()
	key := collection + "/" + document
	if u := s.lost.docs[key]; u != nil {
		u.Last, u.Times = now, u.Times+1
		s.lost.mu.Unlock()
		return
	}
	if len(s.lost.docs) >= maxLost {
		s.lost.more++
		s.lost.mu.Unlock()
		return
	}
	if s.lost.docs == nil {
		s.lost.docs = map[string]*Unreadable{}
	}
	u := Unreadable{Collection: collection, Document: document, Why: err.Error(), First: now, Last: now, Times: 1}
	s.lost.docs[key] = &u
	listen := s.lost.listen
	s.lost.mu.Unlock()
	if listen != nil {
		listen(u)
	}
}

// readable forgets a document that could be read after all.
func (s *Store) readable(collection, document string) {
	s.lost.mu.Lock()
	defer s.lost.mu.Unlock()
	delete(s.lost.docs, collection+"/"+document)
}
