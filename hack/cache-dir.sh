#!/bin/bash
# Prints the directory for what tests make once and keep: outside of the repository, since
# trees and disk images have no place in a working copy, and a fresh clone finds them again.
set -euo pipefail
dir=${ZONES_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/cache}/.cache}/zones-test}
mkdir -p "$dir"
cd "$dir"
pwd -P
