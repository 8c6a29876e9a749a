package mnttab

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// renderAll renders a text of mountinfo as a server does, all mounts seen at one time.
func renderAll(info, zone string, at time.Time) (string, error) {
	r := renderer{zone: zone, firstSeen: func(uint64) int64 { return at.Unix() }}
	var out []byte
	for line := range bytes.Lines([]byte(info)) {
		m, err := parseMountinfo(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return "", err
		}
		if out, err = r.line(out, &m); err != nil {
			return "", err
		}
	}
	return string(out), nil
}

func TestLines(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct{ name, zone, in, want string }{
		{"root of a zone", "web", "520 519 254:1 /var/lib/zones/web/root / rw,relatime - ext4 /dev/vda1 rw,discard",
			"/\t/\text4\trw,relatime,discard,zone=web,dev=3f80001"},
		{"the same for the host", "", "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
			"/dev/vda1\t/\text4\trw,relatime,dev=3f80001"},
		{"tags", "web", "530 520 0:50 / /x rw shared:4 master:2 propagate_from:1 unbindable - tmpfs swap rw",
			"swap\t/x\ttmpfs\trw,zone=web,dev=32"},
		{"read-only file system", "web", "1 2 0:5 / /x rw,nosuid - tmpfs t ro", "t\t/x\ttmpfs\tro,nosuid,zone=web,dev=5"},
		{"option twice", "web", "1 2 0:5 / /x rw,noatime - tmpfs t rw,noatime", "t\t/x\ttmpfs\trw,noatime,zone=web,dev=5"},
		{"an option within another", "web", "1 2 0:5 / /x rw,noatimes,atime - tmpfs t rw,noatime,atimes,time",
			"t\t/x\ttmpfs\trw,noatimes,atime,noatime,atimes,time,zone=web,dev=5"},
		{"overlay", "web", "1 2 0:5 / /usr ro,nodev - overlay overlay ro,lowerdir=/run/zones/a:/b,upperdir=/u,workdir=/w,xino=off",
			"overlay\t/usr\toverlay\tro,nodev,xino=off,zone=web,dev=5"},
		{"a comma in a layer", "web", `1 2 0:5 / /usr ro - overlay overlay ro,lowerdir=/a\054/secret,xino=off`,
			"overlay\t/usr\toverlay\tro,xino=off,zone=web,dev=5"},
		{"overlay on the host", "", "1 2 0:5 / /usr ro - overlay overlay ro,lowerdir=/a", "overlay\t/usr\toverlay\tro,lowerdir=/a,dev=5"},
		{"escapes", "web", `1 2 0:5 / /a\040b\011c\012d\134e\043f rw - tmpfs t rw`, `t` + "\t" + `/a\040b\011c\012d\134e#f` + "\ttmpfs\trw,zone=web,dev=5"},
		{"escape of an escape", "web", `1 2 0:5 / /a\134040 rw - tmpfs t rw`, "t\t" + `/a\134040` + "\ttmpfs\trw,zone=web,dev=5"},
		{"backslash that is none", "web", `1 2 0:5 / /a\9\777\04 rw - tmpfs t rw`, "t\t" + `/a\1349\134777\13404` + "\ttmpfs\trw,zone=web,dev=5"},
		{"comment", "web", `1 2 0:5 / /x rw - tmpfs \043swap rw`, `\043swap` + "\t/x\ttmpfs\trw,zone=web,dev=5"},
		{"raw comment", "web", `1 2 0:5 / /x rw - tmpfs #s#wap rw`, `\043s#wap` + "\t/x\ttmpfs\trw,zone=web,dev=5"},
		{"two number signs", "web", `1 2 0:5 / /x rw - tmpfs ##\040#\043 rw`, `\043#\040##` + "\t/x\ttmpfs\trw,zone=web,dev=5"},
		{"no source", "web", "1 2 0:5 / /x rw - tmpfs  rw", "-\t/x\ttmpfs\trw,zone=web,dev=5"},
		{"source with a space", "web", "1 2 0:5 / /x rw - fuse my files rw", `my\040files` + "\t/x\tfuse\trw,zone=web,dev=5"},
		{"hyphen as a name", "web", "1 2 0:5 / /- rw - tmpfs - rw", "-\t/-\ttmpfs\trw,zone=web,dev=5"},
		{"high bytes", "web", "1 2 0:5 / /\xc3\xa9\xff rw - tmpfs t rw", "t\t/\xc3\xa9\xff\ttmpfs\trw,zone=web,dev=5"},
		{"largest device", "web", "1 2 16383:262143 / /x rw - tmpfs t rw", "t\t/x\ttmpfs\trw,zone=web,dev=ffffffff"},
		{"too large a device", "web", "1 2 16384:0 / /x rw - tmpfs t rw", "t\t/x\ttmpfs\trw,zone=web,dev=7fffffff"},
	} {
		got, err := renderAll(c.in+"\n", c.zone, at)
		if want := c.want + "\t1700000000\n"; got != want || err != nil {
			t.Errorf("%s: %v\n got %q\nwant %q", c.name, err, got, want)
		}
	}
}

func TestRefusedLines(t *testing.T) {
	for _, in := range []string{
		"\n", "x", "1 2 0:5 / /x rw", "1 2 0:5 / /x rw -", "1 2 0:5 / /x rw - tmpfs t", "1 2 5 / /x rw - tmpfs t rw",
		"1 2 0:x / /x rw - tmpfs t rw", "1 2 x:0 / /x rw - tmpfs t rw", "1 2 -1:0 / /x rw - tmpfs t rw",
		"1 2 0:99999999999999 / /x rw - tmpfs t rw", "1 2 : / /x rw - tmpfs t rw",
	} {
		if out, err := renderAll(in+"\n", "web", time.Now()); err != ErrMountinfo {
			t.Errorf("%q: %q %v", in, out, err)
		}
	}
}

// FuzzLine: a line is refused or has five fields and nothing that would be taken for another.
func FuzzLine(f *testing.F) {
	f.Add("520 519 254:1 /r / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard", "web")
	f.Add(`1 2 0:5 / /a\040b\134 rw - overlay \043o rw,lowerdir=/a`, "")
	f.Add("1 2 0:5 / /x rw - fuse a b c rw,,a,a", "w")
	if info, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		for l := range strings.Lines(string(info)) {
			f.Add(strings.TrimSuffix(l, "\n"), "web")
		}
	}
	at := time.Unix(12345, 0)
	f.Fuzz(func(t *testing.T, in, zone string) {
		if strings.Contains(in, "\n") || strings.ContainsAny(zone, "\t\n ,\\") {
			return
		}
		out, err := renderAll(in+"\n", zone, at)
		if err != nil {
			return
		}
		for _, l := range fields(t, out) {
			if l[0][0] == '#' {
				t.Errorf("%q reads as a comment", l)
			}
			for _, field := range l {
				if field == "" || strings.ContainsAny(field, " \n") {
					t.Errorf("field %q of %q", field, l)
				}
			}
			if zone != "" && strings.HasPrefix(l[0], "/") && l[0] != l[1] {
				t.Errorf("%q tells what lies outside", l)
			}
		}
	})
}

// BenchmarkRender is a table of a hundred mounts.
func BenchmarkRender(b *testing.B) {
	var in strings.Builder
	for i := range 100 {
		fmt.Fprintf(&in, "%d 520 0:50 / /proc/some/where rw,nosuid,nodev,noexec,relatime - tmpfs swap rw,size=1024k,mode=755\n", i)
	}
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := renderAll(in.String(), "web", at); err != nil {
			b.Fatal(err)
		}
	}
}
