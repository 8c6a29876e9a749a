package method

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrivileges: lists become capabilities, and what does not is said.
func TestPrivileges(t *testing.T) {
	const (
		admin = uint64(1) << unix.CAP_SYS_ADMIN
		read  = uint64(1) << unix.CAP_DAC_READ_SEARCH
		bind  = uint64(1) << unix.CAP_NET_BIND_SERVICE
		raw   = uint64(1) << unix.CAP_NET_RAW
		log   = uint64(1) << unix.CAP_SYSLOG
		boot  = uint64(1) << unix.CAP_SYS_BOOT
	)
	for _, v := range []struct {
		list                   string
		want                   Privileges
		lacking, staying, lost string // a word that is among them; "" for none
	}{
		{"basic", Privileges{}, "", "", ""},
		{"default", Privileges{}, "", "", ""},
		{"none", Privileges{}, "", "proc_fork", ""},
		{"basic,net_privaddr", Privileges{Caps: bind}, "", "", ""},
		{" Basic , PRIV_NET_PRIVADDR,priv_file_dac_read ", Privileges{Caps: bind | read}, "", "", ""},
		{"net_privaddr", Privileges{Caps: bind}, "", "file_read", ""},
		{"basic,!proc_session,-proc_info", Privileges{}, "", "proc_session", ""},
		{"basic,dtrace_user", Privileges{}, "dtrace_user", "", ""},
		{"basic,!dtrace_user,net_bindmlp", Privileges{}, "net_bindmlp", "", ""},
		{"all", Privileges{All: true}, "", "", ""},
		{"zone", Privileges{All: true}, "", "", ""},
		{"all,!sys_mount", Privileges{All: true, Without: admin}, "", "", "sys_admin"},
		{"!sys_mount,all", Privileges{All: true, Without: admin}, "", "", "sys_config"},
		{"all,!net_privaddr", Privileges{All: true, Without: bind}, "", "", ""},
		{"all,net_privaddr", Privileges{All: true, Caps: bind}, "", "", ""},
		{"basic,net_rawaccess,!net_icmpaccess", Privileges{Without: raw}, "", "", "net_rawaccess"},
		{"basic,net_rawaccess,!net_rawaccess", Privileges{Without: raw}, "", "", ""},
		{"basic,cap_syslog", Privileges{Caps: log}, "", "", ""},
		{"all,!cap_sys_boot,cap_sys_boot", Privileges{All: true, Without: boot}, "", "", ""},
		{"basic,proc_owner", Privileges{Caps: 1<<unix.CAP_KILL | 1<<unix.CAP_SYS_PTRACE}, "", "", ""},
	} {
		s, wrong, ok := parsePrivileges(v.list)
		got, lacking, staying, lost := s.settle()
		if !ok || got != v.want {
			t.Errorf("%s: %+v, not %+v (%q)", v.list, got, v.want, wrong)
		}
		for _, w := range []struct {
			name string
			got  []string
			want string
		}{{"lacking", lacking, v.lacking}, {"staying", staying, v.staying}, {"lost", lost, v.lost}} {
			if (w.want != "") != (len(w.got) > 0) || w.want != "" && !slices.Contains(w.got, w.want) {
				t.Errorf("%s: %s are %q, not %q", v.list, w.name, w.got, w.want)
			}
		}
	}
	// A process has no more than it has, and lacks what was asked for by name alone.
	for _, v := range []struct {
		p                   Privileges
		have, want, lacking uint64
	}{
		{Privileges{}, 7, 0, 0}, {Privileges{Caps: 2}, 7, 2, 0}, {Privileges{Caps: 9}, 7, 1, 8},
		{Privileges{All: true}, 7, 7, 0}, {Privileges{All: true, Without: 8 | 1}, 7, 6, 0}, {Privileges{All: true, Caps: 8}, 7, 7, 8},
	} {
		if got, lacking := v.p.Of(v.have); got != v.want || lacking != v.lacking {
			t.Errorf("%+v of %#x: %#x, %#x", v.p, v.have, got, lacking)
		}
	}
}

// TestPrivilegeTable: names are the original's and in order, each says one thing, and the manual
// has the same table.
func TestPrivilegeTable(t *testing.T) {
	if len(privileges) > privilegesMax || !slices.IsSortedFunc(privileges, func(a, b privilege) int { return strings.Compare(a.name, b.name) }) {
		t.Errorf("%d privileges, or not in order", len(privileges))
	}
	if len(capabilityNames) != unix.CAP_LAST_CAP+1 || capabilityNames[unix.CAP_NET_BIND_SERVICE] != "cap_net_bind_service" || capabilityNames[unix.CAP_LAST_CAP] != "cap_checkpoint_restore" {
		t.Errorf("%d names of capabilities", len(capabilityNames))
	}
	page, err := os.ReadFile("../../docs/man/smf_method.5")
	must(t, err)
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\.It Li ([a-z_]+) Ta (.*)$`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2]
	}
	for _, p := range privileges {
		want := map[note]string{basic: "always there", none: "no counterpart"}[p.is]
		for n, name := range capabilityNames {
			if p.caps&(1<<n) != 0 {
				want = strings.TrimPrefix(fmt.Sprintf("%s, %s", want, strings.ToUpper(name)), ", ")
			}
		}
		if rows[p.name] != want {
			t.Errorf("the manual says of %s: %q, not %q", p.name, rows[p.name], want)
		}
		delete(rows, p.name)
		if (p.caps != 0) != (p.is == mapped) {
			t.Errorf("%s says two things", p.name)
		}
	}
	if len(rows) > 0 {
		t.Errorf("the manual has more: %v", rows)
	}
}

// TestPrivilegeNotices: both sets are told of.
func TestPrivilegeNotices(t *testing.T) {
	c, err := context(t, nil, as(str("user", "web"), str("privileges", "basic,!proc_info,dtrace_user,sys_mount,!sys_admin"), str("limit_privileges", "net_privaddr"))...)
	must(t, err)
	want := []string{
		"privileges: not given, for want of a counterpart: dtrace_user.",
		"privileges: cannot be taken away: proc_info.",
		"privileges: gone with what was taken away, as one capability stands for both: sys_mount.",
		"limit_privileges: cannot be taken away: file_link_any, file_read, file_write, net_access, proc_exec, proc_fork, proc_info, proc_secflags, proc_session.",
	}
	if !slices.Equal(c.Notices, want) || c.Privileges.Caps != 0 || c.Limit.Caps != 1<<unix.CAP_NET_BIND_SERVICE {
		t.Errorf("%q, %+v %+v", c.Notices, c.Privileges, c.Limit)
	}
}

func FuzzPrivileges(f *testing.F) {
	f.Add("basic,!proc_info,priv_sys_mount,all,cap_kill")
	f.Fuzz(func(t *testing.T, list string) {
		s, wrong, ok := parsePrivileges(list)
		if ok && wrong != "" || !strings.Contains(list, wrong) {
			t.Fatalf("%q of %q", wrong, list)
		}
		p, _, _, _ := s.settle()
		if p.Caps&p.Without != 0 {
			t.Fatalf("%q gives what it takes away: %+v", list, p)
		}
	})
}
