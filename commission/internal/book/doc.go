// Package book is what sealing and verifying share: entries and their text, accounts, seals and the chain they make, purses
// and the lines of statements, checkpoints, and how all of it is read.
//
// # What it promises
//
//   - An entry's text is canonical: the same entry always gives the same bytes, and reading them gives the same entry.
//   - A seal's and a checkpoint's digest cover everything that can be read of them.
//   - What a seal does to a purse is a pure function of its entries; folding it a second time changes nothing.
//   - StreamEntries gives the entries in the order of the chain, whoever reads how many of them side by side.
//
// # What it never does
//
// It writes nothing: who posts, seals, folds, and in which order, is the ledger's business (package commission). It knows no
// policy and no reason; those stand in the rooms above it.
package book
