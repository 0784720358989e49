// Package mongotest tests the mongo driver of docstore over the wire. It is a module of its own, so that the
// product does not carry what only these tests need:
//
//	go test ./...                                               both doubles
//	GUANXI_TEST_MONGO_URL=mongodb://… go test -run RealServer .  a real server, too
//
// Two doubles stand for the server. wiredouble is ours: atomic per document, for several processes, and it
// misbehaves on command; it shows what the driver makes of concurrency and of unclear outcomes. FerretDB v1
// on SQLite is somebody else's: it shows that commands, filters and errors mean what we think they mean. It
// does not update atomically, so writes reach it one at a time.
//
// This module's go.mod follows the versions of the main one: run go mod tidy here after changing them there.
package mongotest
