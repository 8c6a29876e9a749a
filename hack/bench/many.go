package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
)

// many measures what an operation costs with 10, 1,000 and nearly 10,000 contracts in a zone,
// and what each of them takes of memory: of the zone's supervisor, and of the kernel.
func (b *bench) many() error {
	if !b.wants("many.") && !b.wants("memory.contract") {
		return nil
	}
	if err := b.contractZone(); err != nil {
		return err
	}
	cmd := b.inZone("c", "many", strconv.Itoa(10*b.runs))
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var first *usage
	var failed error
	err = b.take(out, func(line string) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == "there" {
			if err := b.atMany(f[1], &first); err != nil {
				failed = err
			}
			fmt.Fprintln(in)
		}
	})
	in.Close()
	if werr := cmd.Wait(); err == nil {
		err = werr
	}
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("many: %w", err)
	}
	return b.run("zoneadm", "-z", "c", "halt")
}

// usage is memory in kB: the supervisor's own, and what the kernel has.
type usage struct {
	n                    int
	private, slab, percp float64
}

// atMany prints what each contract beyond the first takes.
func (b *bench) atMany(count string, first **usage) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	pid, err := os.ReadFile(filepath.Join(b.root, "run/zones/state/c/zoned.pid"))
	if err != nil {
		return err
	}
	m, err := rollup(strings.TrimSpace(string(pid)))
	if err != nil {
		return err
	}
	kernel, err := meminfo()
	if err != nil {
		return err
	}
	u := &usage{n: n, private: m["Private_Dirty"] + m["Private_Clean"], slab: kernel["Slab"], percp: kernel["Percpu"]}
	b.print("memory.private.zoned.contracts@"+count, "kB", "", []float64{u.private})
	if *first == nil {
		*first = u
		return nil
	}
	each := func(now, was float64) []float64 { return []float64{(now - was) * 1024 / float64(u.n-(*first).n)} }
	b.print("memory.contract.zoned@"+count, "B", "", each(u.private, (*first).private))
	b.print("memory.contract.kernel-slab@"+count, "B", "", each(u.slab, (*first).slab))
	b.print("memory.contract.kernel-percpu@"+count, "B", "", each(u.percp, (*first).percp))
	return nil
}

func meminfo() (map[string]float64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		m[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseFloat(f[1], 64)
	}
	return m, nil
}

// playMany holds empty contracts, more and more, and measures at each number how long it
// takes to make one, to learn of an end in it, to read its status and to remove it.
func playMany(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	t, err := f.Template()
	if err != nil {
		return err
	}
	terms := contract.DefaultTerms()
	terms.Critical = 0
	if err := t.Set(terms); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	held := 0
	base := ""
	for _, most := range []int{10, 1000, 9900} {
		for ; held < most; held++ {
			if _, err := startIn(t); err != nil {
				return fmt.Errorf("contract %d: %w", held, err)
			}
		}
		fmt.Println("there", most)
		if _, err := in.ReadString('\n'); err != nil && err != io.EOF {
			return err
		}
		at := "@" + strconv.Itoa(most)
		if err := manyAt(f, t, n, at, base); err != nil {
			return err
		}
		if base == "" {
			base = at
		}
	}
	return nil
}

func startIn(t *contract.Template) (*contract.Contract, error) {
	ct, p, err := t.Start("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return nil, err
	}
	_, err = p.Wait()
	return ct, err
}

func manyAt(f *contract.FS, t *contract.Template, n int, at, base string) error {
	var create, status, remove []float64
	buf := make([]byte, 4096)
	for range n {
		began := monotonic()
		ct, p, err := t.Start("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		create = append(create, float64(monotonic()-began)/1e3)
		if _, err := p.Wait(); err != nil {
			return err
		}
		name := fmt.Sprintf("%s/process/%d/status", f.Path(), ct.ID)
		began = monotonic()
		if err := readOnce(name, buf); err != nil {
			return err
		}
		status = append(status, float64(monotonic()-began)/1e3)
		began = monotonic()
		if err := ct.Abandon(); err != nil {
			return err
		}
		remove = append(remove, float64(monotonic()-began)/1e3)
	}
	us, err := deaths(f, n)
	if err != nil {
		return err
	}
	limit := func(name string) string {
		if base == "" {
			return ""
		}
		return name + base
	}
	for _, m := range []struct {
		name   string
		values []float64
	}{{"many.create", create}, {"many.status", status}, {"many.abandon", remove}, {"many.exit-to-reader", us.reader}} {
		tell(m.name+at, "us", limit(m.name), m.values)
	}
	return nil
}
