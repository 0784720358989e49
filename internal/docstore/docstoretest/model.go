package docstoretest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

// model runs random sequences of operations on the store and on a map, and wants the same answers.
func (s suite) model(t *testing.T) {
	store, _, _ := s.store(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		spec := parcelSpec()
		spec.Name = fmt.Sprintf("model_%d", n%8) // reused: emptied below, which is a test, too
		c, err := docstore.Open[parcel](t.Context(), store, spec)
		if err != nil {
			r.Fatal(err)
		}
		m := &model{ctx: t.Context(), c: c, caps: s.caps, docs: map[string]parcel{}}
		r.Repeat(map[string]func(*rapid.T){
			"insert": m.insert, "update": m.update, "upsert": m.upsert, "delete": m.delete,
			"upsertMany": m.upsertMany, "find": m.find, "": m.check,
		})
		for id := range m.docs {
			if err := c.Delete(m.ctx, id, nil); err != nil {
				r.Fatal(err)
			}
		}
	})
}

type model struct {
	ctx  context.Context
	c    *docstore.Collection[parcel]
	caps Caps
	docs map[string]parcel
}

func drawID(r *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d/1", "d/2"}).Draw(r, "id")
}

type change struct {
	town, code, owner string
	weight            int64
}

func drawChange(r *rapid.T) change {
	return change{
		town: rapid.SampledFrom([]string{"", "x", "xx", "州"}).Draw(r, "town"), code: rapid.SampledFrom([]string{"", "1", "2"}).Draw(r, "code"),
		owner: rapid.SampledFrom([]string{"", "p", "q"}).Draw(r, "owner"), weight: rapid.Int64Range(-3, 3).Draw(r, "weight"),
	}
}

func (ch change) on(p *parcel) {
	p.Town, p.Code, p.Owner, p.Weight = ch.town, ch.code, ch.owner, ch.weight
}

// taken tells whether another document has the code.
func (m *model) taken(id, code string) bool {
	for other, doc := range m.docs {
		if other != id && code != "" && doc.Code == code {
			return true
		}
	}
	return false
}

func (m *model) insert(r *rapid.T) {
	id, ch := drawID(r), drawChange(r)
	doc := newParcel(id, "", 0)
	ch.on(doc)
	err := m.c.Insert(m.ctx, doc)
	_, there := m.docs[id]
	index, exists := docstore.ExistsIn(err)
	switch {
	case there:
		if !exists || (index != "" && !m.caps.AnonymousIndex) {
			r.Fatalf("insert of a present id: %v", err)
		}
	case m.taken(id, ch.code):
		if !exists || (index != "code" && !m.caps.AnonymousIndex) {
			r.Fatalf("insert of a taken code: %v", err)
		}
	case err != nil:
		r.Fatal(err)
	default:
		m.docs[id] = *doc
	}
}

func (m *model) update(r *rapid.T) {
	m.alter(r, m.c.Update, false)
}

func (m *model) upsert(r *rapid.T) {
	m.alter(r, m.c.Upsert, true)
}

func (m *model) alter(r *rapid.T, how func(context.Context, string, func(*parcel) error) (*parcel, error), makes bool) {
	id, ch, refuse := drawID(r), drawChange(r), rapid.IntRange(0, 4).Draw(r, "refuse") == 0
	refused := errors.New("refused")
	_, there := m.docs[id]
	if m.taken(id, ch.code) && m.caps.LooseUpdate {
		return
	}
	got, err := how(m.ctx, id, func(p *parcel) error {
		ch.on(p)
		p.At = noon()
		if refuse {
			return refused
		}
		return nil
	})
	index, exists := docstore.ExistsIn(err)
	switch {
	case !there && !makes:
		wantErr(r, err, docstore.ErrNotFound)
	case refuse:
		wantErr(r, err, refused)
	case m.taken(id, ch.code):
		if !exists || (index != "code" && !m.caps.AnonymousIndex) {
			r.Fatalf("a taken code: %v", err)
		}
	case err != nil:
		r.Fatal(err)
	default:
		m.docs[id] = *got
	}
}

func (m *model) upsertMany(r *rapid.T) {
	ids := []string{drawID(r), drawID(r), drawID(r)}
	weight := rapid.Int64Range(-3, 3).Draw(r, "weight")
	err := m.c.UpsertMany(m.ctx, ids, func(p *parcel) error { p.Weight = weight; p.At = noon(); return nil })
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		doc := m.docs[id]
		doc.ID, doc.Weight, doc.At = id, weight, noon()
		doc.Version++
		m.docs[id] = doc
	}
}

func (m *model) delete(r *rapid.T) {
	id := drawID(r)
	err := m.c.Delete(m.ctx, id, nil)
	if _, there := m.docs[id]; !there {
		wantErr(r, err, docstore.ErrNotFound)
	} else if err != nil {
		r.Fatal(err)
	}
	delete(m.docs, id)
}

func (m *model) find(r *rapid.T) {
	ch := drawChange(r)
	q := rapid.SampledFrom([]docstore.Query{
		docstore.By("town", ch.town), docstore.By("town", ch.town).Between(ch.weight, ch.weight+2), docstore.By("town").Between("x", nil),
	}).Draw(r, "query")
	var want []*parcel
	for _, doc := range m.docs {
		if inQuery(q, &doc) {
			want = append(want, &doc)
		}
	}
	slices.SortFunc(want, byTown)
	if q.Descending = rapid.Bool().Draw(r, "descending"); q.Descending {
		slices.Reverse(want)
	}
	q.Limit = rapid.IntRange(1, 3).Draw(r, "limit")
	var got []string
	err := m.c.Each(m.ctx, q, func(p *parcel) error { got = append(got, p.ID); return nil })
	if err != nil || !slices.Equal(got, idsOf(want)) {
		r.Fatalf("%+v: got %v, want %v, %v", q, got, idsOf(want), err)
	}
}

func inQuery(q docstore.Query, p *parcel) bool {
	if len(q.Equal) == 0 {
		return p.Town >= "x"
	}
	from, ranged := q.From.(int64)
	return p.Town == q.Equal[0] && (!ranged || (p.Weight >= from && p.Weight < from+2))
}

// check compares everything.
func (m *model) check(r *rapid.T) {
	found, err := m.c.GetMany(m.ctx, []string{"a", "b", "c", "d/1", "d/2"})
	if err != nil || len(found) != len(m.docs) {
		r.Fatal(len(found), len(m.docs), err)
	}
	for _, id := range slices.Sorted(maps.Keys(m.docs)) {
		got, want := found[id], m.docs[id]
		if got == nil || got.Version != want.Version || got.Town != want.Town || got.Weight != want.Weight || got.Code != want.Code || got.Owner != want.Owner {
			r.Fatalf("%s: got %+v, want %+v", id, got, want)
		}
	}
	if n, err := m.c.Count(m.ctx, docstore.By("code"), 0); err != nil || n != m.coded() {
		r.Fatalf("%d in the sparse index, want %d, %v", n, m.coded(), err)
	}
}

func (m *model) coded() (n int) {
	for _, doc := range m.docs {
		if doc.Code != "" {
			n++
		}
	}
	return n
}
