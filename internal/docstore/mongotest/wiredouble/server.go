// Package wiredouble is a small MongoDB on the wire: as much of one as the mongo driver of docstore talks to.
//
// It keeps everything in memory, is atomic per document and no more, enforces unique, sparse and partial
// compound indexes, says it is the primary of a replica set and keeps the table of retried writes, so that the
// real client behaves as it does in production. Being a server it serves several processes. It is stricter
// than a real server where that finds our mistakes: a find must name an index that gives its order, and a
// conditional write must name the _id. And it misbehaves on command (see Fault).
package wiredouble

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"

	"guanxi/internal/clock"
)

// Server is one running double. Its documents survive Stop and Start.
type Server struct {
	config    Config
	faults    faults
	clock     clusterClock
	retries   retries
	cursors   cursors
	snapshots snapshots

	mu          sync.Mutex
	address     string
	listener    net.Listener
	connections map[net.Conn]struct{}
	secondary   bool
	collections map[string]*collection
	heard       map[string][]bson.Raw // the last commands by name
	stats       Stats
	running     sync.WaitGroup
}

// Config describes a double.
type Config struct {
	// Address to listen on. Default: a free port of the loopback.
	Address string
	// HideKeyPattern leaves out which index a duplicate broke, as servers before 4.4 did.
	HideKeyPattern bool
	// Forgetful keeps no table of retried writes: a repeated command is carried out anew.
	Forgetful bool
	// Wire is the newest wire version it says it speaks. Default 21, as MongoDB 7.0.
	Wire int
	// Alone makes it say that it is no member of a replica set.
	Alone bool
}

// Stats count what the double did.
type Stats struct {
	Commands map[string]int
	Examined int // index entries looked at by finds
	Returned int // documents given by finds
	Replayed int // statements answered from the table of retried writes
}

// New makes a double and starts it.
func New(c Config) (*Server, error) {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.Wire == 0 {
		c.Wire = 21
	}
	s := &Server{
		config: c, address: c.Address, collections: map[string]*collection{},
		connections: map[net.Conn]struct{}{}, heard: map[string][]bson.Raw{}, stats: Stats{Commands: map[string]int{}},
	}
	return s, s.Start()
}

// Start listens again where it listened before.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return errors.New("wiredouble: running already")
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("wiredouble: %w", err)
	}
	s.listener, s.address = listener, listener.Addr().String()
	s.running.Add(1)
	go s.accept(listener)
	return nil
}

// Stop closes the port and every connection; what is being carried out is finished, its answer lost.
func (s *Server) Stop() {
	s.mu.Lock()
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.listener = nil
	for c := range s.connections {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// URL is the connection string of a client.
func (s *Server) URL() string {
	if s.config.Alone {
		return "mongodb://" + s.address + "/?directConnection=true"
	}
	return "mongodb://" + s.address + "/?replicaSet=rs0"
}

// StepDown makes it a secondary, StepUp the primary again.
func (s *Server) StepDown() { s.setSecondary(true) }

// StepUp makes it the primary.
func (s *Server) StepUp() { s.setSecondary(false) }

func (s *Server) setSecondary(secondary bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secondary = secondary
}

// Stats gives the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := s.stats
	copied.Commands = map[string]int{}
	for name, n := range s.stats.Commands {
		copied.Commands[name] = n
	}
	return copied
}

// Heard gives the last commands of a name, oldest first, at most 32.
func (s *Server) Heard(name string) []bson.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bson.Raw(nil), s.heard[name]...)
}

func (s *Server) note(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Commands[r.name]++
	list := append(s.heard[r.name], r.body)
	s.heard[r.name] = list[max(0, len(list)-32):]
}

func (s *Server) accept(listener net.Listener) {
	defer s.running.Done()
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.listener != listener {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.connections[c] = struct{}{}
		s.running.Add(1)
		s.mu.Unlock()
		go s.serve(c)
	}
}

func (s *Server) serve(c net.Conn) {
	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		delete(s.connections, c)
		s.mu.Unlock()
		_ = c.Close()
	}()
	in := bufio.NewReaderSize(c, 64<<10)
	for {
		r, err := readRequest(in)
		if err != nil {
			return
		}
		s.note(r)
		if !s.respond(c, r) {
			return
		}
	}
}

// respond carries a command out, well or badly, and tells whether the connection lives on.
func (s *Server) respond(c net.Conn, r *request) bool {
	f := s.faults.strike(r)
	kind := Kind(0)
	if f != nil {
		kind = f.Kind
	}
	half := false
	switch kind {
	case CutBefore:
		return false
	case Late:
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			<-f.Gate
			s.carryOut(r, false)
			signal(f.Landed)
		}()
		return false
	case NotPrimary:
		return s.send(c, r, notPrimary().reply(), false)
	case Refused:
		return s.send(c, r, fail(f.Code, "Refused", "refused as ordered").reply(), false)
	case ItemError:
		if f.CarriedOut {
			s.carryOut(r, false)
		}
		return s.send(c, r, itemErrors(r, f.Code), false)
	case Building:
		s.beginBuilding(r, f.Gate)
	case Held:
		<-f.Gate
	case CutMiddle:
		half = true
	}
	reply := s.carryOut(r, half)
	switch kind {
	case LoseReply, CutMiddle:
		return false
	case Slow:
		<-f.Gate
	case Unconfirmed:
		reply = append(reply, bson.E{Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: 64}, {Key: "codeName", Value: "WriteConcernTimeout"}, {Key: "errmsg", Value: "waiting for replication timed out"},
		}})
	}
	return s.send(c, r, reply, kind == CutReply)
}

func (s *Server) send(c net.Conn, r *request, reply bson.D, cut bool) bool {
	if r.silent {
		return true
	}
	reply = append(reply, bson.E{Key: "operationTime", Value: s.clock.now()}, bson.E{Key: "$clusterTime", Value: bson.D{
		{Key: "clusterTime", Value: s.clock.now()},
		{Key: "signature", Value: bson.D{{Key: "hash", Value: primitive.Binary{Data: make([]byte, 20)}}, {Key: "keyId", Value: int64(0)}}},
	}})
	out, err := r.answer(reply)
	if err != nil {
		return false
	}
	if cut {
		out = out[:len(out)/2]
	}
	_, err = c.Write(out)
	return err == nil && !cut
}

// clusterClock counts the changes.
type clusterClock struct {
	mu   sync.Mutex
	last primitive.Timestamp
}

func (c *clusterClock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := uint32(clock.System{}.Now().Unix()); t > c.last.T {
		c.last = primitive.Timestamp{T: t}
	}
	c.last.I++
}

func (c *clusterClock) now() primitive.Timestamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
