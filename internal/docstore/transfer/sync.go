package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"guanxi/internal/docstore"
)

// Syncing says what Sync works with. All fields but Progress are required.
type Syncing struct {
	From     docstore.Snapshot
	To       docstore.Driver
	Specs    map[string]docstore.Spec
	Progress func(Progress)
}

// Sync makes To hold what From holds: it inserts, replaces and deletes what differs, and writes nothing else. Called again it goes
// on, or brings over what has changed since. Error: ErrConflict names what To would not take.
func Sync(ctx context.Context, s Syncing) error {
	collections, err := s.From.Collections(ctx)
	if err != nil {
		return err
	}
	all := map[string]bool{}
	for _, name := range collections {
		all[name] = true
	}
	for name := range s.Specs {
		all[name] = true
	}
	sum := Progress{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if passed(name) {
			continue
		}
		p := &pairing{Syncing: s, spec: specOf(s.Specs, name), sum: &sum, stored: slices.Contains(collections, name)}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

// ErrConflict is a document the target does not take: it has another one with that unique value.
var ErrConflict = errors.New("transfer: the target does not take a document")

// pairing brings one collection over.
type pairing struct {
	Syncing
	spec   docstore.Spec
	sum    *Progress
	stored bool // From has it
	again  []docstore.Op
	ops    []docstore.Op
}

func (p *pairing) run(ctx context.Context) error {
	if err := p.To.Ensure(ctx, p.spec); err != nil {
		return err
	}
	there := &reader{next: func(after string) ([]docstore.Record, string, error) {
		return p.To.Find(ctx, p.spec.Name, docstore.Query{Limit: page, After: after})
	}}
	if p.stored {
		err := each(ctx, p.From, p.spec.Name, func(records []docstore.Record) error {
			for _, r := range records {
				if err := p.pair(r, there); err != nil {
					return err
				}
			}
			p.sum.Collection, p.sum.Read = p.spec.Name, p.sum.Read+int64(len(records))
			err := p.flush(ctx, page)
			if p.Progress != nil {
				p.Progress(*p.sum)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for {
		old, ok, err := there.peek()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		there.pop()
		p.ops = append(p.ops, docstore.Op{Kind: docstore.Delete, Collection: p.spec.Name, ID: old.ID, Version: old.Version})
	}
	return p.finish(ctx)
}

// pair finds what the target has under the record's id, and under the ids before it, which From no longer has.
func (p *pairing) pair(r docstore.Record, there *reader) error {
	op := docstore.Op{Kind: docstore.Insert, Collection: p.spec.Name, ID: r.ID, Next: r.Version, Body: r.Body}
	for {
		old, ok, err := there.peek()
		if err != nil {
			return err
		}
		if !ok || old.ID > r.ID {
			break
		}
		there.pop()
		if old.ID < r.ID {
			p.ops = append(p.ops, docstore.Op{Kind: docstore.Delete, Collection: p.spec.Name, ID: old.ID, Version: old.Version})
			continue
		}
		if old.Version == r.Version && bytes.Equal(old.Body, r.Body) {
			return nil
		}
		op.Kind, op.Version = docstore.Replace, old.Version
		break
	}
	keys, err := docstore.KeysOf(p.spec, r.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	op.Keys = keys
	p.ops = append(p.ops, op)
	return nil
}

// side is how many calls write at the same time.
const side = 4

func (p *pairing) flush(ctx context.Context, least int) error {
	if len(p.ops) < least || len(p.ops) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	refused := make([][]docstore.Op, side)
	n := (len(p.ops) + side - 1) / side
	for i := range side {
		part := p.ops[min(i*n, len(p.ops)):min((i+1)*n, len(p.ops))]
		group.Go(func() (err error) {
			refused[i], err = put(ctx, p.To, part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.sum.Written += int64(len(p.ops))
	for _, ops := range refused {
		p.again = append(p.again, ops...)
		p.sum.Written -= int64(len(ops))
	}
	p.ops = p.ops[:0]
	return nil
}

// put writes and returns what a unique index did not take: another document may have to give the value up first.
func put(ctx context.Context, to docstore.Driver, ops []docstore.Op) (refused []docstore.Op, err error) {
	if len(ops) == 0 {
		return nil, nil
	}
	for i, err := range to.Write(ctx, ops) {
		switch {
		case err == nil:
		case docstore.Exists(err):
			refused = append(refused, ops[i])
		default:
			return refused, fmt.Errorf("%s: %w", ops[i].ID, err)
		}
	}
	return refused, nil
}

// finish writes what is left, and again what was refused, as long as that helps.
func (p *pairing) finish(ctx context.Context) error {
	if err := p.flush(ctx, 1); err != nil {
		return err
	}
	for len(p.again) > 0 {
		before := len(p.again)
		p.ops, p.again = p.again, nil
		if err := p.flush(ctx, 1); err != nil {
			return err
		}
		if len(p.again) == before {
			return fmt.Errorf("%w: %s/%s", ErrConflict, p.spec.Name, p.again[0].ID)
		}
	}
	return nil
}

// reader goes through the target's records in order of their ids.
type reader struct {
	next    func(after string) ([]docstore.Record, string, error)
	records []docstore.Record
	cursor  string
	begun   bool
}

func (r *reader) peek() (docstore.Record, bool, error) {
	if len(r.records) == 0 && (!r.begun || r.cursor != "") {
		var err error
		if r.records, r.cursor, err = r.next(r.cursor); err != nil {
			return docstore.Record{}, false, err
		}
		r.begun = true
	}
	if len(r.records) == 0 {
		return docstore.Record{}, false, nil
	}
	return r.records[0], true, nil
}

func (r *reader) pop() { r.records = r.records[1:] }
