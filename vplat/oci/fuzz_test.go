package oci

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/vplat/helper"
)

// FuzzRetarget: a state of libcontainer's that is not one is an error, and stays as it was; else it
// is a state with the directories of cgroups that were meant.
func FuzzRetarget(f *testing.F) {
	for _, s := range []string{`{"config":{"rootfs":"/x"},"cgroup_paths":{"":"/y"},"id":"web"}`, `{}`, `{"config":null}`, `[]`, ``, `{"config":[]}`, `{"config":{"rootfs":{}},"cgroup_paths":7}`} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	name := filepath.Join(dir, ociDir, "web", "state.json")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		if err := os.WriteFile(name, state, 0o600); err != nil {
			t.Fatal(err)
		}
		err := retarget(&helper.Request{Zone: "web", StateDir: dir, Cgroup: "/zones/web/g1/ct/1/d"})
		after, rerr := os.ReadFile(name)
		if rerr != nil {
			t.Fatal(rerr)
		}
		if err != nil {
			if string(after) != string(state) {
				t.Fatalf("%v, and yet %q became %q", err, state, after)
			}
			return
		}
		var got struct {
			Paths  map[string]string `json:"cgroup_paths"`
			Config struct {
				Rootfs string `json:"rootfs"`
			} `json:"config"`
		}
		if err := json.Unmarshal(after, &got); err != nil || len(got.Paths) != 1 || got.Paths[""] != filepath.Join(cgroupRoot, "/zones/web/g1/ct/1/d") || got.Config.Rootfs != "/" {
			t.Fatalf("%q became %q, %v", state, after, err)
		}
	})
}

// FuzzHolder: what is no request of an overlay is answered, and mounts nothing.
func FuzzHolder(f *testing.F) {
	for _, s := range []string{`{}`, `{"Overlay":null}`, `[]`, ``, `{"Overlay":7}`, "\xff"} {
		f.Add([]byte(s))
	}
	failed := errors.New("no namespace")
	f.Fuzz(func(t *testing.T, in []byte) {
		if reply, mount := holderServe(in, failed); reply.Error == "" || mount != nil {
			t.Fatalf("a holder without its namespace answers %+v", reply)
		}
		var r holderRequest
		if json.Unmarshal(in, &r) == nil && r.Overlay != nil {
			return // it is one
		}
		reply, mount := holderServe(in, nil)
		if mount != nil || (reply.Error == "") != (json.Unmarshal(in, &r) == nil) {
			t.Fatalf("%q is answered %+v", in, reply)
		}
	})
}
