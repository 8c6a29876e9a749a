package main

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// Without BPF, and without the connector too, commands are run and followed all the same; ctstat
// says what there is. Of what killed a process these sources may not tell, so that a restart is
// not asked for here.
func TestSlowerSources(t *testing.T) {
	for off, live := range map[string]string{"bpf": "connector cgroup", "bpf,connector": "pidfd cgroup", "bpf,connector,pidfd": "cgroup"} {
		t.Run(off, func(t *testing.T) {
			testenv.NeedRoot(t)
			testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
			r := &rig{Zones: testenv.Instance(t), t: t}
			r.Setenv("ZONES_CONTRACT_SOURCES_OFF", off)
			r.ServeContracts()
			for args, want := range map[string]int{"true": 0, "sh -c 'exit 7'": 7, "sh -c 'kill -9 $$'": 123, "-l child false": 1, "sh -c 'sh -c \"sleep 0.1\" & exit 4'": 4} {
				if _, errs, code := r.ctrun(words(args)...); code != want || errs != "" {
					t.Errorf("%s: %d, %q", args, code, errs)
				}
			}
			file := filepath.Join(t.TempDir(), "pid")
			b := r.start(r.Cmd("ctrun", "sh", "-c", "echo $$ >$0; exec sleep 1000", file))
			pid := number(t, file)
			out := r.Must("ctstat", "-v")
			if !strings.Contains(out, "\tevent sources:         "+live+"\n") {
				t.Errorf("%s", out)
			}
			kill(t, pid, unix.SIGKILL)
			if code := b.exit(); code != 123 {
				t.Errorf("%d", code)
			}
		})
	}
}
