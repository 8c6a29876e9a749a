package privilege

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	def := Of("proc_fork", "proc_exec", "file_chown")
	for _, tc := range []struct{ spec, want string }{
		{"default", "file_chown,proc_exec,proc_fork"},
		{"default,sys_time", "file_chown,proc_exec,proc_fork,sys_time"},
		{"default,-file_chown", "proc_exec,proc_fork"},
		{"default,!file_chown", "proc_exec,proc_fork"},
		{"!file_chown,default", "file_chown,proc_exec,proc_fork"},
		{"default,!default", "none"},
		{"none", "none"},
		{"none,PRIV_SYS_TIME", "sys_time"},
		{"!priv_sys_time,Sys_Time", "sys_time"},
		{" zone , -proc_fork", "file_chown,proc_exec"},
		{"all,!all,net_privaddr", "net_privaddr"},
		{"basic,-basic", "none"},
	} {
		got, err := Parse(tc.spec, def)
		if err != nil || got.String() != tc.want {
			t.Errorf("Parse(%q) = %v, %v; want %s", tc.spec, got, err, tc.want)
		}
	}
	for _, spec := range []string{"", "default,", ",default", "-", "!", "bogus", "default,!bogus", "CAP_SYS_ADMIN", "priv_", "!!sys_time", "sys_time sys_admin"} {
		if got, err := Parse(spec, def); !errors.Is(err, ErrUnknown) {
			t.Errorf("Parse(%q) = %v, %v; want ErrUnknown", spec, got, err)
		}
	}
	if def.String() != "file_chown,proc_exec,proc_fork" {
		t.Error("Parse changed the default set")
	}
}

func TestRoundTrip(t *testing.T) {
	all := All()
	got, err := Parse(all.String(), nil)
	if err != nil || got.String() != all.String() {
		t.Fatal(got, err)
	}
	if len(all) < 70 {
		t.Fatalf("only %d privileges", len(all))
	}
}

// Every capability in the table is one that the kernel has: the list is that of
// capabilities(7) of Linux 6.1, written down here apart from the table.
func TestCapabilityNames(t *testing.T) {
	const kernel = " AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH " +
		"FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE " +
		"NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT " +
		"SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM "
	for _, c := range All().Capabilities() {
		if !strings.Contains(kernel, " "+strings.TrimPrefix(c, "CAP_")+" ") || !strings.HasPrefix(c, "CAP_") {
			t.Errorf("%s is no capability", c)
		}
	}
	var admin []string
	for _, n := range Names() {
		if slices.Contains(Of(n).Capabilities(), "CAP_SYS_ADMIN") {
			admin = append(admin, n)
		}
	}
	if got := strings.Join(admin, " "); got != "sys_admin sys_mount" {
		t.Errorf("CAP_SYS_ADMIN comes from %s", got)
	}
	if caps := Basic().Capabilities(); len(caps) != 0 {
		t.Errorf("the basic set gives %v", caps)
	}
}

func TestSetsAreValues(t *testing.T) {
	s := Of("sys_time")
	if u := s.Union(Of("sys_boot")); !u.Has("sys_boot") || s.Has("sys_boot") {
		t.Error("Union changed its operand")
	}
	if m := s.Minus(s); m.Has("sys_time") || !s.Has("sys_time") {
		t.Error("Minus changed its operand")
	}
	if b := Of("sys_time", "sys_boot").Both(Of("sys_boot", "sys_nfs")); b.String() != "sys_boot" {
		t.Error(b)
	}
	if u := Set(nil).Union(s); u.String() != "sys_time" {
		t.Error(u)
	}
	defer func() {
		if recover() == nil {
			t.Error("Of took a name that is none")
		}
	}()
	Of("bogus")
}

func FuzzParse(f *testing.F) {
	f.Add("default,!sys_time")
	f.Add("PRIV_ALL,-basic")
	f.Add(",,!,-")
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := Parse(spec, Basic())
		if err != nil {
			return
		}
		again, err := Parse(s.String(), nil)
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q gives %v, which gives %v, %v", spec, s, again, err)
		}
	})
}
