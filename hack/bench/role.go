package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// roleVariable makes this program a measurer in a zone, or in a contract of the host.
const roleVariable = "ZONES_BENCH_ROLE"

// roles are what this program can be. What it measures it prints, a line a figure:
//
//	figure NAME UNIT LIMIT VALUE ...
var roles = map[string]func(args []string) error{
	"fill":     playFill,
	"forks":    playForks,
	"clients":  playClients,
	"many":     playMany,
	"mounts":   playMounts,
	"mnttab":   playMnttab,
	"echo":     playEcho,
	"timed":    playTimed,
	"smf":      playSMF,
	"restart":  playRestart,
	"loop":     playLoop,
	"services": playServices,
	"cold":     playCold,
}

func playRole(role string) {
	f := roles[role]
	if f == nil {
		fmt.Fprintln(os.Stderr, "bench: no role", role)
		os.Exit(2)
	}
	if err := f(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n", role, err)
		os.Exit(1)
	}
}

// tell prints a figure; none stands for no limit.
func tell(name, unit, limit string, values []float64) {
	if limit == "" {
		limit = none
	}
	var b strings.Builder
	fmt.Fprintf(&b, "figure %s %s %s", name, unit, limit)
	for _, v := range values {
		b.WriteString(" " + strconv.FormatFloat(v, 'g', 6, 64))
	}
	fmt.Println(b.String())
}

const none = "-"

// missing prints why there is no figure.
func missing(name, unit, why string) { fmt.Printf("missing %s %s %s\n", name, unit, why) }

// tellTail prints a figure and its 99th percentile.
func tellTail(name, unit, limit string, values []float64) {
	tell(name, unit, limit, values)
	s := append([]float64(nil), values...)
	sort.Float64s(s)
	tell(name+".p99", unit, "", s[len(s)*99/100:len(s)*99/100+1])
}

// take prints the figures that a measurer told, and gives its other lines to other.
func (b *bench) take(r io.Reader, other func(line string)) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		f := strings.Fields(in.Text())
		if len(f) > 3 && f[0] == "missing" {
			b.put(&figure{Bench: f[1], Unit: f[2], Why: strings.Join(f[3:], " ")})
			continue
		}
		if len(f) < 5 || f[0] != "figure" {
			if other != nil {
				other(in.Text())
			}
			continue
		}
		var values []float64
		for _, w := range f[4:] {
			v, err := strconv.ParseFloat(w, 64)
			if err != nil {
				return fmt.Errorf("figure %s: %w", f[1], err)
			}
			values = append(values, v)
		}
		limit := f[3]
		if limit == none {
			limit = ""
		}
		b.print(f[1], f[2], limit, values)
	}
	return in.Err()
}

// actorPath is where this program lies in a zone.
const actorPath = "/var/tmp/bench"

// place puts this program into a zone.
func (b *bench) place(zone string) error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.root, "var/lib/zones", zone, "root", actorPath), self, 0o755)
}

// inZone prepares a role in a zone.
func (b *bench) inZone(zone, role string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(b.bin, "zlogin"), append([]string{zone, "env", roleVariable + "=" + role, actorPath}, args...)...)
	cmd.Env = append(os.Environ(), "ZONES_ROOT="+b.root)
	cmd.Stderr = os.Stderr
	return cmd
}

// measure runs a role to its end and prints its figures.
func (b *bench) measure(cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := b.take(out, nil)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return failed
}

// wants says whether figures of one of these groups are asked for.
func (b *bench) wants(groups ...string) bool {
	if b.only == nil {
		return true
	}
	for name := range b.only {
		for _, group := range groups {
			if strings.HasPrefix(name, group) || strings.HasPrefix(group, name) {
				return true
			}
		}
	}
	return false
}
