// Package policy is the rules that turn a sale into commission: what they may say, which of them counts for a line, what a
// sale comes to under them, and how a version is published or taken back.
//
// # What it promises
//
//   - Compute is a pure function: the same sale and the same policy always give the same entry, so that an entry can be worked
//     out again years later (Reckoner).
//   - A version that is published never changes. It takes effect a whole lead after it was published, so that every process
//     knows it in time, and never before an older one.
//   - Check is exactly what Publish does before it writes.
//   - All amounts of a sale together never exceed its cap and never eat into the margin floor.
//
// # What it never does
//
// It pays no third level and nobody for recruiting: neither can be written down. It rewrites no sale that was accrued under
// another version, and posts nothing.
package policy
