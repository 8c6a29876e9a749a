#!/bin/bash
# Installs what the build, the demo, the tests and the benchmark need from the distribution (Debian, Ubuntu).
# usage: deps.sh build|test|bench
#
# Quiet and quick when everything is there: one dpkg-query, no network. Package lists are
# refreshed only when something is missing and the lists are absent or a day old.
#
# The daemons of the tests run in zones alone. Their packages would start them on the host
# too, now and at each boot: neither happens. What the host had before is left as it is.
set -euo pipefail

build_packages=(gcc libc6-dev make pkg-config libseccomp-dev)
test_packages=("${build_packages[@]}" busybox-static debootstrap e2fsprogs qemu-system-x86 zstd xz-utils
	util-linux iproute2 kmod git clang-14 llvm-14)
# package:service of the distribution's own init
daemons=(nginx:nginx postgresql:postgresql redis-server:redis-server openssh-server:ssh cron:cron)
test_packages+=("${daemons[@]%%:*}" openssh-client)
# Supervisors that ours is measured beside. The benchmark says which are missing: not every
# distribution has each.
peers=(s6 runit dinit)

case "${1:-test}" in
build) wanted=("${build_packages[@]}") ;;
test) wanted=("${test_packages[@]}") ;;
bench)
	wanted=("${test_packages[@]}")
	for peer in "${peers[@]}"; do
		if apt-cache --no-all-versions show "$peer" >/dev/null 2>&1; then wanted+=("$peer"); fi
	done
	;;
*)
	echo "usage: deps.sh build|test|bench" >&2
	exit 2
	;;
esac

die() {
	echo "deps: $*" >&2
	exit 1
}

# missing sets names. A virtual name such as pkg-config may be provided by another package, so both columns count.
missing() {
	local have name
	names=()
	have=" $(dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package} ${Provides}\n' |
		sed -n 's/^ii *//p' | sed 's/([^)]*)//g; s/:[a-z0-9]*//g; s/,/ /g' | tr '\n' ' ') "
	for name in "${wanted[@]}"; do
		[[ $have == *" $name "* ]] || names+=("$name")
	done
}

# While a policy says 101, the scripts of packages start, stop and restart nothing. A policy of
# the host's stands aside meanwhile; if this script is killed, its next run puts it back.
policy=/usr/sbin/policy-rc.d
mark="# zones-deps: nothing is started"
refuse() {
	if [[ -e $policy || -L $policy ]]; then mv -T "$policy" "$policy.zones-kept"; fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
	chmod 0755 "$policy"
}
permit() {
	if [[ -f $policy ]] && grep -qxF "$mark" "$policy"; then rm -f "$policy"; fi
	if [[ -e $policy.zones-kept || -L $policy.zones-kept ]] && [[ ! -e $policy && ! -L $policy ]]; then
		mv -T "$policy.zones-kept" "$policy"
	fi
}

command -v dpkg-query >/dev/null || die "this is not Debian or Ubuntu: install these by hand: ${wanted[*]}"
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || die "Go is not on the PATH and not in /usr/local/go/bin: see https://go.dev/doc/install"

missing
((${#names[@]})) || exit 0
((EUID == 0)) || die "installing ${names[*]} needs root"

# One at a time: the second finds everything there, and the first one's refusal is not its own.
exec 9>/run/lock/zones-deps
flock 9
permit
missing
((${#names[@]})) || exit 0

log=$(mktemp)
trap 'rm -f "$log"; permit' EXIT
trap 'exit 1' HUP INT TERM
export DEBIAN_FRONTEND=noninteractive

# A third party's source that cannot be reached fails apt-get update as a whole, though the
# lists that matter here arrived: the installation is what decides.
update() { apt-get -qq update >>"$log" 2>&1 9>&- || true; }
install() {
	apt-get -qq -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 install --no-install-recommends \
		"${names[@]}" >>"$log" 2>&1 </dev/null 9>&-
}

echo "deps: installing ${names[*]}"
refuse
if [[ -z $(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null) ]]; then
	update
fi
if ! install; then
	update
	install || {
		cat "$log" >&2
		die "apt-get could not install ${names[*]}"
	}
fi
# Nor is any of them to come with the host's next boot.
for daemon in "${daemons[@]}"; do
	if [[ " ${names[*]} " == *" ${daemon%%:*} "* ]]; then
		update-rc.d "${daemon##*:}" disable >>"$log" 2>&1 || {
			cat "$log" >&2
			die "${daemon##*:} is installed and would start with the host: try update-rc.d ${daemon##*:} disable"
		}
	fi
done
