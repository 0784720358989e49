// Package demo is the whole business on one machine in a minute: the program on an embedded store, the platforms
// imitated beside it, a brand with sample data, and a plain page that walks the first sale and the first withdrawal.
//
// The sample data is made by the real use cases, not inserted: people log in, open shares, order and pay through
// the sandbox while a clock is moved through the last forty days. Which people do what is drawn from a fixed seed
// and is the same every time; ids, keys and the numbers of seats taken in the same minute are not.
//
// Six weeks are enough for the ledger's whole way: commission settled and withdrawn, a batch given back after it was paid
// out, a month closed, a dispute made good. Staff does its part over the console, so it is all in the audit log; the
// accounts' password is public, because whoever reaches a demo may be anybody in it. The rules of money are the product's
// defaults; only the platform's bills come sooner.
//
// The folder keeps everything between runs, kill -9 included: the store, the keys (file mode 0600), what the
// sandbox knows, and the ledger's signed checkpoints. A folder whose seeding was interrupted is seeded again from nothing; a folder that holds a store
// the demo did not make is refused.
//
// What it never does: exist in `guanxi serve`, or leave loopback unless --listen says so. Everything under /demo/ stands for
// hands and phones (wx.login, tapping "pay" and "receive") and goes to the sandbox's people side.
//
//	d, err := demo.Open(ctx, demo.Options{Dir: "./var/demo", Listen: "127.0.0.1:8080"})
package demo
