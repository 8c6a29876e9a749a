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

// listTriesMax is how often devices may come and go while they are listed, which takes a millisecond.
const listTriesMax = 50

// errChanged: what the kernel has listed may lack what was there all the time.
var errChanged = errors.New("devices came or went while they were listed, again and again; try later")

// listDevices asks the kernel for the devices of this network namespace and keeps the marked.
func listDevices() ([]device, error) {
	// Without their statistics, which are most of what there is to tell of a device.
	const skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	b := linkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP, 0, unix.SizeofRtAttr+4)
	attr := b[unix.SizeofNlMsghdr+unix.SizeofIfInfomsg:]
	binary.NativeEndian.PutUint16(attr, unix.SizeofRtAttr+4)
	binary.NativeEndian.PutUint16(attr[2:], unix.IFLA_EXT_MASK)
	binary.NativeEndian.PutUint32(attr[unix.SizeofRtAttr:], skipStats)
	var all []device
	err := errChanged
	for try := 0; try < listTriesMax && errors.Is(err, errChanged); try++ {
		all = nil
		err = ask(b, func(answer []byte) (done bool, err error) {
			some, done, err := parseDevices(answer)
			if all = append(all, some...); len(all) > devicesMax {
				err = ErrMany
			}
			return done, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	return all, nil
}

// linkRequest is a request about a device, with room for more bytes behind.
func linkRequest(kind, flags uint16, index int32, more int) []byte {
	length := unix.SizeofNlMsghdr + unix.SizeofIfInfomsg + more
	b := make([]byte, length)
	binary.NativeEndian.PutUint32(b, uint32(length))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|flags)
	binary.NativeEndian.PutUint32(b[8:], 1) // its number: there is one
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(index))
	return b
}

// answerBytes is more than the kernel sends in one piece.
const answerBytes = 64 << 10

// ask sends a request to the kernel and hands on its answer, piece by piece, until it is done.
func ask(request []byte, take func(answer []byte) (done bool, err error)) error {
	n, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	fd := sys.Own(n)
	defer fd.Close()
	if err := unix.Sendto(n, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	b := make([]byte, answerBytes)
	for {
		got, _, err := unix.Recvfrom(n, b, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if done, err := take(b[:got]); done || err != nil {
			return err
		}
	}
}

// parseDevices takes a piece of the kernel's answer apart. Names and aliases are whatever
// somebody chose.
func parseDevices(b []byte) (all []device, done bool, err error) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, false, err
	}
	for i := range msgs {
		m := &msgs[i]
		switch {
		case m.Header.Flags&unix.NLM_F_DUMP_INTR != 0:
			return nil, true, errChanged
		case m.Header.Type == unix.NLMSG_DONE:
			return all, true, nil
		case m.Header.Type == unix.NLMSG_ERROR:
			return all, true, refusal(m.Data)
		case m.Header.Type != unix.RTM_NEWLINK, len(m.Data) < unix.SizeofIfInfomsg:
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, false, err
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
	return all, false, nil
}

// errAnswer: the kernel says what nobody asked.
var errAnswer = errors.New("the kernel's answer is none")

// refusal is the error of an answer, nil for one that says that all went well.
func refusal(data []byte) error {
	if len(data) < 4 {
		return errAnswer
	}
	if e := int32(binary.NativeEndian.Uint32(data)); e < 0 {
		return unix.Errno(-e)
	}
	return nil
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
	err := ask(linkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK, index, 0), func(answer []byte) (bool, error) {
		_, done, err := parseDevices(answer)
		if err == nil && !done {
			err = errAnswer
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("remove a network device: %w", err)
	}
	return nil
}
