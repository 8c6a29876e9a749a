package launch

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case Word:
			os.Exit(Main(os.Args[2:]))
		case contract.GateWord:
			os.Exit(contract.Gate(os.Args[2:]))
		}
	}
	contract.GateProgram = selfPath
	testenv.Main(m)
}
