#!/bin/bash
# Runs every fuzz target of the module in turn: usage: fuzz.sh TIME
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/go/bin
time=${1:-20s}

# go test -fuzz takes one target of one package at a time. What is new is made smaller in a few
# steps: with the usual minute for it, a target of long inputs does nothing else.
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | sort | while read -r file; do
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file" | while read -r target; do
		echo "fuzz: $(dirname "$file") $target"
		nice go test -tags seccomp,netgo,osusergo -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$(dirname "$file")" </dev/null
	done
done
