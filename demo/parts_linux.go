package demo

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from a part, and lets it die with us.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
