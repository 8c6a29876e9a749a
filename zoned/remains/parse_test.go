package remains

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

// line is a line of a journal.
func line(body string) string {
	return fmt.Sprintf("%08x %s\n", crc32.ChecksumIEEE([]byte(body)), body)
}

func TestMark(t *testing.T) {
	h := Naming(layout.At("/some where\nodd"), "b-1")
	m := h.Mark("web", 7)
	if got, ok := parseMark(m.String()); !ok || got != m || !h.ours(got) || len(m.String()) > 255 {
		t.Errorf("%q: %+v %v", m, got, ok)
	}
	if Naming(layout.At("/some where"), "b-1").ours(m) || Naming(layout.At("/some where\nodd"), "b-2").ours(m) {
		t.Error("another instance or boot takes it for its own")
	}
	for _, s := range []string{
		"", "zones1", "zones2 b 7 web x", "zones1 b -1 web x", "zones1 b 07 web x", "zones1 b 7 .. x", "zones1 b 7 a/b x",
		"zones1 b 7 web", "zones1  b 7 web x", "zones1 b 7 global x", "zones1 b 99999999999999999999 web x", "zones1 b 7 web x\n y",
	} {
		if m, ok := parseMark(s); ok {
			t.Errorf("%q is taken for %+v", s, m)
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add("zones1 b 7 web x")
	f.Add("zones1 b 7 we\x00b x")
	f.Fuzz(func(t *testing.T, s string) {
		if m, ok := parseMark(s); ok && (m.String() != s || strings.ContainsAny(m.Zone, "/ \n\x00") || m.ID < 0) {
			t.Errorf("%q: %+v", s, m)
		}
	})
}

func FuzzLedger(f *testing.F) {
	open := line(`{"t":"open","v":1,"boot":"b"}`)
	f.Add([]byte(open + line(`{"t":"do","step":"cgroup","data":{"cgroup":"/z/g5"}}`) + "torn"))
	f.Add([]byte(open + line(`{"t":"do","step":"cgroup","data":{"cgroup":""}}`) + line(`{"t":"undone","step":"cgroup"}`)))
	f.Add([]byte(open + line(`{"t":"done","step":"x"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLedger(b)
		if err != nil {
			return
		}
		if len(l.live) > l.steps || len(l.ids) > l.steps {
			t.Errorf("%+v", l)
		}
		// Half a line behind a whole one makes nothing unreadable.
		lines := bytes.Split(b, []byte{'\n'})
		if len(lines) < 2 || len(lines[len(lines)-1]) > 0 {
			return
		}
		if _, ok := parseEntry(lines[len(lines)-2]); ok {
			if _, err := parseLedger(append(b[:len(b):len(b)], "half a li"...)); err != nil {
				t.Errorf("a torn last line: %v", err)
			}
		}
	})
}

func FuzzDevices(f *testing.F) {
	if b, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC); err == nil {
		f.Add(b)
	}
	f.Add([]byte{16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _, err := parseDevices(b)
		for _, d := range all {
			if _, ok := parseMark(d.mark.String()); !ok || err != nil {
				t.Errorf("%+v, %v", d, err)
			}
		}
	})
}

// TestDevicesThatChange: a list during which devices came or went is none: halt would take what it
// lacks for gone.
func TestDevicesThatChange(t *testing.T) {
	whole, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := parseDevices(whole); err != nil {
		t.Fatal(err)
	}
	msgs, err := syscall.ParseNetlinkMessage(whole)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for i := range msgs {
		b := bytes.Clone(whole)
		flags := binary.NativeEndian.Uint16(b[at+6:])
		binary.NativeEndian.PutUint16(b[at+6:], flags|unix.NLM_F_DUMP_INTR)
		if all, done, err := parseDevices(b); !errors.Is(err, errChanged) || !done || len(all) > 0 {
			t.Errorf("told at message %d of %d: %d devices, %v, %v", i, len(msgs), len(all), done, err)
		}
		at += int(msgs[i].Header.Len+3) &^ 3
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`a\040b\011\012\134`)
	f.Add(`\04`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := unescape(s); len(got) > len(s) || !strings.Contains(s, `\`) && got != s {
			t.Errorf("%q: %q", s, got)
		}
	})
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a\040b`: "a b", `\134040`: `\040`, `x\`: `x\`, `\999`: `\999`, `\012\011`: "\n\t"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
