package book

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/lease"
)

// MaxSealBatch keeps a seal's document well below the store's limit, even with the longest ids. Large batches are what
// makes purses cheap under load: a busy member's purse is written once per seal, not once per entry.
const MaxSealBatch = 16384

// Seal is one link of a book's chain: these entries, in this order, after that seal.
type Seal struct {
	Book    string
	Number  int64 // from 1, without gaps
	At      time.Time
	Prev    [sha256.Size]byte // hash of the seal before; zero for the first
	Entries []string          // ids
	Hashes  [][sha256.Size]byte
	Hash    [sha256.Size]byte
}

// SealDoc is the stored form, id <book>/<number>. It is never changed.
type SealDoc struct {
	docstore.Doc `bson:",inline"`
	At           time.Time `bson:"at"`
	Prev         []byte    `bson:"prev"`
	Entries      string    `bson:"entries"` // ids, one per line
	Hashes       []byte    `bson:"hashes"`  // 32 bytes per entry
	Hash         []byte    `bson:"hash"`
}

// Bookmark says how far a book's seals have been worked off. It is only a bookmark: losing it would cost time, not
// truth.
type Bookmark struct {
	docstore.Doc `bson:",inline"`
	lease.Fenced `bson:",inline"` // of the lease to seal, when there is one
	Folded       int64            `bson:"folded"`           // every seal up to here is in the purses; at most one seal exists behind it
	Cleared      int64            `bson:"cleared"`          // every entry of the seals up to here carries its seal's number
	Epoch        int64            `bson:"epoch"`            // how many times the purses have been rebuilt
	Target       int64            `bson:"target,omitempty"` // the seal a rebuild has to reach before purses are whole again
}

// Rebuilding tells whether purses show less than the truth.
func (b *Bookmark) Rebuilding() bool { return b.Folded < b.Target }

// SealID is the id of a seal, and of a checkpoint.
func SealID(book string, number int64) string {
	digits := strconv.FormatInt(number, 10)
	return book + "/" + strings.Repeat("0", max(0, 10-len(digits))) + digits
}

// Digest chains the seal: book, number, time, the seal before, and every entry's id and hash.
func (s *Seal) Digest() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "guanxi-seal 1 %s %d %s\n", s.Book, s.Number, s.At.UTC().Format(TextTime))
	h.Write(s.Prev[:])
	part := make([]byte, 0, 1<<13)
	for i, id := range s.Entries {
		part = append(append(append(part, id...), '\n'), s.Hashes[i][:]...)
		if len(part) >= cap(part)/2 {
			h.Write(part)
			part = part[:0]
		}
	}
	h.Write(part)
	return [sha256.Size]byte(h.Sum(nil))
}

// Doc is the seal as it is stored.
func (s *Seal) Doc() *SealDoc {
	d := &SealDoc{
		Doc: docstore.Doc{ID: SealID(s.Book, s.Number)}, At: s.At, Prev: s.Prev[:],
		Entries: strings.Join(s.Entries, "\n"), Hash: s.Hash[:], Hashes: make([]byte, 0, len(s.Hashes)*sha256.Size),
	}
	for i := range s.Hashes {
		d.Hashes = append(d.Hashes, s.Hashes[i][:]...)
	}
	return d
}

// ErrSeal: a seal is gone or cannot be read.
var ErrSeal = errors.New("commission: the seal is not readable")

// ParseSeal reads a stored seal.
func ParseSeal(d *SealDoc) (*Seal, error) {
	book, number, ok := strings.Cut(d.ID, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || len(d.Prev) != sha256.Size || len(d.Hash) != sha256.Size {
		return nil, fmt.Errorf("%w: %s", ErrSeal, d.ID)
	}
	s := &Seal{Book: book, Number: n, At: d.At, Prev: [sha256.Size]byte(d.Prev), Hash: [sha256.Size]byte(d.Hash)}
	s.Entries = strings.Split(d.Entries, "\n")
	if len(d.Hashes) != len(s.Entries)*sha256.Size {
		return nil, fmt.Errorf("%w: %s", ErrSeal, d.ID)
	}
	s.Hashes = make([][sha256.Size]byte, len(s.Entries))
	for i := range s.Hashes {
		s.Hashes[i] = [sha256.Size]byte(d.Hashes[i*sha256.Size:])
	}
	return s, nil
}

// Without says that an entry is gone.
func (s *Seal) Without(i int) error {
	return fmt.Errorf("%w: entry %s of seal %d is gone", ErrSeal, s.Entries[i], s.Number)
}
