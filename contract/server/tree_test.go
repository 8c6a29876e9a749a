package server

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The tree is the original's, with its modes, owners and links.
func TestTree(t *testing.T) {
	r := startRig(t)
	a := r.agent(1001)
	ct, _ := a.start("", "/bin/sleep", "1000")
	id := strconv.Itoa(ct)
	for _, f := range []struct {
		path, mode string
		uid        int
		links      string
	}{
		{"", "40555", 0, "4"},
		{"all", "40555", 0, "2"},
		{"process", "40555", 0, "4"},
		{"process/template", "100666", 0, "1"},
		{"process/latest", "100444", 0, "1"},
		{"process/bundle", "100444", 0, "1"},
		{"process/ctl", "100222", 0, "1"},
		{"process/pbundle", "100444", 0, "1"},
		{"process/" + id, "40555", 0, "2"},
		{"process/" + id + "/ctl", "100222", 1001, "1"},
		{"process/" + id + "/status", "100444", 1001, "1"},
		{"process/" + id + "/events", "100444", 1001, "1"},
		{"all/" + id, "120777", 1001, "1"},
	} {
		w := strings.Fields(a.must(ask{Do: "stat", Path: f.path}).Text)
		if w[0] != f.mode || w[1] != strconv.Itoa(f.uid) || w[2] != "0" || w[3] != f.links {
			t.Errorf("%q: %v, want mode %s, user %d, links %s", f.path, w, f.mode, f.uid, f.links)
		}
	}
	for _, name := range []string{"x", "process/x", "process/0", "process/02", "process/+2", "process/99999", "process/2/x", "all/x", "process/4294967298", "process/-1"} {
		if w := a.ask(ask{Do: "stat", Path: name}); unix.Errno(w.Errno) != unix.ENOENT {
			t.Errorf("%s: %+v", name, w)
		}
	}
	for dir, want := range map[string]string{"": "all process", "all": "1 " + id, "process": "1 " + id + " bundle ctl latest pbundle template", "process/" + id: "ctl events status"} {
		if out, code := r.sh(1001, "ls ./"+dir+" | tr '\\n' ' '"); strings.TrimSpace(out) != want || code != 0 {
			t.Errorf("ls %s: %q", dir, out)
		}
	}
	if out, _ := r.sh(0, "cat all/"+id+"/status | head -1; readlink all/"+id); out != "id "+id+"\n../process/"+id+"\n" {
		t.Errorf("through the link: %q", out)
	}
	if out, _ := r.sh(0, "stat -f -c '%T %l' ."); strings.TrimSpace(out) != "fuseblk 255" && strings.TrimSpace(out) != "fuse 255" {
		t.Errorf("stat -f: %q", out)
	}
}

// Nothing of the tree can be changed, not by root either.
func TestUnchangeable(t *testing.T) {
	r := startRig(t)
	for _, uid := range []int{0, 1001} {
		a := r.agent(uid)
		for _, name := range []string{"x", "all/x", "process/x", "process/1/x", "process/1/status", "process/template", "process/1", "all/1"} {
			for _, how := range []string{"mkdir", "rmdir", "unlink", "create", "symlink", "link", "rename", "chmod", "chown", "utimes", "truncate1", "mknod", "setxattr", "exec"} {
				exists := path.Base(name) != "x"
				if how == "create" && exists { // an open of what is there
					continue
				}
				if w := a.ask(ask{Do: "path", Path: name, Argv: []string{how}}); w.Errno == 0 {
					t.Errorf("user %d: %s %s was done", uid, how, name)
				}
			}
		}
		if w := a.ask(ask{Do: "path", Path: "process/template", Argv: []string{"truncate"}}); w.Errno != 0 {
			t.Errorf("truncate a template: %+v", w)
		}
		if w := a.ask(ask{Do: "path", Path: "process/1/status", Argv: []string{"truncate"}}); w.Errno == 0 {
			t.Error("a status was truncated")
		}
	}
	if out, code := r.sh(0, "ls process/1 && stat -c %a process/1/status"); code != 0 || out != "ctl\nevents\nstatus\n444\n" {
		t.Errorf("afterwards: %q", out)
	}
}

// A list that is read while contracts come and go has each that was there all the time, once.
func TestListChanges(t *testing.T) {
	r := startRig(t)
	a := r.agent(0)
	const many = 400 // more than one answer of the kernel's buffer holds
	var kept []int
	for range many {
		ct, pid := a.start("critical none\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
		kept = append(kept, ct)
	}
	out := r.following(r.client(0, "list", "process"))
	names := strings.Fields(out.until("first ")[0])
	// The even ones go, new ones come.
	for i, ct := range kept {
		if i%2 == 0 {
			ctl := a.open(fmt.Sprintf("process/%d/ctl", ct), unix.O_WRONLY)
			if e := a.write(ctl, "abandon"); e != 0 {
				t.Fatal(e)
			}
			a.must(ask{Do: "close", N: ctl})
		}
	}
	for range 50 {
		_, pid := a.start("critical none\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
	}
	_, err := out.in.Write([]byte("\n"))
	check(t, err)
	for _, line := range out.until("end") {
		names = append(names, strings.Fields(line)...)
	}
	for i, ct := range kept {
		n := 0
		for _, name := range names {
			if name == strconv.Itoa(ct) {
				n++
			}
		}
		if i%2 == 1 && n != 1 || n > 1 {
			t.Errorf("contract %d is in the list %d times", ct, n)
		}
	}
	for _, name := range []string{".", "..", "template", "latest", "bundle", "pbundle"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
}
