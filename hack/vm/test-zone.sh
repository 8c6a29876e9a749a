#!/bin/bash
# A zone's life in the guest, run there by run.sh. Emulation is a hundred times slower than
# a machine in starting programs: every wait here is generous, and nothing is timed.
set -uo pipefail

zone=vmtest
run=/run/zones
status=$run/status/$zone.json
failures=0

# step NAME FUNCTION runs one step in a subshell of its own that ends at the first command
# that fails, and says how it went. Later steps run all the same.
step() {
	local begin=$SECONDS rc
	echo "=== RUN   $1"
	(
		set -eE
		trap 'echo "line $LINENO failed: $BASH_COMMAND"' ERR
		"$2"
	)
	rc=$?
	if ((rc == 0)); then
		echo "--- PASS: $1 ($((SECONDS - begin))s)"
	else
		echo "--- FAIL: $1 ($((SECONDS - begin))s)"
		failures=$((failures + 1))
	fi
}

# say shows a command and runs it, a minute and a half at most.
say() {
	echo "# $*"
	timeout -k 5 90 "$@"
}

# expect WANTED COMMAND... fails unless the command prints exactly that.
expect() {
	local wanted=$1 got
	shift
	got=$(say "$@" | tee /dev/fd/2 | grep -v '^# ') || true
	[[ $got == "$wanted" ]] || {
		echo "wanted: $wanted"
		return 1
	}
}

# pid_of init|zoned|zsched reads the zone's status file, empty when there is none.
pid_of() { sed -nE "s/.*\"$1\": *\{\"pid\": *([0-9]+).*/\\1/p" "$status" 2>/dev/null; }
status_is() { grep -qE "\"state\": *\"$1\"" "$status" 2>/dev/null; }

# await WHAT COMMAND... looks until the command succeeds, a minute long.
await() {
	local what=$1 end=$((SECONDS + 60))
	shift
	while ((SECONDS < end)); do
		if "$@"; then return 0; fi
		sleep 0.1
	done
	echo "waited in vain for $what"
	return 1
}

state_is() { [[ $(zoneadm list -cp | awk -F: -v z=$zone '$2 == z { print $3 }') == "$1" ]]; }
start_time() { sed -E 's/.*\) //' "/proc/$1/stat" | cut -d' ' -f20; }

# host prints what halt must restore: mounts, cgroups, network devices, our processes. No
# match is no failure.
host() {
	cut -d' ' -f5- /proc/self/mountinfo | sort
	# zones.slice is systemd's, and may stay, an empty shell.
	find /sys/fs/cgroup -mindepth 1 -type d | grep -E 'zsched|zoned|/zones|'$zone | grep -v '/zones\.slice$' | sort || true
	ls /sys/class/net
	# Without a program for each process: starting one takes long here.
	ls -l /proc/[0-9]*/exe 2>/dev/null | grep -o '/usr/local/libexec/zones/.*' || true
}

put_in_place() {
	cp -a /payload/root/usr/local/. /usr/local/
	for module in overlay fuse; do modprobe $module; done
	host >/tmp/host.before
	echo "kernel $(uname -r), $(systemctl --version | head -n 1), /sys/fs/cgroup is $(stat -fc %T /sys/fs/cgroup)"
	[[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]
}

configure() {
	say zonecfg -z $zone "create; set brand=sparse; set zonepath=/var/lib/zones/$zone"
	say zonecfg -z $zone info
	state_is configured
}

install_zone() {
	say zoneadm -z $zone install
	state_is installed
}

boot() {
	say zoneadm -z $zone boot
	say zoneadm list -p
	say zoneadm list -v
	state_is running
	cat "$status"
	status_is running
	[[ -d /proc/$(pid_of init) ]]
}

login() {
	expect 0 zlogin $zone id -u
	expect $zone zlogin $zone hostname
	expect $zone zlogin $zone zonename
	expect init zlogin $zone cat /proc/1/comm
	expect "out" zlogin $zone 'echo out'
	say zlogin $zone 'echo err >&2; exit 7' && rc=0 || rc=$?
	((rc == 7))
	# The zone's root is not the host's.
	[[ $(say zlogin $zone cat /proc/self/uid_map | awk '$1 == "0" { print $2 }') -gt 0 ]]
}

# followed COMMAND... has a command of the tools kill a member of a contract, and wants
# what ctrun and "ctwatch -v" tell of it. COMMAND runs a line of shell: in the zone or here.
followed() {
	local watch victim killer rc=0
	watch=$(mktemp)
	"$@" 'exec ctwatch -v' >"$watch" 2>&1 &
	watcher=$!
	await "ctwatch" grep -q SUMMARY "$watch"
	rm -f /tmp/victim.*
	"$@" 'exec ctrun -l contract -o noorphan -i signal,exit sh -c "echo me \$\$; exec sleep 1000"' >/tmp/victim.out 2>&1 &
	runner=$!
	await "a member" grep -q '^me ' /tmp/victim.out
	victim=$(sed -n 's/^me //p' /tmp/victim.out)
	killer=$("$@" "echo \$\$; kill -9 $victim")
	echo "$killer kills $victim"
	wait $runner || rc=$?
	((rc == 123))
	await "who killed it" grep -q "sender pid: *$killer\$" "$watch"
	kill $watcher
	wait $watcher || true
	cat "$watch"
	grep -q "process $victim received a fatal signal" "$watch"
	grep -q "signal: *9 (SIGKILL)" "$watch"
	grep -q "sender command: *\(sh\|bash\)\$" "$watch"
	rm -f "$watch"
}

# tools COMMAND... tries the contracts' tools where COMMAND runs a line of shell.
tools() {
	local rc=0
	say "$@" 'ctrun -l contract -o noorphan sh -c "exit 7"' || rc=$?
	((rc == 7))
	say "$@" 'ctrun -l contract -o noorphan sh -c "ctstat -v"' >/tmp/ctstat
	cat /tmp/ctstat
	grep -q "parameter set: *noorphan" /tmp/ctstat
	# The best source is live for all of them.
	grep -q "event sources: *bpf cgroup\$" /tmp/ctstat
	if grep "event sources:" /tmp/ctstat | grep -v "bpf cgroup\$"; then return 1; fi
	followed "$@"
}

contracts_in_zone() { tools zlogin $zone; }

# The server of the host's contracts comes with the first use and goes when it is not needed.
contracts_of_host() {
	export ZONES_CONTRACTD_IDLE=1s
	tools sh -c
}

# A reader waits in the zone while its supervisor is killed, twice, and reads on.
reader_waits() {
	local zoned reader made
	zlogin $zone 'echo begins; exec cat /system/contract/process/bundle' >/tmp/read 2>&1 </dev/null &
	reader=$!
	await "the reader" grep -q begins /tmp/read
	await "its open file" zlogin $zone 'ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q process/bundle'
	for _ in 1 2; do
		zoned=$(pid_of zoned)
		say kill -KILL "$zoned"
		await "another zoned" another_zoned "$zoned"
		made=$(zlogin $zone 'ctrun -i fork sh -c "echo it \$\$"' | sed -n 's/^it //p')
		await "the birth of $made" grep -q "process fork pid=$made " /tmp/read
		[[ -d /proc/$reader ]]
		await "the new zoned in the status" eval '[[ $(pid_of zoned) != '"$zoned"' ]]'
	done
	cat /tmp/read
	kill $reader
	wait $reader || true
}

# The single-writer rule: what we do in the cgroup tree is below a delegated scope.
scope() {
	local cgroup unit
	cgroup=$(cut -d: -f3 "/proc/$(pid_of zsched)/cgroup")
	echo "zsched is in $cgroup"
	[[ $cgroup == /zones.slice/*.scope* ]]
	unit=${cgroup#/zones.slice/}
	expect Delegate=yes systemctl show -p Delegate "${unit%%/*}"
	[[ $(cut -d: -f3 "/proc/$(pid_of init)/cgroup") != /system.slice/guest-run.service* ]]
}

# another_zoned PID: the pid file names a living supervisor other than PID.
another_zoned() {
	local now
	now=$(cat $run/state/$zone/zoned.pid 2>/dev/null) && [[ -n $now && $now != "$1" && -d /proc/$now ]]
}

kill_zoned() {
	local zoned init born
	for _ in 1 2 3; do
		zoned=$(pid_of zoned) init=$(pid_of init)
		born=$(start_time "$init")
		say kill -KILL "$zoned"
		await "another zoned" another_zoned "$zoned"
		expect still zlogin $zone 'echo still'
		[[ $(pid_of init) == "$init" && $(start_time "$init") == "$born" ]]
		await "the new zoned in the status" eval '[[ $(pid_of zoned) != '"$zoned"' ]]'
		state_is running
	done
}

reboot_zone() {
	local init
	init=$(pid_of init)
	say zoneadm -z $zone reboot
	state_is running
	[[ $(pid_of init) != "$init" ]]
	expect again zlogin $zone 'echo again'
}

reboot_from_inside() {
	local init
	init=$(pid_of init)
	say zlogin $zone reboot || true
	await "another init" eval 'status_is running && [[ $(pid_of init) != '"$init"' ]]'
	await "a login" eval "zlogin $zone true"
}

halt_zone() {
	say zoneadm -z $zone halt
	state_is installed
}

nothing_left() {
	await "the host as it was" eval 'host >/tmp/host.after; cmp -s /tmp/host.before /tmp/host.after' || {
		diff /tmp/host.before /tmp/host.after
		return 1
	}
}

uninstall() {
	say zoneadm -z $zone uninstall -F
	say zonecfg -z $zone delete -F
	[[ -z $(zoneadm list -cp | awk -F: -v z=$zone '$2 == z') ]]
	[[ ! -e /var/lib/zones/$zone/root ]]
}

step put-in-place put_in_place
step configure configure
step install install_zone
step boot boot
step login login
step scope scope
step contracts-in-zone contracts_in_zone
step contracts-of-host contracts_of_host
step reader-waits reader_waits
step kill-zoned kill_zoned
step reboot reboot_zone
step reboot-from-inside reboot_from_inside
step halt halt_zone
step nothing-left nothing_left
step boot-again boot
step halt-again halt_zone
step nothing-left-again nothing_left
step uninstall uninstall

if ((failures > 0)); then
	echo "--- what the supervisors said"
	tail -n 60 $run/state/*/*.log $run/*.log /var/log/zones/*.log 2>/dev/null
	journalctl -q --no-pager -n 12 2>/dev/null
	exit 1
fi
