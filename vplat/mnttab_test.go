package vplat

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMnttabLines(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		name, zone, in, want string
	}{
		{"root of a zone", "web", "520 519 254:1 /var/lib/zones/web/root / rw,relatime - ext4 /dev/vda1 rw,discard",
			"/\t/\text4\trw,relatime,discard,zone=web,dev=3f80001\t1700000000"},
		{"the same for the host", "", "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
			"/dev/vda1\t/\text4\trw,relatime,dev=3f80001\t1700000000"},
		{"no path as special", "web", "530 520 0:50 / /proc rw,nosuid,nodev,noexec - proc proc rw",
			"proc\t/proc\tproc\trw,nosuid,nodev,noexec,zone=web,dev=32\t1700000000"},
		{"tags", "web", "530 520 0:50 / /x rw shared:4 master:2 propagate_from:1 unbindable - tmpfs swap rw",
			"swap\t/x\ttmpfs\trw,zone=web,dev=32\t1700000000"},
		{"read-only mount", "web", "1 2 0:5 / /x ro,nosuid - tmpfs t rw,size=4k", "t\t/x\ttmpfs\tro,nosuid,size=4k,zone=web,dev=5\t1700000000"},
		{"read-only file system", "web", "1 2 0:5 / /x rw,nosuid - tmpfs t ro", "t\t/x\ttmpfs\tro,nosuid,zone=web,dev=5\t1700000000"},
		{"option twice", "web", "1 2 0:5 / /x rw,noatime - tmpfs t rw,noatime", "t\t/x\ttmpfs\trw,noatime,zone=web,dev=5\t1700000000"},
		{"overlay", "web", "1 2 0:5 / /usr ro,nodev - overlay overlay ro,lowerdir=/run/zones/a:/b,upperdir=/u,workdir=/w,xino=off",
			"overlay\t/usr\toverlay\tro,nodev,xino=off,zone=web,dev=5\t1700000000"},
		{"overlay on the host", "", "1 2 0:5 / /usr ro - overlay overlay ro,lowerdir=/a", "overlay\t/usr\toverlay\tro,lowerdir=/a,dev=5\t1700000000"},
		{"escapes", "web", `1 2 0:5 / /a\040b\011c\012d\134e\043f rw - tmpfs t rw`, `t` + "\t" + `/a\040b\011c\012d\134e#f` + "\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"escape of an escape", "web", `1 2 0:5 / /a\134040 rw - tmpfs t rw`, "t\t" + `/a\134040` + "\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"backslash that is none", "web", `1 2 0:5 / /a\9\777\04 rw - tmpfs t rw`, "t\t" + `/a\1349\134777\13404` + "\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"comment", "web", `1 2 0:5 / /x rw - tmpfs \043swap rw`, `\043swap` + "\t/x\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"no source", "web", "1 2 0:5 / /x rw - tmpfs  rw", "-\t/x\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"source with a space", "web", "1 2 0:5 / /x rw - fuse my files rw", `my\040files` + "\t/x\tfuse\trw,zone=web,dev=5\t1700000000"},
		{"hyphen as a name", "web", "1 2 0:5 / /- rw - tmpfs - rw", "-\t/-\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"high bytes", "web", "1 2 0:5 / /\xc3\xa9\xff rw - tmpfs t rw", "t\t/\xc3\xa9\xff\ttmpfs\trw,zone=web,dev=5\t1700000000"},
		{"largest device", "web", "1 2 16383:262143 / /x rw - tmpfs t rw", "t\t/x\ttmpfs\trw,zone=web,dev=ffffffff\t1700000000"},
		{"major too large", "web", "1 2 16384:0 / /x rw - tmpfs t rw", "t\t/x\ttmpfs\trw,zone=web,dev=7fffffff\t1700000000"},
		{"minor too large", "web", "1 2 0:262144 / /x rw - tmpfs t rw", "t\t/x\ttmpfs\trw,zone=web,dev=7fffffff\t1700000000"},
	} {
		got, err := MnttabAt([]byte(c.in+"\n"), c.zone, at)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if string(got) != c.want+"\n" {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want+"\n")
		}
	}
}

func TestMnttabRefusesOtherText(t *testing.T) {
	for _, in := range []string{
		"\n", "x", "1 2 0:5 / /x rw", "1 2 0:5 / /x rw -", "1 2 0:5 / /x rw - tmpfs t", "1 2 5 / /x rw - tmpfs t rw",
		"1 2 0:x / /x rw - tmpfs t rw", "1 2 x:0 / /x rw - tmpfs t rw", "1 2 -1:0 / /x rw - tmpfs t rw",
		"1 2 0:99999999999 / /x rw - tmpfs t rw",
	} {
		good := "1 2 0:5 / /x rw - tmpfs t rw\n"
		_, err := RenderMnttab([]byte(good+in+"\n"), "web")
		if err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", in, err)
		}
	}
	if out, err := RenderMnttab(nil, "web"); err != nil || len(out) != 0 {
		t.Errorf("no mounts: %q %v", out, err)
	}
}

// mnttabFields reads a rendered table as getmntent(3) would.
func mnttabFields(t testing.TB, table []byte) [][]string {
	t.Helper()
	var lines [][]string
	for line := range bytes.Lines(table) {
		if line[len(line)-1] != '\n' {
			t.Fatalf("a line has no end: %q", line)
		}
		fields := strings.Split(string(line[:len(line)-1]), "\t")
		if len(fields) != 5 {
			t.Fatalf("%d fields: %q", len(fields), line)
		}
		for _, f := range fields {
			if f == "" || strings.ContainsAny(f, " \n") {
				t.Fatalf("field %q of %q", f, line)
			}
		}
		lines = append(lines, fields)
	}
	return lines
}

// TestMnttabLarge: ten thousand mounts with every byte that a path may hold, and paths as
// long as the kernel allows.
func TestMnttabLarge(t *testing.T) {
	const mountCount = 10000
	kernelEscape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	var in bytes.Buffer
	points := make([]string, mountCount)
	for i := range points {
		name := []byte(fmt.Sprintf("/m%d-", i))
		for c := byte(1); c != 0; c++ {
			if c != '/' && int(c)%7 == i%7 {
				name = append(name, c)
			}
		}
		if i%1000 == 0 {
			name = append(name, bytes.Repeat([]byte(" /\\"), 1300)...)
		}
		points[i] = string(name)
		fmt.Fprintf(&in, "%d 1 0:%d / %s rw,nosuid - tmpfs swap rw\n", i+2, i, kernelEscape.Replace(points[i]))
	}
	start := time.Now()
	out, err := RenderMnttab(in.Bytes(), "web")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d mounts, %d bytes: %v", mountCount, len(out), time.Since(start))
	lines := mnttabFields(t, out)
	if len(lines) != mountCount {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines {
		if got := unescape(l[1]); got != points[i] {
			t.Fatalf("mount %d: %q, want %q", i, got, points[i])
		}
	}
}

// TestMnttabOfThisHost renders what the kernel really writes.
func TestMnttabOfThisHost(t *testing.T) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"", "web"} {
		out, err := RenderMnttab(info, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(mnttabFields(t, out)), bytes.Count(info, []byte("\n")); got != want {
			t.Errorf("%d lines of %d mounts", got, want)
		}
	}
}

// FuzzMnttab: a table has a line a mount and five fields a line, whatever the names are;
// what is refused is refused with a line's number.
func FuzzMnttab(f *testing.F) {
	f.Add([]byte("520 519 254:1 /r / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard\n"), "web")
	f.Add([]byte(`1 2 0:5 / /a\040b\134 rw - overlay \043o rw,lowerdir=/a`), "")
	f.Add([]byte("1 2 0:5 / /x rw - tmpfs  rw\n1 2 0:5 / /x rw - fuse a b c rw\n"), "w")
	f.Fuzz(func(t *testing.T, in []byte, zone string) {
		if strings.ContainsAny(zone, "\t\n ,\\") {
			return // not the name of a zone
		}
		out, err := RenderMnttab(in, zone)
		if err != nil {
			if !strings.Contains(err.Error(), "line ") {
				t.Errorf("refusal without a line: %v", err)
			}
			return
		}
		lines := 0
		for range bytes.Lines(in) {
			lines++
		}
		got := mnttabFields(t, out)
		if len(got) != lines {
			t.Errorf("%d lines of %d", len(got), lines)
		}
		for _, l := range got {
			if l[0][0] == '#' {
				t.Errorf("%q reads as a comment", l)
			}
			if zone != "" && strings.HasPrefix(l[0], "/") && l[0] != l[1] {
				t.Errorf("%q tells what lies outside", l)
			}
		}
	})
}

func BenchmarkMnttab(b *testing.B) {
	line := "530 520 0:50 / /proc/some/where rw,nosuid,nodev,noexec,relatime - tmpfs swap rw,size=1024k,mode=755\n"
	in := []byte(strings.Repeat(line, 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := RenderMnttab(in, "web"); err != nil {
			b.Fatal(err)
		}
	}
}
