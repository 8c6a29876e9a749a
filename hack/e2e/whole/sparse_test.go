package whole

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// onHost says whether the host has a program or file, so that a sparse zone should have it.
func onHost(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestSparse: the host's software works in a zone that has no image.
func TestSparse(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "s")
	for _, c := range []struct{ needs, command, want string }{
		{"/bin/bash", `bash -c 'echo $((6*7)) ${BASH_VERSION:+bash}'`, "42 bash\n"},
		{"/usr/bin/sort", `printf '2\n10\n1\n' | sort -n | tail -n 1; echo x | tr x y; date -d @0 -u +%Y; seq 3 | wc -l`, "10\ny\n1970\n3\n"},
		{"/usr/bin/awk", `echo 1 2 | awk '{ print $1 + $2 }'; echo abc | sed s/b/x/; echo abc | grep -o b`, "3\naxc\nb\n"},
		{"/usr/bin/perl", `perl -e 'print "perl ", 6*7, "\n"'`, "perl 42\n"},
		{"/usr/bin/python3", `/usr/bin/python3 -c 'import json, ssl, socket; print(json.dumps([42]))'`, "[42]\n"},
		{"/usr/bin/openssl", `openssl rand -hex 4 | wc -c`, "9\n"},
		{"/usr/bin/tar", `cd /var/tmp && mkdir -p a && echo b >a/b && tar -czf a.tgz a && rm -r a && tar -xzf a.tgz && cat a/b`, "b\n"},
		{"/usr/bin/getent", `getent hosts localhost | awk '{ print $2 }'; getent passwd root | cut -d: -f 1; getent services ssh | awk '{ print $2 }'; getent group tty | cut -d: -f 3`, "localhost\nroot\n22/tcp\n5\n"},
		{"/usr/sbin/useradd", `useradd -m -s /bin/bash eve && su - eve -c 'id -un; pwd'; userdel -r eve 2>/dev/null; id eve 2>/dev/null || echo gone`, "eve\n/home/eve\ngone\n"},
		{"/bin/busybox", `cd /srv && echo page >index.html && busybox httpd -p 127.0.0.1:8080 -h /srv && busybox wget -q -O - http://127.0.0.1:8080/index.html`, "page\n"},
		{"/usr/bin/dbus-daemon", `mkdir -p /run/dbus && dbus-daemon --session --fork --address=unix:path=/run/dbus/s --print-pid | grep -c '^[0-9]'`, "1\n"},
		{"/etc/ssl/certs/ca-certificates.crt", `grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt | grep -vx 0 >/dev/null; test -d /etc/ssl/certs && echo certs`, "certs\n"},
		{"/", `zonename; tty; echo x >/dev/null; mount | grep -c overlay`, "s\nnot a tty\n1\n"},
	} {
		if !onHost(c.needs) {
			t.Logf("the host has no %s", c.needs)
			continue
		}
		// tty fails without a terminal, hence the last command decides.
		if s := zlogin(t, z, "s", c.command); s.out != c.want {
			t.Errorf("%s: %v\nwant %q", c.command, s, c.want)
		}
	}
	for _, c := range []string{"touch /usr/x", "touch /bin/x", "rm /usr/bin/env", "chmod 777 /usr", "chown 1 /usr/bin/env", "mount -o remount,rw /usr", "touch /lib/svc/bin/x", "touch /usr/local/x"} {
		if s := zlogin(t, z, "s", c); s.exit == 0 {
			t.Errorf("%s succeeded", c)
		}
	}
	if got := inZone(t, z, "s", "ls -A /usr/local /home /opt /srv/.. | grep -c vmlinuz; stat -c '%U' /usr/bin/env"); got != "0\nroot\n" {
		if !strings.HasSuffix(got, "root\n") {
			t.Errorf("the owner of the host's files: %q", got)
		}
	}
}

// TestSecrets: nothing that only the host's root may read comes into a sparse zone.
func TestSecrets(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "s")
	secrets := map[[32]byte]string{}
	for _, dir := range []string{"/etc", "/root/.ssh", "/var/lib/private", "/var/log"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			var st unix.Stat_t
			if unix.Lstat(path, &st) != nil || st.Size == 0 || st.Size > 1<<20 || dir == "/etc" && st.Mode&0o004 != 0 {
				return nil
			}
			if b, err := os.ReadFile(path); err == nil {
				secrets[sha256.Sum256(b)] = path
			}
			return nil
		})
	}
	if len(secrets) < 2 {
		t.Fatalf("the host has only %d secrets: the walk is wrong", len(secrets))
	}
	z.ServicesUp("s")
	root := inside(z, "s", "")
	files := 0
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the zone lives: it has taken it away
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		must(t, err)
		files++
		if from, found := secrets[sha256.Sum256(b)]; found {
			t.Errorf("the zone has the host's %s as %s", from, strings.TrimPrefix(path, root))
		}
		return nil
	}))
	if files < 100 {
		t.Errorf("the zone has only %d files of its own", files)
	}
	// A planted one is seen by the same comparison.
	shadow, err := os.ReadFile("/etc/shadow")
	must(t, err)
	if _, found := secrets[sha256.Sum256(shadow)]; !found {
		t.Error("the comparison does not know /etc/shadow")
	}
	if got := inZone(t, z, "s", "cut -d: -f2 /etc/shadow | sort -u; ls -A /home /opt /srv /mnt /media | grep -v :; find /var -type f -size +0 ! -path "+actor+" ! -path '/var/log/*' ! -path '/var/svc/log/*'; find /root -type f ! -name '.*'"); strings.Contains(got, "$") || strings.Contains(got, "/") {
		t.Errorf("the zone's accounts and directories: %q", got)
	}
	for _, path := range []string{"/etc/ssh", "/etc/sudoers", "/etc/ssl/private", "/etc/krb5.keytab", "/root/.ssh", "/boot", "/var/lib/dpkg"} {
		if s := zlogin(t, z, "s", "ls -A "+path+" 2>/dev/null"); s.out != "" {
			t.Errorf("%s in the zone: %v", path, s)
		}
	}
	hostID, err := os.ReadFile("/etc/machine-id")
	if err == nil && strings.Contains(inZone(t, z, "s", "cat /etc/machine-id"), strings.TrimSpace(string(hostID))) {
		t.Error("the zone is the host by its machine-id")
	}
}

// TestEnvironment: nothing of who runs zlogin or zoneadm comes into the zone.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Setenv("PLANTED_SECRET", "hunter2")
	z.Sparse("s")
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	// A careless caller: a descriptor that is not close-on-exec, a directory, a mask.
	cmd := exec.Command("/bin/sh", "-c", `umask 077; cd /etc; exec 7<&3; `+z.Bin+`/zoneadm -z s boot && `+z.Bin+`/zlogin s 'env; cat /proc/1/environ /proc/*/environ; ls -l /proc/self/fd /proc/1/fd; pwd; readlink /proc/1/cwd; umask; ulimit -c; cat /proc/self/status'`)
	cmd.Env, cmd.ExtraFiles = z.Env(), []*os.File{r}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	var st unix.Stat_t
	must(t, unix.Fstat(int(r.Fd()), &st))
	// Of the pipe, whatever its number there: init has a seventh descriptor of its own now and then.
	for _, leak := range []string{"hunter2", "ZONES_ROOT", z.Root, "/etc\n", fmt.Sprintf("pipe:[%d]", st.Ino), "0077\n"} {
		if strings.Contains(text, leak) {
			t.Errorf("%q is in the zone:\n%s", leak, text)
		}
	}
	for _, want := range []string{"/root\n", "0022\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the zone", want)
		}
	}
	if got := field(text, "SigIgn"); got != "0000000000000000" && got != "" {
		t.Errorf("ignored signals: %s", got)
	}
}
