#!/bin/bash
# Measures zones beside the container supervisors, with the scripts of bench-peers: those of
# BENCH_PEERS, or of ../shared/bench-peers beside the repository. Installs the peers when they are
# missing. Prints the tables; the JSON lines stay in the directory OUT (.cache/bench-peers).
# usage: run.sh BIN [A B C E F G ...]    A start, B memory, C console, E exec, F density, G storm
#
# QUICK=1: a fifth of the runs. PEERS and CONSOLE restrict whom it is measured beside.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../../..")
bin=$(readlink -f "${1:?usage: run.sh BIN [A B C E F G ...]}")
shift
scripts=${BENCH_PEERS:-$root/../shared/bench-peers}
out=${OUT:-$root/.cache/bench-peers}
what=${*:-A E C B F G}

die() {
	echo "bench-peers: $*" >&2
	exit 1
}
[[ -x $scripts/setup.sh ]] || die "no scripts at $scripts: name their directory in BENCH_PEERS"
((EUID == 0)) || die "containers need root"
scripts=$(readlink -f "$scripts")
# Zones always have a user namespace, and are measured beside those that have one too.
peers=${PEERS:-unshare,crun-1.8.1,runc-1.1.5,runc-1.5.2,lxc-start,nspawn,conmon+runc-1.5.2,containerd-2.4,podman+crun,zone,zone-beside}
console=${CONSOLE:-none,crun-1.8.1,lxc-console,nspawn-pty,conmon-k8s-file,podman+crun,zone}
starts=30 rounds=3 storm=200 repeat=3
if [[ ${QUICK:-} ]]; then starts=6 rounds=1 storm=40 repeat=1; fi

# lxc-start gives what it takes for its console, /dev/null, to the container's root: whatever one of
# the peers leaves of that, the host has it back.
null=$(stat -c %u:%g /dev/null)
trap 'chown "$null" /dev/null' EXIT
mkdir -p "$out"
"$scripts/setup.sh" >"$out/setup.log" 2>&1 || die "the peers cannot be installed: see $out/setup.log"
export ZONES_BIN=$bin BENCH_EXTRA=$here/zone_peer.py PYTHONDONTWRITEBYTECODE=1

# measure FILE SCRIPT ARG... runs one script. One that fails is said so; the others go on.
measure() {
	local file=$1 script=$2
	shift 2
	echo "bench-peers: $file, load $(cut -d' ' -f1 /proc/loadavg)" >&2
	python3 "$scripts/$script" "$@" >"$out/$file.jsonl" || echo "bench-peers: $script failed" >&2
}
cd "$out"
for w in $what; do
	case $w in
	A)
		measure A-start-settled bench_start.py --variant userns --peers "$peers" --n $starts --rounds $rounds
		measure A-start-hot bench_start.py --variant userns --peers "$peers" --n $starts --rounds $rounds --settle 0
		;;
	B) measure B-memory bench_memory.py --peers "$peers" --counts 1,20 --repeat $repeat ;;
	C) measure C-console bench_console.py --peers "$console" ;;
	E) measure E-exec bench_exec.py --peers "$peers" ;;
	F) measure F-density bench_memory.py --peers "$peers" --counts 100 --repeat $repeat ;;
	G) measure G-storm bench_storm.py --peers "$peers" --n $storm ;;
	*) die "nothing is called $w: A B C E F G" ;;
	esac
done
python3 "$scripts/table.py" "$out"/*.jsonl
