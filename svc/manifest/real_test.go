package manifest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shared is the folder of documents beside the module; empty where there is none.
func shared() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(dir, "..", "shared", "manifests")
			if _, err := os.Stat(dir); err != nil {
				return ""
			}
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// placeholder is what the build of a package replaces in a template of a document.
var placeholder = regexp.MustCompile(`\$\([A-Za-z]+\)`)

// corpus are the documents to try things on: our own, and real ones where they are.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(names) == 0 {
		t.Fatalf("testdata: %d documents, %v", len(names), err)
	}
	if dir := shared(); dir != "" {
		real, err := filepath.Glob(filepath.Join(dir, "*.xml"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, real...)
	}
	docs := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		docs[filepath.Base(name)] = placeholder.ReplaceAll(data, []byte("x1"))
	}
	return docs
}

// emptyProfile is what every include finds.
func emptyProfile(_, href string) (Document, error) {
	if strings.Contains(href, "missing") {
		return Document{}, fs.ErrNotExist
	}
	return Document{Name: href, Data: []byte("<service_bundle type='profile' name='included'/>")}, nil
}

func TestCorpusParses(t *testing.T) {
	services, instances, warnings := 0, 0, 0
	docs := corpus(t)
	for name, data := range docs {
		b, err := Parse(name, data, Options{Include: emptyProfile})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		services += len(b.Services)
		for _, s := range b.Services {
			instances += len(s.Config.Instances)
		}
		for _, w := range b.Warnings {
			t.Log("warning:", w)
			warnings++
		}
	}
	t.Logf("%d documents, %d services, %d instances, %d warnings", len(docs), services, instances, warnings)
	if services == 0 || instances == 0 {
		t.Error("nothing was in them")
	}
}
