package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs/privilege"
)

// DefaultBrand is the brand of a zone that asks for none.
const DefaultBrand = "sparse"

// What is wrong with a limitpriv, besides privilege.ErrUnknown. The texts are the
// original's.
var (
	// ErrPrivProhibited: the brand never gives a privilege.
	ErrPrivProhibited = errors.New("Specified privilege is prohibited")
	// ErrPrivRequired: the brand cannot run without a privilege.
	ErrPrivRequired = errors.New("Required privilege is missing")
)

// Brand says what kind of system a zone is. The table of brands is part of the program:
// each needs code to install and boot it.
type Brand struct {
	Name string
	// Description is one line for people.
	Description string
	// Init is the program that becomes process 1, a path in the zone; empty when the
	// installed image says which.
	Init string
	// RestartInit: when init dies the zone boots again, else it is halted.
	RestartInit bool
	// SMF: our init and restarter run in the zone.
	SMF bool
	// HostSoftware: the host's /usr serves the zone; else the zone has a root of its own.
	HostSoftware bool
	// Immutable are the properties that an install fixes.
	Immutable []string
}

var fixedByInstall = []string{"zonepath", "brand"}

// brands is in the order in which people see it.
var brands = []Brand{
	{Name: "sparse", Description: "the host's software, read-only, under a private /etc and /var", Init: "/lib/svc/bin/init",
		RestartInit: true, SMF: true, HostSoftware: true, Immutable: fixedByInstall},
	{Name: "whole", Description: "a root of its own from an archive or a directory, with our init and services", Init: "/lib/svc/bin/init",
		RestartInit: true, SMF: true, Immutable: fixedByInstall},
	{Name: "linux", Description: "a root of its own with its own init: systemd, OpenRC, busybox", Init: "/sbin/init",
		Immutable: fixedByInstall},
	{Name: "oci", Description: "the process of an OCI image", Immutable: fixedByInstall},
}

// LookupBrand finds a brand; the error lists those that exist.
func LookupBrand(name string) (Brand, error) {
	for _, b := range brands {
		if b.Name == name {
			return b, nil
		}
	}
	return Brand{}, fmt.Errorf("unknown brand %.64q, allowed are %s", name, strings.Join(BrandNames(), ", "))
}

// BrandNames lists the brands.
func BrandNames() []string {
	names := make([]string, len(brands))
	for i, b := range brands {
		names[i] = b.Name
	}
	return names
}

// Privileges are a brand's rules for one ip-type.
type Privileges struct{ Default, Required, Prohibited privilege.Set }

// privsDefault is what a zone of any brand has. It is the original's set without
// sys_mount and sys_admin (see package privilege), and with sys_boot and sys_devices:
// rebooting is the zone's own affair, and in a user namespace mknod makes no device.
var privsDefault = privilege.Of(
	"contract_event", "contract_identity", "contract_observer",
	"file_chown", "file_chown_self", "file_dac_execute", "file_dac_read", "file_dac_search", "file_dac_write", "file_owner", "file_setid",
	"ipc_dac_read", "ipc_dac_write", "ipc_owner",
	"net_bindmlp", "net_icmpaccess", "net_mac_aware", "net_observability", "net_privaddr", "net_rawaccess",
	"proc_audit", "proc_chroot", "proc_lock_memory", "proc_owner", "proc_priocntl", "proc_prioup", "proc_setid", "proc_taskid",
	"sys_acct", "sys_boot", "sys_devices", "sys_ipc_config", "sys_nfs", "sys_resource", "sys_share", "sys_smb",
).Union(privilege.Basic())

// privsNetwork are the privileges over a network stack: for a zone that has its own.
var privsNetwork = privilege.Of("sys_dl_config", "sys_flow_config", "sys_ip_config", "sys_iptun_config", "sys_ppp_config")

// privsProhibited would be power over the host, or mean nothing inside a zone.
var privsProhibited = privilege.Of("dtrace_kernel", "proc_zone", "sys_config", "sys_linkdir", "sys_net_config", "sys_res_config",
	"sys_suser_compat", "virt_manage", "xvm_control")

// privsRequired: a zone without them could not run or end init.
var privsRequired = privilege.Of("proc_exec", "proc_fork", "sys_boot")

// Privileges gives the brand's rules. All brands share them today; they hang on the
// brand because the original's do, and because the oci brand will need fewer.
func (b Brand) Privileges(ip IPType) Privileges {
	p := Privileges{Default: privsDefault, Required: privsRequired, Prohibited: privsProhibited}
	if ip == IPExclusive {
		p.Default = p.Default.Union(privsNetwork)
	} else {
		p.Prohibited = p.Prohibited.Union(privsNetwork)
	}
	return p
}

// Privileges gives the zone's effective privilege set: the brand's default, edited by
// LimitPriv. Errors: privilege.ErrUnknown, ErrPrivProhibited, ErrPrivRequired, or an
// unknown brand.
func (z *Zone) Privileges() (privilege.Set, error) {
	set, _, err := z.privileges()
	return set, err
}

// privileges gives what LimitPriv denies besides.
func (z *Zone) privileges() (set, denied privilege.Set, err error) {
	b, err := LookupBrand(z.Brand)
	if err != nil {
		return nil, nil, err
	}
	rules := b.Privileges(z.IPType)
	if z.LimitPriv == "" {
		return rules.Default, nil, nil
	}
	if set, denied, err = privilege.ParseDenied(z.LimitPriv, rules.Default); err != nil {
		return nil, nil, err
	}
	if bad := set.Both(rules.Prohibited); len(bad) > 0 {
		return nil, nil, fmt.Errorf("%w: %s, for brand %s with ip-type %s", ErrPrivProhibited, bad, b.Name, z.IPType)
	}
	if missing := rules.Required.Minus(set); len(missing) > 0 {
		return nil, nil, fmt.Errorf("%w: %s", ErrPrivRequired, missing)
	}
	return set, denied, nil
}

// Capabilities gives the Linux capabilities of the zone's privilege set, CAP_ names in
// alphabetical order: the bounding set of every process in the zone. CAP_SYS_ADMIN is
// among them only when LimitPriv asks for sys_mount or sys_admin. A capability behind a
// privilege that LimitPriv denies is not among them, even when another privilege would give
// it: net_rawaccess and net_icmpaccess are both CAP_NET_RAW, and a zone that is denied the
// first must not have raw sockets.
func (z *Zone) Capabilities() ([]string, error) {
	set, denied, err := z.privileges()
	if err != nil {
		return nil, err
	}
	gone := denied.Capabilities()
	return slices.DeleteFunc(set.Capabilities(), func(c string) bool { return slices.Contains(gone, c) }), nil
}
