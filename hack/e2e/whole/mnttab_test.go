package whole

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestMnttab: the file says what the kernel says of the same mounts, in the original's form.
func TestMnttab(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	began := time.Now().Unix()
	sparseZone(t, z, "s", `add fs; set dir="/srv/a b"; set special=swap; set type=tmpfs; end`)
	z.ServicesUp("s") // some of them mount
	both := inZone(t, z, "s", "cat /etc/mnttab; echo ====; cat /proc/1/mountinfo")
	ended := time.Now().Unix()
	table, kernel, _ := strings.Cut(both, "====\n")
	var mounts [][]string
	for line := range strings.Lines(kernel) {
		mounts = append(mounts, strings.Fields(line))
	}
	rows := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	if len(rows) != len(mounts) {
		t.Fatalf("%d rows for %d mounts:\n%s", len(rows), len(mounts), both)
	}
	for i, row := range rows {
		f := strings.Split(row, "\t")
		if len(f) != 5 {
			t.Errorf("%q has %d fields", row, len(f))
			continue
		}
		special, point, kind, options, when := f[0], f[1], f[2], f[3], f[4]
		m := mounts[i]
		if point != m[4] || !strings.Contains(kernel, " - "+kind+" ") {
			t.Errorf("row %q, mount %q", row, m)
		}
		access, _, _ := strings.Cut(m[5], ",")
		if !strings.HasPrefix(options, access+",") || !strings.Contains(options, "zone=s,dev=") {
			t.Errorf("options of %s: %s, the kernel says %s", point, options, m[5])
		}
		if strings.Contains(special+options, z.Root) || strings.Contains(special+options, "/dev/vd") {
			t.Errorf("row %q tells of the host", row)
		}
		if n, err := strconv.ParseInt(when, 10, 64); err != nil || n < began || n > ended {
			t.Errorf("%s was mounted at %s, not from %d to %d", point, when, began, ended)
		}
	}
	for _, want := range []string{"/", "/usr", "/proc", "/dev/pts", "/etc/mnttab", "/etc/svc/volatile", "/sys/fs/cgroup", `/srv/a\040b`} {
		if !strings.Contains(table, fmt.Sprintf("\t%s\t", want)) {
			t.Errorf("%s is not in the table:\n%s", want, table)
		}
	}
	for _, c := range []string{"echo x >/etc/mnttab", "rm -f /etc/mnttab", "mv /etc/mnttab /etc/m", "umount /etc/mnttab", "chmod 777 /etc/mnttab", "mount -o remount,rw /etc/mnttab"} {
		if s := zlogin(t, z, "s", c); s.exit == 0 {
			t.Errorf("%s succeeded", c)
		}
	}
	if got := inZone(t, z, "s", "cat /etc/mnttab"); got != table {
		t.Errorf("the table became %q", got)
	}
}
