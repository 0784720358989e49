package docstore

import (
	"strings"

	"go.mongodb.org/mongo-driver/bson"
)

// doubt remembers the last write of a batch whose outcome was unclear. Such a write may still land after we looked,
// so the next round must recognise it instead of applying the functions on top of their own effect.
type doubt struct {
	token, version int64 // of the document in doubt; token 0 = no doubt
}

// judge tells what record says of the write in doubt: it happened, or (nil) it has not happened so far.
func (w *doubt) judge(body bson.Raw, version int64) (happened bool, err error) {
	switch {
	case w.token == 0:
		return false, nil
	case body != nil && tokenOf(body) == w.token:
		return true, nil
	case version == w.version-1:
		return false, nil
	case body != nil && version == w.version:
		*w = doubt{} // another write made that version: ours never will
		return false, nil
	}
	return false, ErrUnclear // somebody wrote on top of it, or on top of what was before it
}

func tokenOf(body bson.Raw) int64 {
	n, _ := body.Lookup("token").AsInt64OK()
	return n
}

// finish answers a batch whose write was in doubt and turned out to be the loaded state.
func (d *draft[T]) finish(batch []*call[T]) error {
	meta := d.collection.meta(d.doc)
	d.good = d.before
	var ours []Message
	for _, m := range meta.Outbox {
		if strings.HasPrefix(m.ID, d.collection.messagePrefix(meta)) {
			ours = append(ours, m)
		}
	}
	d.collection.store.announce(d.collection.spec.Name, d.id, ours)
	return d.hand(batch)
}
