package server

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageMain is a mount namespace of the host's, in which the file system is placed, before the
// zone's is made from it: DIR GN, the mount as descriptor 3.
func stageMain(args []string) error {
	dir, root := args[0], args[1]
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.MoveMount(3, "", unix.AT_FDCWD, dir+"/contract", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("place the file system: %w", err)
	}
	unix.CloseOnExec(3)
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: zoneUID, Size: zoneCount}}
	init := exec.Command("/proc/self/exe", dir)
	init.Env = append(os.Environ(), roleVariable+"=init")
	init.Stdin, init.Stdout, init.Stderr = os.Stdin, os.Stdout, os.Stderr
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Unshareflags: unix.CLONE_NEWCGROUP,
		UidMappings:  maps, GidMappings: maps, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, UseCgroupFD: true, CgroupFD: fd,
	}
	if err := init.Start(); err != nil {
		return fmt.Errorf("start init: %w", err)
	}
	fmt.Println(init.Process.Pid)
	return init.Wait()
}

// initMain is the zone's first process: it reaps until its standard input ends.
func initMain(args []string) error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil { // it is in its contract now
		return err
	}
	dir := args[0]
	for _, m := range []struct{ at, kind string }{{dir + "/proc", "proc"}, {"/proc", "proc"}, {dir + "/cgroup", "cgroup2"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	fmt.Println("ready")
	go func() {
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
				_, _ = unix.Poll(nil, 20)
			}
		}
	}()
	_, _ = in.ReadString('\n')
	return nil
}
