package method

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Privileges is a set of privileges(7) as capabilities. They are settled with Of when it is known
// which ones the caller has.
type Privileges struct {
	// All: all that the caller has, those among them for which the original has no privilege.
	All bool
	// Caps are capabilities by name or by privilege, one bit each; Without are those that were
	// taken away.
	Caps, Without uint64
}

// Of gives the set for a caller who has these capabilities, and which it lacks of those that were
// asked for by name.
func (p *Privileges) Of(have uint64) (caps, lacking uint64) {
	if p.All {
		caps = have
	}
	caps = (caps | p.Caps) &^ p.Without
	return caps & have, caps &^ have
}

// capability is one bit of a set.
func capability(numbers ...int) (set uint64) {
	for _, n := range numbers {
		set |= 1 << n
	}
	return set
}

// privilege is one of the original's.
type privilege struct {
	name string
	caps uint64
	is   note
}

type note uint8

const (
	mapped note = iota
	basic       // every process has it, and nothing takes it away
	none        // nothing on Linux is like it
)

// privileges are those of the original, in their order, and what of Linux comes nearest. Where
// a capability allows more than the privilege, docs/DIFFERENCES.md says so. The table stands in
// docs/man/smf_method.5, too; a test compares them.
var privileges = []privilege{
	{"contract_event", 0, none},
	{"contract_identity", 0, none},
	{"contract_observer", 0, none},
	{"cpc_cpu", capability(unix.CAP_PERFMON), mapped},
	{"dtrace_kernel", 0, none},
	{"dtrace_proc", 0, none},
	{"dtrace_user", 0, none},
	{"file_chown", capability(unix.CAP_CHOWN), mapped},
	{"file_chown_self", 0, none},
	{"file_dac_execute", capability(unix.CAP_DAC_OVERRIDE), mapped},
	{"file_dac_read", capability(unix.CAP_DAC_READ_SEARCH), mapped},
	{"file_dac_search", capability(unix.CAP_DAC_READ_SEARCH), mapped},
	{"file_dac_write", capability(unix.CAP_DAC_OVERRIDE), mapped},
	{"file_downgrade_sl", 0, none},
	{"file_flag_set", capability(unix.CAP_LINUX_IMMUTABLE), mapped},
	{"file_link_any", 0, basic},
	{"file_owner", capability(unix.CAP_FOWNER), mapped},
	{"file_read", 0, basic},
	{"file_setid", capability(unix.CAP_FSETID), mapped},
	{"file_upgrade_sl", 0, none},
	{"file_write", 0, basic},
	{"graphics_access", 0, none},
	{"graphics_map", 0, none},
	{"ipc_dac_read", capability(unix.CAP_IPC_OWNER), mapped},
	{"ipc_dac_write", capability(unix.CAP_IPC_OWNER), mapped},
	{"ipc_owner", capability(unix.CAP_IPC_OWNER), mapped},
	{"net_access", 0, basic},
	{"net_bindmlp", 0, none},
	{"net_icmpaccess", capability(unix.CAP_NET_RAW), mapped},
	{"net_mac_aware", 0, none},
	{"net_mac_implicit", 0, none},
	{"net_observability", capability(unix.CAP_NET_RAW), mapped},
	{"net_privaddr", capability(unix.CAP_NET_BIND_SERVICE), mapped},
	{"net_rawaccess", capability(unix.CAP_NET_RAW), mapped},
	{"proc_audit", capability(unix.CAP_AUDIT_WRITE), mapped},
	{"proc_chroot", capability(unix.CAP_SYS_CHROOT), mapped},
	{"proc_clock_highres", capability(unix.CAP_WAKE_ALARM), mapped},
	{"proc_exec", 0, basic},
	{"proc_fork", 0, basic},
	{"proc_info", 0, basic},
	{"proc_lock_memory", capability(unix.CAP_IPC_LOCK), mapped},
	{"proc_owner", capability(unix.CAP_KILL, unix.CAP_SYS_PTRACE), mapped},
	{"proc_priocntl", capability(unix.CAP_SYS_NICE), mapped},
	{"proc_prioup", capability(unix.CAP_SYS_NICE), mapped},
	{"proc_secflags", 0, basic},
	{"proc_session", 0, basic},
	{"proc_setid", capability(unix.CAP_SETUID, unix.CAP_SETGID), mapped},
	{"proc_taskid", 0, none},
	{"proc_zone", 0, none},
	{"sys_acct", capability(unix.CAP_SYS_PACCT), mapped},
	{"sys_admin", capability(unix.CAP_SYS_ADMIN), mapped},
	{"sys_audit", capability(unix.CAP_AUDIT_CONTROL), mapped},
	{"sys_config", capability(unix.CAP_SYS_ADMIN), mapped},
	{"sys_devices", capability(unix.CAP_MKNOD), mapped},
	{"sys_dl_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_flow_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_ip_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_ipc_config", capability(unix.CAP_SYS_RESOURCE), mapped},
	{"sys_iptun_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_linkdir", 0, none},
	{"sys_mount", capability(unix.CAP_SYS_ADMIN), mapped},
	{"sys_net_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_nfs", 0, none},
	{"sys_ppp_config", capability(unix.CAP_NET_ADMIN), mapped},
	{"sys_res_bind", capability(unix.CAP_SYS_NICE), mapped},
	{"sys_res_config", 0, none},
	{"sys_resource", capability(unix.CAP_SYS_RESOURCE), mapped},
	{"sys_share", 0, none},
	{"sys_smb", 0, none},
	{"sys_suser_compat", 0, none},
	{"sys_time", capability(unix.CAP_SYS_TIME), mapped},
	{"sys_trans_label", 0, none},
	{"virt_manage", 0, none},
	{"win_colormap", 0, none},
	{"win_config", 0, none},
	{"win_dac_read", 0, none},
	{"win_dac_write", 0, none},
	{"win_devices", 0, none},
	{"win_dga", 0, none},
	{"win_downgrade_sl", 0, none},
	{"win_fontpath", 0, none},
	{"win_mac_read", 0, none},
	{"win_mac_write", 0, none},
	{"win_selection", 0, none},
	{"win_upgrade_sl", 0, none},
	{"xvm_control", 0, none},
}

// capabilityNames are those of capabilities(7), by their numbers.
var capabilityNames = [...]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid",
	"cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin",
	"cap_net_raw", "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot",
	"cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource",
	"cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control",
	"cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm", "cap_block_suspend",
	"cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
}

// set is a set of privileges in the making. What was taken away stays away.
type set struct {
	all        bool
	in, out    [privilegesMax]bool // by place in privileges
	named      [privilegesMax]bool // asked for by its own name
	caps, lost uint64              // by names of capabilities
}

// privilegesMax is room for the table; a test holds it.
const privilegesMax = 96

// parsePrivileges reads a list as priv_str_to_set(3C) does: names and sets between commas, with '!'
// or '-' before what is taken away, "priv_" before a name at will. When ok is false wrong is a word that is neither.
func parsePrivileges(list string) (s set, wrong string, ok bool) {
	for word := range strings.SplitSeq(list, ",") {
		name := strings.ToLower(strings.Trim(word, " \t"))
		take := strings.HasPrefix(name, "!") || strings.HasPrefix(name, "-")
		if take {
			name = name[1:]
		}
		if !s.set(name, take) && !s.one(strings.TrimPrefix(name, "priv_"), take) {
			return s, word, false
		}
	}
	return s, "", true
}

// set adds or takes away a set of privileges; false: it is the name of none.
func (s *set) set(name string, take bool) bool {
	switch name {
	case "none":
	case "basic", "default":
		for n := range privileges {
			if privileges[n].is == basic {
				s.mark(n, take)
			}
		}
	case "all", "zone":
		s.all = !take
		for n := range privileges {
			s.mark(n, take)
		}
	default:
		return false
	}
	return true
}

// one adds or takes away one privilege, or a capability; false: it is the name of none.
func (s *set) one(name string, take bool) bool {
	if n := slices.Index(capabilityNames[:], name); n >= 0 {
		if take {
			s.lost |= capability(n)
		} else {
			s.caps |= capability(n)
		}
		return true
	}
	n := slices.IndexFunc(privileges, func(p privilege) bool { return p.name == name })
	if n < 0 {
		return false
	}
	s.mark(n, take)
	s.named[n] = !take
	return true
}

func (s *set) mark(n int, take bool) {
	if take {
		s.out[n] = true
	} else {
		s.in[n] = true
	}
}

// settle gives the set as capabilities, with the names of the privileges that are not as asked for:
// that are not given, that are not taken away, and that went with others.
func (s *set) settle() (p Privileges, lacking, staying, lost []string) {
	p = Privileges{All: s.all, Caps: s.caps, Without: s.lost}
	for n, v := range privileges {
		if s.out[n] {
			p.Without |= v.caps
		}
	}
	for n, v := range privileges {
		in := s.in[n] && !s.out[n]
		switch {
		case in && v.is == none && s.named[n]:
			lacking = append(lacking, v.name)
		case in:
			if !s.all || s.named[n] { // what is in a set without being asked for need not be there
				p.Caps |= v.caps
			}
			if v.caps&p.Without != 0 {
				lost = append(lost, v.name)
			}
		case v.is == basic:
			staying = append(staying, v.name)
		}
	}
	p.Caps &^= p.Without
	return p, lacking, staying, lost
}

// privilegeSet reads one of the two sets; nil: it is as the user has it.
func (r *reading) privilegeSet(called, list, text string) (*Privileges, error) {
	s, wrong, ok := parsePrivileges(list)
	if !ok {
		return nil, invalid(text, quoted(wrong)+" is no privilege, see smf_method(5)")
	}
	p, lacking, staying, lost := s.settle()
	if len(lacking) > 0 {
		r.notice(called + ": not given, for want of a counterpart: " + listed(lacking) + ".")
	}
	if len(staying) > 0 {
		r.notice(called + ": cannot be taken away: " + listed(staying) + ".")
	}
	if len(lost) > 0 {
		r.notice(called + ": gone with what was taken away, as one capability stands for both: " + listed(lost) + ".")
	}
	return &p, nil
}

// privileges reads both sets.
func (r *reading) privileges() error {
	for _, v := range []struct {
		name string
		to   **Privileges
	}{{"privileges", &r.c.Privileges}, {"limit_privileges", &r.c.Limit}} {
		list, err := r.word(v.name, byDefault, v.name)
		if err != nil {
			return err
		}
		if list == byDefault || v.to == &r.c.Limit && (list == "zone" || list == "all") {
			continue
		}
		if *v.to, err = r.privilegeSet(v.name, list, "Could not interpret "+v.name+" property"); err != nil {
			return err
		}
	}
	return nil
}
