package vplat

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// How a file system comes into a zone.
type fsHow int

const (
	shared   fsHow = iota // a directory of the host
	inMemory              // mounted by the zone
	onDevice              // mounted by the host, shown to the zone
)

// fsKind is a type of file system of the fs resource.
type fsKind struct {
	name, linux string
	how         fsHow
	fsck        bool // raw may be given
	ownerless   bool // files have no owners on disk
	readOnly    bool // there is no other way
	setuid      bool // setuid programs work without being asked for
	// data are the options of the type: a name, or name=pattern.
	data []string
	// always is added.
	always []string
}

// Patterns of values.
const (
	number  = `[0-9]{1,9}`
	size    = `[0-9]{1,15}[kKmMgG]?`
	octal   = `[0-7]{1,4}`
	charset = `[a-z0-9-]{1,32}`
)

var (
	extData = []string{"commit=" + number, "discard", "nodiscard", "data=(journal|ordered|writeback)", "errors=(remount-ro|continue)"}
	fatData = []string{"umask=" + octal, "fmask=" + octal, "dmask=" + octal, "iocharset=" + charset}
)

// fsKinds are all types. Shared directories are nosuid unless asked otherwise: who can
// write one from another zone, or from the host, could plant a program there.
//
// The superblock of an ext file system may ask for a panic of the kernel on an error in the
// file system; with a device that a zone can spoil that would be the zone's decision.
var fsKinds = []fsKind{
	{name: "lofs", how: shared, data: []string{"nosub"}},
	{name: "tmpfs", how: inMemory, setuid: true, data: []string{"size=(" + size + "|[0-9]{1,2}%|100%)", "nr_inodes=" + size, "mode=[0-7]{3,4}"}},
	{name: "ext2", linux: "ext4", how: onDevice, fsck: true, setuid: true, data: extData, always: []string{"errors=remount-ro"}},
	{name: "ext3", linux: "ext4", how: onDevice, fsck: true, setuid: true, data: extData, always: []string{"errors=remount-ro"}},
	{name: "ext4", linux: "ext4", how: onDevice, fsck: true, setuid: true, data: extData, always: []string{"errors=remount-ro"}},
	{name: "xfs", linux: "xfs", how: onDevice, fsck: true, setuid: true, data: []string{"discard", "nodiscard", "inode64", "largeio", "norecovery", "nouuid"}},
	{name: "btrfs", linux: "btrfs", how: onDevice, fsck: true, setuid: true, data: []string{"compress=(no|zlib|lzo|zstd)(:" + number + ")?", "discard=(sync|async)", "nodiscard", "subvol=[A-Za-z0-9._/@-]{1,255}", "ssd", "nossd"}},
	{name: "f2fs", linux: "f2fs", how: onDevice, fsck: true, setuid: true, data: []string{"discard", "nodiscard"}},
	{name: "squashfs", linux: "squashfs", how: onDevice, readOnly: true, setuid: true},
	{name: "erofs", linux: "erofs", how: onDevice, readOnly: true, setuid: true},
	{name: "pcfs", linux: "vfat", how: onDevice, fsck: true, ownerless: true, data: fatData},
	{name: "vfat", linux: "vfat", how: onDevice, fsck: true, ownerless: true, data: fatData},
	{name: "exfat", linux: "exfat", how: onDevice, fsck: true, ownerless: true, data: fatData},
	{name: "hsfs", linux: "iso9660", how: onDevice, readOnly: true, ownerless: true, data: []string{"mode=" + octal, "dmode=" + octal, "iocharset=" + charset}},
	{name: "udfs", linux: "udf", how: onDevice, ownerless: true, data: []string{"umask=" + octal, "mode=" + octal, "dmode=" + octal, "iocharset=" + charset}},
}

func fsKindOf(what, name string) (fsKind, error) {
	var known []string
	for _, k := range fsKinds {
		if k.name == name {
			return k, nil
		}
		known = append(known, k.name)
	}
	why := "type %s can not be mounted in a zone by the platform; allowed are %s"
	if slices.Contains([]string{"nfs", "nfs4", "cifs", "autofs", "cachefs"}, name) {
		why = "type %s: mount it on the host and share the directory as lofs, or mount it from inside; allowed are %s"
	}
	return fsKind{}, refuse(what, why, quote(name), strings.Join(known, ", "))
}

// fsOptions are the options of a file system, translated.
type fsOptions struct {
	readOnly, nosuid, noexec, nosymfollow bool
	atime                                 []string
	data                                  []string
}

// flagOptions are the options of every type: the original's names beside Linux'.
var flagOptions = map[string]func(*fsOptions){
	"ro": func(o *fsOptions) { o.readOnly = true }, "rw": func(o *fsOptions) { o.readOnly = false },
	"nosuid": func(o *fsOptions) { o.nosuid = true }, "suid": func(o *fsOptions) { o.nosuid = false },
	"nosetuid": func(o *fsOptions) { o.nosuid = true }, "setuid": func(o *fsOptions) { o.nosuid = false },
	"noexec": func(o *fsOptions) { o.noexec = true }, "exec": func(o *fsOptions) { o.noexec = false },
	"nodev": func(*fsOptions) {}, "nodevices": func(*fsOptions) {},
	"nosymfollow": func(o *fsOptions) { o.nosymfollow = true },
	"atime":       func(*fsOptions) {},
	"noatime":     func(o *fsOptions) { o.atime = append(o.atime, "noatime") },
	"nodiratime":  func(o *fsOptions) { o.atime = append(o.atime, "nodiratime") },
	"relatime":    func(o *fsOptions) { o.atime = append(o.atime, "relatime") },
	"strictatime": func(o *fsOptions) { o.atime = append(o.atime, "strictatime") },
}

// opposites can not both be asked for: which one wins would depend on their order.
var opposites = [][]string{
	{"ro", "rw"}, {"suid", "nosuid"}, {"setuid", "nosetuid"}, {"setuid", "nosuid"}, {"suid", "nosetuid"},
	{"exec", "noexec"}, {"atime", "noatime"}, {"noatime", "relatime"}, {"noatime", "strictatime"}, {"relatime", "strictatime"},
}

func (k fsKind) translate(what string, options []string) (fsOptions, error) {
	o := fsOptions{nosuid: !k.setuid}
	for _, name := range options {
		if set, ok := flagOptions[name]; ok {
			set(&o)
			continue
		}
		if name == "dev" || name == "devices" {
			return o, refuse(what, "option %s: device nodes never work in a file system of a zone; use the device resource", name)
		}
		if !k.takes(name) {
			return o, refuse(what, "option %s is not one of type %s; allowed are %s", quote(name), k.name, strings.Join(k.allowed(), ", "))
		}
		if name != "nosub" { // shared directories never show what is mounted below them
			o.data = append(o.data, name)
		}
	}
	for _, pair := range opposites {
		if slices.Contains(options, pair[0]) && slices.Contains(options, pair[1]) {
			return o, refuse(what, "options %s and %s contradict each other; remove one", pair[0], pair[1])
		}
	}
	for _, a := range k.always {
		name, _, _ := strings.Cut(a, "=")
		if !o.has(name + "=") {
			o.data = append(o.data, a)
		}
	}
	return o, nil
}

func (k fsKind) takes(option string) bool {
	return slices.ContainsFunc(k.data, func(pattern string) bool {
		return regexp.MustCompile("^(?:"+pattern+")$").MatchString(option) && !strings.Contains(option, "..")
	})
}

// allowed lists the options of the type for a person, values as a placeholder.
func (k fsKind) allowed() []string {
	var list []string
	for name := range flagOptions {
		list = append(list, name)
	}
	for _, d := range k.data {
		name, _, valued := strings.Cut(d, "=")
		if valued {
			name += "="
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (o *fsOptions) has(prefix string) bool {
	return slices.ContainsFunc(o.data, func(d string) bool { return strings.HasPrefix(d, prefix) })
}

// attributes are the flags of a mount that is made outside; read-only is a field of its
// own there.
func (o *fsOptions) attributes() []string {
	var list []string
	for _, f := range []struct {
		set  bool
		name string
	}{{o.nosuid, "nosuid"}, {true, "nodev"}, {o.noexec, "noexec"}, {o.nosymfollow, "nosymfollow"}} {
		if f.set {
			list = append(list, f.name)
		}
	}
	return append(list, o.atime...)
}

// mountFlags are the flags of a mount that is made inside.
func (o *fsOptions) mountFlags() []string {
	flags := slices.DeleteFunc(o.attributes(), func(f string) bool { return slices.Contains(o.atime, f) })
	if o.readOnly {
		flags = append([]string{"ro"}, flags...)
	}
	return flags
}

// mountFlagBits are the options of a RootStep that are flags of mount(2).
var mountFlagBits = map[string]uintptr{
	"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "nosymfollow": unix.MS_NOSYMFOLLOW,
	"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME, "strictatime": unix.MS_STRICTATIME,
}

// MountFlags splits the step's options into flags for mount(2) and options of the file
// system. MS_NODEV is always among the flags.
func (s RootStep) MountFlags() (flags uintptr, data []string) {
	flags = unix.MS_NODEV
	if s.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	for _, o := range s.Options {
		if bit, ok := mountFlagBits[o]; ok {
			flags |= bit
		} else {
			data = append(data, o)
		}
	}
	return flags, data
}
