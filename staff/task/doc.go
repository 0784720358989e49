// Package task is the one list of what people must look at: an order's incident, a withdrawal that is stuck, a bill that
// cannot be read, an event that was given up.
//
// It promises:
//
//   - One cause is one task, for ever: its id is derived from kind, subject and detail. Who reports it again, after a retry, a
//     crash or from another process, changes nothing.
//   - Every task has a role that owns it, a person when somebody has taken it, and a time it is due. The table in kinds.go is the
//     whole rule.
//   - A task whose cause is gone closes by itself and says so. One that a person resolved stays so, unless somebody opens it
//     again, or its cause comes back later than that.
//   - Nothing of a task is ever deleted: its turns say who did what, and when.
//
// It knows no domain: findings come from flow, and whether a cause is gone is asked through Deps.Gone, joined in app.
// It moves no money and changes nothing but its own documents.
//
//	tasks, err := task.New(ctx, task.Deps{Store: store, Clock: clock, Gone: gone, Sources: sources})
//	_, err = tasks.Report(ctx, task.Finding{Kind: "order/refund-abnormal", Subject: "order/o1", Detail: "o1r1", At: at})
//	_, err = tasks.Watch(ctx)       // from a loop: asks whether causes are gone, counts for metrics
//	_, err = tasks.Take(ctx, id, operator)
package task
