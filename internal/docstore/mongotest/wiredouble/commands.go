package wiredouble

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"

	"guanxi/internal/clock"
)

// failure is a refused command.
type failure struct {
	code   int
	name   string
	text   string
	labels []string
}

func fail(code int, name, text string) *failure { return &failure{code: code, name: name, text: text} }

func notPrimary() *failure {
	return &failure{code: 10107, name: "NotWritablePrimary", text: "not primary", labels: []string{"RetryableWriteError"}}
}

func (f *failure) reply() bson.D {
	reply := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: f.text}, {Key: "code", Value: f.code}, {Key: "codeName", Value: f.name}}
	if f.labels != nil {
		reply = append(reply, bson.E{Key: "errorLabels", Value: f.labels})
	}
	return reply
}

// carryOut runs one command; half means only the first half of its statements.
func (s *Server) carryOut(r *request, half bool) bson.D {
	reply, f := s.dispatch(r, half)
	if f != nil {
		return f.reply()
	}
	return append(reply, bson.E{Key: "ok", Value: 1.0})
}

func (s *Server) dispatch(r *request, half bool) (bson.D, *failure) {
	switch strings.ToLower(r.name) {
	case "hello", "ismaster":
		return s.hello(), nil
	case "ping", "endsessions", "killcursors", "killsessions":
		if r.name == "killCursors" {
			s.cursors.kill(r)
		}
		return nil, nil
	case "buildinfo":
		return bson.D{{Key: "version", Value: "7.0.0"}, {Key: "versionArray", Value: bson.A{7, 0, 0, 0}}}, nil
	}
	if s.isSecondary() {
		return nil, notPrimary()
	}
	switch r.name {
	case "create":
		c := s.collection(r)
		if collation := r.document("collation"); len(collation) > 0 {
			c.options = bson.D{{Key: "collation", Value: collation}}
		}
		return nil, nil
	case "createIndexes":
		return s.createIndexes(r)
	case "listIndexes":
		return s.listIndexes(r)
	case "listCollections":
		return s.listCollections(r)
	case "dropIndexes":
		return nil, s.dropIndex(r)
	case "dropDatabase":
		return nil, s.dropDatabase(r)
	case "insert", "update", "delete":
		return s.write(r, half)
	case "find":
		return s.find(r)
	case "getMore":
		return s.getMore(r)
	}
	return nil, fail(59, "CommandNotFound", "no such command: "+r.name)
}

func (s *Server) isSecondary() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secondary
}

func (s *Server) hello() bson.D {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := bson.D{
		{Key: "helloOk", Value: true},
		{Key: "isWritablePrimary", Value: !s.secondary},
		{Key: "ismaster", Value: !s.secondary},
		{Key: "secondary", Value: s.secondary},
		{Key: "maxBsonObjectSize", Value: maxDocument},
		{Key: "maxMessageSizeBytes", Value: maxMessage},
		{Key: "maxWriteBatchSize", Value: 100_000},
		{Key: "localTime", Value: primitive.NewDateTimeFromTime(clock.System{}.Now())},
		{Key: "logicalSessionTimeoutMinutes", Value: 30},
		{Key: "minWireVersion", Value: 0},
		{Key: "maxWireVersion", Value: s.config.Wire},
		{Key: "readOnly", Value: false},
	}
	if !s.config.Alone {
		reply = append(reply, bson.E{Key: "setName", Value: "rs0"}, bson.E{Key: "setVersion", Value: 1},
			bson.E{Key: "hosts", Value: bson.A{s.address}}, bson.E{Key: "me", Value: s.address})
	}
	if !s.secondary && !s.config.Alone {
		reply = append(reply, bson.E{Key: "primary", Value: s.address}, bson.E{Key: "electionId", Value: primitive.ObjectID{11: 1}})
	}
	return reply
}

// collection finds or makes the collection a command names.
func (s *Server) collection(r *request) *collection {
	name := r.text("$db") + "." + r.text(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.collections[name]
	if c == nil {
		c = newDataCollection()
		s.collections[name] = c
	}
	return c
}

func (s *Server) dropDatabase(r *request) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.collections {
		if strings.HasPrefix(name, r.text("$db")+".") {
			delete(s.collections, name)
		}
	}
	return nil
}

// beginBuilding lists the indexes of a createIndexes as being built until gate is closed.
func (s *Server) beginBuilding(r *request, gate chan struct{}) {
	c := s.collection(r)
	c.mu.Lock()
	for _, spec := range r.list("indexes") {
		if x, f := parseIndex(spec); f == nil && c.byName(x.name) == nil {
			x.ready = gate
			c.building = append(c.building, x)
		}
	}
	c.mu.Unlock()
	<-gate
	c.mu.Lock()
	c.building = nil
	c.mu.Unlock()
}

// await waits until nothing that a createIndexes asks for is being built by another.
func (c *collection) await(r *request) {
	for _, spec := range r.list("indexes") {
		name, _ := spec.Lookup("name").StringValueOK()
		c.mu.Lock()
		var ready chan struct{}
		for _, x := range c.building {
			if x.name == name {
				ready = x.ready
			}
		}
		c.mu.Unlock()
		if ready != nil {
			<-ready
		}
	}
}

func (s *Server) createIndexes(r *request) (bson.D, *failure) {
	c := s.collection(r)
	c.await(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.indexes)
	for _, spec := range r.list("indexes") {
		x, f := parseIndex(spec)
		if f != nil {
			return nil, f
		}
		if have := c.byName(x.name); have != nil {
			if have.unique != x.unique || have.sparse != x.sparse || strings.Join(have.fields, ",") != strings.Join(x.fields, ",") {
				return nil, fail(86, "IndexKeySpecsConflict", "an existing index has the same name: "+x.name)
			}
			continue
		}
		if f := c.build(x); f != nil {
			return nil, f
		}
	}
	s.clock.tick()
	return bson.D{{Key: "numIndexesBefore", Value: before}, {Key: "numIndexesAfter", Value: len(c.indexes)}}, nil
}

func parseIndex(spec bson.Raw) (*index, *failure) {
	x := &index{spec: spec}
	elements, _ := spec.Elements()
	for _, e := range elements {
		switch e.Key() {
		case "name":
			x.name = e.Value().StringValue()
		case "key":
			keys, _ := e.Value().Document().Elements()
			for _, k := range keys {
				if n, ok := k.Value().AsInt64OK(); !ok || n != 1 {
					return nil, fail(67, "CannotCreateIndex", "only ascending keys here")
				}
				x.fields = append(x.fields, k.Key())
			}
		case "unique":
			x.unique = e.Value().Boolean()
		case "sparse":
			x.sparse = e.Value().Boolean()
		case "partialFilterExpression":
			var f *failure
			if x.partial, f = parseFilter(e.Value().Document()); f != nil {
				return nil, f
			}
		case "v":
		default:
			return nil, fail(197, "InvalidIndexSpecificationOption", "index option "+e.Key())
		}
	}
	if x.name == "" || len(x.fields) == 0 {
		return nil, fail(67, "CannotCreateIndex", "index without name or key")
	}
	return x, nil
}

func (s *Server) listIndexes(r *request) (bson.D, *failure) {
	c := s.collection(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	specs := bson.A{}
	for _, x := range append(slices.Clone(c.indexes), c.building...) {
		specs = append(specs, x.spec)
	}
	return onePage(r.text("$db")+".$cmd.listIndexes."+r.text(r.name), specs), nil
}

func (s *Server) dropIndex(r *request) *failure {
	c := s.collection(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, x := range c.indexes {
		if i > 0 && x.name == r.text("index") {
			c.indexes = append(c.indexes[:i:i], c.indexes[i+1:]...)
			return nil
		}
	}
	return fail(27, "IndexNotFound", "index not found")
}

func (s *Server) listCollections(r *request) (bson.D, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := bson.A{}
	wanted, one := r.document("filter").Lookup("name").StringValueOK()
	for full, c := range s.collections {
		if name, ok := strings.CutPrefix(full, r.text("$db")+"."); ok && (!one || name == wanted) {
			names = append(names, bson.D{{Key: "name", Value: name}, {Key: "type", Value: "collection"}, {Key: "options", Value: c.options}})
		}
	}
	return onePage(r.text("$db")+".$cmd.listCollections", names), nil
}

func onePage(namespace string, batch bson.A) bson.D {
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: namespace}, {Key: "firstBatch", Value: batch}}}}
}
