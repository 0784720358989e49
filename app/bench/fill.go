package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
)

// A mould makes any number of documents like one that the program itself has stored, with other ids: filling a million
// of them through the use cases would take an hour.
type mould struct {
	collection string
	body       bson.Raw
	fields     []hole
}

// hole is a place in the mould where text of a fixed length goes.
type hole struct {
	at   int
	text func(n int) string
}

// stock names the records of a store with so many of them. Names are spread evenly over all that ids can be, so that
// new ones fall between them, and rise with n, so that filling writes every page once.
type stock int

func (s stock) id(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	x := uint64(n) * (math.MaxUint64 / uint64(s))
	var text [24]byte
	for i := range text {
		text[i] = digits[x>>59]
		x = x<<5 | uint64(i&31)
	}
	return string(text[:])
}

// token is a session token (43 characters) whose session is filled in.
func (s stock) token(n int) string { return "AAAAAAAAAAAAAAAAAAA" + s.id(n) }

func (s stock) session(n int) string {
	sum := sha256.Sum256([]byte(s.token(n)))
	return hex.EncodeToString(sum[:])
}

// rising gives 0 to size-1 in the order in which the names rise.
func (s stock) rising(name func(n int) string) []int {
	names, order := make([]string, s), make([]int, s)
	for n := range names {
		names[n], order[n] = name(n), n
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	return order
}

// castings says what is filled, and which fields of a sample are replaced by what.
func (s stock) castings() map[string]map[string]func(n int) string {
	return map[string]map[string]func(n int) string{
		"orders":      {"_id": s.id, "member": s.id, "campaign": s.id},
		"entries":     {"_id": func(n int) string { return "accrue/" + s.id(n) }},
		"purses":      {"_id": s.id},
		"members":     {"_id": s.id},
		"sessions":    {"_id": s.session, "member": s.id},
		"quotas":      {"_id": func(n int) string { return s.id(n) + "/" + s.id(n) }},
		"seats":       {"_id": func(n int) string { return s.id(n) + "/0000001" }, "campaign": s.id, "order": s.id, "member": s.id},
		"bonds":       {"_id": s.id},
		"stock_moves": {"_id": func(n int) string { return s.id(n) + "/sku" }},
	}
}

// cast makes a mould of a sample. What makes the program act by itself (due times, waiting events) is left out.
func cast(sample docstore.Record, collection string, fields map[string]func(n int) string) (*mould, error) {
	var doc bson.D
	if err := bson.Unmarshal(sample.Body, &doc); err != nil {
		return nil, fmt.Errorf("sample of %s: %w", collection, err)
	}
	kept := doc[:0]
	for _, field := range doc {
		switch field.Key {
		case "outbox", "waiting", "next_at", "due", "unsealed", "incident_at":
			continue
		case "open_id": // sealed to the sample's own id: a copy would be unreadable
			continue
		}
		if text := fields[field.Key]; text != nil {
			field.Value = strings.Repeat("\x01", len(text(0)))
		}
		kept = append(kept, field)
	}
	body, err := bson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("sample of %s: %w", collection, err)
	}
	m, at := &mould{collection: collection, body: body}, 0
	for _, field := range kept {
		if text := fields[field.Key]; text != nil {
			n := len(text(0))
			found := bytes.Index(body[at:], bytes.Repeat([]byte{1}, n))
			m.fields = append(m.fields, hole{at + found, text})
			at += found + n
		}
	}
	return m, nil
}

// op is the insert of copy n. Its index keys are left to the driver.
func (m *mould) op(n int, version int64) docstore.Op {
	body, id := bytes.Clone(m.body), ""
	for i, h := range m.fields {
		text := h.text(n)
		copy(body[h.at:], text)
		if i == 0 {
			id = text // _id stands first
		}
	}
	return docstore.Op{Kind: docstore.Insert, Collection: m.collection, ID: id, Next: version, Body: body}
}

// fill inserts as many copies of every sample.
func (s stock) fill(ctx context.Context, o Options, p *place, samples map[string]docstore.Record) error {
	const together = 512
	for collection, fields := range s.castings() {
		one, err := cast(samples[collection], collection, fields)
		if err != nil {
			return err
		}
		version, order := samples[collection].Version, s.rising(fields["_id"])
		chunks := slices.Collect(slices.Chunk(order, together))
		err = each(ctx, o, fmt.Sprintf("fill %d %s", s, collection), 2, len(chunks), func(ctx context.Context, i int) error {
			ops := make([]docstore.Op, 0, together)
			for _, n := range chunks[i] {
				ops = append(ops, one.op(n, version))
			}
			for _, err := range p.driver.Write(ctx, ops) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
