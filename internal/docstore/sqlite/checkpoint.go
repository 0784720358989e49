package sqlite

import (
	"context"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	checkpointPages = 1000 // pages written to the log between two checkpoints
	pageSize        = 4096
	cutPatience     = 250 // milliseconds the writer waits for readers of an old state when it cuts the log
)

// flush moves pages from the log into the database beside the writer. A log that keeps growing, because the writer
// never rests, is cut by the writer itself between two transactions; nearly everything has been moved by then.
func (d *Driver) flush(c *connection) {
	defer c.close()
	for {
		select {
		case <-d.closing:
			return
		case <-d.writer.nudge:
		}
		held, err := c.checkpoint(sqlite3.SQLITE_CHECKPOINT_PASSIVE)
		if err != nil || held*pageSize < d.options.WALLimitMiB<<20 {
			continue // a failure shows again at the next nudge; nothing is lost while the log keeps it
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_ = d.writer.run(ctx, func(c *connection) error { cutLog(c, held*pageSize > d.options.WALLimitMiB<<21); return nil })
		cancel()
	}
}

// cutLog lets the log begin anew. The file itself is shortened only when it has outgrown its limit twice: writing over
// blocks that are there makes an fsync a third cheaper than appending.
func cutLog(c *connection, shorten bool) {
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, cutPatience)
	defer sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, 5000)
	mode := int32(sqlite3.SQLITE_CHECKPOINT_RESTART)
	if shorten {
		mode = sqlite3.SQLITE_CHECKPOINT_TRUNCATE
	}
	_, _ = c.checkpoint(mode) // busy: the next nudge tries again
}
