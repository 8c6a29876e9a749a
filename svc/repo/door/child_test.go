package door_test

import "errors"

func child(as string) error { return errors.New("no such role: " + as) }
