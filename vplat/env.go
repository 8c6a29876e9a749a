package vplat

// Environment of the zone's processes. The original's tools come first on the PATH of
// every login, console and method.
const (
	envPath = "PATH=" + svcBin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// envForeignPath is for brands without our tools.
	envForeignPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// envTerm is what every terminal and emulator can do: nobody knows yet who will look
	// at the console. A login brings its own.
	envTerm = "TERM=vt100"
	// envLang is the one locale with UTF-8 that is there without being generated.
	envLang = "LANG=C.UTF-8"
	// envContainer tells programs that they run in a container (systemd's convention).
	envContainer = "container=zone"
)

func (p *plan) path() string {
	if p.b.SMF {
		return envPath
	}
	return envForeignPath
}

// initEnv leaves the locale to an image's own init, which reads the image's configuration.
func (p *plan) initEnv() []string {
	env := []string{p.path(), envTerm, envContainer}
	if p.b.SMF {
		env = append(env, envLang)
	}
	return env
}

func (p *plan) init() Init {
	return Init{Path: p.b.Init, Args: []string{p.b.Init}, Env: p.initEnv()}
}

// login is what every login gets; the user's own variables and TERM are added to it.
func (p *plan) login() Login {
	return Login{Env: []string{p.path(), envLang}, Capabilities: p.capabilities(), Rlimits: p.rlimits()}
}
