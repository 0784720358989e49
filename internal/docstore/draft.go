package docstore

import (
	"bytes"
	"errors"
	"math/rand/v2"

	"go.mongodb.org/mongo-driver/bson"
)

// unchanged compares the draft with what was loaded, and gives the encoded draft when it had to be made and can be
// stored. Encryption never makes the same bytes twice, so types with encrypted fields are compared in the clear.
func (d *draft[T]) unchanged(meta *Doc) (body bson.Raw, same bool, err error) {
	if d.before == nil || len(meta.emitted) > 0 {
		return nil, false, nil
	}
	c := d.collection
	if !c.secret {
		body, err = c.store.Marshal(d.doc)
		return body, bytes.Equal(body, d.before), err
	}
	loaded, err := c.decode(d.id, d.before)
	if err != nil {
		return nil, false, err
	}
	before, err := c.store.marshalClear(loaded)
	if err != nil {
		return nil, false, err
	}
	after, err := c.store.marshalClear(d.doc)
	return nil, bytes.Equal(before, after), err
}

// successor makes the write. A body that is encoded already needs only its version and token stamped.
func (c *core) successor(doc any, meta *Doc, body bson.Raw) (Op, error) {
	version := meta.Version
	if body == nil || meta.Schema != c.spec.Schema || c.spec.Chained {
		return c.prepare(doc, meta, version)
	}
	meta.Version, meta.Token = version+1, int64(rand.Uint64()>>1)
	if err := errors.Join(stamp(body, "version", meta.Version), stamp(body, "token", meta.Token)); err != nil {
		return Op{}, c.fail("update", meta.ID, err)
	}
	return c.op(meta.ID, version, body)
}
