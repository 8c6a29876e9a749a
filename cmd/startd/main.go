package main

import (
	"os"
	"path"

	"github.com/linuxzones/zones/svc/launch"
	"github.com/linuxzones/zones/svc/startd"
)

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) == 0 {
		return 2
	}
	if path.Base(args[0]) == "svc.configd" {
		os.Stderr.WriteString("svc.configd: svc.startd holds the repository here; there is nothing to start by hand\n")
		return 1
	}
	if len(args) > 1 && args[1] == launch.Word {
		return launch.Main(args[2:])
	}
	return startd.Main(args[1:])
}
