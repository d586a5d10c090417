package proc

import "syscall"

// childAttr: a group of its own, and a signal to the child when we die without a word.
func childAttr(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
}
