//go:build !linux

package proc

import "syscall"

// childAttr: a group of its own. Only Linux tells a child that its parent died.
func childAttr(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
