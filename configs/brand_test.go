package configs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs/privilege"
)

func capabilities(t *testing.T, brand, limitpriv string, ip IPType) []string {
	t.Helper()
	z := &Zone{Brand: brand, LimitPriv: limitpriv, IPType: ip}
	caps, err := z.Capabilities()
	if err != nil {
		t.Fatalf("%s %q %s: %v", brand, limitpriv, ip, err)
	}
	return caps
}

// The sets are written down here apart from the tables, as vplat relies on them.
func TestDefaultCapabilities(t *testing.T) {
	const both = "CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_IPC_LOCK CAP_IPC_OWNER CAP_KILL " +
		"CAP_LEASE CAP_MKNOD %s CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_BOOT CAP_SYS_CHROOT CAP_SYS_NICE " +
		"CAP_SYS_PACCT CAP_SYS_PTRACE CAP_SYS_RESOURCE CAP_SYS_TTY_CONFIG"
	for _, brand := range BrandNames() {
		for ip, net := range map[IPType]string{IPExclusive: "CAP_NET_ADMIN CAP_NET_BIND_SERVICE", IPShared: "CAP_NET_BIND_SERVICE"} {
			want := strings.Replace(both, "%s", net, 1)
			if got := strings.Join(capabilities(t, brand, "", ip), " "); got != want {
				t.Errorf("%s %s:\n got %s\nwant %s", brand, ip, got, want)
			}
			if got := strings.Join(capabilities(t, brand, "default", ip), " "); got != want {
				t.Errorf("%s %s: default differs from nothing: %s", brand, ip, got)
			}
		}
	}
}

func TestLimitPriv(t *testing.T) {
	for priv, capability := range map[string]string{"sys_mount": "CAP_SYS_ADMIN", "sys_admin": "CAP_SYS_ADMIN", "sys_time": "CAP_SYS_TIME"} {
		if slices.Contains(capabilities(t, "sparse", "", IPExclusive), capability) {
			t.Errorf("%s is there unasked", capability)
		}
		if !slices.Contains(capabilities(t, "sparse", "default,"+priv, IPExclusive), capability) {
			t.Errorf("%s does not give %s", priv, capability)
		}
	}
	if slices.Contains(capabilities(t, "sparse", "default,!file_chown", IPExclusive), "CAP_CHOWN") {
		t.Error("CAP_CHOWN was not taken away")
	}
	if got := capabilities(t, "sparse", "basic,sys_boot", IPExclusive); !slices.Equal(got, []string{"CAP_SYS_BOOT"}) {
		t.Error(got)
	}
	for _, tc := range []struct {
		spec string
		ip   IPType
		want error
	}{
		{"default,bogus", IPExclusive, privilege.ErrUnknown},
		{"all", IPExclusive, ErrPrivProhibited},
		{"default,sys_config", IPExclusive, ErrPrivProhibited},
		{"default,sys_ip_config", IPShared, ErrPrivProhibited},
		{"none", IPExclusive, ErrPrivRequired},
		{"default,!sys_boot", IPExclusive, ErrPrivRequired},
		{"basic", IPExclusive, ErrPrivRequired},
	} {
		z := &Zone{Brand: "sparse", LimitPriv: tc.spec, IPType: tc.ip}
		if caps, err := z.Capabilities(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, %v", tc.spec, caps, err)
		}
	}
	if _, err := (&Zone{Brand: "x"}).Capabilities(); err == nil {
		t.Error("unknown brand")
	}
}

func TestBrands(t *testing.T) {
	for _, b := range brands {
		for _, ip := range []IPType{IPShared, IPExclusive} {
			p := b.Privileges(ip)
			if bad := p.Default.Both(p.Prohibited); len(bad) > 0 {
				t.Errorf("%s: by default and prohibited: %s", b.Name, bad)
			}
			if bad := p.Required.Minus(p.Default); len(bad) > 0 {
				t.Errorf("%s: required, but not by default: %s", b.Name, bad)
			}
		}
		if b.SMF && !b.RestartInit || b.HostSoftware && b.Name != "sparse" || len(b.Immutable) != 2 || b.Description == "" {
			t.Errorf("%+v", b)
		}
		if got, err := LookupBrand(b.Name); err != nil || got.Name != b.Name {
			t.Error(err)
		}
	}
	if New("a").Brand != DefaultBrand {
		t.Error("New")
	}
}

func TestAliases(t *testing.T) {
	z := testZone("a")
	for _, a := range append(RctlAliases(), AliasCPUCap, AliasSwap, AliasLocked) {
		if _, ok, err := z.Alias(a); ok || err != nil {
			t.Error(a.Name, ok, err)
		}
		if a.Min > 0 {
			if err := z.SetAlias(a, a.Min-1); err == nil || !strings.Contains(err.Error(), "out of range") {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
		for _, n := range []uint64{a.Min, a.Min + 7} {
			if err := z.SetAlias(a, n); err != nil {
				t.Fatal(err)
			}
			if got, ok, err := z.Alias(a); got != n || !ok || err != nil {
				t.Error(a.Name, got, ok, err)
			}
			if got, ok := z.Limit(a.Rctl); got != n || !ok {
				t.Error(a.Name, got, ok)
			}
		}
	}
	if err := z.Validate(); err != nil {
		t.Error(err)
	}
	if c := z.CappedMemory(); c == nil || c.Physical != 0 || c.Swap != AliasSwap.Min+7 || c.Locked != 7 || z.CappedCPU().Percent != 8 {
		t.Error(c, z.CappedCPU())
	}
	for _, a := range append(RctlAliases(), AliasCPUCap, AliasSwap, AliasLocked) {
		if !z.ClearAlias(a) || z.ClearAlias(a) {
			t.Error(a.Name)
		}
	}
	if z.CappedMemory() != nil || z.CappedCPU() != nil || len(z.Rctls) != 0 {
		t.Error("something is left")
	}
	a, _ := LookupAlias("max-lwps")
	for _, values := range [][]RctlValue{
		{{"privileged", 100, "none"}},
		{{"privileged", 100, "deny"}, {"privileged", 200, "none"}},
		nil,
	} {
		z.Rctls = []Rctl{{a.Rctl, values}}
		if _, _, err := z.Alias(a); !errors.Is(err, ErrAliasIncompatible) {
			t.Error(values, err)
		}
		if err := z.SetAlias(a, 500); !errors.Is(err, ErrAliasIncompatible) || len(z.Rctls[0].Values) != len(values) {
			t.Error(values, err)
		}
	}
	z.Rctls = []Rctl{{a.Rctl, []RctlValue{{"privileged", 300, "deny"}, {"privileged", 200, "deny"}, {"privileged", 100, "none"}}}}
	if n, ok := z.Limit(a.Rctl); n != 200 || !ok {
		t.Error("the least denial counts:", n, ok)
	}
}

func TestMemoryQuantities(t *testing.T) {
	for _, tc := range []struct {
		text, back string
		want       uint64
	}{
		{"1k", "1K", 1 << 10}, {"1536M", "1.5G", 1536 << 20}, {"1.5G", "1.5G", 1536 << 20}, {"1300K", "1300K", 1300 << 10},
		{"0.5g", "512M", 1 << 29}, {"1T", "1T", 1 << 40}, {"7B", "7B", 7}, {"0K", "0B", 0}, {"16777215T", "16777215T", 16777215 << 40},
		{"1.0001K", "1K", 1024}, {"1025B", "1025B", 1025},
	} {
		n, err := ParseMemory(tc.text)
		if err != nil || n != tc.want || FormatMemory(n) != tc.back {
			t.Errorf("%s: %d, %v, %s", tc.text, n, err, FormatMemory(n))
		}
	}
	for _, bad := range []string{"", "K", "1", "1.K", ".5K", "-1K", "+1K", "1KB", "1e3K", "0x1K", "1/2K", "1 K", "16777216T", "99999999999999999999999K", "1.1234567K", "1P"} {
		if n, err := ParseMemory(bad); err == nil {
			t.Errorf("%q is %d", bad, n)
		}
	}
}

func FuzzMemory(f *testing.F) {
	f.Add(uint64(1536<<20), "1.5G")
	f.Fuzz(func(t *testing.T, n uint64, text string) {
		if back, err := ParseMemory(FormatMemory(n)); err != nil || back != n {
			t.Fatalf("%d is written %s, which is %d, %v", n, FormatMemory(n), back, err)
		}
		_, _ = ParseMemory(text)
	})
}

func TestCPUs(t *testing.T) {
	for text, want := range map[string]uint64{"1": 100, "2.5": 250, ".5": 50, "0.01": 1, "1.": 100, "3.14159": 314} {
		if n, err := ParseCPUCap(text); err != nil || n != want {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
	for _, bad := range []string{"", ".", "0", "0.001", "-1", "1e1", "1/2", "1,5", "a", "1.5.1", "9999999999999"} {
		if n, err := ParseCPUCap(bad); err == nil {
			t.Errorf("%q is %d", bad, n)
		}
	}
	if lo, hi, err := ParseCPURange("1-4"); lo != 1 || hi != 4 || err != nil {
		t.Error(lo, hi, err)
	}
	for _, bad := range []string{"0", "0-1", "4-1", "-1", "1-", "a", "1-2-3", "99999999999"} {
		if lo, hi, err := ParseCPURange(bad); err == nil {
			t.Errorf("%q is %d-%d", bad, lo, hi)
		}
	}
}

func TestAllowedFS(t *testing.T) {
	for spec, want := range map[string]string{
		"": "cifs hsfs iso9660 nfs nfs3 nfs4 smbfs", "ufs,nfs": "cifs hsfs iso9660 nfs nfs3 nfs4 smbfs ufs", "-ufs": "ufs", "-,ufs,pcfs": "pcfs ufs", "-": "",
	} {
		if got := strings.Join((&Zone{FSAllowed: spec}).AllowedFS(), " "); got != want {
			t.Errorf("%q: %s", spec, got)
		}
	}
}

func TestSecurityFlagSets(t *testing.T) {
	l, d, u := SecurityFlags{Lower: "aslr"}.Sets()
	if !l["aslr"] || !d["aslr"] || !u["noexecstack"] || len(l) != 1 {
		t.Error(l, d, u)
	}
}
