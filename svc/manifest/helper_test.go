package manifest

import (
	"slices"

	"github.com/linuxzones/zones/svc/tree"
)

// equal compares two services, whether their empty lists are nil or not.
func equal(a, b *tree.Service) bool {
	groups := func(a, b []tree.Group) bool {
		return slices.EqualFunc(a, b, func(x, y tree.Group) bool { return x.Equal(&y) })
	}
	return a.Name == b.Name && groups(a.Groups, b.Groups) && slices.EqualFunc(a.Instances, b.Instances, func(x, y tree.Instance) bool {
		return x.Name == y.Name && groups(x.Groups, y.Groups)
	})
}
