#!/bin/bash
# Makes a debootstrap tree of this machine's own release once, keeps it outside of the
# repository, and prints its path. usage: debian-tree.sh NAME [PACKAGE,...]
#
# The mirror and the proxy are those that apt uses here. The tree is shared and read-only by
# agreement: who wants to change it takes a copy. Two callers at once: the second waits.
set -euo pipefail

name=${1:?usage: debian-tree.sh NAME [PACKAGE,...]}
packages=${2:-}
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "debian-tree: $*" >&2
	exit 1
}

# What changes a tree's content changes its path: the release, the packages, and what is done below.
version=1
cache=$("$(dirname "$0")/cache-dir.sh")
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?the release has no code name}")
key=$(sha256sum <<<"$version $packages" | cut -c1-8)
tree=$cache/tree-$name-$codename-$key

exec 9>"$cache/tree-$name.lock"
flock 9
if [[ -d $tree ]]; then
	echo "$tree"
	exit 0
fi
((EUID == 0)) || die "making $tree needs root"
command -v debootstrap >/dev/null || die "debootstrap is missing: make deps"

# Only what debootstrap's wget can fetch; otherwise its own default mirror serves.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
	awk -v r="$codename" '$1 ~ /^https?:/ && $2 == r && $3 == "main" { print $1; exit }') || mirror=
eval "$(apt-config shell proxy Acquire::http::Proxy proxys Acquire::https::Proxy)"
if [[ -n ${proxy:-} && ${proxy:-} != DIRECT ]]; then export http_proxy=$proxy; fi
if [[ -n ${proxys:-} && ${proxys:-} != DIRECT ]]; then export https_proxy=$proxys; fi

mkdir -p "$cache/debs"
log=$cache/tree-$name.log
rm -rf --one-file-system "$tree.new"
echo "debian-tree: making $tree (about a minute, once)" >&2
arguments=(--variant=minbase --cache-dir="$cache/debs")
if [[ -n $packages ]]; then arguments+=(--include="$packages"); fi
debootstrap "${arguments[@]}" "$codename" "$tree.new" ${mirror:+"$mirror"} >"$log" 2>&1 </dev/null || {
	tail -30 "$log" >&2
	die "debootstrap failed; its whole log is $log"
}

# Two ordinary users with fixed ids, for tests that log in: one with a shell, one without.
chroot "$tree.new" useradd -m -u 1001 -s /bin/bash -c "Alice of the tests" alice
chroot "$tree.new" useradd -m -u 1002 -s /usr/sbin/nologin -c "Bob of the tests" bob
rm -rf "$tree.new"/var/cache/apt/archives/*.deb "$tree.new"/var/lib/apt/lists/*
sync -f "$tree.new"
mv "$tree.new" "$tree"
echo "$tree"
