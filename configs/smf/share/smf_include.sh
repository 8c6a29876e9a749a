# SPDX-License-Identifier: Apache-2.0
#
# What methods of services source: . /lib/svc/share/smf_include.sh
#
# Names, arguments and results are those that methods of Solaris and illumos count on,
# smf_method(7); some of them can only say here that a zone has no such thing. POSIX sh, and
# to be used under set -eu as well. There are no local variables in that language: those
# that are ours begin with _smf_.

# How a method ends. Anything else that is not 0 is an error that may pass: svc.startd tries
# again, twice.
SMF_EXIT_OK=0
SMF_EXIT_NODAEMON=94   # done, and nothing goes on running, though the service is no transient one
SMF_EXIT_ERR_FATAL=95  # not to be tried again
SMF_EXIT_ERR_CONFIG=96 # the configuration is wrong or missing: not to be tried again
SMF_EXIT_MON_DEGRADE=97
SMF_EXIT_MON_OFFLINE=98
SMF_EXIT_ERR_NOSMF=99 # was not started by SMF, and must be
SMF_EXIT_ERR_PERM=100 # may not do what it has to

# smf_present: is there a repository to be asked? Its door is a socket here.
smf_present() {
	[ -S /etc/svc/volatile/repository_door ]
}

# smf_clear_env: for a method that starts something that must not take itself for a method.
smf_clear_env() {
	unset SMF_FMRI SMF_METHOD SMF_RESTARTER SMF_ZONENAME
}

# smf_console: passes its input on, and shows it on the console too.
#
# What is no character device is not written to: root of a zone may have put something else
# in the console's place, and writing to a file there would fill /dev, to a pipe would wait.
smf_console() {
	if [ -c "${SMF_MSGLOG_REDIRECT:-/dev/console}" ]; then
		tee "${SMF_MSGLOG_REDIRECT:-/dev/console}"
	else
		cat
	fi
}

# _smf_find_zonename fills SMF_ZONENAME, which svc.startd has done for methods.
_smf_find_zonename() {
	[ -z "${SMF_ZONENAME:-}" ] || return 0
	SMF_ZONENAME=$(/lib/svc/bin/zonename 2>/dev/null || zonename 2>/dev/null || uname -n)
}

# smf_zonename: prints the name of the zone.
smf_zonename() {
	_smf_find_zonename
	echo "$SMF_ZONENAME"
}

smf_is_globalzone() {
	_smf_find_zonename
	[ "$SMF_ZONENAME" = global ]
}

smf_is_nonglobalzone() {
	! smf_is_globalzone
}

# smf_configure_ip: is this system's network its own, to be configured from inside? That is
# so in the global zone, and in a zone of ip-type exclusive.
#
# The settings of a network stack belong to root of the user namespace that the stack was
# made in. To a zone of ip-type shared they look like nobody's. (test -O would ask whether
# they are the caller's, who need not be root.)
smf_configure_ip() {
	smf_is_globalzone && return 0
	# shellcheck disable=SC2046 # mode, links, owner, ...
	set -- $(ls -ldn /proc/sys/net/ipv4/ip_forward 2>/dev/null)
	[ "${3:-}" = 0 ]
}

smf_dont_configure_ip() {
	! smf_configure_ip
}

# smf_dont_configure_vt: true: virtual terminals are the kernel's here, and the host's.
smf_dont_configure_vt() {
	return 0
}

# smf_is_system_labeled: false: there are no labels.
smf_is_system_labeled() {
	return 1
}

# smf_netstrategy: how the system was booted over the network. A zone never is.
smf_netstrategy() {
	_INIT_NET_STRATEGY=none
	export _INIT_NET_STRATEGY
}

# _smf_members CTID: prints the process IDs of a contract's members, but for what must not be
# signalled: this shell, which is to go on; init, for which TERM means to halt the zone; and 0
# and negative numbers, which kill takes for whole groups. A contract that is gone has none.
_smf_members() {
	while read -r _smf_key _smf_rest; do
		[ "$_smf_key" = members ] || continue
		for _smf_pid in $_smf_rest; do
			case $_smf_pid in
			0* | 1 | "$$" | *[!0-9]*) ;;
			*) printf '%s ' "$_smf_pid" ;;
			esac
		done
	done 2>/dev/null <"/system/contract/process/$1/status" || :
}

# _smf_signal SIGNAL PID...: a process that is gone is none that could not be signalled.
_smf_signal() {
	_smf_what=$1
	shift
	for _smf_pid; do
		kill "-$_smf_what" "$_smf_pid" 2>/dev/null && continue
		if kill -0 "$_smf_pid" 2>/dev/null; then
			echo "smf_kill_contract: cannot send $_smf_what to process $_smf_pid" >&2
			return 1
		fi
	done
}

# smf_kill_contract CONTRACT SIGNAL [WAIT [TIMEOUT]]
#
# Sends SIGNAL to the members of a contract. If WAIT is there and not 0, waits until it is
# empty, for TIMEOUT seconds at most; 0, or no TIMEOUT, is for ever.
#
# 0 is done, 1 is no contract's number or no signal, 2 is that TIMEOUT has passed.
#
# The members are read and then signalled one by one. What is born between is missed, so the
# signal is repeated every five seconds; a number that goes to another process within that
# moment gets it instead. Who must have neither uses :kill, which is svc.startd's and has
# no such window.
smf_kill_contract() {
	_smf_ctid=${1:-} _smf_sig=${2:-TERM} _smf_wait=${3:-0} _smf_limit=${4:-0}
	case $_smf_ctid in
	'' | *[!0-9]*) echo "smf_kill_contract: '$_smf_ctid' is not the number of a contract" >&2 && return 1 ;;
	esac
	_smf_sig=${_smf_sig#SIG}
	case $_smf_sig in
	*[!A-Z0-9+-]* | [!A-Z0-9]*) echo "smf_kill_contract: '$_smf_sig' is not a signal" >&2 && return 1 ;;
	esac
	case $_smf_wait$_smf_limit in
	*[!0-9]*) echo "smf_kill_contract: '$_smf_wait' or '$_smf_limit' is not a number" >&2 && return 1 ;;
	esac
	if [ ! -d /system/contract/process ]; then
		echo "smf_kill_contract: there are no contracts here: /system/contract is not mounted" >&2
		return 1
	fi
	_smf_fifths=0 # of a second that were waited
	while :; do
		_smf_left=$(_smf_members "$_smf_ctid")
		[ -n "$_smf_left" ] || return 0
		if [ $((_smf_fifths % 25)) -eq 0 ]; then
			# shellcheck disable=SC2086 # several words are meant
			_smf_signal "$_smf_sig" $_smf_left || return 1
		fi
		[ "$_smf_wait" -ne 0 ] || return 0
		if [ "$_smf_limit" -gt 0 ] && [ "$_smf_fifths" -ge $((_smf_limit * 5)) ]; then
			return 2
		fi
		# POSIX knows whole seconds only; where sleep insists on that, the wait is a longer one.
		sleep 0.2 2>/dev/null || sleep 1
		_smf_fifths=$((_smf_fifths + 1))
	done
}
