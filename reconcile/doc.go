// Package reconcile compares the payment platform's daily bills with our own books, line by line and in both
// directions; what does not agree becomes a task for a person.
//
// There are two statements a day: the trade bill (payments and refunds) and the fund-flow bill (what moved the merchant's
// balance: payments, refunds, transfers to members, fees, others). A statement of a business day is one Run.
//
// It promises:
//
//   - Every line of a bill is looked for in our books, and everything our books say happened that day is looked for in
//     the bill. A difference is one Task with the evidence of both sides; the same difference is the same task however
//     often the day is run, after a crash too.
//   - Days are cut differently by two clocks: what our books date on one day and the platform bills on another is remembered
//     (a Stray) and is no difference, whichever day is run first, unless it is billed on both.
//   - A task whose difference is gone closes by itself and says why (a late notification came in, the next
//     bill has the line). One that a person resolved is opened again only when somebody asks for the day to
//     be run again and it still differs.
//   - The lines of a bill are kept, compressed, by the page. The platform forgets after three months; an auditor
//     asks later, and a second look must not depend on a download. One document per line would cost the store as much as the sale did;
//     keeping only the differences would leave nothing to show for the lines that agreed. Names, OpenIDs and goods are not
//     kept.
//   - Memory does not grow with the day: a page of lines, and 8 bytes for each of at most Config.Index lines at a time (more
//     lines: more passes).
//
// It never moves money, never changes an order or a ledger entry, and never decides who is right.
//
//	books, err := reconcile.New(ctx, reconcile.Deps{Store: store, Clock: clock, IDs: ids, Bills: bills, Ours: ours})
//	worked, err := books.Tend(ctx)                      // from a loop, every few minutes, in any number of processes
//	page, err := books.Open(ctx, docstore.Paging{})     // the tasks people should look at
//	err = books.Resolve(ctx, reconcile.Resolution{Task: page.Items[0].ID, By: staff, Words: "已补录"})
package reconcile
