package image

// A sparse zone is these tables. What is not in them is not in the zone.

// sparseHostLinks are taken as the host has them: links into /usr, or directories of
// their own, over which the platform binds the host's.
var sparseHostLinks = []string{"bin", "sbin", "lib", "lib64", "lib32", "libx32"}

// sparsePlaces are made first. Owner is root, group too unless one is named that the
// zone's /etc/group has.
var sparsePlaces = []struct {
	path  string
	mode  uint32
	group string
}{
	{"usr", 0o755, ""}, // the platform mounts the host's, with our layer over it
	{"proc", 0o555, ""}, {"sys", 0o555, ""}, {"dev", 0o755, ""}, {"run", 0o755, ""},
	{"tmp", 0o1777, ""},
	{"system", 0o755, ""}, {"system/contract", 0o555, ""},
	{"home", 0o755, ""}, {"root", 0o700, ""}, {"opt", 0o755, ""}, {"srv", 0o755, ""},
	{"mnt", 0o755, ""}, {"media", 0o755, ""},
	{"etc", 0o755, ""}, {"etc/svc", 0o755, ""}, {"etc/svc/volatile", 0o755, ""},
	{"etc/opt", 0o755, ""}, {"etc/profile.d", 0o755, ""},
	{"var", 0o755, ""}, {"var/cache", 0o755, ""}, {"var/lib", 0o755, ""}, {"var/lib/misc", 0o755, ""},
	{"var/local", 0o755, ""}, {"var/log", 0o755, ""}, {"var/mail", 0o2775, "mail"}, {"var/opt", 0o755, ""},
	{"var/spool", 0o755, ""}, {"var/spool/cron", 0o755, ""}, {"var/tmp", 0o1777, ""},
}

// sparseLinks are the zone's own.
var sparseLinks = []struct{ path, text string }{
	{"var/run", "/run"}, {"var/lock", "/run/lock"}, {"var/spool/mail", "../mail"},
}

type sparseFile struct {
	path  string
	mode  uint32
	group string
	make  func(*sparse) ([]byte, error)
}

// sparseFiles are made for the zone. Their contents may depend on the host's file.
var sparseFiles = []sparseFile{
	{"etc/passwd", 0o644, "", func(s *sparse) ([]byte, error) { return s.accounts.passwd(), nil }},
	{"etc/group", 0o644, "", func(s *sparse) ([]byte, error) { return s.accounts.group(), nil }},
	{"etc/shadow", 0o640, "shadow", func(s *sparse) ([]byte, error) { return s.accounts.shadow(), nil }},
	{"etc/gshadow", 0o640, "shadow", func(s *sparse) ([]byte, error) { return s.accounts.gshadow(), nil }},
	{"etc/hostname", 0o644, "", (*sparse).hostnameFile},
	{"etc/hosts", 0o644, "", (*sparse).hostsFile},
	{"etc/resolv.conf", 0o644, "", (*sparse).resolvConf},
	{"etc/nsswitch.conf", 0o644, "", (*sparse).nsswitchConf},
	{"etc/environment", 0o644, "", (*sparse).environment},
	{"etc/fstab", 0o644, "", empty},
	{"etc/profile.d/zones.sh", 0o644, "", profile},
	{"etc/mnttab", 0o444, "", empty},     // a mount point
	{"etc/machine-id", 0o444, "", empty}, // the zone is a machine of its own
	{"var/log/wtmp", 0o664, "utmp", empty},
	{"var/log/btmp", 0o660, "utmp", empty},
	{"var/log/lastlog", 0o664, "utmp", empty},
}

// etcAllowed are patterns below the host's /etc (path.Match), each with all that is
// below it. Of these, only links, and files and directories that every user of the host
// can read, are copied.
var etcAllowed = []string{
	// The dynamic linker, and programs with several providers.
	"ld.so.conf", "ld.so.conf.d", "ld.so.cache", "alternatives",
	// TLS: certificates of authorities, never keys.
	"ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "ca-certificates*", "crypto-policies", "gnutls",
	"pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl*.cnf", "pki/java", "pki/rpm-gpg",
	// Names, numbers and addresses.
	"protocols", "services", "ethertypes", "rpc", "netconfig", "networks", "host.conf", "gai.conf",
	"bindresvport.blacklist", "iproute2",
	// Time, language, terminals, file types.
	"localtime", "timezone", "default/locale", "locale.conf", "locale.alias", "terminfo", "inputrc",
	"mime.types", "magic", "magic.mime", "xml", "sgml", "fonts",
	// Shells and logins.
	"profile", "profile.d", "bash.bashrc", "bashrc", "bash_completion.d", "zsh", "zshrc", "zshenv", "csh.*", "shells", "skel",
	"login.defs", "pam.conf", "pam.d", "security", "default/useradd", "adduser.conf", "deluser.conf",
	// What this system is.
	"debian_version", "os-release", "lsb-release", "*-release", "issue", "issue.net", "system-release-cpe",
	// Interpreters and tools that look for their defaults there.
	"perl", "python3*", "java*", "lua*", "vim", "vimrc", "virc", "nanorc", "less*", "screenrc", "tmux.conf",
	"manpath.config", "man_db.conf", "groff", "dbus-1", "xattr.conf", "mke2fs.conf", "libaudit.conf",
	"debconf.conf", "ucf.conf", "dpkg", "selinux/semanage.conf", "gss", "netgroup",
}

// etcDenied wins over etcAllowed and over what the caller includes. A pattern that begins
// with a slash is for a name directly in /etc, one with a slash inside for a path and what
// is below it, one without for the last component at any depth.
var etcDenied = []string{
	"/passwd*", "/group*", "/shadow*", "/gshadow*", "/subuid*", "/subgid*", "/machine-id", "/sudoers*", "/ssh",
	"/krb5*", "ssl/private", "pki/*/private", "pki/nssdb", "pki/entitlement*", "pki/consumer", "security/opasswd",
	"*.keytab", "*.key", "*_key", "*.p12", "*.pfx", "*.jks", "*.kdbx", "private", "id_rsa*", "id_dsa*", "id_ecdsa*",
	"id_ed25519*", ".netrc", ".pgpass", ".git", "*credentials*", "*secret*",
}

// secretMarks in a file's contents keep it out, whatever its name.
var secretMarks = []string{
	"PRIVATE KEY", "PuTTY-User-Key-File", "AGE-SECRET-KEY-", "Private-MAC:", "-----BEGIN OPENSSH",
}

// environmentKept are the variables of /etc/environment that a zone gets: others may be
// tokens, or proxies with passwords.
var environmentKept = []string{"PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "EDITOR", "PAGER"}

// nsswitchKept need no daemon of the host's.
var nsswitchKept = []string{"files", "dns", "compat"}

func empty(*sparse) ([]byte, error) { return nil, nil }

// profile puts our programs back where every login has them: the host's /etc/profile sets a
// PATH of its own.
func profile(*sparse) ([]byte, error) {
	return []byte("case :$PATH: in\n*:/lib/svc/bin:*) ;;\n*) PATH=/lib/svc/bin:$PATH ;;\nesac\n"), nil
}
