package image

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// hostile is an archive that must be refused, with the reason.
type hostile struct {
	name  string
	data  func(t *testing.T, canary string) []byte
	want  error
	says  string // part of the message, for the person who has to act on it
	limit Limits
}

func tarOf(entries ...entry) func(*testing.T, string) []byte {
	return func(t *testing.T, _ string) []byte { return makeTar(t, withOS(entries...)...) }
}

func raw(data string) func(*testing.T, string) []byte {
	return func(*testing.T, string) []byte { return []byte(data) }
}

func with(e entry, change func(*tar.Header)) entry {
	change(&e.Header)
	return e
}

func xattrEntry(name, value string) entry {
	return with(fileEntry("etc/f", "x"), func(h *tar.Header) {
		h.PAXRecords = map[string]string{"SCHILY.xattr." + name: value}
	})
}

var longPart = strings.Repeat("n", 256)

var hostileNames = []hostile{
	{name: "dot-dot", data: tarOf(fileEntry("../canary/precious", "evil")), want: ErrEscape, says: `entry "../canary/precious"`},
	{name: "dot-dot inside", data: tarOf(fileEntry("etc/../../canary/precious", "evil")), want: ErrEscape},
	{name: "dot-dot at the end", data: tarOf(dirEntry("etc/..")), want: ErrEscape},
	{name: "absolute", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(fileEntry(canary+"/precious", "evil"))...)
	}, want: ErrEscape},
	{name: "through a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("etc/out", canary), fileEntry("etc/out/precious", "evil"))...)
	}, want: ErrThroughSymlink, says: `link: "etc/out"`},
	{name: "through a relative link", data: tarOf(symEntry("out", "../../canary"), fileEntry("out/precious", "evil")), want: ErrThroughSymlink},
	{name: "through a link in the root", data: tarOf(symEntry("lib", "usr"), fileEntry("lib/x", "y")), want: ErrThroughSymlink},
	{name: "directory through a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary), dirEntry("out/sub/new"))...)
	}, want: ErrThroughSymlink},
	{name: "fifo through a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary), linkEntry(tar.TypeFifo, "out/pipe", ""))...)
	}, want: ErrThroughSymlink},
	{name: "directory over a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary), with(dirEntry("out"), func(h *tar.Header) { h.Mode = 0o777 }))...)
	}, want: ErrDuplicate},
	{name: "file over a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary+"/precious"), fileEntry("out", "evil"))...)
	}, want: ErrDuplicate},
	{name: "link over a directory", data: tarOf(dirEntry("d"), fileEntry("d/f", "x"), symEntry("d", "/")), want: ErrDuplicate},
	{name: "file over a directory", data: tarOf(dirEntry("d"), fileEntry("d", "x")), want: ErrDuplicate},
	{name: "directory over a file", data: tarOf(fileEntry("d", "x"), dirEntry("d")), want: ErrDuplicate},
	{name: "fifo over a file", data: tarOf(fileEntry("d", "x"), linkEntry(tar.TypeFifo, "d", "")), want: ErrDuplicate},
	{name: "through a file", data: tarOf(fileEntry("d", "x"), fileEntry("d/f", "x")), want: ErrThroughFile, says: `directory: "d"`},
	{name: "root as a file", data: tarOf(fileEntry(".", "x")), want: ErrName},
	{name: "root as a link", data: tarOf(symEntry(".", "/")), want: ErrName},
	{name: "whiteout", data: tarOf(fileEntry("etc/.wh.passwd", "")), want: ErrWhiteout},
	{name: "opaque whiteout", data: tarOf(fileEntry(".wh..wh..opq", "")), want: ErrWhiteout},
	{name: "part too long", data: tarOf(fileEntry("etc/"+longPart, "")), want: ErrNameTooLong, says: "255"},
	{name: "name too long", data: tarOf(fileEntry(strings.Repeat("abcdefg/", 600)+"f", "")), want: ErrNameTooLong, says: "4095"},
	{name: "too deep", data: tarOf(dirEntry(strings.Repeat("d/", 257))), want: ErrTooDeep, says: "256"},
	{name: "control characters shown harmless", data: tarOf(fileEntry("../\x1b]0;owned\x07\n", "")), want: ErrEscape, says: `\x1b]0;owned\a\n`},
}

var hostileLinks = []hostile{
	{name: "hard link outside", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(hardEntry("etc/h", "../canary/precious"))...)
	}, want: ErrEscape, says: "hard link to"},
	{name: "hard link absolute", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(hardEntry("etc/h", canary+"/precious"))...)
	}, want: ErrEscape},
	{name: "hard link through a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary), hardEntry("etc/h", "out/precious"))...)
	}, want: ErrHardlink},
	{name: "hard link to a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("out", canary+"/precious"), hardEntry("etc/h", "out"), fileEntry("etc/h", "evil"))...)
	}, want: ErrHardlink, says: `"out" is none`},
	{name: "hard link to a directory", data: tarOf(hardEntry("etc/h", "usr")), want: ErrHardlink},
	{name: "hard link to a fifo", data: tarOf(linkEntry(tar.TypeFifo, "p", ""), hardEntry("h", "p")), want: ErrHardlink},
	{name: "hard link to nothing", data: tarOf(hardEntry("etc/h", "later")), want: ErrHardlink},
	{name: "hard link to the root", data: tarOf(hardEntry("etc/h", "./")), want: ErrHardlink},
	{name: "hard link over a directory", data: tarOf(hardEntry("usr", "etc/passwd")), want: ErrDuplicate},
	{name: "link without text", data: tarOf(symEntry("etc/l", "")), want: ErrLinkTarget},
	{name: "link text too long", data: tarOf(symEntry("etc/l", strings.Repeat("x", 4096))), want: ErrLinkTarget},
}

var hostileMeta = []hostile{
	{name: "uid too large", data: tarOf(with(fileEntry("f", ""), func(h *tar.Header) { h.Uid = 65536 })), want: ErrOwnerRange, says: "65536:0"},
	{name: "gid too large", data: tarOf(with(fileEntry("f", ""), func(h *tar.Header) { h.Gid = 1 << 31 })), want: ErrOwnerRange},
	{name: "uid negative", data: tarOf(with(fileEntry("f", ""), func(h *tar.Header) { h.Uid, h.Format = -1, tar.FormatGNU })), want: ErrOwnerRange},
	{name: "trusted attribute", data: tarOf(xattrEntry("trusted.overlay.opaque", "y")), want: ErrXattr, says: "trusted.overlay.opaque"},
	{name: "capability of another namespace", data: tarOf(xattrEntry("security.capability", capability(capRevision3, 1000))), want: ErrXattr, says: "1000"},
	{name: "capability malformed", data: tarOf(xattrEntry("security.capability", "x")), want: ErrXattr},
	{name: "attribute too large", data: tarOf(xattrEntry("user.big", strings.Repeat("x", 65537))), want: ErrXattr},
	{name: "too many attributes", data: tarOf(with(fileEntry("f", ""), func(h *tar.Header) {
		h.PAXRecords = map[string]string{}
		for i := range 65 {
			h.PAXRecords[fmt.Sprintf("SCHILY.xattr.user.%d", i)] = "x"
		}
	})), want: ErrXattr, says: "64"},
	{name: "unknown type", data: tarOf(with(fileEntry("f", ""), func(h *tar.Header) { h.Typeflag = 'M' })), want: ErrType},
}

// capability is a file capability of a revision, for the namespace whose root is id.
func capability(revision, id uint32) string {
	b := make([]byte, capBytes2)
	binary.LittleEndian.PutUint32(b, revision|1)
	binary.LittleEndian.PutUint32(b[4:], 1<<13) // CAP_NET_RAW
	if revision == capRevision3 {
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return string(b)
}

// patch changes the header of the last entry of a tar and makes its checksum right.
func patch(t *testing.T, data []byte, at int, field string) []byte {
	t.Helper()
	last := len(data) - endMarkBytes - tarBlockBytes
	block := data[last : last+tarBlockBytes]
	copy(block[at:], field)
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return data
}

const (
	tarSizeField = 124
	tarNameField = 0
)

func gz(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// bomb is a small archive of one large file of zeros.
func bomb(t *testing.T, bytesOfZeros int64, pack func(*bytes.Buffer) interface {
	Write([]byte) (int, error)
	Close() error
}) []byte {
	t.Helper()
	var b bytes.Buffer
	z := pack(&b)
	w := tar.NewWriter(z)
	for _, e := range withOS() {
		if err := w.WriteHeader(&tar.Header{Typeflag: e.Typeflag, Name: e.Name, Mode: e.Mode}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Size: bytesOfZeros, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for n := int64(0); n < bytesOfZeros; n += int64(len(zeros)) {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdBomb(t *testing.T, _ string) []byte {
	return bomb(t, ratioFloorBytes+64<<20, func(b *bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	} {
		z, err := zstd.NewWriter(b)
		if err != nil {
			t.Fatal(err)
		}
		return z
	})
}

func gzipBomb(t *testing.T, _ string) []byte {
	return bomb(t, ratioFloorBytes+64<<20, func(b *bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	} {
		z, _ := gzip.NewWriterLevel(b, gzip.BestCompression)
		return z
	})
}

// sparseBomb declares 8 EiB - 1 of holes in a few bytes of PAX 1.0 sparse file.
func sparseBomb(t *testing.T, _ string) []byte {
	data := makeTar(t, withOS(with(fileEntry("GNUSparseFile.0/x", "0\n"+strings.Repeat("\x00", 510)), func(h *tar.Header) {
		h.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "marker"}
	}))...)
	// The writer does not let the reserved records through, so they are put in afterwards.
	old := paxRecord("SCHILY.xattr.user.x", "marker")
	at := bytes.Index(data, []byte(old))
	records := paxRecord("GNU.sparse.major", "1") + paxRecord("GNU.sparse.minor", "0") +
		paxRecord("GNU.sparse.name", "x") + paxRecord("GNU.sparse.realsize", "9223372036854775807")
	copy(data[at:], records)
	// The size of the record block stands in the header before it.
	header := data[at-tarBlockBytes : at]
	copy(header[tarSizeField:], fmt.Sprintf("%011o\x00", len(records)))
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return data
}

func paxRecord(key, value string) string {
	n := len(key) + len(value) + 3
	for size := n + 1; ; size++ {
		if s := fmt.Sprintf("%d %s=%s\n", size, key, value); len(s) == size {
			return s
		}
	}
}

func cut(n int, pack func([]byte) []byte) func(*testing.T, string) []byte {
	return func(t *testing.T, _ string) []byte {
		data := pack(makeTar(t, withOS(fileEntry("usr/big", strings.Repeat("0123456789abcdef", 4096)))...))
		if n < 0 {
			return data[:len(data)+n]
		}
		return data[:n]
	}
}

func plain(b []byte) []byte { return b }

var hostileStreams = []hostile{
	{name: "empty file", data: raw(""), want: ErrUnknownFormat, says: "it is empty"},
	{name: "text", data: raw(strings.Repeat("this is no archive\n", 100)), want: ErrUnknownFormat},
	{name: "bzip2", data: raw("BZh91AY&SY" + strings.Repeat("x", 600)), want: ErrUnknownFormat, says: "it is bzip2"},
	{name: "zip", data: raw("PK\x03\x04" + strings.Repeat("x", 600)), want: ErrUnknownFormat, says: "it is zip"},
	{name: "gzip of text", data: func(*testing.T, string) []byte { return gz([]byte(strings.Repeat("text ", 200))) }, want: ErrUnknownFormat, says: "gzip"},
	{name: "gzip twice", data: func(t *testing.T, _ string) []byte { return gz(gz(makeTar(t, withOS()...))) }, want: ErrUnknownFormat},
	{name: "truncated in a file", data: cut(5000, plain), want: ErrTruncated},
	{name: "truncated in a header", data: cut(700, plain), want: ErrTruncated},
	{name: "truncated between entries", data: cut(512*3, plain), want: ErrTruncated},
	{name: "truncated end mark", data: cut(-512, plain), want: ErrTruncated},
	{name: "truncated gzip", data: cut(-4, gz), want: ErrTruncated},
	{name: "truncated gzip header", data: raw("\x1f\x8b\x08"), want: ErrTruncated},
	{name: "corrupt gzip", data: func(t *testing.T, s string) []byte {
		b := cut(-1, gz)(t, s)
		b = append(b, 0)
		b[len(b)-6] ^= 0xff // checksum
		return b
	}, want: ErrCorrupt},
	{name: "corrupt header", data: func(t *testing.T, _ string) []byte {
		b := makeTar(t, withOS(fileEntry("f", ""))...)
		b[len(b)-endMarkBytes-tarBlockBytes+20] ^= 0xff
		return b
	}, want: ErrCorrupt},
	{name: "negative size", data: func(t *testing.T, _ string) []byte {
		return patch(t, makeTar(t, withOS(fileEntry("f", ""))...), tarSizeField, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	}, want: ErrCorrupt},
	{name: "size of exabytes", data: func(t *testing.T, _ string) []byte {
		return patch(t, makeTar(t, withOS(fileEntry("f", ""))...), tarSizeField, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")
	}, want: ErrTooManyBytes},
	{name: "name empty", data: func(t *testing.T, _ string) []byte {
		return patch(t, makeTar(t, withOS(fileEntry("f", ""))...), tarNameField, "\x00")
	}, want: ErrName},
	{name: "trailing garbage", data: func(t *testing.T, _ string) []byte {
		return append(makeTar(t, withOS()...), "garbage"...)
	}, want: ErrTrailing},
	{name: "two archives in one", data: func(t *testing.T, _ string) []byte {
		return append(makeTar(t, withOS()...), makeTar(t, fileEntry("etc/passwd", "evil"))...)
	}, want: ErrTrailing},
	{name: "garbage behind gzip", data: func(t *testing.T, _ string) []byte {
		return append(gz(makeTar(t, withOS()...)), "garbage garbage garbage"...)
	}, want: ErrTrailing},
	{name: "gzip bomb", data: gzipBomb, want: ErrRatio, says: "256 to 1"},
	{name: "zstd bomb", data: zstdBomb, want: ErrRatio},
	{name: "sparse bomb", data: sparseBomb, want: ErrTooManyBytes},
	{name: "too many bytes", data: tarOf(fileEntry("f", strings.Repeat("x", 2000)), fileEntry("g", strings.Repeat("x", 2000))),
		limit: Limits{BytesMax: 3000}, want: ErrTooManyBytes, says: `entry "g"`},
	{name: "too many entries", data: tarOf(dirEntry("a/b/c/d/e/f")), limit: Limits{EntriesMax: 8}, want: ErrTooManyEntries, says: "of 8"},
	{name: "zstd window", data: func(t *testing.T, _ string) []byte {
		// A frame header that asks for 2 GiB: no single segment, exponent 21, and a raw block.
		return append([]byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), make([]byte, 600)...)
	}, want: ErrDecoderMemory, says: "128 MiB"},
	{name: "xz dictionary", data: func(t *testing.T, _ string) []byte { return xzAsking(t, 40) }, want: ErrDecoderMemory, says: "4096 MiB"},
	{name: "no system", data: func(t *testing.T, _ string) []byte { return makeTar(t, dirEntry("home"), fileEntry("notes", "")) },
		want: ErrNotOS, says: `found "home", "notes"`},
	{name: "no entries", data: func(t *testing.T, _ string) []byte { return makeTar(t) }, want: ErrNotOS, says: "empty"},
	{name: "one directory down", data: func(t *testing.T, _ string) []byte {
		return makeTar(t, dirEntry("rootfs"), dirEntry("rootfs/etc"), dirEntry("rootfs/usr"))
	}, want: ErrNotOS, says: `"rootfs/etc"`},
	{name: "etc is a link out", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, dirEntry("usr"), symEntry("etc", canary))
	}, want: ErrNotOS},
}

var hostileMounts = []hostile{
	{name: "dev is a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("dev", canary))...)
	}, want: ErrMountpoint, says: "/dev"},
	{name: "proc is a link in the root", data: tarOf(symEntry("proc", "usr")), want: ErrMountpoint, says: "/proc"},
	{name: "mnttab is a link", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("etc/mnttab", canary+"/precious"))...)
	}, want: ErrMountpoint, says: "/etc/mnttab"},
	{name: "mnttab is a directory", data: tarOf(dirEntry("etc/mnttab")), want: ErrMountpoint},
	{name: "tmp is a file", data: tarOf(fileEntry("tmp", "")), want: ErrMountpoint},
	{name: "way leads out", data: func(t *testing.T, canary string) []byte {
		return makeTar(t, withOS(symEntry("etc/svc", canary))...)
	}, want: ErrMountpoint, says: "leads nowhere"},
	{name: "way leads out by dots", data: tarOf(symEntry("system", "../../../../canary/sub")), want: ErrMountpoint},
	{name: "way is a file", data: tarOf(fileEntry("lib", "")), want: ErrMountpoint},
	{name: "way is a loop", data: tarOf(symEntry("lib", "lib")), want: ErrMountpoint},
}

// TestHostileArchives: every one is refused for the right reason, in words, nothing
// outside of the zone changes, and what was unpacked can be removed.
func TestHostileArchives(t *testing.T) {
	for _, group := range [][]hostile{hostileNames, hostileLinks, hostileMeta, hostileStreams, hostileMounts} {
		for _, h := range group {
			t.Run(h.name, func(t *testing.T) {
				zonepath, canary := newZone(t)
				before := listing(t, canary, withTimes)
				_, err := installBytes(t, zonepath, h.data(t, canary), Options{Limits: h.limit})
				if !errors.Is(err, h.want) {
					t.Errorf("got %v\nwant %v", err, h.want)
				}
				if err != nil && (!strings.Contains(err.Error(), h.says) || strings.ContainsAny(err.Error(), "\n\x1b")) {
					t.Errorf("message %q\nmust hold %q on one line", err, h.says)
				}
				if after := listing(t, canary, withTimes); after != before {
					t.Errorf("outside changed:\n%s\nwas\n%s", after, before)
				}
				mustUninstall(t, zonepath)
				if after := listing(t, canary, withTimes); after != before {
					t.Errorf("uninstall changed the outside:\n%s\nwas\n%s", after, before)
				}
			})
		}
	}
}

// TestHostileNotFile: what is not a file is refused without waiting for it.
func TestHostileNotFile(t *testing.T) {
	zonepath, canary := newZone(t)
	fifo := filepath.Join(filepath.Dir(canary), "fifo")
	if err := makeFIFO(fifo); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, canary, "/dev/null"} {
		if _, err := Install(t.Context(), Target{zonepath}, Source{Archive, path}, Options{}); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Install(t.Context(), Target{zonepath}, Source{Archive, canary + "/none"}, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
