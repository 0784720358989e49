package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
)

// Inside the encryption an archive is one compressed stream of parts: a byte that says which, then its content.
const (
	partCollection = 'C' // a name: the records that follow are its
	partRecord     = 'R' // id, version, body
	partEnd        = 'E' // the contents, as BSON
)

// Contents are what an archive holds, written at its end.
type Contents struct {
	At          time.Time `bson:"at"` // the moment, by the clock of who wrote it
	Collections []Totals  `bson:"collections"`
}

// Documents is how many there are in all.
func (c *Contents) Documents() (n int64) {
	for _, t := range c.Collections {
		n += t.Documents
	}
	return n
}

// Write writes an archive of everything in a snapshot, encrypted under a 32-byte key.
func Write(ctx context.Context, to io.Writer, key []byte, s docstore.Snapshot, at time.Time, progress func(Progress)) (*Contents, error) {
	sealed, err := newSealer(to, key)
	if err != nil {
		return nil, err
	}
	packed, err := gzip.NewWriterLevel(sealed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	w := &archiveWriter{w: bufio.NewWriterSize(packed, 1<<16), contents: Contents{At: at.UTC().Truncate(time.Millisecond)}, progress: progress}
	if err := w.all(ctx, s); err != nil {
		return nil, err
	}
	return &w.contents, errors.Join(w.w.Flush(), packed.Close(), sealed.Close())
}

type archiveWriter struct {
	w        *bufio.Writer
	contents Contents
	progress func(Progress)
	sum      Progress
}

func (w *archiveWriter) all(ctx context.Context, s docstore.Snapshot) error {
	collections, err := s.Collections(ctx)
	if err != nil {
		return err
	}
	for _, name := range collections {
		if passed(name) {
			continue
		}
		if err := w.collection(ctx, s, name); err != nil {
			return fmt.Errorf("back up %s: %w", name, err)
		}
	}
	raw, err := bson.Marshal(w.contents)
	if err != nil {
		return err
	}
	return w.part(partEnd, raw)
}

func (w *archiveWriter) collection(ctx context.Context, s docstore.Snapshot, name string) error {
	c := count(name)
	err := each(ctx, s, name, func(records []docstore.Record) error {
		for _, r := range records {
			if c.Documents == 0 {
				if err := w.part(partCollection, []byte(name)); err != nil {
					return err
				}
			}
			c.add(r)
			head := binary.AppendUvarint(nil, uint64(len(r.ID)))
			head = binary.BigEndian.AppendUint64(append(head, r.ID...), uint64(r.Version))
			if err := w.part(partRecord, head, r.Body); err != nil {
				return err
			}
		}
		w.sum.Collection, w.sum.Read = name, w.sum.Read+int64(len(records))
		if w.progress != nil {
			w.progress(w.sum)
		}
		return ctx.Err()
	})
	if c.Documents > 0 {
		w.contents.Collections = append(w.contents.Collections, c.totals())
	}
	return err
}

func (w *archiveWriter) part(kind byte, pieces ...[]byte) error {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	if _, err := w.w.Write(binary.AppendUvarint([]byte{kind}, uint64(size))); err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err := w.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// Read goes through a whole archive, gives its records in order to visit (which may be nil), and answers its contents when every
// byte of them was there and is what was written. What visit was given before an error may be from a damaged archive's sound
// part. Errors: ErrNoArchive, ErrKey, ErrDamaged.
func Read(from io.Reader, key []byte, visit func(collection string, r docstore.Record) error) (*Contents, error) {
	opened, err := newOpener(from, key)
	if err != nil {
		return nil, err
	}
	packed, err := gzip.NewReader(opened)
	if err != nil {
		return nil, damaged(err)
	}
	r := &archiveReader{r: bufio.NewReaderSize(packed, 1<<16), visit: visit}
	if err := r.all(); err != nil {
		return nil, damaged(err)
	}
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) { // the last chunk is read, and nothing is behind it
		return nil, damaged(err)
	}
	if _, err := opened.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return nil, damaged(err)
	}
	return &r.contents, nil
}

func damaged(err error) error {
	var visiting visitError
	switch {
	case errors.As(err, &visiting):
		return visiting.error
	case errors.Is(err, ErrKey), errors.Is(err, ErrDamaged):
		return err
	}
	return fmt.Errorf("%w: %v", ErrDamaged, err)
}

type visitError struct{ error }

type archiveReader struct {
	r        *bufio.Reader
	visit    func(string, docstore.Record) error
	found    []Totals
	now      *counting
	contents Contents
}

// maxPart is more than any document may have.
const maxPart = 64 << 20

func (r *archiveReader) all() error {
	for {
		kind, err := r.r.ReadByte()
		if err != nil {
			return err
		}
		size, err := binary.ReadUvarint(r.r)
		if err != nil || size > maxPart {
			return ErrDamaged
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(r.r, part); err != nil {
			return err
		}
		switch kind {
		case partCollection:
			r.close()
			r.now = count(string(part))
		case partRecord:
			if err := r.record(part); err != nil {
				return err
			}
		case partEnd:
			return r.end(part)
		default:
			return ErrDamaged
		}
	}
}

func (r *archiveReader) close() {
	if r.now != nil {
		r.found, r.now = append(r.found, r.now.totals()), nil
	}
}

func (r *archiveReader) record(part []byte) error {
	n, used := binary.Uvarint(part)
	if r.now == nil || used <= 0 || uint64(len(part)) < uint64(used)+n+8 {
		return ErrDamaged
	}
	part = part[used:]
	one := docstore.Record{ID: string(part[:n]), Version: int64(binary.BigEndian.Uint64(part[n:])), Body: bson.Raw(part[n+8:])}
	r.now.add(one)
	if r.visit == nil {
		return nil
	}
	if err := r.visit(r.now.Collection, one); err != nil {
		return visitError{err}
	}
	return nil
}

func (r *archiveReader) end(part []byte) error {
	r.close()
	if err := bson.Unmarshal(part, &r.contents); err != nil {
		return err
	}
	if len(r.found) != len(r.contents.Collections) {
		return ErrDamaged
	}
	for i, t := range r.contents.Collections {
		if f := r.found[i]; f.Collection != t.Collection || f.Documents != t.Documents || !bytes.Equal(f.Hash, t.Hash) {
			return fmt.Errorf("%w: %s is not what was written", ErrDamaged, t.Collection)
		}
	}
	return nil
}

// Restore brings the records of an archive into a driver. What is there already and is the same is passed over; anything else is
// ErrOccupied. Check the archive (Read) before: Restore writes what it reads. Errors: those of Read, ErrOccupied.
func Restore(ctx context.Context, from io.Reader, key []byte, to docstore.Driver, specs map[string]docstore.Spec, progress func(Progress)) (*Contents, error) {
	f := &filling{ctx: ctx, to: to, specs: specs, progress: progress}
	contents, err := Read(from, key, f.take)
	if err == nil {
		err = f.flush()
	}
	if err != nil {
		return nil, err
	}
	for name, spec := range specs { // collections the archive has nothing of
		if !passed(name) {
			if err := to.Ensure(ctx, spec); err != nil {
				return nil, err
			}
		}
	}
	return contents, nil
}

type filling struct {
	ctx      context.Context
	to       docstore.Driver
	specs    map[string]docstore.Spec
	progress func(Progress)
	spec     docstore.Spec
	ops      []docstore.Op
	sum      Progress
}

func (f *filling) take(collection string, r docstore.Record) error {
	if f.spec.Name != collection {
		if err := f.flush(); err != nil {
			return err
		}
		f.spec = specOf(f.specs, collection)
		if err := f.to.Ensure(f.ctx, f.spec); err != nil {
			return err
		}
	}
	keys, err := docstore.KeysOf(f.spec, r.Body)
	if err != nil {
		return fmt.Errorf("restore %s/%s: %w", collection, r.ID, err)
	}
	f.ops = append(f.ops, docstore.Op{Kind: docstore.Insert, Collection: collection, ID: r.ID, Next: r.Version, Body: r.Body, Keys: keys})
	if len(f.ops) < page {
		return nil
	}
	return f.flush()
}

func (f *filling) flush() error {
	refused, err := put(f.ctx, f.to, f.ops)
	if err != nil {
		return fmt.Errorf("restore %s: %w", f.spec.Name, err)
	}
	for _, op := range refused {
		known, err := f.to.Get(f.ctx, op.Collection, []string{op.ID})
		if err != nil {
			return err
		}
		if len(known) != 1 || known[0].Version != op.Next || !bytes.Equal(known[0].Body, op.Body) {
			return fmt.Errorf("%w: %s/%s", ErrOccupied, op.Collection, op.ID)
		}
	}
	f.sum.Collection, f.sum.Read, f.sum.Written = f.spec.Name, f.sum.Read+int64(len(f.ops)), f.sum.Written+int64(len(f.ops)-len(refused))
	if f.progress != nil && len(f.ops) > 0 {
		f.progress(f.sum)
	}
	f.ops = f.ops[:0]
	return f.ctx.Err()
}
