package transfer

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// An archive is a header, then chunks: each is the length of its ciphertext (4 bytes) and AES-256-GCM under a key of its own archive
// (HKDF-SHA256 of the backup key and the header's salt). The nonce is the chunk's number and whether it is the last one, so
// that none can be left out, moved, repeated or cut off; the header is authenticated with every chunk.

const (
	magic     = "guanxi backup 1\n"
	saltSize  = 32
	chunkSize = 1 << 20
)

// Errors of reading an archive.
var (
	ErrNoArchive = errors.New("transfer: this is no backup")
	ErrKey       = errors.New("transfer: the backup does not open with this key, or its beginning is damaged")
	ErrDamaged   = errors.New("transfer: the backup is damaged or not whole")
)

type sealer struct {
	to     io.Writer
	aead   cipher.AEAD
	header []byte
	number uint64
	buffer []byte
}

func newAEAD(key, header []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, errors.New("transfer: a backup key has 32 bytes")
	}
	own, err := hkdf.Key(sha256.New, key, header[len(magic):], magic, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func newSealer(to io.Writer, key []byte) (*sealer, error) {
	header := append([]byte(magic), make([]byte, saltSize)...)
	if _, err := rand.Read(header[len(magic):]); err != nil {
		return nil, err
	}
	aead, err := newAEAD(key, header)
	if err != nil {
		return nil, err
	}
	_, err = to.Write(header)
	return &sealer{to: to, aead: aead, header: header}, err
}

func nonce(number uint64, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint64(n[3:], number)
	if last {
		n[11] = 1
	}
	return n
}

// Write implements io.Writer.
func (s *sealer) Write(p []byte) (int, error) {
	s.buffer = append(s.buffer, p...)
	for len(s.buffer) > chunkSize { // one is kept back: it may be the last
		if err := s.seal(s.buffer[:chunkSize], false); err != nil {
			return 0, err
		}
		s.buffer = append(s.buffer[:0], s.buffer[chunkSize:]...)
	}
	return len(p), nil
}

func (s *sealer) seal(plain []byte, last bool) error {
	sealed := s.aead.Seal(make([]byte, 4, 4+len(plain)+16), nonce(s.number, last), plain, s.header)
	binary.BigEndian.PutUint32(sealed, uint32(len(sealed)-4))
	s.number++
	_, err := s.to.Write(sealed)
	return err
}

// Close seals the last chunk.
func (s *sealer) Close() error { return s.seal(s.buffer, true) }

type opener struct {
	from   io.Reader
	aead   cipher.AEAD
	header []byte
	number uint64
	plain  []byte
	ended  bool
}

func newOpener(from io.Reader, key []byte) (*opener, error) {
	header := make([]byte, len(magic)+saltSize)
	if _, err := io.ReadFull(from, header); err != nil || !bytes.HasPrefix(header, []byte(magic)) {
		return nil, ErrNoArchive
	}
	aead, err := newAEAD(key, header)
	if err != nil {
		return nil, err
	}
	return &opener{from: from, aead: aead, header: header}, nil
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.ended {
			return 0, io.EOF
		}
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *opener) open() error {
	var size [4]byte
	if _, err := io.ReadFull(o.from, size[:]); err != nil {
		return fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 16 || n > chunkSize+16 {
		return ErrDamaged
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(o.from, sealed); err != nil {
		return fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	for _, last := range []bool{false, true} {
		plain, err := o.aead.Open(nil, nonce(o.number, last), sealed, o.header)
		if err != nil {
			continue
		}
		o.plain, o.ended = plain, last
		o.number++
		if !last {
			return nil
		}
		if more, _ := io.ReadFull(o.from, make([]byte, 1)); more > 0 {
			return fmt.Errorf("%w: something follows its end", ErrDamaged)
		}
		return nil
	}
	if o.number == 0 {
		return ErrKey
	}
	return ErrDamaged
}
