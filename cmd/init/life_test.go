package main

import (
	"syscall"
	"testing"
)

func TestLife(t *testing.T) {
	z := Booted(t, Options{}, "-m", "verbose")
	z.Type("echo shell is $$ on $(tty), zone $(/lib/svc/bin/zonename)\n")
	z.Expect(`shell is \d+ on /dev/console, zone testzone`)
	z.Type("/lib/svc/bin/halt\n")
	if s := z.Wait(); !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("pid 1 ended with %#x\n%s", int(s), z.Output())
	}
	t.Log(z.Output())
}
