package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const secret = "TOP-SECRET-4711"

// fakeHost makes a host's root with a merged /usr, what a zone needs, and secrets in
// every place where one may hide.
func fakeHost(tb testing.TB) string {
	tb.Helper()
	host := filepath.Join(tb.TempDir(), "host")
	for _, dir := range []string{"usr/bin", "usr/lib", "etc/ssl/certs", "etc/profile.d", "etc/alternatives", "root", "home/alice", "var/lib", "run/systemd/resolve", "opt"} {
		mkdir(tb, filepath.Join(host, dir), 0o755)
	}
	for name, text := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "/usr/lib64",
		"etc/localtime": "/usr/share/zoneinfo/Europe/Berlin", "etc/alternatives/vi": "/usr/bin/vim", "etc/os-release": "../usr/lib/os-release",
		"etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf", "etc/ssl/certs/ab12.0": "ca.pem", "etc/profile.d/out.sh": "/home/alice/secret"} {
		if err := os.Symlink(text, filepath.Join(host, name)); err != nil {
			tb.Fatal(err)
		}
	}
	for name, text := range hostFiles {
		write(tb, filepath.Join(host, name), text, 0o644)
	}
	for name, bits := range hostSecrets {
		text := secret
		if strings.HasSuffix(name, ".pem") || strings.HasSuffix(name, ".conf") {
			text = "-----BEGIN RSA PRIVATE KEY-----\n" + secret
		}
		write(tb, filepath.Join(host, name), text, bits)
	}
	mkdir(tb, filepath.Join(host, "etc/perl/closed"), 0o700)
	write(tb, filepath.Join(host, "etc/perl/closed/f"), secret, 0o644)
	mkdir(tb, filepath.Join(host, "etc/skel/dir"), 0o755)
	for name, kind := range map[string]uint32{"etc/perl/pipe": unix.S_IFIFO, "etc/perl/sock": unix.S_IFSOCK, "etc/perl/dev": unix.S_IFCHR} {
		if err := unix.Mknod(filepath.Join(host, name), kind|0o666, 1<<8|3); err != nil {
			tb.Fatal(err)
		}
	}
	return host
}

var hostFiles = map[string]string{
	"etc/passwd": "root:$6$" + secret + ":0:0:root:/root:/bin/zsh\ntoor:x:0:0::/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n" +
		"alice:x:1000:1000:Alice:/home/alice:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n+nis\nbroken:x:5\n" +
		"daemon:x:9:9:again:/:/bin/sh\nbad:x:-4:1::/:/bin/sh\nvery:x:999999999999999999999:1::/:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"etc/group": "root:x:0:\ndaemon:x:1:alice,daemon\nshadow:x:42:\nmail:x:8:\nutmp:x:43:\nalice:x:1000:\nsudo:x:27:alice\nwww-data:x:33:\nnogroup:x:65534:\n+\n",
	"etc/nsswitch.conf": "# comment\npasswd:  files systemd sss\nhosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns [SUCCESS = return] myhostname\n" +
		"netgroup: nis\nprotocols: db files # end\n",
	"etc/environment":                      "PATH=/usr/bin\nAPI_TOKEN=" + secret + "\nhttp_proxy=http://user:" + secret + "@proxy\nLC_ALL=C\nexport TZ=UTC\n# " + secret + "\n",
	"run/systemd/resolve/stub-resolv.conf": "nameserver 127.0.0.53\n",
	"run/systemd/resolve/resolv.conf":      "nameserver 192.0.2.1\n",
	"etc/ssl/certs/ca.pem":                 "-----BEGIN CERTIFICATE-----\n",
	"etc/ld.so.cache":                      "cache", "etc/ld.so.conf": "include", "etc/profile": "PATH=x", "etc/profile.d/a.sh": "a",
	"etc/services": "ssh 22/tcp", "etc/default/locale": "LANG=C", "etc/default/grub": "GRUB", "etc/hosts": "192.0.2.7 internal-host\n",
	"etc/skel/.bashrc": "bash", "etc/skel/.profile": "profile", "etc/skel/notes": "no dotfile", "etc/fstab": "/dev/sda /\n", "etc/hostname": "thehost\n",
	"etc/crontab": "x", "etc/pam.d/login": "pam", "etc/pam.d/passwd": "pam", "etc/security/limits.conf": "limits", "etc/perl/Net/x.cfg": "perl",
	"etc/mnttab": "old", "etc/machine-id": secret, "etc/nginx/nginx.conf": "server {}", "etc/python3/debian_config": "py",
}

// hostSecrets are planted where the tables could let them through. Those that every user
// can read must be caught by their names or contents.
var hostSecrets = map[string]uint32{
	"etc/shadow": 0o640, "etc/gshadow": 0o640, "etc/shadow-": 0o600, "etc/passwd-": 0o644, "etc/security/opasswd": 0o644,
	"etc/ssl/private/server.key": 0o644, "etc/ssl/certs/mine.pem": 0o644, "etc/ssl/certs/host.key": 0o644, "etc/ssl/openssl.cnf": 0o640,
	"etc/ssh/ssh_host_rsa_key": 0o644, "etc/sudoers": 0o644, "etc/sudoers.d/alice": 0o644, "etc/krb5.keytab": 0o644, "etc/krb5.conf": 0o644,
	"etc/profile.d/token.sh": 0o600, "etc/profile.d/group.sh": 0o640, "etc/pki/tls/private/k": 0o644, "etc/pki/nssdb/key4.db": 0o644,
	"etc/pki/ca-trust/x.p12": 0o644, "etc/pki/tls/certs/bundle.pem": 0o644, "etc/skel/.netrc": 0o644, "etc/skel/.ssh/id_rsa": 0o644, "etc/skel/.hidden": 0o600,
	"etc/wpa_supplicant.conf": 0o644, "etc/NetworkManager/system-connections/wlan": 0o644, "root/.bash_history": 0o644,
	"home/alice/secret": 0o644, "var/lib/db": 0o644, "opt/app/password": 0o644, "etc/python3/app.conf": 0o644, "etc/vim/.git/config": 0o644,
	"etc/perl/client-credentials.json": 0o644, "etc/subuid": 0o644, "etc/mysql/debian.cnf": 0o644, "etc/perl/zone.jks": 0o644,
}

func installSparseFrom(tb testing.TB, zonepath, host string, include ...string) Report {
	tb.Helper()
	report, err := Install(tb.Context(), Target{zonepath}, Source{Kind: Sparse}, Options{HostRoot: host, Hostname: "web", EtcInclude: include})
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

// TestSparseSecrets: none of the planted secrets gets in, not even when the caller
// includes all of /etc.
func TestSparseSecrets(t *testing.T) {
	host := fakeHost(t)
	for _, include := range [][]string{nil, {"*"}} {
		zonepath, _ := newZone(t)
		report := installSparseFrom(t, zonepath, host, include...)
		if report.Withheld == 0 {
			t.Error("nothing was withheld")
		}
		root := filepath.Join(zonepath, "root")
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			// Plain files that every user of the host can read are no secrets once all of
			// /etc was asked for: only those with a name or a mark are.
			allowed := include != nil && (strings.HasSuffix(path, "etc/mysql/debian.cnf") ||
				strings.HasSuffix(path, "system-connections/wlan"))
			if strings.Contains(string(data), secret) && !allowed {
				t.Errorf("%s with %v", path, include)
			}
			if strings.Contains(string(data), "PRIVATE KEY") {
				t.Errorf("key in %s with %v", path, include)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		list := listing(t, root, withoutTimes)
		for _, no := range []string{"alice\"", "etc/perl/pipe", "etc/perl/sock", "etc/perl/dev", "etc/perl/closed", "root/notes", "root/dir"} {
			if strings.Contains(list, no) {
				t.Errorf("%s is there with %v", no, include)
			}
		}
		mustUninstall(t, zonepath)
	}
}

// TestSparseSecretsAreSeen: the test above would see a secret.
func TestSparseSecretsAreSeen(t *testing.T) {
	host := fakeHost(t)
	write(t, host+"/etc/profile.d/leak.sh", secret, 0o644)
	zonepath, _ := newZone(t)
	installSparseFrom(t, zonepath, host)
	if got := read(t, zonepath+"/root/etc/profile.d/leak.sh"); got != secret {
		t.Errorf("got %q", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSparseFiles: what is made for the zone.
func TestSparseFiles(t *testing.T) {
	zonepath, _ := newZone(t)
	report := installSparseFrom(t, zonepath, fakeHost(t))
	for name, want := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/zsh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n" +
			"www-data:x:33:33::/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"shadow":        "root:*:::::::\ndaemon:*:::::::\nwww-data:*:::::::\nnobody:*:::::::\n",
		"group":         "root:x:0:\ndaemon:x:1:daemon\nshadow:x:42:\nmail:x:8:\nutmp:x:43:\nsudo:x:27:\nwww-data:x:33:\nnogroup:x:65534:\n",
		"hostname":      "web\n",
		"resolv.conf":   "nameserver 192.0.2.1\n",
		"nsswitch.conf": "passwd: files\nhosts: files dns [SUCCESS = return]\nnetgroup: files\nprotocols: files\n",
		"environment":   "PATH=/usr/bin\nLC_ALL=C\nexport TZ=UTC\n",
		"fstab":         "", "mnttab": "", "machine-id": "",
		"ld.so.cache": "cache", "pam.d/passwd": "pam", "default/locale": "LANG=C", "python3/debian_config": "py",
	} {
		if got := read(t, zonepath+"/root/etc/"+name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if hosts := read(t, zonepath+"/root/etc/hosts"); !strings.Contains(hosts, "127.0.1.1\tweb\n") || strings.Contains(hosts, "internal") {
		t.Errorf("hosts: %q", hosts)
	}
	list := listing(t, zonepath+"/root", withoutTimes)
	for _, want := range []string{
		`"etc/shadow" 100640 0:42`, `"etc/gshadow" 100640 0:42`, `"etc/mnttab" 100444 0:0`, `"root" 40700 0:0`, `"root/.bashrc" 100644 0:0`,
		`"tmp" 41777`, `"var/tmp" 41777`, `"var/run" 120777 0:0 -> "/run"`, `"var/lock" 120777 0:0 -> "/run/lock"`, `"var/mail" 42775 0:8`,
		`"bin" 120777 0:0 -> "usr/bin"`, `"lib64" 120777 0:0 -> "/usr/lib64"`, `"usr" 40755`, `"system/contract" 40555`, `"etc/svc/volatile" 40755`,
		`"etc/localtime" 120777 0:0 -> "/usr/share/zoneinfo/Europe/Berlin"`, `"etc/alternatives/vi" 120777`, `"etc/ssl/certs/ab12.0" 120777 0:0 -> "ca.pem"`,
		`"etc/os-release" 120777 0:0 -> "../usr/lib/os-release"`, `"var/log/wtmp" 100664 0:43`,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("no %s in\n%s", want, list)
		}
	}
	for _, no := range []string{"etc/crontab", "etc/default/grub", "etc/nginx", "libx32", "usr/", "etc/mtab"} {
		if strings.Contains(list, "\n\""+no) {
			t.Errorf("%s is there", no)
		}
	}
	if len(report.HostDirs) != 0 || report.Files == 0 || report.Symlinks == 0 || report.Bytes == 0 {
		t.Errorf("%+v", report)
	}
}

// TestSparseUnmerged: a host with a /bin of its own is reported, so that the platform can
// bind it; one without accounts or /etc/nsswitch.conf still gives a zone.
func TestSparseUnmerged(t *testing.T) {
	host := filepath.Join(t.TempDir(), "host")
	for _, dir := range []string{"bin", "lib", "usr", "etc"} {
		mkdir(t, filepath.Join(host, dir), 0o755)
	}
	write(t, host+"/bin/sh", "x", 0o755)
	zonepath, _ := newZone(t)
	report := installSparseFrom(t, zonepath, host)
	if fmt.Sprint(report.HostDirs) != "[bin lib]" {
		t.Errorf("%+v", report)
	}
	if list := listing(t, zonepath+"/root", withoutTimes); strings.Contains(list, "bin/sh") || !strings.Contains(list, `"bin" 40755`) {
		t.Errorf("got\n%s", list)
	}
	if got := read(t, zonepath+"/root/etc/passwd"); got != "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" {
		t.Errorf("passwd %q", got)
	}
}

// TestSparseHostIsHostileToo: links in the host's /etc do not lead out of the host's root,
// and a name for the zone cannot break the files it goes into.
func TestSparseHostIsHostileToo(t *testing.T) {
	host := fakeHost(t)
	zonepath, canary := newZone(t)
	if err := os.Remove(host + "/etc/resolv.conf"); err != nil {
		t.Fatal(err)
	}
	link(t, strings.Repeat("../", 20)+canary+"/precious", host+"/etc/resolv.conf")
	installSparseFrom(t, zonepath, host)
	if got := read(t, zonepath+"/root/etc/resolv.conf"); got != "" {
		t.Errorf("resolv.conf %q", got)
	}
	for _, opt := range []Options{{Hostname: "a\nb"}, {EtcInclude: []string{"[x"}}, {HostRoot: canary}, {HostRoot: canary + "/none"}} {
		zonepath, _ := newZone(t)
		if opt.HostRoot == "" {
			opt.HostRoot = host
		}
		if _, err := Install(t.Context(), Target{zonepath}, Source{Kind: Sparse}, opt); err == nil {
			t.Errorf("%+v was taken", opt)
		}
		mustUninstall(t, zonepath)
	}
}

// TestSparseThisHost: the machine at hand gives a zone too, with nothing of its secrets.
func TestSparseThisHost(t *testing.T) {
	zonepath, _ := newZone(t)
	report := installSparseFrom(t, zonepath, "/")
	t.Logf("%+v", report)
	root := zonepath + "/root"
	if host, err := os.ReadFile("/etc/shadow"); err == nil {
		for line := range strings.Lines(string(host)) {
			f := strings.Split(line, ":")
			if len(f) > 1 && len(f[1]) > 3 && strings.Contains(read(t, root+"/etc/shadow"), f[1]) {
				t.Errorf("the password of %s", f[0])
			}
		}
	}
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) > 8 && strings.Contains(read(t, root+"/etc/machine-id"), string(id)) {
		t.Error("the machine id")
	}
	if _, err := os.Stat(root + "/etc/ld.so.cache"); err != nil {
		t.Error(err)
	}
	for _, dir := range []string{root, root + "/usr", root + "/root"} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

// TestEtcPatterns: how names are chosen.
func TestEtcPatterns(t *testing.T) {
	s := &sparse{allowed: etcAllowed}
	for name, want := range map[string]choice{
		"ssl": enter, "ssl/certs": take, "ssl/certs/a/b": take, "ssl/private": withhold, "ssl/private/x": withhold, "ssl/other": leave,
		"pki/tls/certs/x": take, "pki/tls": enter, "pki/tls/private": withhold, "python3.11/x": take, "shadow": withhold, "shadow-": withhold,
		"pam.d/passwd": take, "passwd-": withhold, "ssh/sshd_config": withhold, "default/grub": leave, "default": enter, "nginx": leave,
		"profile.d/x.key": withhold, "redhat-release": take, "ca-certificates/update.d": take, "security/opasswd": withhold, "security/limits.d": take,
	} {
		if got := s.choose(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	for _, p := range append(append([]string{}, etcAllowed...), etcDenied...) {
		if _, err := filepath.Match(p, "x"); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// FuzzAccounts: whatever the host's files hold, each line made of them has its fields, no
// password, and an id that a zone has.
func FuzzAccounts(f *testing.F) {
	f.Add([]byte(hostFiles["etc/passwd"]), []byte(hostFiles["etc/group"]))
	f.Fuzz(func(t *testing.T, passwd, group []byte) {
		a := newAccounts(passwd, group)
		for _, c := range []struct {
			data   []byte
			fields int
			second string
		}{{a.passwd(), 7, "x"}, {a.group(), 4, "x"}, {a.shadow(), 9, "*"}, {a.gshadow(), 4, "*"}} {
			for line := range strings.Lines(string(c.data)) {
				if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) != c.fields || f[1] != c.second || f[0] == "" {
					t.Errorf("line %q", line)
				}
			}
		}
	})
}

// BenchmarkSparse is a whole installation from the host at hand, syncing included.
func BenchmarkSparse(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		zonepath, _ := newZone(b)
		b.StartTimer()
		installSparseFrom(b, zonepath, "/")
		b.StopTimer()
		mustUninstall(b, zonepath)
		b.StartTimer()
	}
}
