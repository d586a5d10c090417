package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// HeldError means that another process holds the lock.
type HeldError struct {
	File string
	By   string // " (process 123)"; "" when it has only just taken it
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is locked by another command%s", e.File, e.By)
}

// Lock takes a lock for this process, and records the process in it for others. The kernel releases it when this process dies.
func Lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(file) // empty while the other one has just taken it
		_ = file.Close()
		return nil, &HeldError{name, strings.TrimRight(string(holder), "\n")}
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(file, " (process %d)\n", os.Getpid())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { _ = file.Close() }, nil
}
