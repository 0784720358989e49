// Package bench measures the whole program and, in the same run, what the bare thing underneath gives the same
// callers: only their ratio means something on a busy machine.
//
//   - post: accruals into the ledger, three or four postings each; reference: one durable grouped insert of the same
//     bytes straight into SQLite;
//   - sale: open a share, place, prepay, pay, notification, seat, accrual, over real HTTP with real signatures;
//   - flash: 10,000 buyers, 1,000 units, at most 2 each; then what a sold-out answer costs;
//   - feed: a community's feed and the campaign page; reference of these three: a bare gin handler that reads and
//     answers the same bytes, asked by the same clients;
//   - grow: the hot operations at 1k, 100k and 1M stored records;
//   - ledger: what is done to ledgers of 10k, 100k and 1M entries, side by side: reading purses and statement pages,
//     rebuilding, verifying, a dry run, then accruing, settling, clawing back, withdrawing. The cost of an operation
//     includes all that follows from it: sealing, purses, marking; its time does not;
//   - idle: memory at rest, size of the binary.
//
// Ours and the reference take turns in several short laps and medians are reported. What was acknowledged is
// compared with what is stored afterwards (lost, doubled, oversold): a fast wrong answer is worth nothing.
//
// It never sleeps or polls while it measures: the end of a sale is a signal from an event consumer.
package bench
