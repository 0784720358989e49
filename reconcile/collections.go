package reconcile

import (
	"context"

	"guanxi/internal/docstore"
)

// The indexes things are found by.
const (
	indexDue   = "due"   // runs somebody should work on
	indexDay   = "day"   // a statement's runs by day
	indexState = "state" // runs, or tasks, in one state
	indexRun   = "run"   // a run's tasks by state; the strays a run has left
)

type collections struct {
	runs   *docstore.Collection[Run]
	pages  *docstore.Collection[page]
	tasks  *docstore.Collection[Task]
	strays *docstore.Collection[stray]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.runs, err = docstore.Open[Run](ctx, store, docstore.Spec{
		Name: "reconciliations", Emits: true, ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{
			{Name: indexDue, Fields: []string{"next_at"}, Sparse: true},
			{Name: indexDay, Fields: []string{"statement", "day"}},
			{Name: indexState, Fields: []string{"state", "day"}},
		},
	}); err != nil {
		return c, err
	}
	if c.pages, err = docstore.Open[page](ctx, store, docstore.Spec{
		Name: "reconciliation_pages", ShardKey: "_id",
	}); err != nil {
		return c, err
	}
	if c.tasks, err = docstore.Open[Task](ctx, store, docstore.Spec{
		Name: "reconciliation_tasks", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{
			{Name: indexRun, Fields: []string{"run", "state", "opened_at"}},
			{Name: indexState, Fields: []string{"state", "opened_at"}},
		},
	}); err != nil {
		return c, err
	}
	c.strays, err = docstore.Open[stray](ctx, store, docstore.Spec{
		Name: "reconciliation_strays", ShardKey: "_id",
		Indexes: []docstore.Index{{Name: indexRun, Fields: []string{"run"}}},
	})
	return c, err
}
