package wiredouble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/bson"
)

// The operations of the wire protocol that the client uses.
const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

const (
	maxMessage    = 48_000_000
	maxDocument   = 16 << 20
	flagChecksum  = 1
	flagMoreTo    = 2 // the sender wants no answer
	headerSize    = 16
	replyOverhead = 20
)

// request is one command as it came in, its document sequences folded in.
type request struct {
	id     int32
	legacy bool // OP_QUERY: answered with OP_REPLY
	silent bool
	name   string
	body   bson.Raw
	docs   map[string][]bson.Raw // document sequences by name
}

func readRequest(r io.Reader) (*request, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int(int32(binary.LittleEndian.Uint32(head[:])))
	if length < headerSize || length > maxMessage {
		return nil, fmt.Errorf("message of %d bytes", length)
	}
	rest := make([]byte, length-headerSize)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, err
	}
	req := &request{id: int32(binary.LittleEndian.Uint32(head[4:])), docs: map[string][]bson.Raw{}}
	var err error
	switch op := binary.LittleEndian.Uint32(head[12:]); op {
	case opMsg:
		err = req.parseMsg(rest)
	case opQuery:
		err = req.parseQuery(rest)
	default:
		err = fmt.Errorf("operation %d", op)
	}
	if err != nil {
		return nil, err
	}
	first, err := req.body.IndexErr(0)
	if err != nil {
		return nil, fmt.Errorf("empty command: %w", err)
	}
	req.name = first.Key()
	return req, nil
}

var errShort = errors.New("message is cut short")

func (r *request) parseMsg(b []byte) error {
	if len(b) < 5 {
		return errShort
	}
	flags := binary.LittleEndian.Uint32(b)
	r.silent = flags&flagMoreTo != 0
	b = b[4:]
	if flags&flagChecksum != 0 {
		if len(b) < 4 {
			return errShort
		}
		b = b[:len(b)-4]
	}
	for len(b) > 0 {
		kind := b[0]
		switch kind {
		case 0:
			doc, rest, err := cutDocument(b[1:])
			if err != nil {
				return err
			}
			r.body, b = doc, rest
		case 1:
			rest, err := r.parseSequence(b[1:])
			if err != nil {
				return err
			}
			b = rest
		default:
			return fmt.Errorf("section kind %d", kind)
		}
	}
	return r.body.Validate()
}

func (r *request) parseSequence(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errShort
	}
	size := int(binary.LittleEndian.Uint32(b))
	if size < 5 || size > len(b) {
		return nil, errShort
	}
	section, rest := b[4:size], b[size:]
	end := bytes.IndexByte(section, 0)
	if end < 0 {
		return nil, errShort
	}
	name := string(section[:end])
	for section = section[end+1:]; len(section) > 0; {
		doc, more, err := cutDocument(section)
		if err != nil {
			return nil, err
		}
		r.docs[name] = append(r.docs[name], doc)
		section = more
	}
	return rest, nil
}

func (r *request) parseQuery(b []byte) error {
	if len(b) < 4 {
		return errShort
	}
	end := bytes.IndexByte(b[4:], 0)
	if end < 0 || len(b) < 4+end+1+8 {
		return errShort
	}
	doc, _, err := cutDocument(b[4+end+1+8:])
	r.body, r.legacy = doc, true
	return err
}

func cutDocument(b []byte) (doc bson.Raw, rest []byte, err error) {
	if len(b) < 5 {
		return nil, nil, errShort
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < 5 || n > len(b) {
		return nil, nil, errShort
	}
	doc = bson.Raw(b[:n])
	if err := doc.Validate(); err != nil {
		return nil, nil, err
	}
	return doc, b[n:], nil
}

// list gives the documents of a command's array argument, wherever they travelled.
func (r *request) list(name string) []bson.Raw {
	if docs := r.docs[name]; docs != nil {
		return docs
	}
	array, ok := r.body.Lookup(name).ArrayOK()
	if !ok {
		return nil
	}
	values, _ := array.Values()
	docs := make([]bson.Raw, 0, len(values))
	for _, v := range values {
		if doc, ok := v.DocumentOK(); ok {
			docs = append(docs, doc)
		}
	}
	return docs
}

func (r *request) text(name string) string {
	s, _ := r.body.Lookup(name).StringValueOK()
	return s
}

func (r *request) number(name string, otherwise int64) int64 {
	if n, ok := r.body.Lookup(name).AsInt64OK(); ok {
		return n
	}
	return otherwise
}

func (r *request) document(name string) bson.Raw {
	doc, _ := r.body.Lookup(name).DocumentOK()
	return doc
}

// answer encodes a reply to r.
func (r *request) answer(reply bson.D) ([]byte, error) {
	body, err := bson.Marshal(reply)
	if err != nil {
		return nil, err
	}
	extra, op := 5, uint32(opMsg)
	if r.legacy {
		extra, op = replyOverhead, opReply
	}
	out := make([]byte, headerSize+extra, headerSize+extra+len(body))
	binary.LittleEndian.PutUint32(out, uint32(headerSize+extra+len(body)))
	binary.LittleEndian.PutUint32(out[8:], uint32(r.id))
	binary.LittleEndian.PutUint32(out[12:], op)
	if r.legacy {
		binary.LittleEndian.PutUint32(out[headerSize+16:], 1) // one document
	}
	return append(out, body...), nil
}
