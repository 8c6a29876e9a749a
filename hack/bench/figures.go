package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// limits are what the other figures are compared with.
func (b *bench) limits() error {
	run := func(args ...string) func() error { return func() error { return b.run(args[0], args[1:]...) } }
	for _, l := range []struct {
		name string
		f    func() error
	}{
		{"limit.fork-exec", run("/bin/true")},
		{"limit.unshare", run("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--net", "--cgroup", "/bin/true")},
		{"limit.client", run("zoneadm", "help")},
	} {
		if err := b.sample(l.name, "", nil, l.f, nil); err != nil {
			return err
		}
	}
	return nil
}

// life measures a zone's transitions as an administrator's commands, start of the command to
// its end. Cold means that there is no supervisor yet.
func (b *bench) life() error {
	if err := b.zone("b"); err != nil {
		return err
	}
	z := func(args ...string) func() error {
		return func() error { return b.run("zoneadm", append([]string{"-z", "b"}, args...)...) }
	}
	gone := func() error { return b.awaitGone("b") }
	down := func() error {
		if err := z("halt")(); err != nil {
			return err
		}
		return gone()
	}
	for _, m := range []struct {
		name, limit string
		prepare     func() error
		f           func() error
		settle      func() error
	}{
		{"boot.cold", "limit.unshare", gone, z("boot"), down},
		{"boot.warm-supervisor", "limit.unshare", nil, z("boot"), z("halt")},
		{"ready.cold", "limit.unshare", gone, z("ready"), down},
		{"ready-to-running", "limit.client", z("ready"), z("boot"), z("halt")},
		{"halt", "limit.client", z("boot"), z("halt"), nil},
		{"reboot", "limit.unshare", z("boot"), z("reboot"), z("halt")},
	} {
		if err := b.sample(m.name, m.limit, m.prepare, m.f, m.settle); err != nil {
			return err
		}
	}
	return b.second(gone, z("boot"), down)
}

// second measures a cold boot on a host that has a zone already: what the first one loads for
// all of them (the collector of contracts' events) is there.
func (b *bench) second(gone, boot, down func() error) error {
	if err := b.zone("first"); err != nil {
		return err
	}
	if err := b.run("zoneadm", "-z", "first", "boot"); err != nil {
		return err
	}
	if err := b.sample("boot.cold-second", "limit.unshare", gone, boot, down); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", "first", "halt")
}

// awaitGone waits until the zone's supervisor has left by itself.
func (b *bench) awaitGone(zone string) error {
	deadline := time.Now().Add(time.Minute)
	name := filepath.Join(b.root, "run/zones/state", zone, "zsched.pid")
	for exists(name) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the supervisor of zone %s does not leave", zone)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// login measures zlogin.
func (b *bench) login() error {
	if err := b.run("zoneadm", "-z", "b", "boot"); err != nil {
		return err
	}
	err := b.sample("zlogin.true", "limit.fork-exec", nil, func() error { return b.run("zlogin", "b", "true") }, nil)
	if err != nil {
		return err
	}
	return b.run("zoneadm", "-z", "b", "halt")
}

// memory gives private and proportional memory of the resident programs, at one zone and at
// many, each zone idle.
func (b *bench) memory() error {
	if !b.wants("memory.p") {
		return nil
	}
	for _, n := range []int{1, b.zones} {
		var names []string
		for i := 0; i < n; i++ {
			name := "m" + strconv.Itoa(i)
			names = append(names, name)
			if !exists(filepath.Join(b.root, "var/lib/zones", name)) {
				if err := b.zone(name); err != nil {
					return err
				}
			}
			if err := b.run("zoneadm", "-z", name, "boot"); err != nil {
				return err
			}
		}
		time.Sleep(time.Second) // the boots' garbage is collected, or not: as it is in life
		for _, program := range []string{"zoned", "zsched"} {
			if err := b.memoryOf(program, names); err != nil {
				return err
			}
		}
		for _, name := range names {
			if err := b.run("zoneadm", "-z", name, "halt"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) memoryOf(program string, names []string) error {
	var private, pss []float64
	for _, zone := range names {
		pid, err := os.ReadFile(filepath.Join(b.root, "run/zones/state", zone, program+".pid"))
		if err != nil {
			return err
		}
		m, err := rollup(strings.TrimSpace(string(pid)))
		if err != nil {
			return err
		}
		private = append(private, m["Private_Dirty"]+m["Private_Clean"])
		pss = append(pss, m["Pss"])
	}
	at := fmt.Sprintf("@%d", len(names))
	b.print("memory.private."+program+at, "kB", "", private)
	b.print("memory.pss."+program+at, "kB", "", pss)
	return nil
}

// rollup reads /proc/PID/smaps_rollup: kilobytes by name.
func rollup(pid string) (map[string]float64, error) {
	b, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for _, l := range strings.Split(string(b), "\n") {
		f := strings.Fields(l)
		if len(f) == 3 && f[2] == "kB" {
			m[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseFloat(f[1], 64)
		}
	}
	return m, nil
}
