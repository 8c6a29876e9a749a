package remains

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// device is a network device of the host's with a mark as its alias.
type device struct {
	index int32
	name  string
	mark  Mark
}

// devicesMax bounds the devices of a host that are looked at.
const devicesMax = 65536

// listDevices asks the kernel for the devices of this network namespace and keeps the marked.
func listDevices() ([]device, error) {
	b, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	return parseDevices(b)
}

// parseDevices takes the kernel's answer apart. Names and aliases are whatever somebody chose.
func parseDevices(b []byte) ([]device, error) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	if len(msgs) > devicesMax {
		return nil, fmt.Errorf("list network devices: %w", ErrMany)
	}
	var all []device
	for i := range msgs {
		m := &msgs[i]
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, fmt.Errorf("list network devices: %w", err)
		}
		d := device{index: int32(binary.NativeEndian.Uint32(m.Data[4:]))}
		ok := false
		for _, a := range attrs {
			switch a.Attr.Type {
			case unix.IFLA_IFNAME:
				d.name = unix.ByteSliceToString(a.Value)
			case unix.IFLA_IFALIAS:
				d.mark, ok = parseMark(unix.ByteSliceToString(a.Value))
			}
		}
		if ok {
			all = append(all, d)
		}
	}
	return all, nil
}

func (h *Host) findDevices(zone string) []Item {
	var all []Item
	for _, d := range h.devices {
		if !h.ours(d.mark) || d.mark.Zone != zone || d.mark.ID == 0 {
			continue
		}
		all = append(all, Item{Kind: Device, Zone: zone, ID: d.mark.ID, Name: d.name, Remove: func() error { return removeDevice(d) }})
	}
	return all
}

// removeDevice removes a device that still is the one that was found. A piece of hardware can
// not be removed; the kernel says so.
func removeDevice(want device) error {
	all, err := listDevices()
	if err != nil {
		return err
	}
	for _, d := range all {
		if d != want {
			continue
		}
		err := deleteLink(d.index)
		if errors.Is(err, unix.ENODEV) {
			return nil
		}
		return err
	}
	return nil // it is gone, as one end of a pair goes with the other
}

// deleteLink asks the kernel to remove the device of a number.
func deleteLink(index int32) error {
	n, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("remove a network device: %w", err)
	}
	fd := sys.Own(n)
	defer fd.Close()
	const length = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg
	b := make([]byte, length)
	binary.NativeEndian.PutUint32(b, length)
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_DELLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(b[8:], 1) // its number: there is one
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(index))
	if err := unix.Sendto(n, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("remove a network device: %w", err)
	}
	in := make([]byte, 4096)
	got, _, err := unix.Recvfrom(n, in, 0)
	if err != nil {
		return fmt.Errorf("remove a network device: %w", err)
	}
	if got < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(in[4:]) != unix.NLMSG_ERROR {
		return errors.New("remove a network device: the kernel's answer is none")
	}
	if e := int32(binary.NativeEndian.Uint32(in[unix.SizeofNlMsghdr:])); e != 0 {
		return fmt.Errorf("remove a network device: %w", unix.Errno(-e))
	}
	return nil
}
