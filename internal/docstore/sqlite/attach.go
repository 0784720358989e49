package sqlite

import (
	"context"
	"fmt"

	"guanxi/internal/docstore"
)

// attach lets a collection be read as it is: one that is not there is empty, and an index that was never made, or made for
// another declaration, answers no query.
func (d *Driver) attach(ctx context.Context, spec docstore.Spec) error {
	var there bool
	states := make([]indexState, len(spec.Indexes))
	if known := d.table(spec.Name); known != nil {
		spec, _ = union(known.spec, spec)
		states = make([]indexState, len(spec.Indexes))
	}
	err := d.writer.run(ctx, func(c *connection) (err error) {
		if there, err = hasTable(c, "c_"+spec.Name); err != nil || !there {
			return err
		}
		for i, index := range spec.Indexes {
			generation, stored, filled, err := lookIndex(c, spec.Name, index.Name)
			if err != nil {
				return err
			}
			if states[i] = (indexState{columnName(index.Name, generation), filled}); stored != definition(index) {
				states[i].filled = 0
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlite: collection %s: %w", spec.Name, err)
	}
	t := tableOf(spec, states, nil, false)
	t.absent = !there
	d.publish(t)
	return nil
}

func hasTable(c *connection, name string) (bool, error) {
	s, err := c.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?")
	if err != nil {
		return false, err
	}
	defer s.reset()
	s.text(1, name)
	return s.step()
}
