package console

import (
	"context"
	"slices"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// People gives the names of the operators that an answer mentions, by id.
type People struct {
	People map[string]string `json:"people,omitempty" doc:"员工编号 → 姓名"`
}

// peopleOf looks up the names of operators; members and unknown ids are left out.
func (c *Console) peopleOf(ctx context.Context, ids ...string) (People, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(one string) bool { return one == "" })
	names, err := c.staff.Names(ctx, ids)
	if err != nil {
		return People{}, err
	}
	if slices.Contains(ids, staff.System) {
		names[staff.System] = "系统"
	}
	return People{names}, nil
}

// paging is the page that a list was asked for.
func paging(p edge.Paged) docstore.Paging { return docstore.Paging{First: p.Limit, After: p.Cursor} }

// each turns what was found into what is shown.
func each[T, V any](found []T, view func(T) V) []V {
	shown := make([]V, len(found))
	for i, one := range found {
		shown[i] = view(one)
	}
	return shown
}
