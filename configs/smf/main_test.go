package smf

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shared is the folder of real manifests beside the module; empty where there is none.
func shared(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(testenv.Root(t), "..", "shared", "manifests")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// files are those below dir, without the directory's name.
func files(t testing.TB, dir string) (list []string) {
	t.Helper()
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, name)
		}
		return err
	}))
	return list
}

func text(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	return string(data)
}

// Whoever takes a file out of here must find its licence in it, and none may come from
// elsewhere.
func TestLicence(t *testing.T) {
	for _, dir := range []string{"manifest", "method", "share", "profile"} {
		for _, name := range files(t, dir) {
			head := strings.Join(strings.SplitN(text(t, filepath.Join(dir, name)), "\n", 5)[:4], "\n")
			if !strings.Contains(head, "SPDX-License-Identifier: Apache-2.0") {
				t.Errorf("%s/%s does not say its licence at its beginning", dir, name)
			}
		}
	}
}
