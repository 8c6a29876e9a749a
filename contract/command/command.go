package command

import (
	"os"
	"os/exec"

	"github.com/linuxzones/zones/contract"
)

// Start starts the command that prepare makes in a new contract of the template's terms, and
// gives both. An exec.Cmd can be started only once, and the moment for a birth may go by on a
// machine that stands still: prepare is called once for each try.
func Start(t *contract.Template, prepare func() *exec.Cmd) (*contract.Contract, *exec.Cmd, error) {
	var cmd *exec.Cmd
	started := false
	ct, _, err := t.StartFunc(func(b *contract.Birth) (*os.Process, error) {
		cmd = prepare()
		if cmd.Err != nil {
			return nil, cmd.Err
		}
		cmd.SysProcAttr = b.Sys(cmd.SysProcAttr)
		// Of the list only what is behind the three that exec.Cmd opens itself is ours.
		const standard = 3
		files := b.Files(append(make([]*os.File, standard), cmd.ExtraFiles...))
		cmd.ExtraFiles = files[standard:]
		cmd.Path, cmd.Args = b.Command(cmd.Path, cmd.Args)
		err := cmd.Start()
		started = err == nil
		return cmd.Process, err
	})
	if err != nil {
		if started {
			_ = cmd.Wait() // it has ended; its pipes are closed here
		}
		return nil, nil, err
	}
	return ct, cmd, nil
}
