package bootimport_test

import (
	"os"
	"strings"
	"testing"
)

func (s *system) read(path string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(path))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(b)
}

// withProfiles is a system with services a and b, and profiles of its own.
func withProfiles(t *testing.T) *system {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", manifest("a"))
	s.write("/lib/svc/manifest/b.xml", manifest("b"))
	s.write("/lib/svc/profile/generic.xml", profile("a"))
	s.write("/lib/svc/profile/platform.xml", profile("b"))
	return s
}

// TestProfilesPlaced: those of the system are copied by the late one, and applied.
func TestProfilesPlaced(t *testing.T) {
	s := withProfiles(t)
	s.run(0, "-e")
	if s.read("/etc/svc/profile/generic.xml") != "" {
		t.Error("the early one copies")
	}
	s.run(0)
	for name, want := range map[string]string{"generic.xml": profile("a"), "platform.xml": profile("b")} {
		info, err := os.Lstat(s.path("/etc/svc/profile/" + name))
		if s.read("/etc/svc/profile/"+name) != want || err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if s.enabled("a") != "true" || s.enabled("b") != "true" {
		t.Error("they are not applied")
	}
}

// TestProfilesKept: those that an administrator has stay, the others come.
func TestProfilesKept(t *testing.T) {
	s := withProfiles(t)
	mine := strings.Replace(profile("b"), "true", "false", 1)
	s.write("/etc/svc/profile/platform.xml", mine)
	must(t, os.Symlink("nowhere", s.path("/etc/svc/profile/other.xml")))
	s.write("/lib/svc/profile/other.xml", profile("b"))
	s.run(0)
	if s.read("/etc/svc/profile/platform.xml") != mine || s.enabled("b") != "false" || s.enabled("a") != "true" {
		t.Error("what an administrator has is replaced, or the others do not come")
	}
	if to, err := os.Readlink(s.path("/etc/svc/profile/other.xml")); to != "nowhere" || err != nil {
		t.Errorf("%s, %v", to, err)
	}
}

// TestProfilesTakenAway: what an administrator has taken away does not come again, nor does what
// the system has new.
func TestProfilesTakenAway(t *testing.T) {
	s := withProfiles(t)
	s.run(0)
	must(t, os.Remove(s.path("/etc/svc/profile/platform.xml")))
	s.write("/lib/svc/profile/new.xml", profile("b"))
	s.run(0)
	if s.read("/etc/svc/profile/platform.xml") != "" || s.read("/etc/svc/profile/new.xml") != "" {
		t.Error("a directory that has generic.xml gets others")
	}
	must(t, os.RemoveAll(s.path("/etc/svc/profile")))
	s.run(0)
	if _, err := os.Lstat(s.path("/etc/svc/profile")); !os.IsNotExist(err) {
		t.Errorf("a repository that generic.xml was applied to gets it again: %v", err)
	}
}

// TestGenericThere: whatever has its name.
func TestGenericThere(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a file":      func(path string) error { return os.WriteFile(path, []byte(profile("b")), 0o644) },
		"a link":      func(path string) error { return os.Symlink("mine.xml", path) },
		"a dead link": func(path string) error { return os.Symlink("nowhere.xml", path) },
	} {
		s := withProfiles(t)
		s.write("/etc/svc/profile/mine.xml", profile("b"))
		must(t, put(s.path("/etc/svc/profile/generic.xml")))
		code := 0
		if name == "a dead link" {
			code = 95
		}
		s.run(code)
		if s.read("/etc/svc/profile/platform.xml") != "" || s.enabled("a") == "true" {
			t.Errorf("%s: the system's come", name)
		}
	}
}

// TestProfilesOfOtherKinds: what is no file of its own, or is no profile by its name, stays.
func TestProfilesOfOtherKinds(t *testing.T) {
	s := withProfiles(t)
	s.write("/lib/svc/profile/README", "text")
	s.write("/lib/svc/profile/sub.xml/x.xml", profile("b"))
	must(t, os.Symlink("/etc/passwd", s.path("/lib/svc/profile/link.xml")))
	s.run(0)
	entries, err := os.ReadDir(s.path("/etc/svc/profile"))
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "generic.xml platform.xml" {
		t.Errorf("placed: %s", got)
	}
}

// TestProfileTooLarge: one that cannot be copied is told and stops no other; generic.xml waits
// for it, so that it comes when it was mended.
func TestProfileTooLarge(t *testing.T) {
	s := withProfiles(t)
	s.write("/lib/svc/profile/aaa.xml", strings.Repeat(" ", 2<<20))
	s.run(95)
	if !strings.Contains(s.err.String(), "aaa.xml") || s.read("/etc/svc/profile/platform.xml") == "" || s.read("/etc/svc/profile/generic.xml") != "" {
		t.Errorf("%q", &s.err)
	}
	if s.enabled("b") != "true" {
		t.Error("the others are not applied")
	}
	s.write("/lib/svc/profile/aaa.xml", profile("b"))
	s.run(0)
	if s.enabled("a") != "true" || s.read("/etc/svc/profile/aaa.xml") == "" {
		t.Error("what was mended does not come")
	}
}

// TestProfileDirectories: what stands in a directory's place is told; the manifests are imported.
func TestProfileDirectories(t *testing.T) {
	for _, path := range []string{"/lib/svc/profile", "/etc/svc/profile"} {
		s := withProfiles(t)
		must(t, os.RemoveAll(s.path(path)))
		s.write(path, "a file")
		s.run(95)
		if !s.is("a") || !strings.Contains(s.err.String(), "/etc/svc/profile: ") {
			t.Errorf("%s: %q", path, &s.err)
		}
	}
}
