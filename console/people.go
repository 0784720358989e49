package console

import (
	"context"

	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
)

// People gives the names of the operators that an answer mentions, by id.
type People = room.People

func (c *Console) peopleOf(ctx context.Context, ids ...string) (People, error) {
	return c.room.PeopleOf(ctx, ids...)
}

func paging(p edge.Paged) docstore.Paging { return room.Paging(p) }

func each[T, V any](found []T, view func(T) V) []V { return room.Each(found, view) }
