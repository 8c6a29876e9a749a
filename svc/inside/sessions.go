package inside

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processesMax bounds how many processes are looked at.
const processesMax = 65536

// HangUpTerminals sends SIGHUP to the leaders of sessions that have a terminal, as a lost
// connection would: an interactive shell ignores SIGTERM, and would make every halt wait for
// SIGKILL.
//
// It reads /proc, which root of the zone can replace by something that blocks or lies: nobody
// should wait for it, and between the look and the signal a pid may become another's. The
// worst that follows is a SIGHUP to the wrong process of a zone that is going down.
func (p Proof) HangUpTerminals() {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(processesMax)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 1 {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err == nil && leadsTerminal(string(stat), name) {
			p.kill(pid, unix.SIGHUP)
			p.kill(pid, unix.SIGCONT)
		}
	}
}

// leadsTerminal reads a line of /proc/PID/stat. The command's name, in parentheses, may hold
// anything.
func leadsTerminal(stat, pid string) bool {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return false
	}
	// state ppid pgrp session tty_nr
	f := strings.Fields(stat[end+1:])
	return len(f) > 4 && f[3] == pid && f[4] != "0"
}
