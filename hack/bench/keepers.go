package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startLoop starts the limit: a process that does nothing but start what has ended.
func startLoop(k *keeper, services []string) (func(), error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=loop")
	cmd.Stderr = os.Stderr
	var in strings.Builder
	for _, s := range services {
		argv := []string{k.command(s)}
		if k.shell() {
			argv = []string{"/sbin/sh", "-c", "exec " + k.command(s)}
		}
		fmt.Fprintln(&in, strings.Join(argv, "\t"))
	}
	cmd.Args = append(cmd.Args, in.String())
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }, nil
}

// playLoop starts commands, one a line, and starts them again: one whose process was killed, or
// left a daemon, which is this process's child then, that was. It forks as package syscall does, by
// vfork, and waits in the kernel.
func playLoop(args []string) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	return locked(func() error {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		of := map[int][]string{} // by session: a daemon is in that of its script
		start := func(argv []string) error {
			pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
				Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
			})
			of[pid] = argv
			return err
		}
		for line := range strings.Lines(args[0]) {
			if err := start(strings.Split(strings.TrimSuffix(line, "\n"), "\t")); err != nil {
				return err
			}
		}
		for {
			// Waited for without being taken: its session is known as long as it is there.
			var info unix.Siginfo
			if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); err == unix.EINTR {
				continue
			} else if err != nil {
				return err
			}
			var status unix.WaitStatus
			pid := endedPid(&info)
			session, err := unix.Getsid(pid)
			if err != nil {
				return err
			}
			if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
				return err
			}
			if argv := of[session]; status.Signaled() && argv != nil {
				delete(of, session)
				if err := start(argv); err != nil {
					return err
				}
			}
		}
	})
}

// endedPid is the process that a siginfo of waitid(2) is about: it is behind three numbers and, where
// pointers have eight bytes, a gap.
func endedPid(info *unix.Siginfo) int {
	offset := 3*unsafe.Sizeof(int32(0)) + unsafe.Sizeof(uintptr(0)) - 4
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}

// prepareS6 makes a directory for each service. s6-supervise counts how long a service has lived from
// when it was ready: so each says that it is, after its report.
func prepareS6(k *keeper, services []string) error {
	dir := restartDir + "/s6"
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := serviceDirs(dir, services); err != nil {
		return err
	}
	for _, s := range services {
		script := strings.Replace(k.script(s), "exec", "echo >&3\nexec", 1)
		if err := os.WriteFile(filepath.Join(dir, s, "run"), []byte(script), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s, "notification-fd"), []byte("3\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// startS6 has s6-svscan keep them.
func startS6(*keeper, []string) (func(), error) {
	return startProgram("s6-svscan", "-c", "1000", "-t", "0", restartDir+"/s6")
}

// startRunit has runsvdir do it.
func startRunit(k *keeper, services []string) (func(), error) {
	dir := restartDir + "/runit"
	if err := serviceDirs(dir, services); err != nil {
		return nil, err
	}
	return startProgram("runsvdir", "-P", dir)
}

// serviceDirs makes directories as s6 and runit have them: the service's script is "run".
func serviceDirs(dir string, services []string) error {
	for _, s := range services {
		if err := os.MkdirAll(filepath.Join(dir, s), 0o755); err != nil {
			return err
		}
		script, err := os.ReadFile(filepath.Join(restartDir, "run", s))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, s, "run"), script, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startDinit has dinit keep them, without its limit of restarts.
func startDinit(k *keeper, services []string) (func(), error) {
	dir := restartDir + "/dinit"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	boot := "type = internal\n"
	for _, s := range services {
		text := "type = process\ncommand = " + k.command(s) + "\nrestart = true\nrestart-delay = 0\nrestart-limit-count = 0\nsmooth-recovery = true\n"
		if err := os.WriteFile(filepath.Join(dir, s), []byte(text), 0o644); err != nil {
			return nil, err
		}
		boot += "waits-for: " + s + "\n"
	}
	if err := os.WriteFile(dir+"/boot", []byte(boot), 0o644); err != nil {
		return nil, err
	}
	return startProgram("dinit", "-u", "-q", "-d", dir, "-p", restartDir+"/dinit.ctl", "-l", os.DevNull, "boot")
}

// startSMF imports one service with an instance for each.
func startSMF(k *keeper, services []string) (func(), error) {
	duration := "child"
	if k.daemon {
		duration = "contract"
	}
	name := strings.ReplaceAll(k.name, ".", "-")
	file := filepath.Join(restartDir, name+".xml")
	if err := os.WriteFile(file, []byte(keptManifest(name, duration, k.command("%i"), services)), 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command("svccfg", "import", file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("svccfg import: %w: %s", err, out)
	}
	return func() { _ = exec.Command("svcadm", "disable", "bench/"+name).Run() }, nil
}

// keptManifest is a service whose instances begin with one command, and are up when it has ended,
// or, of duration child, as long as it runs. Ten starts within one second are too many.
func keptManifest(name, duration, command string, instances []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='%[1]s'>
  <service name='bench/%[1]s' type='service' version='1'>
    <exec_method name='start' type='method' exec='%[3]s' timeout_seconds='60'/>
    <exec_method name='stop' type='method' exec=':kill' timeout_seconds='60'/>
    <property_group name='startd' type='framework'>
      <propval name='duration' type='astring' value='%[2]s'/>
      <propval name='critical_failure_count' type='integer' value='10'/>
      <propval name='critical_failure_period' type='integer' value='1'/>
    </property_group>
`, name, duration, escaped(command))
	for _, i := range instances {
		fmt.Fprintf(&b, "    <instance name='%s' enabled='true'/>\n", i)
	}
	b.WriteString("  </service>\n</service_bundle>\n")
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
