package repo

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// disk is a file of a disk whose power may go: what was flushed, and what was not.
type disk struct {
	flushed []byte
	pending []fileCall
}

// do makes one change to an image.
func (c *fileCall) do(image []byte) []byte {
	if c.name == "size" {
		if int64(len(image)) > c.at {
			return image[:c.at]
		}
		return append(image, make([]byte, int(c.at)-len(image))...)
	}
	if end := int(c.at) + len(c.data); len(image) < end {
		image = append(image, make([]byte, end-len(image))...)
	}
	copy(image[c.at:], c.data)
	return image
}

// outcomes are images that a power cut may leave: of what was not flushed any part, in any
// order, and of a write any of its sectors.
func (d *disk) outcomes(random *rand.Rand) [][]byte {
	const sector, samples = 512, 16
	var images [][]byte
	with := func(use func(i int) bool, torn bool) {
		image := bytes.Clone(d.flushed)
		for i := range d.pending {
			c := d.pending[i]
			switch {
			case !use(i):
			case torn && c.name == "write":
				for at := 0; at < len(c.data); at += sector {
					if random.IntN(2) == 0 {
						part := fileCall{name: "write", at: c.at + int64(at), data: c.data[at:min(at+sector, len(c.data))]}
						image = part.do(image)
					}
				}
			default:
				image = c.do(image)
			}
		}
		images = append(images, image)
	}
	n := len(d.pending)
	for k := range n + 1 {
		with(func(i int) bool { return i < k }, false)  // each prefix
		with(func(i int) bool { return i != k }, false) // each one lost
		with(func(i int) bool { return i == k }, false) // each one alone
	}
	for s := range samples {
		with(func(int) bool { return s == 0 || random.IntN(3) > 0 }, true)
		with(func(int) bool { return random.IntN(2) == 0 }, false)
	}
	return images
}

// TestPowerCut records what a process writes to the persistent file and when it flushes it, and
// tries what a disk may hold after a power cut at any time: it opens, to the state before the
// batch or the one after.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	path := config(dir).Path
	var calls []fileCall
	var first []byte
	lines, _ := startScript(t, "script", dir).run(t, func(c fileCall) verdict {
		if c.path != path {
			return goOn
		}
		if first == nil {
			var err error
			first, err = os.ReadFile(path)
			must(t, err)
		}
		calls = append(calls, c)
		return goOn
	})
	if len(lines) != scriptBatches {
		t.Fatalf("the script said %q", lines)
	}
	d := &disk{flushed: first}
	random := rand.New(rand.NewPCG(5, 6))
	image := filepath.Join(t.TempDir(), "image")
	state := func(b []byte) int {
		t.Helper()
		must(t, os.WriteFile(image, b, 0o600))
		must(t, Check(image))
		n, err := readNumber(image)
		must(t, err)
		return n
	}
	before, tried, flushes := state(first), 0, 0
	for _, c := range calls {
		if c.name != "sync" {
			d.pending = append(d.pending, c)
			continue
		}
		flushes++
		whole := bytes.Clone(d.flushed)
		for i := range d.pending {
			whole = d.pending[i].do(whole)
		}
		after := state(whole)
		if after != before && after != before+1 {
			t.Fatalf("from %d to %d with one flush", before, after)
		}
		for _, b := range d.outcomes(random) {
			tried++
			if n := state(b); n != before && n != after {
				t.Fatalf("between %d and %d the power cut leaves %d", before, after, n)
			}
		}
		d.flushed, d.pending, before = whole, nil, after
	}
	real, err := os.ReadFile(path)
	must(t, err)
	if before != scriptBatches || len(d.pending) != 0 || !bytes.Equal(real, d.flushed) {
		t.Errorf("the record ends at %d with %d calls, and is not the file", before, len(d.pending))
	}
	t.Logf("%d power cuts at %d flushes, of %s", tried, flushes, strings.Join(lines, " "))
	if tried < 100 {
		t.Errorf("only %d power cuts", tried)
	}
}
