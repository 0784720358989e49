package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
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

// The ids of filled records; each is as long as the real one and in random order like those.
func scattered(prefix string, n int) string {
	digits := strconv.FormatUint((uint64(n)+1)*0x9e3779b97f4a7c15, 16)
	return prefix + "00000000000000000000000000000000"[:24-len(prefix)-len(digits)] + digits
}

func filledOrder(n int) string    { return scattered("o", n) }
func filledMember(n int) string   { return scattered("m", n) }
func filledCampaign(n int) string { return scattered("c", n) }

// filledToken is a session token (43 characters) whose session is filled in.
func filledToken(n int) string { return "AAAAAAAAAAAAAAAAAAA" + scattered("t", n) }

func filledSession(n int) string {
	sum := sha256.Sum256([]byte(filledToken(n)))
	return hex.EncodeToString(sum[:])
}

// castings says what is filled, and which fields of a sample are replaced by what.
func castings() map[string]map[string]func(n int) string {
	return map[string]map[string]func(n int) string{
		"orders":   {"_id": filledOrder, "member": filledMember, "campaign": filledCampaign},
		"entries":  {"_id": func(n int) string { return "accrue/" + filledOrder(n) }},
		"purses":   {"_id": filledMember},
		"members":  {"_id": filledMember},
		"sessions": {"_id": filledSession, "member": filledMember},
		"quotas":   {"_id": func(n int) string { return filledCampaign(n) + "/" + filledMember(n) }},
		"seats": {
			"_id":      func(n int) string { return filledCampaign(n) + "/0000001" },
			"campaign": filledCampaign, "order": filledOrder, "member": filledMember,
		},
		"bonds":       {"_id": filledMember},
		"stock_moves": {"_id": func(n int) string { return filledOrder(n) + "/sku" }},
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

// fill inserts n copies of every sample.
func fill(ctx context.Context, o Options, p *place, samples map[string]docstore.Record, n int) error {
	const together = 512
	for collection, fields := range castings() {
		one, err := cast(samples[collection], collection, fields)
		if err != nil {
			return err
		}
		version := samples[collection].Version
		chunks := (n + together - 1) / together
		err = each(ctx, o, fmt.Sprintf("fill %d %s", n, collection), 3, chunks, func(ctx context.Context, chunk int) error {
			ops := make([]docstore.Op, 0, together)
			for i := chunk * together; i < min(n, (chunk+1)*together); i++ {
				ops = append(ops, one.op(i, version))
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
