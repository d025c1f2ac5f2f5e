//go:build unix && !linux

package demo

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from a part.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
