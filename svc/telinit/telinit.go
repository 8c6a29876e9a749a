package telinit

import (
	"os"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
)

func Main(name string, args []string) int {
	r := map[string]request.Request{"halt": request.Halt, "poweroff": request.Poweroff, "reboot": request.Reboot}[name]
	if r == 0 && len(args) == 1 {
		r, _ = request.Level(args[0])
	}
	if r == 0 {
		return 2
	}
	p, err := inside.Prove()
	if err == nil {
		err = p.OurInit()
	}
	if err == nil {
		err = p.SignalInit(r.Signal())
	}
	if err != nil {
		os.Stderr.WriteString(name + ": " + err.Error() + "\n")
		return 1
	}
	return 0
}
