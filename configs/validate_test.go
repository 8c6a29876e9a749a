package configs

import (
	"errors"
	"strings"
	"testing"
)

// badZones are configurations with exactly one mistake, and what is said about it.
var badZones = []struct {
	name   string
	change func(z *Zone)
	want   string
}{
	{"name empty", func(z *Zone) { z.Name = "" }, "zonename not specified"},
	{"name starts badly", func(z *Zone) { z.Name = "-a" }, "Bogus zone name"},
	{"name too long", func(z *Zone) { z.Name = strings.Repeat("a", 64) }, "1 to 63"},
	{"name with slash", func(z *Zone) { z.Name = "a/b" }, "Bogus zone name"},
	{"name reserved", func(z *Zone) { z.Name = "SUNWx" }, "reserved"},
	{"path empty", func(z *Zone) { z.Path = "" }, "zonepath cannot be empty."},
	{"path relative", func(z *Zone) { z.Path = "zones/a" }, "zonepath: zones/a is not an absolute path"},
	{"path root", func(z *Zone) { z.Path = "//" }, "/ is not allowed as a zonepath"},
	{"path dots", func(z *Zone) { z.Path = "/zones/../etc" }, "'..'"},
	{"path quote", func(z *Zone) { z.Path = `/zones/"a` }, "quote"},
	{"path newline", func(z *Zone) { z.Path = "/zones/a\nb" }, "control characters"},
	{"path long", func(z *Zone) { z.Path = "/" + strings.Repeat("a", 1024) }, "longer than 1023"},
	{"brand unknown", func(z *Zone) { z.Brand = "solaris10" }, `unknown brand "solaris10", allowed are sparse, whole, linux, oci`},
	{"brand empty", func(z *Zone) { z.Brand = "" }, "brand not specified"},
	{"ip-type", func(z *Zone) { z.IPType = "both" }, "ip-type value must be 'exclusive' or 'shared', not \"both\""},
	{"bootargs long", func(z *Zone) { z.Bootargs = strings.Repeat("a", 256) }, "bootargs: value is longer than 255"},
	{"bootargs escape", func(z *Zone) { z.Bootargs = "-m \x1b]0;x\a" }, "control characters"},
	{"pool reserved", func(z *Zone) { z.Pool = "SUNWtmp_a" }, "pool names starting with SUNW are reserved"},
	{"pool characters", func(z *Zone) { z.Pool = "../x" }, "invalid pool name"},
	{"class", func(z *Zone) { z.SchedClass = "BATCH" }, "one of FSS, FX, IA, RT, TS"},
	{"hostid range", func(z *Zone) { z.HostID = "ffffffff" }, "invalid hostid"},
	{"hostid text", func(z *Zone) { z.HostID = "host" }, "hexadecimal"},
	{"hostid long", func(z *Zone) { z.HostID = "000000001" }, "invalid hostid"},
	{"fs-allowed", func(z *Zone) { z.FSAllowed = "ufs,,pcfs" }, "invalid fs-allowed"},
	{"limitpriv unknown", func(z *Zone) { z.LimitPriv = "default,sys_everything" }, "Specified privilege is unknown: \"sys_everything\""},
	{"limitpriv prohibited", func(z *Zone) { z.LimitPriv = "default,dtrace_kernel" }, "Specified privilege is prohibited: dtrace_kernel"},
	{"limitpriv required", func(z *Zone) { z.LimitPriv = "default,!proc_fork" }, "Required privilege is missing: proc_fork"},

	{"fs dir missing", func(z *Zone) { z.FS = []FS{{Special: "/a", Type: "lofs"}} }, "dir not specified"},
	{"fs special missing", func(z *Zone) { z.FS = []FS{{Dir: "/a", Type: "lofs"}} }, "fs /a: special not specified"},
	{"fs type missing", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "/b"}} }, "fs /a: type not specified"},
	{"fs dir relative", func(z *Zone) { z.FS = []FS{{Dir: "a", Special: "/b", Type: "lofs"}} }, "a is not an absolute path"},
	{"fs dir root", func(z *Zone) { z.FS = []FS{{Dir: "/", Special: "/b", Type: "lofs"}} }, "/ is not allowed as a dir"},
	{"fs dir dots", func(z *Zone) { z.FS = []FS{{Dir: "/a/../..", Special: "/b", Type: "lofs"}} }, "'..'"},
	{"fs type proc", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "proc", Type: "proc"}} }, "type proc cannot be mounted"},
	{"fs type nfs", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "h:/b", Type: "nfs"}} }, "type nfs cannot be mounted"},
	{"fs type slash", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "/b", Type: "../x"}} }, "is not a valid type"},
	{"fs lofs special", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "b", Type: "lofs"}} }, "as type lofs wants"},
	{"fs raw", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "/b", Raw: "rdsk", Type: "ext4"}} }, "rdsk is not an absolute path"},
	{"fs raw lofs", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "/b", Raw: "/c", Type: "lofs"}} }, "raw is for block file systems"},
	{"fs option", func(z *Zone) { z.FS = []FS{{Dir: "/a", Special: "/b", Type: "lofs", Options: []string{"ro,suid"}}} }, "invalid mount option"},
	{"fs twice", func(z *Zone) {
		z.FS = []FS{{Dir: "/a", Special: "/b", Type: "lofs"}, {Dir: "/a/", Special: "/c", Type: "lofs"}}
	}, "A fs resource with the dir '/a/' already exists."},

	{"net physical missing", func(z *Zone) { z.Nets = []Net{{AllowedAddress: "192.0.2.1"}} }, "physical not specified"},
	{"net physical", func(z *Zone) { z.Nets = []Net{{Physical: "a/b"}} }, "invalid physical interface name"},
	{"net physical logical", func(z *Zone) { z.Nets = []Net{{Physical: "eth0:1"}} }, "invalid physical interface name"},
	{"net physical long", func(z *Zone) { z.Nets = []Net{{Physical: strings.Repeat("e", 16)}} }, "up to 15"},
	{"net address exclusive", func(z *Zone) { z.Nets = []Net{{Physical: "e", Address: "192.0.2.1"}} }, "address cannot be specified for an exclusive IP type"},
	{"net allowed shared", func(z *Zone) {
		z.IPType = IPShared
		z.Nets = []Net{{Physical: "e", Address: "192.0.2.1", AllowedAddress: "192.0.2.1"}}
	}, "allowed-address cannot be specified for a shared IP type"},
	{"net shared without address", func(z *Zone) { z.IPType = IPShared; z.Nets = []Net{{Physical: "e"}} }, "address not specified"},
	{"net mac shared", func(z *Zone) {
		z.IPType = IPShared
		z.Nets = []Net{{Physical: "e", Address: "192.0.2.1", MACAddr: "2:0:0:0:0:1"}}
	}, "mac-addr cannot be specified for a shared"},
	{"net v6 prefix", func(z *Zone) { z.Nets = []Net{{Physical: "e", AllowedAddress: "2001:db8::1"}} }, "IPv6 addresses require /prefix-length"},
	{"net prefix range", func(z *Zone) { z.Nets = []Net{{Physical: "e", AllowedAddress: "192.0.2.1/33"}} }, "bogus network address"},
	{"net host name", func(z *Zone) { z.Nets = []Net{{Physical: "e", AllowedAddress: "host/24"}} }, "bogus network address"},
	{"net router alone", func(z *Zone) { z.Nets = []Net{{Physical: "e", DefRouter: "192.0.2.1"}} }, "without allowed-address"},
	{"net router", func(z *Zone) { z.Nets = []Net{{Physical: "e", AllowedAddress: "192.0.2.2", DefRouter: "192.0.2.1/24"}} }, "without prefix length"},
	{"net mac", func(z *Zone) { z.Nets = []Net{{Physical: "e", MACAddr: "1:2:3"}} }, "six hexadecimal bytes"},
	{"net mac group", func(z *Zone) { z.Nets = []Net{{Physical: "e", MACAddr: "1:2:3:4:5:6"}} }, "group address"},
	{"net vlan", func(z *Zone) { z.Nets = []Net{{Physical: "e", VLANID: 4095}} }, "from 1 to 4094"},
	{"net property", func(z *Zone) { z.Nets = []Net{{Physical: "e", Properties: []Property{{"a b", "c"}}}} }, "invalid property name"},
	{"net property twice", func(z *Zone) {
		z.Nets = []Net{{Physical: "e", Properties: []Property{{"a", "b"}, {"a", "c"}}}}
	}, "stands twice"},
	{"net twice", func(z *Zone) { z.Nets = []Net{{Physical: "e"}, {Physical: "e"}} }, "already exists"},

	{"device outside", func(z *Zone) { z.Devices = []Device{{Match: "/etc/*"}} }, "not below /dev"},
	{"device dots", func(z *Zone) { z.Devices = []Device{{Match: "/dev/../etc"}} }, "'..'"},
	{"device twice", func(z *Zone) { z.Devices = []Device{{Match: "/dev/a"}, {Match: "/dev/a"}} }, "already exists"},
	{"rctl name", func(z *Zone) { z.Rctls = []Rctl{{"zone.max-fun", []RctlValue{{"privileged", 1, "deny"}}}} }, "is not a valid zone rctl name"},
	{"rctl empty", func(z *Zone) { z.Rctls = []Rctl{{"zone.max-lwps", nil}} }, "no value specified"},
	{"rctl priv", func(z *Zone) { z.Rctls = []Rctl{{"zone.max-lwps", []RctlValue{{"basic", 1, "deny"}}}} }, "priv is \"basic\""},
	{"rctl action", func(z *Zone) { z.Rctls = []Rctl{{"zone.max-lwps", []RctlValue{{"privileged", 1, "signal=KILL"}}}} }, "allowed are deny, none"},
	{"rctl shares deny", func(z *Zone) { z.Rctls = []Rctl{{RctlCPUShares, []RctlValue{{"privileged", 1, "deny"}}}} }, "allowed are none"},
	{"rctl limit", func(z *Zone) { z.Rctls = []Rctl{{"zone.max-lwps", []RctlValue{{"privileged", 1 << 63, "deny"}}}} }, "out of range"},
	{"rctl value twice", func(z *Zone) {
		z.Rctls = []Rctl{{"zone.max-lwps", []RctlValue{{"privileged", 1, "deny"}, {"privileged", 1, "deny"}}}}
	}, "stands twice"},
	{"attr name", func(z *Zone) { z.Attrs = []Attr{{"-a", "string", "x"}} }, "Invalid attr name"},
	{"attr reserved", func(z *Zone) { z.Attrs = []Attr{{"zone-a", "string", "x"}} }, "'zone' are reserved"},
	{"attr type", func(z *Zone) { z.Attrs = []Attr{{"a", "float", "1"}} }, "one of boolean, int, string, uint"},
	{"attr int", func(z *Zone) { z.Attrs = []Attr{{"a", "int", "1.5"}} }, "invalid attr value for type=int"},
	{"attr uint", func(z *Zone) { z.Attrs = []Attr{{"a", "uint", "-1"}} }, "without sign"},
	{"attr boolean", func(z *Zone) { z.Attrs = []Attr{{"a", "boolean", "yes"}} }, "true or false"},
	{"attr value", func(z *Zone) { z.Attrs = []Attr{{"a", "string", ""}} }, "value not specified"},
	{"attr value long", func(z *Zone) { z.Attrs = []Attr{{"a", "string", strings.Repeat("x", 65537)}} }, "longer than 65536"},
	{"attr value bytes", func(z *Zone) { z.Attrs = []Attr{{"a", "string", "\xff"}} }, "not UTF-8"},
	{"attr twice", func(z *Zone) { z.Attrs = []Attr{{"a", "string", "x"}, {"a", "int", "1"}} }, "already exists"},
	{"dataset", func(z *Zone) { z.Datasets = []Dataset{{"/tank"}} }, "name invalid"},
	{"dataset dots", func(z *Zone) { z.Datasets = []Dataset{{"tank/../x"}} }, "name invalid"},
	{"admin user", func(z *Zone) { z.Admins = []Admin{{"a:b", []string{"login"}}} }, "not a valid username"},
	{"admin auths", func(z *Zone) { z.Admins = []Admin{{"a", []string{"root"}}} }, "allowed are clonefrom, login, manage"},
	{"admin no auths", func(z *Zone) { z.Admins = []Admin{{"a", nil}} }, "auths not specified"},
	{"admin auth twice", func(z *Zone) { z.Admins = []Admin{{"a", []string{"login", "login"}}} }, "stands twice"},
	{"cpus", func(z *Zone) { z.DedicatedCPU = &DedicatedCPU{MinCPUs: 3, MaxCPUs: 2} }, "ncpus property is out of range"},
	{"cpus and pool", func(z *Zone) { z.DedicatedCPU = &DedicatedCPU{MinCPUs: 1, MaxCPUs: 1}; z.Pool = "p" }, "A persistent pool is incompatible"},
	{"cpus and shares", func(z *Zone) {
		z.DedicatedCPU = &DedicatedCPU{MinCPUs: 1, MaxCPUs: 1}
		z.Rctls = []Rctl{{RctlCPUShares, []RctlValue{{"privileged", 1, "none"}}}}
	}, "zone.cpu-shares and dedicated-cpu are incompatible"},
	{"cpus and cap", func(z *Zone) {
		z.DedicatedCPU = &DedicatedCPU{MinCPUs: 1, MaxCPUs: 1}
		z.Rctls = []Rctl{{RctlCPUCap, []RctlValue{{"privileged", 100, "deny"}}}}
	}, "zone.cpu-cap and the dedicated-cpu are incompatible"},
	{"shares and class", func(z *Zone) {
		z.SchedClass = "TS"
		z.Rctls = []Rctl{{RctlCPUShares, []RctlValue{{"privileged", 1, "none"}}}}
	}, "scheduling-class=TS are incompatible"},
	{"memory small", func(z *Zone) { z.PhysicalMemory = 1 << 19 }, "at least 1M"},
	{"locked", func(z *Zone) {
		z.PhysicalMemory = 1 << 20
		z.Rctls = []Rctl{{RctlLockedMemory, []RctlValue{{"privileged", 1 << 21, "deny"}}}}
	}, "locked cap must be less than or equal"},
	{"flags", func(z *Zone) { z.SecurityFlags = &SecurityFlags{Lower: "aslr,bogus"} }, "not a valid security flag"},
	{"flags empty", func(z *Zone) { z.SecurityFlags = &SecurityFlags{} }, "One of lower, default or upper"},
	{"flags lower", func(z *Zone) { z.SecurityFlags = &SecurityFlags{Lower: "aslr", Default: "noexecstack"} }, "in lower but not in default"},
	{"flags upper", func(z *Zone) { z.SecurityFlags = &SecurityFlags{Default: "all", Upper: "all,-aslr"} }, "in default but not in upper"},
	{"too much", func(z *Zone) {
		for i := range 20 {
			z.Attrs = append(z.Attrs, Attr{"a" + decimal(uint64(i)), "string", strings.Repeat("x", 60000)})
		}
	}, "the most is"},
}

func TestValidateRefuses(t *testing.T) {
	s := Open(layoutOf(t))
	for _, tc := range badZones {
		z := testZone("web")
		tc.change(z)
		err := z.Validate()
		var ps Problems
		if !errors.As(err, &ps) || !errors.Is(err, ErrInvalid) || len(ps) != 1 && tc.name != "fs dir missing" && tc.name != "net physical missing" {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
		if _, err := s.Create(z); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s was committed: %v", tc.name, err)
		}
		if _, err := s.Snapshot(z); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s was frozen: %v", tc.name, err)
		}
	}
	if got := describe(s); got != "" {
		t.Errorf("something was written: %s", got)
	}
}

func TestValidateAccepts(t *testing.T) {
	for name, change := range map[string]func(z *Zone){
		"nothing":     func(z *Zone) {},
		"hostid zero": func(z *Zone) { z.HostID = "0" },
		"hostid most": func(z *Zone) { z.HostID = "FFFFFFFE" },
		"fs-allowed":  func(z *Zone) { z.FSAllowed = "-,ufs" },
		"swap": func(z *Zone) {
			z.FS = []FS{{Dir: "/tmp", Special: "swap", Type: "tmpfs", Options: []string{"size=10%"}}}
		},
		"privileges": func(z *Zone) { z.LimitPriv = "basic,sys_boot,net_rawaccess" },
		"mount":      func(z *Zone) { z.LimitPriv = "default,sys_mount" },
		"name":       func(z *Zone) { z.Name = strings.Repeat("a", 63) },
		"same interface": func(z *Zone) {
			z.Nets = []Net{{Physical: "e", AllowedAddress: "192.0.2.1"}, {Physical: "e", AllowedAddress: "192.0.2.2"}}
		},
		"router of other resource": func(z *Zone) {
			z.Nets = []Net{{Physical: "e", DefRouter: "192.0.2.1"}, {Physical: "e", AllowedAddress: "192.0.2.2"}}
		},
		"shared":    func(z *Zone) { z.IPType = IPShared; z.Nets = []Net{{Physical: "e", Address: "2001:db8::1/64"}} },
		"unicode":   func(z *Zone) { z.Path = "/zones/größe 1"; z.Attrs = []Attr{{"a", "string", "日本 \t"[:7]}} },
		"flags off": func(z *Zone) { z.SecurityFlags = &SecurityFlags{Upper: "all,!aslr"} },
	} {
		z := testZone("web")
		change(z)
		if err := z.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateGlobal(t *testing.T) {
	z := NewGlobal()
	z.Pool = "p"
	z.PhysicalMemory = 1 << 30
	if err := z.Validate(); err != nil {
		t.Fatal(err)
	}
	z.Autoboot, z.Bootargs, z.LimitPriv, z.HostID, z.SchedClass, z.FSAllowed = true, "x", "default", "1", "FSS", "ufs"
	z.FS, z.Nets, z.Devices = []FS{{Dir: "/a", Special: "/b", Type: "lofs"}}, []Net{{Physical: "e", Address: "192.0.2.1"}}, []Device{{Match: "/dev/a"}}
	z.Attrs, z.Datasets = []Attr{{"a", "string", "b"}}, []Dataset{{"tank/a"}}
	var ps Problems
	if !errors.As(z.Validate(), &ps) || len(ps) != 11 {
		t.Errorf("%d problems: %v", len(ps), ps)
	}
}

func TestProblemText(t *testing.T) {
	for _, tc := range []struct {
		p    Problem
		want string
	}{
		{Problem{"", "", "why"}, "why"},
		{Problem{"", "dir", "why"}, "dir: why"},
		{Problem{"fs /a", "dir", "why"}, "fs /a: dir: why"},
		{Problem{"fs /a", "dir", "dir not specified"}, "fs /a: dir not specified"},
		{Problem{"", "zonepath", "zonepath cannot be empty."}, "zonepath cannot be empty."},
	} {
		if got := tc.p.Error(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
