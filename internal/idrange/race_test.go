package idrange

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// leaser is a process that leases as many ranges as it is told, gives every third back and
// takes it again, and prints what it has.
func leaser() int {
	args := strings.Fields(os.Getenv(roleVariable)) // name, how many
	r, err := OpenAt(os.Getenv(dirVariable), os.Getenv(dirVariable)+".etc")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	n, _ := strconv.Atoi(args[1])
	for i := range n {
		name := fmt.Sprintf("/%s z%d", args[0], i)
		for round := range 3 {
			base, err := r.Lease(name)
			if err == nil && i%3 == 0 && round < 2 {
				err = r.Release(name)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			if round == 2 {
				fmt.Println(base)
			}
		}
	}
	return 0
}

// Ten processes lease five hundred ranges at the same time, from a directory full of leases of
// another boot: none is given twice.
func TestProcessesLease(t *testing.T) {
	const processes, each = 10, 50
	r := registry(t)
	for i := range 1000 {
		check(t, os.Symlink(fmt.Sprintf("00000000-0000-0000-0000-000000000000 /old z%d", i), fmt.Sprintf("%s/%d", r.dir, First+i*Count)))
	}
	exe, err := os.Executable()
	check(t, err)
	var outs [processes]bytes.Buffer
	var cmds [processes]*exec.Cmd
	for i := range cmds {
		cmds[i] = exec.Command(exe)
		cmds[i].Env = append(os.Environ(), fmt.Sprintf("%s=p%d %d", roleVariable, i, each), dirVariable+"="+r.dir)
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], os.Stderr
		check(t, cmds[i].Start())
	}
	given := map[string]int{}
	for i, c := range cmds {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		for in := bufio.NewScanner(&outs[i]); in.Scan(); {
			if other, twice := given[in.Text()]; twice {
				t.Errorf("%s was given to %d and to %d", in.Text(), other, i)
			}
			given[in.Text()] = i
		}
	}
	if len(given) != processes*each {
		t.Errorf("%d ranges were given", len(given))
	}
	e, err := os.ReadDir(r.dir)
	check(t, err)
	if len(e) != processes*each {
		t.Errorf("%d leases are there", len(e))
	}
}
