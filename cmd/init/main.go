package main

import (
	"os"
	"path"
	"runtime"

	"github.com/linuxzones/zones/contract/tool"
	"github.com/linuxzones/zones/svc/enter"
	"github.com/linuxzones/zones/svc/initd"
	"github.com/linuxzones/zones/svc/telinit"
	"github.com/linuxzones/zones/svc/trampoline"
	"github.com/linuxzones/zones/svc/zonename"
)

// Each of these programs executes another sooner or later, and pid 1 itself may do so before its
// zone runs. An exec on a thread that is not the first one ends the first one a moment before
// it takes its place: during that moment the process has no namespaces, and who enters the
// zone just then is told that it is not there. So main stays on the first thread, but in pid
// 1's second start, which executes nothing more: it was started with every signal blocked,
// and a locked main would have the runtime make threads that are not.
func init() {
	if !initd.Shielded() {
		runtime.LockOSThread()
	}
}

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) == 0 {
		return 2
	}
	switch name := path.Base(args[0]); name {
	case "trampoline":
		return trampoline.Main()
	case "enter":
		return enter.Main(args)
	case "zonename":
		return zonename.Main(args)
	case initd.ConsoleName:
		return initd.Console()
	case initd.StartdName:
		return initd.Startd(args)
	case "init":
		// init is also the command that talks to pid 1.
		if os.Getpid() == 1 {
			return initd.Main(args)
		}
		return telinit.Main(name, args[1:])
	case "telinit", "halt", "poweroff", "reboot", "shutdown":
		return telinit.Main(name, args[1:])
	case "ctrun", "ctstat", "ctwatch":
		return tool.Main(&tool.Env{Out: os.Stdout, Err: os.Stderr}, name, args[1:])
	default:
		os.Stderr.WriteString(name + ": this program is init, halt, poweroff, reboot, shutdown, telinit, zonename, ctrun, ctstat, ctwatch, trampoline or enter, by its name\n")
		return 2
	}
}
