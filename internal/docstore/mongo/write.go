package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/docstore"
)

// One insert command carries at most this much, so that its answer tells of every document in it.
const (
	maxInserts     = 1000
	maxInsertBytes = 8 << 20
)

// Write carries out each operation by itself: inserts of one collection travel together, replaces and deletes
// one by one and side by side.
func (d *Driver) Write(ctx context.Context, ops []docstore.Op) []error {
	results := make([]error, len(ops))
	leave, err := d.enter()
	if err == nil && d.reads {
		leave()
		err = fmt.Errorf("mongo: %w: the store is open for reading only", docstore.ErrInvalid)
	}
	if err != nil {
		for i := range results {
			results[i] = err
		}
		return results
	}
	defer leave()
	var running sync.WaitGroup
	for _, group := range split(ops) {
		c, err := d.collection(ops[group[0]].Collection)
		if err == nil {
			err = d.lane(ctx)
		}
		if err != nil {
			fill(results, group, err)
			continue
		}
		task := func() {
			defer func() { <-d.lanes }()
			d.carryOut(ctx, c, ops, group, results)
		}
		if len(ops) == len(group) {
			task() // nothing else to do meanwhile
			continue
		}
		running.Go(task)
	}
	running.Wait()
	return results
}

// lane waits for room among the writes in flight.
func (d *Driver) lane(ctx context.Context) error {
	select {
	case d.lanes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, ctx.Err())
	}
}

// split puts positions of ops into groups that become one command each.
func split(ops []docstore.Op) [][]int {
	var groups [][]int
	open := map[string]int{} // collection → its unfinished group of inserts
	size := map[string]int{}
	for i := range ops {
		op := &ops[i]
		if op.Kind != docstore.Insert {
			groups = append(groups, []int{i})
			continue
		}
		at, ok := open[op.Collection]
		if !ok || len(groups[at]) >= maxInserts || size[op.Collection]+len(op.Body) > maxInsertBytes {
			at, groups = len(groups), append(groups, nil)
			open[op.Collection], size[op.Collection] = at, 0
		}
		groups[at] = append(groups[at], i)
		size[op.Collection] += len(op.Body)
	}
	return groups
}

func fill(results []error, group []int, err error) {
	for _, i := range group {
		results[i] = err
	}
}

func (d *Driver) carryOut(ctx context.Context, c *collection, ops []docstore.Op, group []int, results []error) {
	switch op := &ops[group[0]]; op.Kind {
	case docstore.Insert:
		d.insert(ctx, c, ops, group, results)
	case docstore.Replace:
		results[group[0]] = d.replace(ctx, c, op)
	case docstore.Delete:
		results[group[0]] = d.delete(ctx, c, op)
	default:
		results[group[0]] = fmt.Errorf("mongo: %w: operation kind %d", docstore.ErrInvalid, op.Kind)
	}
}

// insert repeats what a refusal has become untrue for: a duplicate whose rival is gone when we look for it.
func (d *Driver) insert(ctx context.Context, c *collection, ops []docstore.Op, group []int, results []error) {
	for range maxRivals {
		var again []int
		for n, err := range d.insertOnce(ctx, c, ops, group) {
			results[group[n]] = err
			if errors.Is(err, errRivalGone) {
				results[group[n]] = fmt.Errorf("mongo: %w: %w", docstore.ErrUnavailable, errRivalGone)
				again = append(again, group[n])
			}
		}
		if group = again; len(group) == 0 {
			return
		}
	}
}

func (d *Driver) insertOnce(ctx context.Context, c *collection, ops []docstore.Op, group []int) []error {
	documents := make([]any, len(group))
	for n, i := range group {
		documents[n] = ops[i].Body
	}
	seen, err := d.write(ctx, func(ctx context.Context) error {
		_, err := c.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		return err
	})
	results := make([]error, len(group))
	got := judge(seen, err)
	if got.whole == nil && seen.matched+len(got.byItem) != len(group) {
		got.whole = fmt.Errorf("%w: %d documents, %d inserted, %d refused", docstore.ErrUnclear, len(group), seen.matched, len(got.byItem))
	}
	for n, i := range group {
		switch refusal, refused := got.byItem[n]; {
		case got.whole != nil:
			results[n] = fmt.Errorf("mongo: insert %s: %w", c.Name(), got.whole)
		case refused:
			results[n] = d.refused(ctx, c, &ops[i], seen, refusal)
		}
	}
	return results
}

func (d *Driver) replace(ctx context.Context, c *collection, op *docstore.Op) error {
	for range maxRivals {
		seen, err := d.write(ctx, func(ctx context.Context) error {
			_, err := c.ReplaceOne(ctx, at(op), op.Body)
			return err
		})
		err = d.settle(ctx, c, op, "replace", seen, err)
		if !errors.Is(err, errRivalGone) {
			return err
		}
	}
	return fmt.Errorf("mongo: replace %s: %w: %w", c.Name(), docstore.ErrUnavailable, errRivalGone)
}

func (d *Driver) delete(ctx context.Context, c *collection, op *docstore.Op) error {
	seen, err := d.write(ctx, func(ctx context.Context) error {
		_, err := c.DeleteOne(ctx, at(op))
		return err
	})
	return d.settle(ctx, c, op, "delete", seen, err)
}

// at is the one filter of conditional writes.
func at(op *docstore.Op) bson.D {
	return bson.D{{Key: "_id", Value: op.ID}, {Key: "version", Value: op.Version}}
}

// settle maps the answer to a conditional write.
func (d *Driver) settle(ctx context.Context, c *collection, op *docstore.Op, verb string, seen witness, err error) error {
	got := judge(seen, err)
	if refusal, refused := got.byItem[0]; refused {
		return d.refused(ctx, c, op, seen, refusal)
	}
	switch {
	case got.whole != nil && op.Kind == docstore.Replace && hasCode(err, codeInternal, codeDuplicate):
		// Some servers report a unique violation of an update as a failure of the whole command.
		if taken, lookErr := d.rival(ctx, c, op); lookErr == nil && taken != nil {
			return taken
		}
		return fmt.Errorf("mongo: %s %s: %w", verb, c.Name(), got.whole)
	case got.whole != nil:
		return fmt.Errorf("mongo: %s %s: %w", verb, c.Name(), got.whole)
	case seen.matched == 0 && seen.attempts > 1:
		// The version may be gone because of our own first attempt, on a server that keeps no record of it.
		return fmt.Errorf("mongo: %s %s: %w: nothing matched a repeated attempt", verb, c.Name(), docstore.ErrUnclear)
	case seen.matched == 0:
		return docstore.ErrStale
	}
	return nil
}

// refused maps the server's refusal of one operation.
func (d *Driver) refused(ctx context.Context, c *collection, op *docstore.Op, seen witness, e mongo.WriteError) error {
	if e.Code != codeDuplicate {
		return fmt.Errorf("mongo: write %s %s: %w", c.Name(), op.ID, itemError(seen, e))
	}
	if op.Kind == docstore.Insert && seen.attempts > 1 {
		// The rival may be our own first attempt, on a server that keeps no record of it.
		if stored, err := d.stored(ctx, c, op); stored || err != nil {
			return err
		}
	}
	if name, ok := c.named(e); ok {
		return &docstore.ExistsError{Collection: c.Name(), Index: name, ID: op.ID}
	}
	taken, err := d.rival(ctx, c, op)
	switch {
	case err != nil:
		return err
	case taken == nil && foreign(e):
		return fmt.Errorf("mongo: write %s %s: %w: a unique index that this program does not declare: %w", c.Name(), op.ID, docstore.ErrInvalid, e)
	case taken == nil:
		return errRivalGone
	}
	return taken
}

// stored reports whether the very document of an insert is there.
func (d *Driver) stored(ctx context.Context, c *collection, op *docstore.Op) (bool, error) {
	var found []docstore.Record
	err := d.peek(ctx, "look for an insert in "+c.Name(), func(ctx context.Context) (err error) {
		found, err = collect(ctx, c, bson.D{{Key: "_id", Value: op.ID}}, c.reading().SetLimit(1))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", docstore.ErrUnclear, err)
	}
	return len(found) == 1 && found[0].Body.Lookup("token").Equal(op.Body.Lookup("token")), nil
}
