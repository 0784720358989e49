// Package hosting is the brand's word on who may host: applied for, reviewed by staff, revocable, with its history.
//
// It promises:
//
//   - One document a member (hostings / <member>). It moves only as the table in hosting.go says, and every move keeps who
//     decided, when and why.
//   - Nobody hosts by accident: a member without a document may start nothing and takes no orders.
//   - Hosts from before the rule (their communities were there first) are listed once, in the state carried: what they run
//     goes on, nothing new begins, and staff sees the list until each of them is approved or revoked.
//   - What each state allows stands in one place: MayStart (communities, picks, campaigns), MayRun (taking orders, closing,
//     cancelling, decisions about refunds). Fulfilling what is paid and reading one's own books are never taken away.
//
// It never looks at relations between people: findings are gathered for the reviewer by the console and refuse nobody.
//
//	book, err := hosting.New(ctx, hosting.Deps{Store: store, Clock: clock.System{}})
//	_, err = book.Apply(ctx, hosting.ApplyInput{Member: lin, Words: "小区 300 户，我做了两年水果"})
//	_, err = book.Decide(ctx, hosting.Decision{Member: lin, Step: hosting.StepApprove, By: operator, Reason: "面谈过"})
//	err = book.MayStart(ctx, lin)
package hosting
