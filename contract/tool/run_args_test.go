package tool

import (
	"reflect"
	"strings"
	"testing"

	"github.com/linuxzones/zones/contract"
)

func TestParseRun(t *testing.T) {
	fmri := "svc:/x:y"
	for args, want := range map[string]runOrder{
		"true":                                 {info: contract.Core, fatal: contract.Hwerr, life: lifeContract, command: []string{"true"}},
		"-l child -o pgrponly ksh -v":          {info: contract.Core, fatal: contract.Hwerr, life: lifeChild, params: contract.PgrpOnly, command: []string{"ksh", "-v"}},
		"-r 0 -t -f hwerr,core,signal server":  {info: contract.Core, fatal: contract.AllFatal, life: lifeContract, restart: true, transfer: true, command: []string{"server"}},
		"-r3 -vlcontract x":                    {info: contract.Core, fatal: contract.Hwerr, life: lifeContract, restart: true, runs: 3, verbose: 1, command: []string{"x"}},
		"-l none -i none -f none -c exit -V x": {crit: contract.Exit, life: lifeNone, verbose: 2, command: []string{"x"}},
		"-V -v -o regent -o noorphan,regent x": {info: contract.Core, fatal: contract.Hwerr, life: lifeContract, params: contract.Regent | contract.NoOrphan, verbose: 2, command: []string{"x"}},
		"-F svc:/x:y -A a -i fork,exit -- -x":  {info: contract.Fork | contract.Exit, fatal: contract.Hwerr, life: lifeContract, fmri: &fmri, aux: "a", command: []string{"-x"}},
		"-a 12":                                {info: contract.Core, fatal: contract.Hwerr, life: lifeContract, adopt: 12, command: []string{}},
		"-a 12 -r 2 x":                         {info: contract.Core, fatal: contract.Hwerr, life: lifeContract, adopt: 12, restart: true, runs: 2, command: []string{"x"}},
	} {
		got, problem := parseRun(strings.Fields(args))
		if problem != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q\n%+v, not\n%+v", args, problem, got, want)
		}
	}
	if o, problem := parseRun([]string{"-i", "core exit", "-o", "regent noorphan", "x"}); problem != "" || o.info != contract.Core|contract.Exit || o.params != contract.Regent|contract.NoOrphan {
		t.Errorf("lists with blanks: %q, %+v", problem, o)
	}
}

func TestRunTerms(t *testing.T) {
	for args, want := range map[string]contract.Terms{
		"x":                             {Informative: contract.Core, Critical: contract.Empty | contract.Hwerr, Fatal: contract.Hwerr},
		"-f core,signal x":              {Informative: contract.Core, Critical: contract.Empty | contract.Core | contract.Signal, Fatal: contract.Core | contract.Signal},
		"-f core -o pgrponly x":         {Informative: contract.Core, Critical: contract.Empty, Fatal: contract.Core, Params: contract.PgrpOnly},
		"-f core -o pgrponly -c exit x": {Informative: contract.Core, Critical: contract.Empty | contract.Exit, Fatal: contract.Core, Params: contract.PgrpOnly},
		"-f none -i none -c fork x":     {Critical: contract.Empty | contract.Fork},
	} {
		o, problem := parseRun(strings.Fields(args))
		want.FMRI = contract.InheritFMRI
		if got := o.terms(); problem != "" || got != want {
			t.Errorf("%s: %q, %+v", args, problem, got)
		}
	}
}

func TestRunUsage(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, args := range [][]string{
		{}, {"-v"}, {"-x", "true"}, {"-i", "exits", "true"}, {"-i", "", "true"}, {"-i", "none,core", "true"}, {"-f", "exit", "true"}, {"-f", "empty,core", "true"}, {"-f", "lost", "true"},
		{"-c", "x", "true"}, {"-l", "for ever", "true"}, {"-l", "", "true"}, {"-o", "inherit", "true"}, {"-o", "json", "true"}, {"-o", "", "true"},
		{"-l", "none", "-o", "noorphan", "true"}, {"-r", "1", "-l", "child", "true"}, {"-r", "1", "-l", "none", "true"}, {"-r", "1", "-o", "pgrponly", "true"}, {"-t", "true"},
		{"-r", "-1", "true"}, {"-r", "x", "true"}, {"-r", "99999999999", "true"}, {"-r"}, {"-r", "1"}, {"-F", long, "true"}, {"-A", long, "true"},
		{"-a", "x"}, {"-a", "0"}, {"-a", "1", "-l", "child"}, {"-a", "1", "true"}, {"-a", "1", "-r", "1"}, {"--help"}, {"--gates"}, {"--serve", "x"}, {"-\x1b"},
	} {
		env, out, errs := host()
		code := Main(env, "ctrun", args)
		if code != 125 || out.Len() > 0 || !strings.HasPrefix(errs.String(), "ctrun: ") || !strings.Contains(errs.String(), "\nusage: ctrun ") || strings.Contains(errs.String(), "\x1b") {
			t.Errorf("%.60q: %d, %q, %.200q", args, code, out, errs)
		}
	}
}

func TestRunNotFound(t *testing.T) {
	t.Setenv("PATH", t.TempDir()+":/etc")
	for arg, want := range map[string]struct {
		code int
		says string
	}{
		"no-such-command": {127, "ctrun: no-such-command: not found\n"},
		"passwd":          {126, "ctrun: passwd: cannot execute: permission denied\n"},
		"ssl":             {127, "ctrun: ssl: not found\n"},
		"":                {127, "ctrun: : not found\n"},
	} {
		env, _, errs := host()
		if code := Main(env, "ctrun", []string{arg}); code != want.code || errs.String() != want.says {
			t.Errorf("%q: %d, %q", arg, code, errs)
		}
	}
}

func TestRunWithoutServer(t *testing.T) {
	env, _, errs := host()
	env.Open = func() (*contract.FS, error) { return nil, contract.ErrNoServer }
	if code := Main(env, "ctrun", []string{"true"}); code != 124 || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d, %q", code, errs)
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("-r0 -vt -- x", "a:A:c:f:F:i:l:o:r:tvV")
	f.Fuzz(func(t *testing.T, line, spec string) {
		options, operands, problem := parseOptions(strings.Split(line, " "), spec)
		if problem == "" && len(options)+len(operands) > len(line)+1 {
			t.Fatalf("%q: %v %v", line, options, operands)
		}
	})
}
