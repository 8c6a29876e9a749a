package getopt_test

import (
	"reflect"
	"testing"

	"github.com/linuxzones/zones/zoned/admin/getopt"
)

func TestParse(t *testing.T) {
	type opts = []getopt.Option
	for _, c := range []struct {
		args     []string
		options  opts
		operands []string
		err      string
	}{
		{nil, nil, nil, ""},
		{[]string{"-ab", "x"}, opts{{'a', ""}, {'b', ""}}, []string{"x"}, ""},
		{[]string{"-ofile", "-a"}, opts{{'o', "file"}, {'a', ""}}, []string{}, ""},
		{[]string{"-ao", "file", "x"}, opts{{'a', ""}, {'o', "file"}}, []string{"x"}, ""},
		{[]string{"-o", "-a"}, opts{{'o', "-a"}}, []string{}, ""},
		{[]string{"-o", ""}, opts{{'o', ""}}, []string{}, ""},
		{[]string{"x", "-a"}, nil, []string{"x", "-a"}, ""},
		{[]string{"--", "-a"}, nil, []string{"-a"}, ""},
		{[]string{"-a", "--", "--", "-b"}, opts{{'a', ""}}, []string{"--", "-b"}, ""},
		{[]string{"-"}, nil, []string{"-"}, ""},
		{[]string{""}, nil, []string{""}, ""},
		{[]string{"-x"}, nil, nil, "unknown option -x"},
		{[]string{"-ax"}, opts{{'a', ""}}, nil, "unknown option -x"},
		{[]string{"-:"}, nil, nil, "unknown option -:"},
		{[]string{"--help"}, nil, nil, "unknown option --help"},
		{[]string{"-\x1b"}, nil, nil, "unknown option -?"},
		{[]string{"-ü"}, nil, nil, "unknown option -ü"},
		{[]string{"-o"}, nil, nil, "option -o needs an argument"},
	} {
		p, err := getopt.Parse(c.args, "abo:")
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: %v, want %q", c.args, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(p.Options, c.options) || !reflect.DeepEqual(p.Operands, c.operands) {
			t.Errorf("%q: %+v %q, %v", c.args, p.Options, p.Operands, err)
		}
	}
}

func TestLastOneCounts(t *testing.T) {
	p, err := getopt.Parse([]string{"-o", "1", "-o2"}, "o:")
	if a, ok := p.Arg('o'); err != nil || !ok || a != "2" || !p.Has('o') || p.Has('a') {
		t.Error(p, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-ab", "-o", "x")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		p, err := getopt.Parse([]string{a, b, c}, "abo:")
		if err == nil && len(p.Operands) > 3 {
			t.Fatal(p)
		}
	})
}
