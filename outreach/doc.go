// Package outreach tells members what happened. Its first room are subscribe messages: what a member has agreed to be told
// once, in WeChat, about one thing.
//
// # What it promises
//
//   - One acceptance is one message. Acceptances are counted per member and template (Credit), each report under its key
//     once; a message is sent only with one of them in hand.
//   - One thing is told at most once. Its notice has an id derived from topic and number, and is marked as sending before it
//     is sent; a process that dies in between leaves it so, and it ends as unsent, outcome unknown, never sent again. Only
//     what surely did not reach the platform is tried again, while it is worth telling.
//   - Whatever becomes of the message, the notice stays and can be read in the program, with its text.
//   - A topic without a template is off: nothing is written, nothing breaks.
//
// # What it never does
//
// It asks nobody for an acceptance: the mini-program does, from a tap. It sends nothing that another event has overtaken or
// that is too late. It keeps no openid, and tells other domains nothing.
//
// # How it works
//
//	Report   what a member answered to wx.requestSubscribeMessage → credits
//	Plan     notice planned, with everything but the openid
//	Tend     planned: openid, a credit held, then sending, then the platform, then sent, unsent or planned again
//	         sending too long: unsent, unknown
//	         ended: the credit spent, given back, or (43101: the platform has none) all of them gone
//
// The credit is held under the notice's id and settled under it, so that either may be repeated; a notice is due (NextAt)
// until its credit is settled.
//
//	err := reach.Plan(ctx, outreach.Told{
//		Topic: outreach.WithdrawalPaid, Number: w.Number, Member: w.Member, At: w.PaidAt, Until: w.PaidAt.Add(day),
//		Text: "提现到账 12.30元", Values: map[string]string{"net": outreach.Yuan(w.Net), …},
//	})
package outreach
