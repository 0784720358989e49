// Package notary keeps the chain of facts: what money or law depends on and the ledger's own chain does not hold.
//
// A chained collection (docstore.Spec.Chained) marks every change of a document in the write that makes it. The notary
// takes what is marked in batches, writes the next link (collection, id, version and digest of every changed document,
// and the hash of the link before), and then notes in each document which link holds it. So a document that was changed,
// set back, put in or taken away past the program does not agree with the chain, and Verify names it.
//
//	link n inserted    its id elects: two processes that try the same number, one gets "exists" and starts over
//	documents noted    proven = n, unless they were changed meanwhile: then they wait for the next link
//
// A process that dies in between leaves marked documents; the next link holds them once more, which is harmless. Nobody
// waits for the notary: a login or a withdrawal costs one indexed field more, the rest happens a moment later.
//
// # What was there before
//
// Documents older than the chain are taken in once per collection, as "before": from the line "adopted" on, a document
// that no link holds is a stranger. Verify says how many were before the chain; of those it proves only that nothing has
// happened to them since.
//
// # What it cannot do
//
// Who can write the store can also take away the newest links together with what they hold. The ledger's signed checkpoints
// therefore carry the chain's head (Head), and their lines are kept outside of the store. And who can make the running
// program write something false gets it sealed; that is what two-person rules and the recomputing checks are for.
package notary
