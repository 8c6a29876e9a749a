package vplat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// planBytesMax bounds a document that is read back. The seccomp profile takes most of the
// 30 kB of an ordinary plan; a thousand fs resources still fit.
const planBytesMax = 1 << 20

// Encode gives the document: indented, in a fixed order, with a newline at the end.
func (p *Plan) Encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return nil, fmt.Errorf("encode the plan of zone %s: %w", p.Zone, err)
	}
	return buf.Bytes(), nil
}

// Decode reads a document that Encode wrote. It is strict: what carries a plan out acts as
// the host's root, so a field it does not know, or a plan that Build would not make, is
// refused. Errors: ErrPlanVersion, ErrPlan.
func Decode(doc []byte) (*Plan, error) {
	if len(doc) > planBytesMax {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrPlan, planBytesMax)
	}
	var head struct {
		Version int `json:"version"`
	}
	// The version is read first: that of another software explains every other oddity.
	if err := json.Unmarshal(doc, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	if head.Version != PlanVersion {
		return nil, fmt.Errorf("%w: it has version %d, this software reads %d; halt and boot the zone to make a new one", ErrPlanVersion, head.Version, PlanVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	p := &Plan{}
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the document", ErrPlan)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	return p, nil
}

// validate checks what whoever carries the plan out relies on.
func (p *Plan) validate() error {
	switch {
	case p.Zone == "" || p.Brand == "":
		return errors.New("zone or brand is missing")
	case checkHostPath(p.ZonePath) != nil:
		return fmt.Errorf("zonepath %.80q is not a clean absolute path", p.ZonePath)
	case !idRangeOK(p.IDBase) || p.IDCount != IDCount:
		return fmt.Errorf("id range %d+%d is not one of a zone", p.IDBase, p.IDCount)
	case p.Init.Path == "" || len(p.Init.Args) == 0:
		return errors.New("init is missing")
	case p.Login.Capabilities == nil:
		return errors.New("the capabilities of logins are missing")
	}
	staged, err := p.validateRoot()
	if err != nil {
		return err
	}
	if err := p.validateSpec(); err != nil {
		return err
	}
	for _, m := range p.Spec.Mounts {
		if err := validateMount(m, staged); err != nil {
			return fmt.Errorf("mount on %.80q: %w", m.Destination, err)
		}
	}
	for _, dir := range append([]string{p.Cgroup.Root, p.Cgroup.Init, p.Cgroup.Admin}, p.Cgroup.Delegated...) {
		if path.Clean(dir) != dir || path.IsAbs(dir) || below(dir, "..") {
			return fmt.Errorf("cgroup %.80q is not a clean relative path", dir)
		}
	}
	return nil
}

// validateRoot gives the names of what is staged.
func (p *Plan) validateRoot() (staged []string, err error) {
	if len(p.Root) == 0 || p.Root[0].Target != RootDir {
		return nil, errors.New("the first root step does not make the root")
	}
	for i, s := range p.Root {
		if err := s.validate(); err != nil {
			return nil, fmt.Errorf("root step %d: %w", i+1, err)
		}
		if name, ok := strings.CutPrefix(s.Target, StageDir+"/"); ok {
			staged = append(staged, name)
		}
	}
	return staged, nil
}

func (s RootStep) validate() error {
	if path.Clean(s.Target) != s.Target || !below(s.Target, RootDir) && path.Dir(s.Target) != StageDir {
		return fmt.Errorf("target %.80q is not in %s or %s", s.Target, RootDir, StageDir)
	}
	sources := slices.Clone(s.Lower)
	switch s.Op {
	case OpIDMap, OpMount:
		if len(s.Lower) > 0 || s.Upper != "" {
			return fmt.Errorf("%s has no layers", s.Op)
		}
		sources = append(sources, s.Source)
	case OpOverlay:
		if len(s.Lower) == 0 || s.Source != "" {
			return fmt.Errorf("%s has layers and no source", s.Op)
		}
	case OpServed:
		return s.validateServed()
	default:
		return fmt.Errorf("unknown operation %.80q", s.Op)
	}
	if s.Upper != "" {
		sources = append(sources, s.Upper)
	}
	if (s.FSType != "") != (s.Op == OpMount) {
		return fmt.Errorf("%s with type %.80q", s.Op, s.FSType)
	}
	if s.NoLinks && s.Op != OpIDMap {
		return fmt.Errorf("%s follows links, or has none", s.Op)
	}
	for _, src := range sources {
		if err := checkHostPath(src); err != nil {
			return fmt.Errorf("path %.80q %w", src, err)
		}
	}
	return nil
}

func (s RootStep) validateServed() error {
	if s.FSType != FSContract && s.FSType != FSMnttab {
		return fmt.Errorf("%s with type %.80q", s.Op, s.FSType)
	}
	if !below(s.Target, RootDir) || s.Target == RootDir {
		return fmt.Errorf("target %.80q of a served file system is not below %s", s.Target, RootDir)
	}
	if s.Source != "" || len(s.Lower) > 0 || s.Upper != "" || s.Raw != "" || s.ReadOnly || s.NoLinks || len(s.Options) > 0 {
		return fmt.Errorf("%s of type %s comes as it is, without source, layers and options", s.Op, s.FSType)
	}
	return nil
}

func (p *Plan) validateSpec() error {
	s := p.Spec
	switch {
	case s == nil || s.Root == nil || s.Process == nil || s.Linux == nil || s.Process.Capabilities == nil:
		return errors.New("the spec, its root, process, linux part or capabilities are missing")
	case s.Root.Path != RootDir:
		return fmt.Errorf("the spec's root is %.80q and not %s", s.Root.Path, RootDir)
	case len(s.Process.Args) == 0:
		return errors.New("the spec's process has no arguments")
	case s.Hooks != nil:
		return errors.New("the spec has hooks, which run programs on the host")
	case s.Linux.Seccomp == nil:
		return errors.New("the spec has no seccomp profile")
	}
	for _, ns := range []specs.LinuxNamespaceType{specs.UserNamespace, specs.PIDNamespace, specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace} {
		if !slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == ns }) {
			return fmt.Errorf("the spec has no %s namespace", ns)
		}
	}
	return nil
}

func validateMount(m specs.Mount, staged []string) error {
	if err := checkHostPath(m.Destination); err != nil {
		return err
	}
	if m.Type != "bind" {
		return nil
	}
	if name, ok := strings.CutPrefix(m.Source, StagePrefix); ok {
		if !slices.Contains(staged, name) {
			return fmt.Errorf("no root step makes its source %.80q", m.Source)
		}
		return nil
	}
	return checkHostPath(m.Source)
}
