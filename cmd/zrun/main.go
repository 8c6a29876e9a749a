package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/contract/collector/load"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/vplat/oci"
)

func init() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "init":
			runtime.GOMAXPROCS(1)
			runtime.LockOSThread()
			oci.InitMain()
			os.Exit(1)
		case oci.HolderArg:
			runtime.LockOSThread()
			os.Exit(oci.HolderMain())
		}
	}
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == helper.CollectorArg && os.Args[2] == "-d" {
		if err := load.Into(os.Args[3]); err != nil {
			fmt.Fprintf(os.Stderr, "zrun: collector: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 2 || os.Args[1] != "serve" {
		fmt.Fprintln(os.Stderr, "zrun: this program is started by zoned and should not be run directly")
		os.Exit(2)
	}
	unix.CloseOnExec(helper.SocketFD)
	buf := make([]byte, helper.MessageBytesMax)
	n, fds, err := sys.Recv(helper.SocketFD, buf)
	if err != nil || n == 0 {
		fmt.Fprintln(os.Stderr, "zrun: no request came:", err)
		os.Exit(1)
	}
	var r helper.Request
	err = json.Unmarshal(buf[:n], &r)
	var reply helper.Reply
	var out []*sys.FD
	if err == nil {
		reply, out, err = serve(&r, fds)
	}
	if err != nil {
		reply = helper.Reply{Error: err.Error()}
		out = nil
	}
	if err := send(reply, out); err != nil {
		fmt.Fprintln(os.Stderr, "zrun: answer:", err)
		os.Exit(1)
	}
}

func send(reply helper.Reply, fds []*sys.FD) error {
	p, err := json.Marshal(reply)
	if err == nil && len(p) > helper.ReplyBytesMax {
		err = fmt.Errorf("longer than %d bytes", helper.ReplyBytesMax)
	}
	if err != nil {
		return err
	}
	var nums []int
	for _, f := range fds {
		nums = append(nums, f.Int())
	}
	return sys.Send(helper.SocketFD, p, nums...)
}

func serve(r *helper.Request, attached []*sys.FD) (helper.Reply, []*sys.FD, error) {
	switch r.Op {
	case helper.OpCreate:
		return create(r, attached)
	case helper.OpExec:
		var stdio []*os.File
		for _, f := range attached {
			stdio = append(stdio, os.NewFile(uintptr(f.Disown()), "stdio"))
		}
		e, err := oci.Exec(r, stdio)
		if err != nil {
			return helper.Reply{}, nil, err
		}
		fds := []*sys.FD{e.Pidfd}
		if e.Master != nil {
			fds = append(fds, e.Master)
		}
		return helper.Reply{Pid: e.Pid, Start: e.Start}, fds, nil
	}
	return helper.Reply{}, nil, fmt.Errorf("unknown operation %q", r.Op)
}

func create(r *helper.Request, attached []*sys.FD) (helper.Reply, []*sys.FD, error) {
	if len(attached) != len(r.Mounts) {
		return helper.Reply{}, nil, fmt.Errorf("%d mounts came for %d names", len(attached), len(r.Mounts))
	}
	mounts := oci.Mounts{}
	for i, name := range r.Mounts {
		mounts[name] = attached[i]
	}
	defer mounts.Close()
	zone, err := configs.Open(layout.FromEnv()).LoadSnapshot(r.Zone)
	if err != nil {
		return helper.Reply{}, nil, err
	}
	facts, err := vplat.Probe(r.Libexec)
	if err != nil {
		return helper.Reply{}, nil, err
	}
	plan, err := vplat.Build(zone, facts, vplat.Run{StateDir: r.StateDir, IDBase: r.IDBase, Contract: r.Contract})
	if err != nil {
		return helper.Reply{}, nil, err
	}
	c, err := oci.Create(plan, r, mounts)
	if err != nil {
		return helper.Reply{}, nil, err
	}
	reply := helper.Reply{Pid: c.Pid, Start: c.Start,
		Warnings: warnings(plan),
		Init:     &helper.Init{Path: plan.Init.Path, Args: plan.Init.Args, Env: plan.Init.Env}}
	return reply, []*sys.FD{c.Master, c.Pidfd, c.Boot}, nil
}

// warnings are what the administrator should know of the plan that is carried out.
func warnings(p *vplat.Plan) []string {
	out := p.Warnings
	for _, d := range p.Deferred {
		out = append(out, "not put into effect by this version: "+d)
	}
	return out
}
