package demo

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"guanxi/internal/docstore"
	"guanxi/platform/sandbox"
)

// Names of the files in the folder. guanxi.db and guanxi.lock are the store's own.
const (
	fileStore   = "guanxi.db"
	fileKeys    = "demo-keys.json"
	fileWorld   = "demo.json"
	fileSandbox = "demo-sandbox.jsonl"
	fileAnchor  = "demo-anchor.txt" // the ledger's checkpoints, outside of the store
	fileLock    = "demo.lock"
)

// Why a folder is not used.
var (
	// ErrBusy says that another demo runs on the folder.
	ErrBusy = errors.New("demo: another guanxi demo is using this folder")
	// ErrForeign says that the folder holds a store that no demo has made: it is not touched.
	ErrForeign = errors.New("demo: this folder holds a store that is not a demo's; choose another --dir")
	// ErrKeysGone says that the store is there and its keys are not.
	ErrKeysGone = errors.New("demo: " + fileKeys + " is missing, the store cannot be read; begin anew with --reset")
)

// folder is the demo's place on disk, locked for this process. The kernel frees the lock however the process ends.
type folder struct {
	dir  string
	lock *os.File
}

func openFolder(dir string) (*folder, error) {
	if dir == "" {
		return nil, errors.New("demo: a folder is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: folder: %w", err)
	}
	f := &folder{dir: dir}
	lock, err := os.OpenFile(f.path(fileLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("demo: folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %s", ErrBusy, dir)
	}
	f.lock = lock
	return f, nil
}

func (f *folder) close() error { return f.lock.Close() }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) has(name string) bool {
	_, err := os.Stat(f.path(name))
	return err == nil
}

// keep writes a file whole or not at all, readable by its owner only. Durable also survives a power cut.
func (f *folder) keep(name string, content []byte, durable bool) error {
	temporary := f.path(name + ".new")
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	_, err = file.Write(content)
	if err == nil && durable {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := os.Rename(temporary, f.path(name)); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// prepare makes the folder ready and tells whether it must be seeded. A folder that is half seeded, of another format,
// or to be reset, is emptied first; keys stay.
func (f *folder) prepare(reset bool) (world *World, err error) {
	world, err = f.loadWorld()
	if err != nil {
		return nil, err
	}
	if world == nil && f.has(fileStore) {
		return nil, fmt.Errorf("%w: %s", ErrForeign, f.dir)
	}
	if world != nil && world.State == stateReady && world.Format == worldFormat && !reset {
		if !f.has(fileKeys) {
			return nil, ErrKeysGone
		}
		return world, nil
	}
	// From here until the world is ready, whoever finds the folder knows that it has to be emptied.
	if err := f.keepWorld(&World{Format: worldFormat, State: stateSeeding}); err != nil {
		return nil, err
	}
	for _, name := range []string{fileStore, fileStore + "-wal", fileStore + "-shm", fileStore + "-journal", fileSandbox, fileAnchor} {
		if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("demo: empty folder: %w", err)
		}
	}
	return nil, nil //nolint:nilnil // no world: it has to be seeded
}

// loadWorld reads what the folder says about itself; nil when it says nothing.
func (f *folder) loadWorld() (*World, error) {
	raw, err := os.ReadFile(f.path(fileWorld))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing there and nothing wrong
	}
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	w := &World{}
	if err := json.Unmarshal(raw, w); err != nil {
		return nil, fmt.Errorf("demo: %s is damaged: %w", fileWorld, err)
	}
	return w, nil
}

func (f *folder) keepWorld(w *World) error {
	raw, err := json.MarshalIndent(w, "", " ")
	if err != nil {
		return fmt.Errorf("demo: encode world: %w", err)
	}
	return f.keep(fileWorld, raw, true)
}

// secrets are made once for a folder: what is stored under them lives as long as they do.
type secrets struct {
	Lookup   []byte       `json:"lookup"`
	Store    []byte       `json:"store"`
	Ledger   []byte       `json:"ledger"` // seed of the key that signs checkpoints
	Platform sandbox.Keys `json:"platform"`
}

func (f *folder) secrets() (*secrets, error) {
	raw, err := os.ReadFile(f.path(fileKeys))
	if errors.Is(err, os.ErrNotExist) {
		return f.newSecrets()
	}
	if err != nil {
		return nil, fmt.Errorf("demo: keys: %w", err)
	}
	s := &secrets{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("demo: %s is damaged: %w", fileKeys, err)
	}
	if len(s.Ledger) == ed25519.SeedSize {
		return s, nil
	}
	s.Ledger = make([]byte, ed25519.SeedSize) // keys of an earlier version sign nothing yet
	_, _ = rand.Read(s.Ledger)
	return s, f.keepSecrets(s)
}

func (f *folder) newSecrets() (*secrets, error) {
	s := &secrets{Lookup: make([]byte, 32), Store: make([]byte, 32), Ledger: make([]byte, ed25519.SeedSize)}
	for _, key := range [][]byte{s.Lookup, s.Store, s.Ledger} {
		_, _ = rand.Read(key) // never fails
	}
	var err error
	if s.Platform, err = sandbox.GenerateKeys(); err != nil {
		return nil, err
	}
	return s, f.keepSecrets(s)
}

func (f *folder) keepSecrets(s *secrets) error {
	var raw bytes.Buffer
	encoder := json.NewEncoder(&raw)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("demo: encode keys: %w", err)
	}
	return f.keep(fileKeys, raw.Bytes(), true)
}

// anchor keeps a checkpoint of the ledger outside of the store.
func (f *folder) anchor(line string) error {
	file, err := os.OpenFile(f.path(fileAnchor), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("demo: anchor: %w", err)
	}
	_, err = file.WriteString(line + "\n")
	return errors.Join(err, file.Close())
}

func (s *secrets) ring() (*docstore.KeyRing, error) {
	return docstore.NewKeyRing(s.Lookup, docstore.Key{ID: "demo", Secret: s.Store})
}
