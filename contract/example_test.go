package contract_test

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/command"
)

// A command is started in a contract, and everything that it starts is followed until the last
// of it has ended. Errors are not looked at here.
func Example() {
	fs, _ := contract.Open()
	defer fs.Close()
	events, _ := fs.PBundle()
	defer events.Close()
	template, _ := fs.Template()
	defer template.Close()
	terms := contract.DefaultTerms()
	terms.Informative |= contract.Exit
	_ = template.Set(terms)
	ct, cmd, _ := command.Start(template, func() *exec.Cmd { return exec.Command("sh", "-c", "(exit 3) & wait; exit 4") })
	for e := (contract.Event{}); e.Kind != contract.Empty; fmt.Println(e.Kind, e.Status>>8) {
		e, _ = events.Next(context.Background())
	}
	_, _ = cmd.Wait(), ct.Abandon()
}
