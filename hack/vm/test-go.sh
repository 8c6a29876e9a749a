#!/bin/bash
# Runs the packages' own tests in the guest: what they ask of the kernel is then held on the
# oldest one that is promised, and where there is only cgroup2. Each test gets a line as of
# go test -v, with its package; what a failing package said comes before those. test.sh has put
# the test programs and what they need into /payload/tests. usage: test-go.sh [PACKAGE]
set -uo pipefail

here=/payload/tests
export ZONES_BIN=$here/bin TMPDIR=/var/tmp
# A test makes hard links to it, others look for its name.
export ZONES_COLLECTOR_WORK=/var/tmp/work
# How much longer things may take here, and how much less is done for chance's sake.
export ZONES_TEST_SLOW=10

# left_out are tests that do not run here, as patterns, with their reasons. Besides what can
# not run it is what takes long and asks nothing of the kernel, or asks it what another test does.
left_out() {
	case $1 in
	kernel)
		# Half of it is about processes that were reaped: their status by pidfd is Linux 6.15's.
		echo TestExitStatus
		;;
	collector)
		# Files of the collector's: tampered with, another version's, come and gone.
		printf '%s\n' TestBadLoader TestOtherVersion TestComeAndGo TestUnmounted
		;;
	server)
		# The table and its journal with 200,000 events, thousands of numbers, and what is
		# allowed for one user's thousands of polls and opens: nothing of the kernel's.
		printf '%s\n' TestJournalIsBounded TestPollsOfTexts TestManyOpens TestLimitsPerUser
		printf '%s\n' TestStatusThatMadeRoom TestBlocksAreGivenBack TestIDsEnd
		# The best source and the poorest are left.
		echo TestClientKilledInBirth/connector
		;;
	events)
		# TestCtrunKilled has owners killed, and the kernel's tests daemons.
		printf '%s\n' TestOwnerKilled TestDaemonsStay
		# One world is enough: who killed whom in a zone is TestWhoKilledIt's too, a zone's
		# supervisor is killed by test-zone.sh and its contracts' server by TestKilledAtRandom.
		printf '%s\n' TestRandomKills/zone TestStorm/zone TestOOM/host
		;;
	esac
}

# only are the tests of a package that alone run here, as patterns: of services it is what a host with
# cgroup2 alone does otherwise, the bounds of projects.
only() {
	case $1 in
	smf) printf '%s\n' TestProject TestPool ;;
	esac
}

# results NAME STATUS reads a test program's output and prints the line of each leaf. A failure
# that no test is named for is one of the package's.
results() {
	awk -v package="$1" -v status="$2" '
		match($0, /^ *--- (PASS|FAIL|SKIP): /) {
			verdict = $2; name = $3
			verdicts[name] = verdict; took[name] = $4; order[++n] = name
			for (up = name; sub("/[^/]*$", "", up); ) {
				parent[up] = 1
				if (verdict == "FAIL:") blamed[up] = 1
			}
		}
		END {
			for (i = 1; i <= n; i++) {
				name = order[i]
				if (parent[name] && (verdicts[name] != "FAIL:" || blamed[name])) continue
				print "--- " verdicts[name] " " package "." name " " took[name]
				failed += verdicts[name] == "FAIL:"
			}
			if (!failed && (status != 0 || n == 0)) print "--- FAIL: " package " (its exit status is " status ", and " n " tests had a result)"
		}'
}

# run_package NAME runs one and shows how it went, in one piece.
run_package() {
	local begin=$SECONDS out=/var/tmp/tests-$1 rc skip run
	# Each is matched whole, also where a slash leads to a part of a test.
	skip=$(left_out "$1" | sed 's,/,$/^,; s/.*/^&$/' | paste -sd '|')
	run=$(only "$1" | sed 's/.*/^&$/' | paste -sd '|')
	"$here/$1.test" -test.v -test.short -test.timeout 20m ${run:+-test.run "$run"} ${skip:+-test.skip "$skip"} >"$out" 2>&1 </dev/null
	rc=$?
	exec 9>/var/tmp/tests.lock
	flock 9
	echo "=== $1: $((SECONDS - begin))s, exit status $rc"
	# Behind a bar, so that no line of it counts.
	if ((rc != 0)); then sed 's/^/| /' "$out"; fi
	results "$1" "$rc" <"$out"
	return "$rc"
}

cd /var/tmp || exit 1
if (($# > 0)); then
	run_package "$1"
	exit
fi
for module in overlay fuse; do modprobe $module; done
cp $here/work $ZONES_COLLECTOR_WORK
# Three at a time: each waits now and then, and the processors should not.
xargs -n 1 -P 3 "$0" <$here/packages
