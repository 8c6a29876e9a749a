package vplat

import (
	"errors"
	"fmt"
)

// Building.
var (
	// ErrRefused: the configuration can not be carried out; the text says what, why and
	// what is allowed.
	ErrRefused = errors.New("refused")
)

// Reading a plan back.
var (
	// ErrPlan: the document is not a plan that Build made.
	ErrPlan = errors.New("invalid plan")
	// ErrPlanVersion: another version of this software made the plan.
	ErrPlanVersion = errors.New("plan of another version")
)

// refusal is one line for a person: the resource, and why it can not be.
type refusal struct{ what, why string }

func (r *refusal) Error() string        { return r.what + ": " + r.why }
func (r *refusal) Is(target error) bool { return target == ErrRefused }

func refuse(what, format string, args ...any) error {
	return &refusal{what, fmt.Sprintf(format, args...)}
}
