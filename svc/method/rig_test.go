package method

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// grp makes a group.
func grp(name string, props ...tree.Property) tree.Group {
	g := []tree.Group{{Name: name, Type: "method", Props: props}}
	tree.SortGroups(g)
	return g[0]
}

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func typed(t prop.Type, name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: t, Values: values}
}

func boolean(name, value string) tree.Property { return typed(prop.Boolean, name, value) }
func count(name, value string) tree.Property   { return typed(prop.Count, name, value) }

// instance is svc:/network/web:a with these groups.
func instance(groups ...tree.Group) *Instance {
	return &Instance{Service: "network/web", Instance: "a", Running: Groups(groups)}
}

const passwd = `root:x:0:0:root:/root:/bin/sh
web:x:80:80::/srv/web:/bin/sh
homeless:x:81:80:::/bin/sh
1234:x:82:82::/srv/number:/bin/sh
`

const groupFile = `root:x:0:
web:x:80:web
log:x:90:web,homeless
number:x:82:
`

const execAttr = `# profiles
Web:solaris:cmd:::/usr/sbin/httpd:uid=web;gid=log;privs=basic,net_privaddr;limitprivs=basic,net_privaddr
Web:suser:cmd:::/usr/sbin/httpd:uid=0
Web:solaris:cmd:::/opt/*:euid=web
Web:solaris:act:::/usr/sbin/other:uid=web
Long Name:solaris:cmd:::/a\:b:\
uid=80;\
gid=90
Odd:solaris:cmd:::*:uid=nobody
Odd:solaris:cmd:::/bin/p:privs=flying
Odd:solaris:cmd:::/bin/l:limitprivs=basic,,x
Odd:solaris:cmd:::/bin/g:gid=nogroup
broken
Web:x:y
`

const projects = `# projects
system:0::::
default:3::::
files:100:what, a comment:web:*:process.max-file-descriptor=(basic,512,deny),(priv,1K,deny)
web:101::::project.cpu-shares=(privileged,10,none);process.max-core-size=(basic,0,deny)
bad:102::::process.max-stack-size=10
short:103:
`

// host has the files above.
func host(t testing.TB) Host {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	return Host{
		Accounts:    account.Files{Passwd: file("passwd", passwd), Group: file("group", groupFile)},
		Profiles:    Profiles{File: file("exec_attr", execAttr), Dir: dir + "/exec_attr.d"},
		CorePattern: file("core_pattern", "core.%p\n"),
		Projects:    file("project", projects),
	}
}

// holds says whether one of the lines has this in it.
func holds(lines []string, text string) bool {
	for _, l := range lines {
		if strings.Contains(l, text) {
			return true
		}
	}
	return false
}
