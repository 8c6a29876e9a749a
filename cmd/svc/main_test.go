package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
)

// role has the test binary be the program, by the name that it is called by.
const role = "SVC_PROGRAM_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		os.Exit(run(os.Args))
	}
	testenv.Main(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call runs the program by a name, on the repository of the path, if there is one.
func call(t *testing.T, repository string, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: args, Stdout: &o, Stderr: &e}
	cmd.Env = append(os.Environ(), role+"=1", "SVCCFG_REPOSITORY="+repository)
	must(t, cmd.Start())
	stuck := time.AfterFunc(testenv.Deadline(30*time.Second), func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	_ = cmd.Wait()
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// TestNames: what each name does on a host, which has no repository.
func TestNames(t *testing.T) {
	if inZone() {
		t.Fatal("this machine has a repository")
	}
	const none = "this host has no repository of services"
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"svccfg list", 1, none},
		{"/usr/sbin/svccfg -s x list", 1, none},
		{"svccfg -x", 2, "Usage:"},
		{"svccfg -z", 2, ""},
		{"svccfg -z global list", 1, none},
		{"svccfg -z ../x list", 1, ""},
		{"svccfg -z no-such-zone list", 1, "unknown"},
		{"/usr/sbin/svcadm enable x", 1, "svcadm: Couldn't bind to configuration repository: " + none},
		{"svcadm", 2, "Usage: svcadm"},
		{"svcadm -z global enable x", 1, none},
		{"svcadm -z no-such-zone enable x", 1, "svcadm: invalid zone 'no-such-zone': zone 'no-such-zone' unknown"},
		{"svcadm milestone x", 2, "is not a valid major milestone"},
		{"svcprop x", 1, none},
		{"svcprop", 2, ""},
		{"svcprop -z global x", 1, none},
		{"svcprop -z no-such-zone x", 1, "zone 'no-such-zone' unknown"},
		{"manifest-import", 1, none},
		{"manifest-import -e", 1, none},
		{"manifest-import -x", 2, "usage: manifest-import [-e]"},
		{"repository-relay", 1, "/etc/svc"},
		{"restore_repository", 1, "restore_repository: open /etc/svc: no such file"},
		{"restore_repository /none", 1, "restore_repository: "},
		{"restore_repository a b", 2, "usage: restore_repository"},
		{"restore_repository -l", 2, "usage: restore_repository"},
		{"smtp-notify /usr/sbin/sendmail", 1, none},
		{"smtp-notify", 2, "usage: smtp-notify SENDMAIL"},
		{"svc", 2, "svc: this program is svccfg,"},
		{"/bin/svcs -a", 1, "svcs: Could not bind to repository server: " + none},
		{"svcs -z global", 1, none},
		{"svcs -z no-such-zone", 1, "zone 'no-such-zone' unknown"},
		{"svcs -l", 2, "Usage: svcs"},
		{"svcs -o none", 1, "svcs: Unknown column \"none\"."},
	} {
		out, errs, code := call(t, "", strings.Fields(c.args)...)
		if code != c.code || out != "" || errs == "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, %q %q", c.args, code, out, errs)
		}
	}
	if run(nil) != 2 {
		t.Error("without a name")
	}
}

// repository is one with service n and a backup of before that.
func repository(t *testing.T) (path, backup string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "repository.db")
	r, err := repo.Open(repo.Config{Path: path})
	must(t, err)
	backup, _, err = r.Backup("boot")
	must(t, err)
	var b repo.Batch
	b.Create(repo.Entity{Service: "site/n"})
	_, err = r.Apply(&b)
	must(t, err)
	must(t, r.Close())
	return path, backup
}

// TestFile: svccfg works on a file that nobody serves.
func TestFile(t *testing.T) {
	path, _ := repository(t)
	if out, errs, code := call(t, path, "svccfg", "list"); out != "site/n\n" || errs != "" || code != 0 {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
	must(t, os.Truncate(path, 100))
	if _, errs, code := call(t, path, "svccfg", "list"); code != 1 || !strings.Contains(errs, "is damaged") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// TestRestore: the way back that the text of a damaged repository names.
func TestRestore(t *testing.T) {
	path, backup := repository(t)
	bad := strings.TrimSuffix(backup, filepath.Base(backup)) + "repository-boot-20200102_030405"
	must(t, os.WriteFile(bad, []byte("junk"), 0o600))
	out, errs, code := call(t, path, "restore_repository")
	lines := strings.Split(out, "\n")
	if code != 0 || errs != "" || len(lines) != 3 || !strings.HasSuffix(lines[0], backup+"  good") || !strings.Contains(lines[1], bad) || strings.Contains(lines[1], "good") {
		t.Errorf("list: exit %d, %q %q", code, out, errs)
	}
	must(t, os.Truncate(path, 100))
	out, errs, code = call(t, path, "restore_repository", backup)
	if code != 0 || errs != "" || !strings.HasPrefix(out, path+" is now what "+backup+" was") {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
	must(t, repo.Check(path))
	kept, err := filepath.Glob(filepath.Join(filepath.Dir(path), "repository-replaced-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Size() != 100 {
		t.Errorf("%v, %v", info, err)
	}
	if out, errs, code := call(t, path, "svccfg", "list"); out != "" || errs != "" || code != 0 {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
}

// TestRestoreRefuses: what is no good backup, and a repository that is in use, stay as they are.
func TestRestoreRefuses(t *testing.T) {
	path, backup := repository(t)
	dir := filepath.Dir(path)
	junk, pipe, link := filepath.Join(dir, "junk"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	must(t, os.WriteFile(junk, bytes.Repeat([]byte("junk"), 9999), 0o600))
	must(t, unix.Mkfifo(pipe, 0o600))
	must(t, os.Symlink(backup, link))
	before, err := os.ReadFile(path)
	must(t, err)
	refused := func(file, want string) {
		t.Helper()
		out, errs, code := call(t, path, "restore_repository", file)
		if code != 1 || out != "" || !strings.HasPrefix(errs, "restore_repository: ") || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %q %q", file, code, out, errs)
		}
		now, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(now, before) {
			t.Errorf("%s: the repository is another: %v", file, err)
		}
	}
	refused(filepath.Join(dir, "none"), "no such file")
	refused(junk, "is damaged")
	refused(pipe, "")
	refused(link, "too many levels")
	refused(dir, "")
	refused("", "no such file")
	r, err := repo.Open(repo.Config{Path: path})
	must(t, err)
	refused(backup, "svc.startd has it open, so it is not damaged")
	must(t, r.Close())
	empty := filepath.Join(t.TempDir(), "repository.db")
	if _, errs, code := call(t, empty, "restore_repository"); code != 1 || !strings.Contains(errs, "has no backups") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
