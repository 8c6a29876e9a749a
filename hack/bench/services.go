package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
)

const (
	// coldServices are started at once, memoryServices are there for svc.startd's memory.
	coldServices   = 500
	memoryServices = 1000
	coldRuns       = 5
	servicesDir    = "/var/tmp/services"
	servicesLimit  = 5 * time.Minute
)

// services measures many services in a zone: what each takes of svc.startd's memory, how long it is
// from the start of svc.startd until 500 are online, beside s6 and a loop that starts as many, and how
// long it takes to stop one and all.
func (b *bench) services() error {
	if !b.wants("smf.cold", "smf.memory", "smf.stop", "smf.enable") {
		return nil
	}
	if err := b.inNewZone("v", "services", strconv.Itoa(b.runs)); err != nil {
		return err
	}
	if !b.wants("smf.cold") {
		return nil
	}
	var whole, services []float64
	for range coldRuns {
		if err := b.run("zoneadm", "-z", "v", "boot"); err != nil {
			return err
		}
		out, err := b.inZone("v", "cold").Output()
		if err != nil {
			return fmt.Errorf("cold: %w", err)
		}
		var w, s float64
		if _, err := fmt.Sscan(string(out), &w, &s); err != nil {
			return fmt.Errorf("cold: %q: %w", out, err)
		}
		whole, services = append(whole, w), append(services, s)
		if err := b.run("zoneadm", "-z", "v", "halt"); err != nil {
			return err
		}
	}
	b.print("smf.cold-500", "ms", "limit.cold-500", whole)
	b.print("smf.cold-500.from-first-start", "ms", "limit.cold-500", services)
	return nil
}

// playServices imports the services and leaves coldServices of them enabled for the next boot.
func playServices(args []string) error {
	runs, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := smfReady(); err != nil {
		return err
	}
	for _, step := range []func(int) error{coldPeers, servicesMemory, servicesStop} {
		if err := step(runs); err != nil {
			return err
		}
	}
	return nil
}

func serviceName(i int) string { return fmt.Sprintf("n%04d", i) }

// manyManifest is a bundle of simple services of duration contract.
func manyManifest(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='many'>
`)
	for i := range n {
		fmt.Fprintf(&b, `  <service name='bench/%s' type='service' version='1'>
    <create_default_instance enabled='false'/>
    <exec_method name='start' type='method' exec='%s/daemon' timeout_seconds='60'/>
    <exec_method name='stop' type='method' exec=':kill' timeout_seconds='60'/>
  </service>
`, serviceName(i), servicesDir)
	}
	b.WriteString("</service_bundle>\n")
	return b.String()
}

// servicesMemory is what svc.startd has for each of 1,000 services that are online, after it has given
// back what their import and start took.
func servicesMemory(int) error {
	if err := os.MkdirAll(servicesDir, 0o755); err != nil {
		return err
	}
	script := "#!" + busybox + " sh\n" + busybox + " sleep 1000000 &\n"
	if err := os.WriteFile(servicesDir+"/daemon", []byte(script), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(servicesDir+"/many.xml", []byte(manyManifest(memoryServices)), 0o644); err != nil {
		return err
	}
	time.Sleep(smfTrimTime)
	anonBefore, pssBefore, err := smfServer()
	if err != nil {
		return err
	}
	if err := command("svccfg", "import", servicesDir+"/many.xml"); err != nil {
		return err
	}
	ms, err := timed(func() error { return command("svcadm", "enable", "-s", "bench/n*") })
	if err != nil {
		return err
	}
	tell("smf.enable-1000", "ms", "", []float64{ms})
	time.Sleep(2 * smfTrimTime)
	anon, pss, err := smfServer()
	if err != nil {
		return err
	}
	tell("smf.memory.service-anonymous", "B", "", []float64{(anon - anonBefore) * 1024 / memoryServices})
	tell("smf.memory.service-pss", "B", "", []float64{(pss - pssBefore) * 1024 / memoryServices})
	return nil
}

// servicesStop is svcadm disable -s: of one service at a time, of 500 at once. The limit of the first
// is a command that only looks.
func servicesStop(runs int) error {
	var looks, stops []float64
	for i := range runs {
		service := "bench/" + serviceName(memoryServices-1-i)
		for _, c := range []struct {
			into *[]float64
			argv []string
		}{
			{&looks, []string{"svcprop", "-q", "-p", "restarter/state", service}}, {&stops, []string{"svcadm", "disable", "-s", service}},
		} {
			ms, err := timed(func() error { return command(c.argv...) })
			if err != nil {
				return err
			}
			*c.into = append(*c.into, ms)
		}
		if err := command("svcadm", "enable", "-s", service); err != nil {
			return err
		}
	}
	tell("limit.svcprop", "ms", "", looks)
	tell("smf.stop", "ms", "limit.svcprop", stops)
	ms, err := timed(func() error { return command("svcadm", "disable", "-s", "bench/n0[5-9]*") })
	if err != nil {
		return err
	}
	tell("smf.stop-500", "ms", "", []float64{ms})
	return nil
}

func command(argv ...string) error {
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", argv, err, out)
	}
	return nil
}

// coldPeers starts 500 services with a loop and with s6, who report through a fifo.
func coldPeers(int) error {
	if err := os.MkdirAll(restartDir+"/run", 0o755); err != nil {
		return err
	}
	in, err := openReports(restartDir + "/fifo")
	if err != nil {
		return err
	}
	for _, k := range []*keeper{
		{name: "limit.cold-500", start: startLoop}, {name: "peer.cold-500.s6", limit: "limit.cold-500", prepare: prepareS6, start: startS6},
	} {
		var ms []float64
		var failed error
		for range coldRuns {
			var t float64
			if t, failed = k.cold(in); failed != nil {
				break
			}
			ms = append(ms, t)
		}
		switch {
		case errors.Is(failed, errMissing):
			missing(k.name, "ms", failed.Error())
		case failed != nil:
			return fmt.Errorf("%s: %w", k.name, failed)
		default:
			tell(k.name, "ms", k.limit, ms)
		}
	}
	return nil
}

// cold gives the milliseconds until all services have reported.
func (k *keeper) cold(in *reports) (float64, error) {
	var list []string
	for i := range coldServices {
		s := serviceName(i)
		list = append(list, s)
		if err := os.WriteFile(filepath.Join(restartDir, "run", s), []byte(k.script(s)), 0o755); err != nil {
			return 0, err
		}
	}
	if k.prepare != nil {
		if err := k.prepare(k, list); err != nil {
			return 0, err
		}
	}
	began := monotonic()
	stop, err := k.start(k, list)
	if err != nil {
		return 0, err
	}
	defer k.end(stop)
	k.pids = map[string]int{}
	for len(k.pids) < len(list) {
		pid, s, err := in.next()
		if err != nil {
			return 0, err
		}
		k.pids[s] = pid
	}
	return float64(in.at-began) / 1e6, nil
}

// end ends a keeper with its services.
func (k *keeper) end(stop func()) {
	stop()
	for _, pid := range k.pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// playCold waits until all services are online that the boot starts, and tells when the last one was:
// since svc.startd's start, which the kernel knows to 10 ms, and since the first of them was started.
func playCold([]string) error {
	c := client.New(client.Config{})
	defer c.Close()
	first, last := time.Time{}, time.Time{}
	for i, end := 0, time.Now().Add(servicesLimit); i < coldServices; {
		on := repo.Entity{Service: "bench/" + serviceName(i), Instance: "default"}
		if word(c, on, "state") != "online" || word(c, on, "next_state") != "none" {
			if time.Now().After(end) {
				return fmt.Errorf("%s is not online", on.String())
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		i++
		started, online := instant(word(c, on, "start_method_timestamp")), instant(word(c, on, "state_timestamp"))
		if first.IsZero() || started.Before(first) {
			first = started
		}
		if online.After(last) {
			last = online
		}
	}
	began, err := startdBegan()
	if err != nil {
		return err
	}
	fmt.Println(float64(last.Sub(began))/1e6, float64(last.Sub(first))/1e6)
	return nil
}

// word is the value of a property of the restarter's.
func word(c door.Store, on repo.Entity, name string) string {
	p, err := c.Property(on, door.Effective, "restarter", name)
	if err != nil || len(p.Values) != 1 {
		return ""
	}
	return p.Values[0]
}

// instant reads a value of type time: seconds, a point and nanoseconds.
func instant(text string) time.Time {
	seconds, nano, _ := strings.Cut(text, ".")
	s, _ := strconv.ParseInt(seconds, 10, 64)
	n, _ := strconv.ParseInt((nano + "000000000")[:9], 10, 64)
	return time.Unix(s, n)
}

// startdBegan is when svc.startd was started.
func startdBegan() (time.Time, error) {
	out, err := exec.Command("pgrep", "-o", "svc.startd").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("pgrep: %w", err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(out)) + "/stat")
	if err != nil {
		return time.Time{}, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	const startTime, tick = 19, 10 * time.Millisecond // the 22nd field, two of which are cut off; USER_HZ is 100
	f := strings.Fields(rest)
	if len(f) <= startTime {
		return time.Time{}, fmt.Errorf("stat of svc.startd: %q", stat)
	}
	ticks, err := strconv.ParseInt(f[startTime], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Time{}, err
	}
	return time.Now().Add(time.Duration(ticks)*tick - time.Duration(boot.Nano())), nil
}
