package notary

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// link is one link of the chain, id = its number. It is never changed.
type link struct {
	docstore.Doc `bson:",inline"`
	At           time.Time `bson:"at"`
	Prev         []byte    `bson:"prev"` // hash of the link before; empty for the first
	Text         string    `bson:"text"` // one line per fact
	Hash         []byte    `bson:"hash"`
}

// Head is the newest link, or the one that was newest when somebody signed it.
type Head struct {
	Number int64
	Hash   []byte
}

const timeForm = "2006-01-02T15:04:05.000Z"

// linkID sorts by number.
func linkID(number int64) string { return fmt.Sprintf("%010d", number) }

func (l *link) number() int64 {
	n, _ := strconv.ParseInt(l.ID, 10, 64)
	return n
}

func (l *link) digest() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "guanxi-facts 1 %s %s %s\n", l.ID, l.At.UTC().Format(timeForm), hex.EncodeToString(l.Prev))
	h.Write([]byte(l.Text))
	return h.Sum(nil)
}

// after makes the link that follows head; nil is the beginning.
func after(head *link, at time.Time, lines []string) *link {
	l := &link{At: at, Text: strings.Join(lines, "\n")}
	number := int64(1)
	if head != nil {
		number, l.Prev = head.number()+1, head.Hash
		if head.At.After(at) { // the clock of another process is ahead
			l.At = head.At
		}
	}
	l.ID = linkID(number)
	l.Hash = l.digest()
	return l
}

// The words lines begin with.
const (
	wordFact    = "fact"    // collection, id, version, digest
	wordBefore  = "before"  // the same, of a document older than the chain
	wordAdopted = "adopted" // collection: what was there before is in links up to here
)

func line(word string, f *docstore.Fact) string {
	return word + " " + f.Collection + " " + f.ID + " " + strconv.FormatInt(f.Version, 10) + " " + hex.EncodeToString(f.Digest[:])
}

var errLine = errors.New("notary: the line is not readable")

// record is a line that was read.
type record struct {
	word string
	fact docstore.Fact // of an adopted line only the collection
}

func parse(text string) (r record, err error) {
	words := strings.Split(text, " ")
	switch r.word = words[0]; {
	case r.word == wordAdopted && len(words) == 2:
		r.fact.Collection = words[1]
		return r, nil
	case (r.word == wordFact || r.word == wordBefore) && len(words) == 5:
	default:
		return r, errLine
	}
	r.fact.Collection, r.fact.ID = words[1], words[2]
	if r.fact.Version, err = strconv.ParseInt(words[3], 10, 64); err != nil {
		return r, errLine
	}
	digest, err := hex.DecodeString(words[4])
	if err != nil || len(digest) != sha256.Size {
		return r, errLine
	}
	r.fact.Digest = [sha256.Size]byte(digest)
	return r, nil
}
