package bundle

import (
	"fmt"

	"github.com/nixbundle/nixbundle/closure"
)

// MachineError refuses programs of several machines, which nothing runs together.
type MachineError struct {
	Programs [2]*closure.Object // two that differ
}

func (e *MachineError) Error() string {
	a, b := e.Programs[0], e.Programs[1]
	return fmt.Sprintf("%s is for %s and %s for %s: one bundle is for one machine", a.Path, a.Info.Machine, b.Path, b.Info.Machine)
}

// Hint says what to do.
func (e *MachineError) Hint() string {
	return "name the programs of one machine, and make a bundle for each"
}

// oneMachine refuses programs of several machines.
func oneMachine(c *closure.Closure) error {
	first := c.LinkMaps[0].Program().Object
	for _, m := range c.LinkMaps[1:] {
		if o := m.Program().Object; !sameMachine(o.Info, first.Info) {
			return &MachineError{[2]*closure.Object{first, o}}
		}
	}
	return nil
}
