package idrange

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// spans are ids that the host uses itself.
type spans [][2]uint64 // first, one behind the last

func (s spans) overlaps(base uint32) bool {
	for _, x := range s {
		if uint64(base) < x[1] && x[0] < uint64(base)+Count {
			return true
		}
	}
	return false
}

// used reads which ids the host's files give to somebody. A file that is not there gives none;
// one that can not be read is an error, since its ids might be leased a second time.
func (r *Registry) used() (spans, error) {
	var all spans
	for _, f := range []struct {
		name         string
		first, count int // fields; count -1: one id
	}{{"subuid", 1, 2}, {"subgid", 1, 2}, {"passwd", 2, -1}, {"group", 2, -1}} {
		b, err := os.ReadFile(filepath.Join(r.etc, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, parseSpans(string(b), f.first, f.count)...)
	}
	return all, nil
}

// parseSpans reads lines of fields between colons. Lines that make no sense are others' to
// complain about.
func parseSpans(text string, first, count int) (out spans) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) <= max(first, count) {
			continue
		}
		a, err := strconv.ParseUint(fields[first], 10, 32)
		if err != nil {
			continue
		}
		n := uint64(1)
		if count >= 0 {
			if n, err = strconv.ParseUint(fields[count], 10, 32); err != nil || n == 0 {
				continue
			}
		}
		out = append(out, [2]uint64{a, a + n})
	}
	return out
}
