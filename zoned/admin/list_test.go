package admin_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/admin"
)

// someZones are one of each kind, with uuids that do not change.
func someZones(t *testing.T) *rig {
	r := newRig(t)
	r.Zone = ""
	r.zone("db", configs.Running, func(z *configs.Zone) { z.IPType = configs.IPShared })
	r.zone("web", configs.Installed)
	r.zone("new", configs.Configured, func(z *configs.Zone) { z.Path = "/z:1/new" })
	r.zone("half", configs.Incomplete, func(z *configs.Zone) { z.Brand = "whole" })
	r.zone("early", configs.Ready)
	r.zone("lost", configs.Running)
	r.zone("a-zone-with-a-very-long-name", configs.Installed, func(z *configs.Zone) {
		z.Path = "/var/lib/zones/and/a/path/that/exceeds/the/column"
	})
	r.status("db", `"state":"running","id":12,"zoned":`+self(t))
	r.status("early", `"state":"ready","id":4,"note":"waits for you","zsched":`+self(t))
	r.status("lost", `"state":"running","id":7,"zsched":{"pid":999999999,"start":1},"zoned":{"pid":999999998,"start":1}`)
	r.status("web", `"state":"installed","id":0`)
	index := filepath.Join(r.Layout.Etc, "index")
	b, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i, l := range lines {
		if at := strings.LastIndexByte(l, ':'); at >= 0 && len(l)-at == 37 {
			lines[i] = l[:at+1] + fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		}
	}
	r.file(index, strings.Join(lines, "\n"))
	return r
}

func TestListGolden(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		o          admin.ListOptions
	}{
		{"names", "", admin.ListOptions{}},
		{"names-noglobal", "", admin.ListOptions{NoGlobal: true}},
		{"installed", "", admin.ListOptions{Which: admin.WhichInstalled}},
		{"all-table", "", admin.ListOptions{Which: admin.WhichAll, Form: admin.FormTable}},
		{"all-parsable", "", admin.ListOptions{Which: admin.WhichAll, Form: admin.FormParsable}},
		{"all-json", "", admin.ListOptions{Which: admin.WhichAll, Form: admin.FormJSON}},
		{"one", "new", admin.ListOptions{}},
		{"one-parsable", "new", admin.ListOptions{Form: admin.FormParsable}},
		{"one-table", "lost", admin.ListOptions{Form: admin.FormTable}},
		{"global-table", "global", admin.ListOptions{Form: admin.FormTable}},
	} {
		r := someZones(t)
		r.Zone = c.zone
		if err := r.List(c.o); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if r.err.Len() > 0 {
			t.Errorf("%s: said %q", c.name, r.err.String())
		}
		golden(t, "list-"+c.name+".txt", r.out.String())
	}
}

func TestListOfNothing(t *testing.T) {
	r := newRig(t)
	r.Zone = ""
	if err := r.List(admin.ListOptions{Which: admin.WhichAll, NoGlobal: true, Form: admin.FormJSON}); err != nil || r.out.String() != "[]\n" {
		t.Errorf("%q, %v", r.out.String(), err)
	}
	r.Zone = "nosuch"
	if err := r.List(admin.ListOptions{}); !errors.Is(err, configs.ErrNoZone) {
		t.Error(err)
	}
}

// TestListBesideBrokenFiles: one zone's spoiled files do not hide the others, nor it.
func TestListBesideBrokenFiles(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"xml":          func(r *rig) { r.file(filepath.Join(r.Layout.Etc, "web.xml"), "<zone") },
		"no xml":       func(r *rig) { _ = os.Remove(filepath.Join(r.Layout.Etc, "web.xml")) },
		"status":       func(r *rig) { r.file(r.Layout.StatusFile("web"), `{"state":`) },
		"status state": func(r *rig) { r.status("web", `"state":"flying"`) },
	} {
		r := someZones(t)
		spoil(r)
		err := r.List(admin.ListOptions{Which: admin.WhichAll, Form: admin.FormParsable})
		if !errors.Is(err, admin.ErrSaid) || strings.Count(r.err.String(), "\n") != 1 || !strings.HasPrefix(r.err.String(), "zoneadm: zone 'web': ") {
			t.Errorf("%s: %v, said %q", name, err, r.err.String())
		}
		if n := strings.Count(r.out.String(), "\n"); n != 8 || !strings.Contains(r.out.String(), "-:web:installed:") {
			t.Errorf("%s: %s", name, r.out.String())
		}
	}
}

// TestStatusOfAnotherBoot is dead state: /run may be on a disk.
func TestStatusOfAnotherBoot(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	r.file(r.Layout.StatusFile("web"), `{"state":"running","boot_id":"another","id":3,"zsched":`+self(t)+`}`)
	if s, err := r.State(); err != nil || s != configs.Installed {
		t.Errorf("%v, %v", s, err)
	}
}

// TestAltRoot: nothing of another root runs here.
func TestAltRoot(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Running)
	r.AltRoot = true
	if s, err := r.State(); err != nil || s != configs.Installed {
		t.Errorf("%v, %v", s, err)
	}
}

func TestOldSoftware(t *testing.T) {
	r := newRig(t)
	r.Zone = ""
	r.zone("db", configs.Running)
	r.status("db", `"state":"running","id":1,"ready_since":1000000000,"zoned":`+self(t))
	if err := r.List(admin.ListOptions{Form: admin.FormTable, NoGlobal: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/var/lib/dpkg/status"); err == nil && !strings.Contains(r.out.String(), "(booted before the host's software changed; reboot it)") {
		t.Errorf("%s", r.out.String())
	}
}
