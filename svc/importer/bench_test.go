package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
)

// thousand are the files of a thousand services, ten of which have one other depend on them.
func thousand(b *testing.B) string {
	root := b.TempDir()
	for i := range 1000 {
		text := strings.NewReplacer("site/web", fmt.Sprintf("site/web%d", i%100)).Replace(named(fmt.Sprintf("s%03d", i), "80"))
		write(b, filepath.Join(root, SystemManifests, fmt.Sprintf("d%d/s%03d.xml", i%10, i)), text)
	}
	return root
}

func boot(b *testing.B, r *repo.Repo, root string, want Counts) {
	counts, err := (&Boot{Store: Local(r), Root: root}).Manifests(SystemManifests)
	must(b, err)
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		b.Fatalf("%v", counts)
	}
}

// BenchmarkFirstBoot imports a thousand services into an empty repository, with a flush of the
// disk for each.
func BenchmarkFirstBoot(b *testing.B) {
	root := thousand(b)
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		r, err := repo.Open(config(dir))
		must(b, err)
		b.StartTimer()
		boot(b, r, root, Counts{Done: 1000})
		b.StopTimer()
		must(b, r.Close())
		info, err := os.Stat(config(dir).Path)
		must(b, err)
		b.ReportMetric(float64(info.Size())/1e6, "MB")
		b.StartTimer()
	}
}

// BenchmarkNextBoot looks at a thousand files of which none has changed.
func BenchmarkNextBoot(b *testing.B) {
	root := thousand(b)
	r, err := repo.Open(config(b.TempDir()))
	must(b, err)
	defer r.Close()
	boot(b, r, root, Counts{Done: 1000})
	for b.Loop() {
		boot(b, r, root, Counts{Unchanged: 1000})
	}
}
