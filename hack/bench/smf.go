package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/tree"
)

// smf measures the repository of a zone: what the import of a thousand services takes of time, of
// the disk and of its server's memory, properties read and written at the door, and svccfg as a
// whole command. The limits are a fork and exec in the same zone, a round trip through pipes, and a
// write that is flushed to the same disk.
func (b *bench) smf() error {
	if !b.wants("smf.import", "smf.manifests", "smf.repository", "smf.server", "smf.svc", "smf.read", "smf.write") {
		return nil
	}
	if err := b.zone("s"); err != nil {
		return err
	}
	if err := b.run("zoneadm", "-z", "s", "boot"); err != nil {
		return err
	}
	if err := b.place("s"); err != nil {
		return err
	}
	if err := b.measure(b.inZone("s", "smf", strconv.Itoa(b.runs))); err != nil {
		return fmt.Errorf("smf: %w", err)
	}
	return b.run("zoneadm", "-z", "s", "halt")
}

const (
	smfServices = 1000
	smfDir      = "/var/tmp/manifests"
	smfTrimTime = 70 * time.Second
)

// smfManifest is a usual one: some two kilobytes.
func smfManifest(name string) string {
	return fmt.Sprintf(`<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='%[1]s'>
  <service name='bench/%[1]s' type='service' version='1'>
    <create_default_instance enabled='false'/>
    <single_instance/>
    <dependency name='fs' grouping='require_all' restart_on='none' type='service'>
      <service_fmri value='svc:/system/filesystem/local'/>
    </dependency>
    <dependency name='net' grouping='require_all' restart_on='error' type='service'>
      <service_fmri value='svc:/milestone/network'/>
    </dependency>
    <dependency name='config' grouping='require_all' restart_on='refresh' type='path'>
      <service_fmri value='file://localhost/etc/%[1]s.conf'/>
    </dependency>
    <exec_method name='start' type='method' exec='/usr/lib/%[1]s -d %%{app/port}' timeout_seconds='60'>
      <method_context working_directory='/var/%[1]s'>
        <method_credential user='nobody' group='nogroup' privileges='basic,net_privaddr'/>
        <method_environment><envvar name='LANG' value='C'/></method_environment>
      </method_context>
    </exec_method>
    <exec_method name='refresh' type='method' exec=':kill -HUP' timeout_seconds='60'/>
    <exec_method name='stop' type='method' exec=':kill' timeout_seconds='60'/>
    <property_group name='startd' type='framework'>
      <propval name='duration' type='astring' value='contract'/>
      <propval name='ignore_error' type='astring' value='core,signal'/>
    </property_group>
    <property_group name='app' type='application'>
      <propval name='port' type='integer' value='8080'/>
      <property name='hosts' type='host'>
        <host_list><value_node value='localhost'/><value_node value='example.com'/></host_list>
      </property>
      <propval name='action_authorization' type='astring' value='solaris.smf.manage.%[1]s'/>
    </property_group>
    <stability value='Evolving'/>
    <template>
      <common_name><loctext xml:lang='C'>the service %[1]s</loctext></common_name>
      <documentation><manpage title='%[1]s' section='8' manpath='/usr/share/man'/></documentation>
    </template>
  </service>
</service_bundle>
`, name)
}

// playSMF is the measurer in the zone.
func playSMF(args []string) error {
	runs, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := smfReady(); err != nil {
		return err
	}
	for _, step := range []func(int) error{smfImport, smfCommand, smfDoor, smfTrimmed} {
		if err := step(runs); err != nil {
			return err
		}
	}
	return nil
}

// smfReady waits for the imports of the boot.
func smfReady() error {
	for range 600 {
		if out, err := exec.Command("svcs", "-H", "-o", "state", "manifest-import").Output(); err == nil && string(out) == "online\n" {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the zone's manifests are not imported")
}

// smfServer is the memory of svc.startd, in kB: its own, and what is mapped of files.
func smfServer() (anon, pss float64, err error) {
	out, err := exec.Command("pgrep", "-o", "svc.startd").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("pgrep: %w", err)
	}
	m, err := rollup(strings.TrimSpace(string(out)))
	return m["Anonymous"], m["Pss"], err
}

// smfImport imports a thousand manifests with one command, and once more with nothing to do.
func smfImport(int) error {
	if err := os.MkdirAll(smfDir, 0o755); err != nil {
		return err
	}
	var bytes int
	for i := range smfServices {
		name := "s" + strconv.Itoa(i)
		text := smfManifest(name)
		bytes += len(text)
		if err := os.WriteFile(filepath.Join(smfDir, name+".xml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	before, _, err := smfServer()
	if err != nil {
		return err
	}
	for _, name := range []string{"smf.import-1000", "smf.import-1000-again"} {
		ms, err := timed(func() error { return exec.Command("svccfg", "import", smfDir).Run() })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		tell(name, "ms", "", []float64{ms})
	}
	info, err := os.Stat(repo.DefaultPath)
	if err != nil {
		return err
	}
	tell("smf.manifests-1000", "kB", "", []float64{float64(bytes) / 1024})
	tell("smf.repository-1000", "kB", "", []float64{float64(info.Size()) / 1024})
	anon, pss, err := smfServer()
	if err != nil {
		return err
	}
	tell("smf.server-anonymous.before", "kB", "", []float64{before})
	tell("smf.server-anonymous.after", "kB", "", []float64{anon})
	tell("smf.server-pss.after", "kB", "", []float64{pss})
	return nil
}

// smfTrimmed is the server's memory when it has given back what the imports took. It does so a
// minute after a change at the latest; which it is told by nothing but its memory.
func smfTrimmed(int) error {
	time.Sleep(smfTrimTime)
	anon, pss, err := smfServer()
	if err != nil {
		return err
	}
	tell("smf.server-anonymous.trimmed", "kB", "", []float64{anon})
	tell("smf.server-pss.trimmed", "kB", "", []float64{pss})
	return nil
}

// smfCommand is svccfg import of one manifest, new each time, as a whole command; and svcprop.
func smfCommand(runs int) error {
	var limit, imports, props []float64
	for i := range runs {
		file := filepath.Join(smfDir, "one"+strconv.Itoa(i)+".xml")
		if err := os.WriteFile(file, []byte(smfManifest("one"+strconv.Itoa(i))), 0o644); err != nil {
			return err
		}
		for _, c := range []struct {
			into *[]float64
			argv []string
		}{
			{&limit, []string{"/bin/true"}}, {&imports, []string{"svccfg", "import", file}},
			{&props, []string{"svcprop", "-p", "app/port", "bench/s1:default"}},
		} {
			ms, err := timed(func() error { return exec.Command(c.argv[0], c.argv[1:]...).Run() })
			if err != nil {
				return fmt.Errorf("%v: %w", c.argv, err)
			}
			*c.into = append(*c.into, ms)
		}
	}
	tell("limit.true", "ms", "", limit)
	tell("smf.svccfg-import", "ms", "limit.true", imports)
	tell("smf.svcprop", "ms", "limit.true", props)
	return nil
}

// smfDoor is properties read and written by one client and by eight at once.
func smfDoor(runs int) error {
	there, back, err := echo()
	if err != nil {
		return err
	}
	defer there.Close()
	buf := make([]byte, 1)
	us, err := each(10*runs, func(int) error {
		if _, err := there.Write(buf); err != nil {
			return err
		}
		_, err := back.Read(buf)
		return err
	})
	if err != nil {
		return err
	}
	tell("limit.pipes", "us", "", us)
	if us, err = flushes(10 * runs); err != nil {
		return err
	}
	tell("limit.flush", "us", "", us)
	for _, m := range []struct {
		name, limit string
		call        func(c door.Store, i int) error
	}{
		{"smf.read", "limit.pipes", func(c door.Store, i int) error {
			_, err := c.Property(smfInstance(i), door.Effective, "app", "port")
			return err
		}},
		{"smf.write", "limit.flush", func(c door.Store, i int) error {
			var batch repo.Batch
			batch.SetValues(repo.Entity{Service: smfInstance(i).Service}, "app", tree.Property{Name: "port", Type: prop.Integer, Values: []string{strconv.Itoa(i)}})
			_, err := c.Apply(&batch)
			return err
		}},
	} {
		for _, clients := range []int{1, 8} {
			us, err := atOnce(clients, 10*runs, m.call)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			tellTail(fmt.Sprintf("%s.clients-%d", m.name, clients), "us", m.limit, us)
		}
	}
	return nil
}

func smfInstance(i int) repo.Entity {
	return repo.Entity{Service: "bench/s" + strconv.Itoa(i%smfServices), Instance: "default"}
}

// atOnce has clients call n times each, at once.
func atOnce(clients, n int, call func(c door.Store, i int) error) ([]float64, error) {
	times, errs := make([][]float64, clients), make([]error, clients)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			c := client.New(client.Config{})
			defer c.Close()
			if _, errs[i] = c.Generation(); errs[i] != nil {
				return
			}
			times[i], errs[i] = each(n, func(k int) error { return call(c, k*clients+i) })
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(times...), nil
}

// flushes writes a page and has it on the disk of the repository.
func flushes(n int) ([]float64, error) {
	f, err := os.CreateTemp("/etc/svc", "bench")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	return each(n, func(int) error {
		if _, err := f.WriteAt(page, 0); err != nil {
			return err
		}
		return unix.Fdatasync(int(f.Fd()))
	})
}
