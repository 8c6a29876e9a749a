package collector

import (
	"os"
	"path"
)

// Registered says whether the zone whose cgroup has this id is among the users of the collector
// below dir. It waits for nobody and changes nothing.
func Registered(dir string, zone uint64) (bool, error) {
	if zone == 0 || !mounted(dir) {
		return false, nil
	}
	users, err := objGet(path.Join(VersionDir(dir), PinUsers))
	if err != nil {
		return false, nil // there is no collector of this version, or it is being unpinned
	}
	defer users.Close()
	list, err := keys(users)
	if err != nil {
		return false, err
	}
	for _, user := range list {
		if user == zone {
			return true, nil
		}
	}
	return false, nil
}

// Abandoned lists the ids of users below dir whose cgroup is gone, and says whether nobody uses
// what is there: then the whole of it is left. It waits for who is loading a collector. Leave
// takes both away.
func Abandoned(dir string) (gone []uint64, idle bool, err error) {
	if _, err := os.Lstat(dir); os.IsNotExist(err) {
		return nil, false, nil
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, false, err
	}
	defer lock.Close()
	if _, err := os.Lstat(dir); os.IsNotExist(err) {
		return nil, false, os.Remove(lock.path) // it went meanwhile, and its lock with it
	}
	if !mounted(dir) {
		return nil, true, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, err
	}
	idle = true
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		users, err := objGet(path.Join(dir, e.Name(), PinUsers))
		if err != nil {
			continue // not whole
		}
		list, err := keys(users)
		users.Close()
		if err != nil {
			return nil, false, err
		}
		for _, user := range list {
			if alive(user) {
				idle = false
			} else {
				gone = append(gone, user)
			}
		}
	}
	return gone, idle, nil
}
