package smf

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/utmp"
)

// records are those of a file of the zone, as "kind id pid user"; of processes alone those with the id.
func (z *zone) records(path, id string) (list []string) {
	z.t.Helper()
	b := z.in("cat " + path)
	size := utmp.Here().Size
	if len(b)%size != 0 {
		z.t.Fatalf("%s has %d bytes", path, len(b))
	}
	str := func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s }
	for ; len(b) >= size; b = b[size:] {
		if str(b[40:44]) != id {
			continue
		}
		kind, pid := binary.NativeEndian.Uint16([]byte(b)), binary.NativeEndian.Uint32([]byte(b)[4:])
		list = append(list, fmt.Sprintf("%d %s %d %s", kind, str(b[40:44]), pid, str(b[44:76])))
	}
	return list
}

func (z *zone) recorded(what, path, id string, want ...string) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return fmt.Sprint(z.records(path, id)) == fmt.Sprint(want) }, what+": "+strings.Join(want, ", "))
}

const utmpFile, wtmpFile = "/run/utmp", "/var/log/wtmp"

// getty is a service with a record, whose process is named there.
func getty(name, prefix string) service {
	return service{
		name: name, stop: ":kill", timeout: 60, start: "/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/" + strings.ReplaceAll(name, "/", "-") + "; exec sleep 100000&quot;",
		more: "<property_group name='startd' type='framework'><propval name='duration' type='astring' value='child'/><propval name='utmpx_prefix' type='astring' value='" + prefix + "'/></property_group>",
	}
}

// TestRecords: who(1) and last(1) tell of boots, levels, shutdowns and processes, each once, whenever
// svc.startd is killed.
//
//shows:3.3/utmpx
func TestRecords(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.state("multi-user-server:default", "online")
	three := fmt.Sprintf("1 ~~ %d runlevel", '3'|'N'<<8)
	boot := "2 ~~ 0 reboot"
	z.recorded("booted", utmpFile, "~~", boot, three)
	z.recorded("booted", wtmpFile, "~~", boot, three)
	z.add(getty("site/getty", "tt"), getty("site/twin", "tt"))
	z.state("site/getty:default", "online")
	z.state("site/twin:default", "online")
	first, twin := z.member("site/getty"), z.member("site/twin")
	for range testenv.Rounds(5, 2) {
		z.killStartd()
	}
	z.state("site/getty:default", "online")
	z.recorded("after kills", wtmpFile, "~~", boot, three)
	z.recorded("of its process", wtmpFile, "tt00", "5 tt00 "+first+" .startd")
	z.recorded("of the other's process", utmpFile, "tt01", "5 tt01 "+twin+" .startd")
	// It ends while svc.startd is stopped, which is killed then.
	z.in("pid=$(pgrep -o svc.startd); kill -STOP $pid; kill -9 " + first + "; kill -9 $pid")
	testenv.Eventually(t, func() bool { return z.starts("site/getty") == 2 }, "the restart")
	z.state("site/getty:default", "online")
	second := z.member("site/getty")
	z.recorded("its end, and the next one", wtmpFile, "tt00", "5 tt00 "+first+" .startd", "8 tt00 "+first+" .startd", "5 tt00 "+second+" .startd")
	z.recorded("in utmp", utmpFile, "tt00", "5 tt00 "+second+" .startd")
	z.in("svcadm disable site/getty")
	z.state("site/getty:default", "disabled")
	z.recorded("disabled", utmpFile, "tt00", "8 tt00 "+second+" .startd")
	if who := z.in("who -b -r"); !strings.Contains(who, "system boot") || !strings.Contains(who, "run-level 3") {
		t.Errorf("who: %s", who)
	}
	z.in("svcadm milestone single-user")
	z.recorded("the other's end", utmpFile, "tt01", "8 tt01 "+twin+" .startd")
	z.recorded("single-user", utmpFile, "~~", boot, fmt.Sprintf("1 ~~ %d runlevel", 'S'|'3'<<8))
	z.in("svcadm milestone all")
	z.recorded("all", utmpFile, "~~", boot, fmt.Sprintf("1 ~~ %d runlevel", '3'|'S'<<8))
	z.in(": >/run/this-boot")
	z.try("init 6")
	testenv.Eventually(t, func() bool { return z.try("test -e /run/this-boot || echo another").out == "another\n" }, "the zone to boot again")
	z.state("multi-user-server:default", "online")
	z.recorded("booted again", utmpFile, "~~", boot, three)
	testenv.Eventually(t, func() bool { return len(z.records(wtmpFile, "~~")) >= 7 }, "the log's last record")
	if list := z.records(wtmpFile, "~~"); len(list) != 7 || list[4] != "1 ~~ 0 shutdown" || list[5] != boot || list[6] != three {
		t.Errorf("the log has %q", list)
	}
	if out := z.try("last -x"); out.exit == 0 && strings.Count(out.out, "reboot   system boot") != 2 {
		t.Errorf("last: %v", out)
	}
}

// TestRecordsOfWhole: a zone with a root of its own is as one that shares the host's, and its boot began
// when it was booted, however long it was ready.
func TestRecordsOfWhole(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := whole(t)
	levels := fmt.Sprintf("1 ~~ %d runlevel", '3'|'N'<<8)
	z.recorded("booted once", wtmpFile, "~~", "2 ~~ 0 reboot", levels)
	z.Must("zoneadm", "-z", z.name, "halt")
	z.Must("zoneadm", "-z", z.name, "ready")
	before := time.Now()
	z.boot()
	z.state("multi-user-server:default", "online")
	z.recorded("booted", utmpFile, "~~", "2 ~~ 0 reboot", levels)
	z.recorded("booted twice", wtmpFile, "~~", "2 ~~ 0 reboot", levels, "2 ~~ 0 reboot", levels)
	if who := z.in("LC_ALL=C TZ=UTC who -b"); !strings.Contains(who, before.UTC().Format("2006-01-02 15:")) && !strings.Contains(who, "system boot") {
		t.Errorf("who: %s", who)
	}
	if b := z.in("cat " + utmpFile); utmp.Here().Size == 384 && int64(binary.NativeEndian.Uint32([]byte(b)[340:])) < before.Unix() {
		t.Error("it booted before it was booted")
	}
}

// TestRecordsOfHostileFiles: services start and stop whatever stands where the records should be.
func TestRecordsOfHostileFiles(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.add(getty("site/getty", "tt"))
	z.state("site/getty:default", "online")
	for n, what := range []string{
		"rm /run/utmp; mkfifo /run/utmp", "rm /run/utmp; mkdir /run/utmp", "rmdir /run/utmp; truncate -s 1T /run/utmp",
		"rm /run/utmp; ln -s /dev/zero /run/utmp", "rm /run/utmp; head -c 100000 /dev/urandom >/run/utmp; : >/var/log/wtmp; truncate -s 1T /var/log/wtmp",
	} {
		z.in(what + "; svcadm restart site/getty")
		testenv.Eventually(t, func() bool { return z.starts("site/getty") == n+2 }, "the restart with: "+what)
		z.state("site/getty:default", "online")
		z.killStartd()
		z.state("site/getty:default", "online")
	}
	if log := z.in("cat $(svcs -L site/getty)"); strings.Count(log, "could not record who is started") != 5 {
		t.Error(log)
	}
	z.in("rm /run/utmp /var/log/wtmp; svcadm restart svc:/system/utmp; svcadm restart site/getty")
	testenv.Eventually(t, func() bool { return z.starts("site/getty") == 7 }, "the last restart")
	z.state("site/getty:default", "online")
	if _, err := strconv.Atoi(z.member("site/getty")); err != nil {
		t.Error(err)
	}
}
