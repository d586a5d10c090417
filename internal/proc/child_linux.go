package proc

import "syscall"

// childAttr: a process group of its own, and a signal to the child when this process is killed.
func childAttr(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
}
