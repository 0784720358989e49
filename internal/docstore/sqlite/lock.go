package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"guanxi/internal/docstore"
)

// lock takes the folder for this process. The kernel frees it when the process ends, however it ends.
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, "guanxi.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(path)
		_ = file.Close()
		return nil, fmt.Errorf("%w: %s is held by process %s", docstore.ErrLocked, dir, strings.TrimSpace(string(owner)))
	}
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return file, nil
}

func unlock(file *os.File) error {
	_ = file.Truncate(0)
	return file.Close() // closing the file gives the lock back
}
