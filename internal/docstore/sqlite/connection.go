package sqlite

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // applies its patches to the library at start
	sqlite3 "modernc.org/sqlite/lib"
)

// connection is one SQLite connection used through the C interface itself: database/sql costs about as much per
// small statement as SQLite does. It serves one goroutine at a time.
type connection struct {
	tls        *libc.TLS
	db         uintptr
	scratch    uintptr // 16 bytes for out parameters
	statements map[string]*statement
}

// fault is an answer of SQLite that is not success.
type fault struct {
	code    int32 // extended result code
	message string
}

func (f *fault) Error() string { return fmt.Sprintf("sqlite %d: %s", f.code, f.message) }

func (f *fault) primary() int32 { return f.code & 0xff }

func connect(path string, pragmas ...string) (*connection, error) {
	c := &connection{tls: libc.NewTLS(), statements: map[string]*statement{}}
	name, err := libc.CString(path)
	if err != nil {
		c.tls.Close()
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer libc.Xfree(c.tls, name)
	c.scratch = libc.Xmalloc(c.tls, 16)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_NOMUTEX)
	code := sqlite3.Xsqlite3_open_v2(c.tls, name, c.scratch, flags, 0)
	c.db = c.pointer(c.scratch)
	if code != sqlite3.SQLITE_OK {
		err := c.fault(code)
		c.close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, 5000)
	for _, pragma := range pragmas {
		if err := c.exec("PRAGMA " + pragma); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *connection) close() {
	for _, s := range c.statements {
		s.finalize()
	}
	c.statements = map[string]*statement{}
	if c.db != 0 {
		sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	}
	libc.Xfree(c.tls, c.scratch)
	c.tls.Close()
}

func (c *connection) fault(code int32) *fault {
	if c.db == 0 {
		return &fault{code, "cannot open"}
	}
	return &fault{code, libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

func (c *connection) pointer(at uintptr) uintptr {
	return *(*uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&at)))
}

func (c *connection) number(at uintptr) int32 {
	return *(*int32)(*(*unsafe.Pointer)(unsafe.Pointer(&at)))
}

// exec runs a statement that answers no rows the caller wants.
func (c *connection) exec(sql string) error {
	s, err := c.compile(sql)
	if err != nil {
		return err
	}
	defer s.finalize()
	return s.drain()
}

// prepare returns the cached statement for sql, ready to bind.
func (c *connection) prepare(sql string) (*statement, error) {
	if s := c.statements[sql]; s != nil {
		return s, nil
	}
	s, err := c.compile(sql)
	if err != nil {
		return nil, err
	}
	if len(c.statements) >= maxStatements {
		for old, s := range c.statements {
			s.finalize()
			delete(c.statements, old)
			break
		}
	}
	c.statements[sql] = s
	return s, nil
}

func (c *connection) compile(sql string) (*statement, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer libc.Xfree(c.tls, text)
	code := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, c.scratch, 0)
	if code != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("%w in %s", c.fault(code), sql)
	}
	return &statement{c: c, handle: c.pointer(c.scratch)}, nil
}

// inTransaction tells whether a transaction is open; SQLite closes one by itself after some errors.
func (c *connection) inTransaction() bool { return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

// written is the number of pages this connection has written so far.
func (c *connection) written() int {
	sqlite3.Xsqlite3_db_status(c.tls, c.db, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, c.scratch, c.scratch+8, 0)
	return int(c.number(c.scratch))
}

// checkpoint moves pages from the WAL to the database and tells how many pages the WAL holds.
func (c *connection) checkpoint(mode int32) (held int, err error) {
	code := sqlite3.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, mode, c.scratch, c.scratch+8)
	held = int(c.number(c.scratch))
	if code != sqlite3.SQLITE_OK {
		return held, c.fault(code)
	}
	return held, nil
}

const maxStatements = 2000

// statement is one prepared statement with the memory its parameters are copied to.
type statement struct {
	c      *connection
	handle uintptr
	memory uintptr
	size   int
	used   int
	old    []uintptr // outgrown memory, still bound until the next reset
}

// room returns n bytes that stay valid until reset.
func (s *statement) room(n int) uintptr {
	if s.used+n > s.size {
		if s.memory != 0 {
			s.old = append(s.old, s.memory)
		}
		s.size = max(1024, 2*s.size, 2*n)
		s.memory, s.used = libc.Xmalloc(s.c.tls, libc.Tsize_t(s.size)), 0
	}
	at := s.memory + uintptr(s.used)
	s.used += n
	return at
}

// memoryAt views n bytes that SQLite or its allocator owns.
func memoryAt(at uintptr, n int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), n)
}

func (s *statement) text(i int32, v string) {
	at := s.room(len(v) + 1)
	copy(memoryAt(at, len(v)), v)
	sqlite3.Xsqlite3_bind_text(s.c.tls, s.handle, i, at, int32(len(v)), 0)
}

func (s *statement) blob(i int32, v []byte) {
	at := s.room(len(v) + 1) // never nil, so that an empty blob is not NULL
	copy(memoryAt(at, len(v)), v)
	sqlite3.Xsqlite3_bind_blob(s.c.tls, s.handle, i, at, int32(len(v)), 0)
}

func (s *statement) int(i int32, v int64) { sqlite3.Xsqlite3_bind_int64(s.c.tls, s.handle, i, v) }

func (s *statement) null(i int32) { sqlite3.Xsqlite3_bind_null(s.c.tls, s.handle, i) }

// step moves to the next row; false at the end.
func (s *statement) step() (bool, error) {
	switch code := sqlite3.Xsqlite3_step(s.c.tls, s.handle); code {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.fault(code)
	}
}

// drain runs to the end and resets.
func (s *statement) drain() error {
	defer s.reset()
	for {
		if more, err := s.step(); err != nil || !more {
			return err
		}
	}
}

// reset ends the run; the statement can be bound again. All parameters must be bound anew.
func (s *statement) reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.handle)
	for _, at := range s.old {
		libc.Xfree(s.c.tls, at)
	}
	s.old, s.used = nil, 0
	if s.size > 1<<20 {
		libc.Xfree(s.c.tls, s.memory)
		s.memory, s.size = 0, 0
	}
}

func (s *statement) finalize() {
	s.reset()
	sqlite3.Xsqlite3_finalize(s.c.tls, s.handle)
	if s.memory != 0 {
		libc.Xfree(s.c.tls, s.memory)
		s.memory, s.size = 0, 0
	}
}

func (s *statement) columnInt(i int32) int64 {
	return sqlite3.Xsqlite3_column_int64(s.c.tls, s.handle, i)
}

func (s *statement) columnNull(i int32) bool {
	return sqlite3.Xsqlite3_column_type(s.c.tls, s.handle, i) == sqlite3.SQLITE_NULL
}

// columnView is the column's bytes until the next step.
func (s *statement) columnView(i int32) []byte {
	at := sqlite3.Xsqlite3_column_blob(s.c.tls, s.handle, i)
	if at == 0 {
		return nil
	}
	return memoryAt(at, int(sqlite3.Xsqlite3_column_bytes(s.c.tls, s.handle, i)))
}

func (s *statement) columnBytes(i int32) []byte {
	view := s.columnView(i)
	out := make([]byte, len(view))
	copy(out, view)
	return out
}

func (s *statement) columnText(i int32) string { return string(s.columnView(i)) }

func (s *statement) changes() int { return int(sqlite3.Xsqlite3_changes(s.c.tls, s.c.db)) }
