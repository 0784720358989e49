package wiredouble

import (
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
)

// retries remembers, per session, which statements of the newest retryable command have been carried out.
type retries struct {
	mu       sync.Mutex
	sessions map[string]*session
}

type session struct {
	mu   sync.Mutex // held while a command of the session runs: its repetition waits
	txn  int64
	done map[int]bool
}

func (t *retries) session(r *request) (*session, int64) {
	txn, ok := r.body.Lookup("txnNumber").AsInt64OK()
	if !ok {
		return nil, 0
	}
	_, id, _ := r.body.Lookup("lsid", "id").BinaryOK()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[string]*session{}
	}
	one := t.sessions[string(id)]
	if one == nil {
		one = &session{txn: -1}
		t.sessions[string(id)] = one
	}
	return one, txn
}

// begin makes the session ready for the command, or says that it is outdated.
func (s *session) begin(txn int64) *failure {
	if txn < s.txn {
		return fail(225, "TransactionTooOld", "a newer write of this session has begun")
	}
	if txn > s.txn {
		s.txn, s.done = txn, map[int]bool{}
	}
	return nil
}

// statement is one insert, replacement or delete of a command.
type statement struct {
	filter bson.Raw
	doc    bson.Raw
}

func statements(r *request) ([]statement, *failure) {
	switch r.name {
	case "insert":
		var out []statement
		for _, doc := range r.list("documents") {
			out = append(out, statement{doc: doc})
		}
		return out, nil
	case "update":
		return updates(r.list("updates"))
	}
	var out []statement
	for _, d := range r.list("deletes") {
		if limit, ok := d.Lookup("limit").AsInt64OK(); !ok || limit != 1 {
			return nil, fail(2, "BadValue", "only single deletes here")
		}
		q, _ := d.Lookup("q").DocumentOK()
		out = append(out, statement{filter: q})
	}
	return out, nil
}

func updates(list []bson.Raw) ([]statement, *failure) {
	var out []statement
	for _, u := range list {
		q, _ := u.Lookup("q").DocumentOK()
		doc, ok := u.Lookup("u").DocumentOK()
		if multi, _ := u.Lookup("multi").BooleanOK(); multi {
			return nil, fail(2, "BadValue", "only single updates here")
		}
		if upsert, _ := u.Lookup("upsert").BooleanOK(); upsert {
			return nil, fail(2, "BadValue", "no upserts here")
		}
		first, err := doc.IndexErr(0)
		if !ok || err != nil || strings.HasPrefix(first.Key(), "$") {
			return nil, fail(9, "FailedToParse", "only whole replacements here")
		}
		out = append(out, statement{filter: q, doc: doc})
	}
	return out, nil
}

func (s *Server) write(r *request, half bool) (bson.D, *failure) {
	if w := r.text("$db"); w == "" {
		return nil, fail(73, "InvalidNamespace", "no database")
	}
	if level, _ := r.body.Lookup("writeConcern", "w").StringValueOK(); level != "majority" {
		return nil, fail(79, "UnknownReplWriteConcern", "writes here must ask for a majority")
	}
	list, f := statements(r)
	if f != nil {
		return nil, f
	}
	if half {
		list = list[:len(list)/2]
	}
	one, txn := s.retries.session(r)
	if one != nil {
		one.mu.Lock()
		defer one.mu.Unlock()
		if f := one.begin(txn); f != nil {
			return nil, f
		}
	}
	return s.runAll(r, list, one)
}

func (s *Server) runAll(r *request, list []statement, one *session) (bson.D, *failure) {
	c, n, refused := s.collection(r), 0, bson.A{}
	ordered := true
	if v, ok := r.body.Lookup("ordered").BooleanOK(); ok {
		ordered = v
	}
	for i, st := range list {
		if one != nil && one.done[i] {
			n++
			s.count(func(st *Stats) { st.Replayed++ })
			continue
		}
		hit, refusal, f := s.run(r.name, c, st, i)
		if f != nil {
			return nil, f
		}
		if refusal != nil {
			refused = append(refused, refusal)
			if ordered {
				break
			}
			continue
		}
		if hit {
			n++
			s.clock.tick()
			if one != nil && !s.config.Forgetful {
				one.done[i] = true
			}
		}
	}
	reply := bson.D{{Key: "n", Value: n}}
	if r.name == "update" {
		reply = append(reply, bson.E{Key: "nModified", Value: n})
	}
	if len(refused) > 0 {
		reply = append(reply, bson.E{Key: "writeErrors", Value: refused})
	}
	return reply, nil
}

// itemErrors is an answer in which every statement of a write has failed with the same code.
func itemErrors(r *request, code int) bson.D {
	errs := bson.A{}
	for i := range len(r.list("documents")) + len(r.list("updates")) + len(r.list("deletes")) {
		errs = append(errs, bson.D{{Key: "index", Value: i}, {Key: "code", Value: code}, {Key: "errmsg", Value: "failed as ordered"}})
	}
	return bson.D{{Key: "n", Value: 0}, {Key: "writeErrors", Value: errs}, {Key: "ok", Value: 1.0}}
}

func (s *Server) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

// run carries out one statement: all of it or nothing.
func (s *Server) run(name string, c *collection, st statement, at int) (hit bool, refusal bson.D, f *failure) {
	conditions, f := parseFilter(st.filter)
	if f != nil {
		return false, nil, f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == "insert" {
		if _, ok := find(st.doc, "_id"); !ok {
			return false, nil, fail(2, "BadValue", "a document without _id")
		}
		c.next++
		if x := c.conflict(st.doc, c.next); x != nil {
			return false, s.duplicate(x, st.doc, at), nil
		}
		c.put(st.doc, c.next)
		return true, nil, nil
	}
	old, ok, f := c.one(conditions)
	if f != nil || !ok {
		return false, nil, f
	}
	if name == "delete" {
		c.take(old.doc, old.record)
		return true, nil, nil
	}
	if x := c.conflict(st.doc, old.record); x != nil {
		return false, s.duplicate(x, st.doc, at), nil
	}
	c.take(old.doc, old.record)
	c.put(st.doc, old.record)
	return true, nil, nil
}

func (s *Server) duplicate(x *index, doc bson.Raw, at int) bson.D {
	refusal := bson.D{{Key: "index", Value: at}, {Key: "code", Value: 11000}}
	if !s.config.HideKeyPattern {
		pattern, values := bson.D{}, bson.D{}
		for _, field := range x.fields {
			v, _ := find(doc, field)
			pattern, values = append(pattern, bson.E{Key: field, Value: 1}), append(values, bson.E{Key: field, Value: v})
		}
		refusal = append(refusal, bson.E{Key: "keyPattern", Value: pattern}, bson.E{Key: "keyValue", Value: values})
	}
	return append(refusal, bson.E{Key: "errmsg", Value: "E11000 duplicate key error"})
}
