package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// figure is one line of output.
type figure struct {
	Bench  string  `json:"bench"`
	Unit   string  `json:"unit"`
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Limit names the figure of the same run that this one is compared with; Ratio is the
	// quotient of the medians.
	Limit string  `json:"limit,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
	Load1 string  `json:"load1"`
	// Why there is none: a program of somebody else's is not installed.
	Why string `json:"why,omitempty"`
}

// bench is a run of this program.
type bench struct {
	bin, root string
	runs      int
	zones     int
	medians   map[string]float64
	only      map[string]bool
}

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		playRole(role)
		return
	}
	b := &bench{medians: map[string]float64{}}
	only := flag.String("only", "", "names of figures, separated by commas")
	flag.StringVar(&b.bin, "bin", "bin", "directory of the programs")
	flag.IntVar(&b.runs, "runs", 20, "runs of each figure")
	flag.IntVar(&b.zones, "zones", 20, "zones for the figures of many")
	flag.Parse()
	if *only != "" {
		b.only = map[string]bool{}
		for _, n := range strings.Split(*only, ",") {
			b.only[n] = true
		}
	}
	if err := b.main(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) main() (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if b.root, err = os.MkdirTemp("", "zones-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.root)
	defer b.clean()
	for _, m := range []func() error{b.limits, b.life, b.login, b.memory, b.forks, b.clients, b.many, b.mnttab, b.smf, b.restarts, b.services, b.resident, b.consoles, b.scale} {
		if err := m(); err != nil {
			return err
		}
	}
	return nil
}

// run runs one of the programs, or any other, to its end.
func (b *bench) run(name string, args ...string) error {
	if p := filepath.Join(b.bin, name); exists(p) {
		name = p
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "ZONES_ROOT="+b.root)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

// zone configures and installs a sparse zone.
func (b *bench) zone(name string) error {
	if err := b.run("zonecfg", "-z", name, "create; commit"); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", name, "install")
}

func (b *bench) clean() {
	entries, _ := os.ReadDir(filepath.Join(b.root, "var/lib/zones"))
	for _, e := range entries {
		for _, args := range [][]string{{"halt"}, {"uninstall", "-F"}} {
			if err := b.run("zoneadm", append([]string{"-z", e.Name()}, args...)...); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
		}
	}
}

// timed gives the milliseconds of f.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return float64(time.Since(start).Nanoseconds()) / 1e6, err
}

// sample measures f as often as asked; prepare and settle around it are not timed.
func (b *bench) sample(name, limit string, prepare, f, settle func() error) error {
	if b.only != nil && !b.only[name] && !b.only[limit] && limit != "" {
		return nil
	}
	var ms []float64
	for i := 0; i < b.runs; i++ {
		if prepare != nil {
			if err := prepare(); err != nil {
				return err
			}
		}
		t, err := timed(f)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		ms = append(ms, t)
		if settle != nil {
			if err := settle(); err != nil {
				return err
			}
		}
	}
	b.print(name, "ms", limit, ms)
	return nil
}

func (b *bench) print(name, unit, limit string, v []float64) {
	sort.Float64s(v)
	f := figure{Bench: name, Unit: unit, N: len(v), Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1], Limit: limit}
	b.medians[name] = f.Median
	if l := b.medians[limit]; l > 0 {
		f.Ratio = f.Median / l
	}
	b.put(&f)
}

// put prints a figure with the load of its moment.
func (b *bench) put(f *figure) {
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		f.Load1, _, _ = strings.Cut(string(load), " ")
	}
	p, _ := json.Marshal(f)
	fmt.Println(string(p))
}
