#!/bin/bash
# Makes the guest of the VM tests once, outside of the repository, and prints its directory:
# vmlinuz, initrd and root.img, this machine's own release with systemd and a stock kernel,
# which mounts cgroup2 alone. usage: image.sh
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "vm: $*" >&2
	exit 1
}

[[ $(uname -m) == x86_64 ]] || die "the guest is for x86_64 only"
cache=$("$here/../cache-dir.sh")
tree=$("$here/../debian-tree.sh" guest systemd,systemd-sysv,dbus,udev,kmod,iproute2,procps)
key=$( (basename "$tree" && cat "$here/image.sh" "$here/guest-run.sh" "$here/guest-init.sh") | sha256sum | cut -c1-8)
image=$cache/vm-$key

exec 9>"$cache/vm.lock"
flock 9
if [[ -d $image ]]; then
	echo "$image"
	exit 0
fi
((EUID == 0)) || die "making the guest needs root"
work=$(mktemp -d "$cache/vm-new-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
echo "vm: making the guest (half a minute, once)" >&2

# kernel unpacks the distribution's kernel for virtual machines into $work/kernel. It is
# downloaded and not installed: the host has a kernel.
kernel() {
	local meta packages
	# shellcheck disable=SC1091
	case $(. /etc/os-release && echo "$ID") in
	ubuntu) meta=linux-image-virtual ;;
	*) meta=linux-image-cloud-amd64 ;;
	esac
	[[ -n $(apt-cache depends "$meta" 2>/dev/null) ]] || apt-get -qq update >/dev/null 2>&1 || true
	mapfile -t packages < <(apt-cache depends "$meta" | sed -nE 's/^ *Depends: (linux-(image|modules)-[0-9].*)/\1/p')
	((${#packages[@]})) || die "the package lists have no $meta"
	# On Ubuntu the modules are a package of their own.
	mapfile -t -O "${#packages[@]}" packages < <(apt-cache depends "${packages[0]}" | sed -nE 's/^ *Depends: (linux-modules-[0-9].*)/\1/p')
	mkdir "$work/debs" "$work/kernel"
	(cd "$work/debs" && apt-get -qq download "${packages[@]}" >"$work/log" 2>&1) || {
		cat "$work/log" >&2
		die "could not download ${packages[*]}"
	}
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/kernel"; done
	# Where /lib is a link, a package may carry its modules below /usr.
	if [[ ! -d $work/kernel/lib/modules ]]; then mv "$work/kernel/usr/lib" "$work/kernel/lib"; fi
	version=$(basename "$work"/kernel/lib/modules/*)
	depmod -b "$work/kernel" "$version"
	cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
}

# initrd packs busybox and the modules that lead to the root file system, in the order in
# which they must be loaded.
initrd() {
	local dir=$work/initrd module
	mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
	cp "$(command -v busybox)" "$dir/bin/busybox"
	install -m 0755 "$here/guest-init.sh" "$dir/init"
	for module in virtio_ring virtio_pci virtio_blk ext4 crc32c_generic; do
		modprobe -d "$work/kernel" -S "$version" --show-depends "$module" 2>/dev/null || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/modules"
	while read -r module; do
		case $module in
		*.xz) xz -dc "$module" >"$dir/modules/$(basename "$module" .xz)" ;;
		*.zst) zstd -qdc "$module" >"$dir/modules/$(basename "$module" .zst)" ;;
		*) cp "$module" "$dir/modules/" ;;
		esac
		module=$(basename "$module")
		module=${module%.xz}
		echo "${module%.zst}"
	done <"$work/modules" >"$dir/modules/order"
	(cd "$dir" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"
}

# root fills the root file system's image without mounting it. What systemd does only for
# a person or for the next boot is masked: each service costs a second under emulation.
root() {
	local dir=$work/root unit
	cp -a --reflink=auto "$tree" "$dir"
	mkdir -p "$dir/lib/modules" "$dir/payload" "$dir/etc/systemd/system/multi-user.target.wants"
	cp -a "$work/kernel/lib/modules/$version" "$dir/lib/modules/"
	echo zones-guest >"$dir/etc/hostname"
	echo "127.0.0.1 localhost zones-guest" >"$dir/etc/hosts"
	: >"$dir/etc/fstab"
	echo 0123456789abcdef0123456789abcdef >"$dir/etc/machine-id"
	install -m 0755 "$here/guest-run.sh" "$dir/usr/local/sbin/guest-run"
	cat >"$dir/etc/systemd/system/guest-run.service" <<-'UNIT'
		[Unit]
		Description=Test of the zones software
		After=dbus.socket basic.target
		[Service]
		Type=oneshot
		ExecStart=/usr/local/sbin/guest-run
		ExecStopPost=/usr/bin/systemctl poweroff --force
	UNIT
	ln -s ../guest-run.service "$dir/etc/systemd/system/multi-user.target.wants/"
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
		fstrim.timer getty@tty1.service serial-getty@ttyS0.service systemd-udev-trigger.service systemd-journal-flush.service \
		systemd-random-seed.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-logind.service \
		systemd-tmpfiles-clean.timer systemd-timesyncd.service systemd-pstore.service systemd-hwdb-update.service; do
		ln -sf /dev/null "$dir/etc/systemd/system/$unit"
	done
	truncate -s 2G "$work/root.img"
	mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 -d "$dir" "$work/root.img"
}

kernel
initrd
root
mkdir "$image.new"
mv "$work/vmlinuz" "$work/initrd.gz" "$work/root.img" "$image.new/"
echo "$version" >"$image.new/version"
mv "$image.new" "$image"
echo "$image"
