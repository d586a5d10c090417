//go:build !linux

package proc

import "syscall"

// childAttr: a process group of its own. Only Linux can signal a child when its parent dies.
func childAttr(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
