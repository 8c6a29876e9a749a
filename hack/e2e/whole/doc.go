// Package whole lives in zones as their users do, and as root gone mad does: the real
// programs, zones made from a Debian tree and from the host's own software. There is nothing
// in it but tests.
//
//	install_test.go   a tree installed from a directory and from archives is the same tree
//	login_test.go     users, exit statuses, deaths by signals, streams, signals from outside
//	software_test.go  su, setuid programs, apt-get and dpkg in a zone
//	wipe_test.go      rm -rf / in a zone: the host is hashed before and after
//	fs_test.go        fs resources: shared directories, memory, a disk; a writable /usr
//	network_test.go   ip-type
//	confine_test.go   capabilities, seccomp, masks, devices, keys, reboot(2)
//	cgroup_test.go    what is delegated and what is not
//	mnttab_test.go    /etc/mnttab against the kernel's table
//	sparse_test.go    the host's software works; the host's secrets are not there
//
// Oracles are the kernel (/proc, system calls made by a program of the tests inside of the
// zone) and the host's own files. The test program is also what runs in the zones: copied
// there it plays a role (role_test.go).
package whole
