package door

// Limits of messages.
const (
	// RequestBytesMax is for root's requests: a batch of 16 MiB, with what its operations have
	// around their values.
	RequestBytesMax = 24 << 20
	// StrangerBytesMax is for everybody else's: what administrators change by hand, and the
	// import of a manifest.
	StrangerBytesMax = 256 << 10
	// AnswerBytesMax is for an answer: the largest group, composed of two.
	AnswerBytesMax = 4 << 20
	// PageBytes is about how much a page of a scan has: all of a usual system's states.
	PageBytes = 256 << 10
	// TriesMax is how often a scan begins anew because the repository changed between pages.
	// Each time the pages are twice as large, up to PageBytes << pageGrowthMax.
	TriesMax      = 16
	pageGrowthMax = 2

	// opsMax is for one batch, as in package repo. One operation takes a few bytes of a request
	// and some hundred of memory, so that those of others than root have less.
	opsMax         = 1 << 16
	strangerOpsMax = 1 << 12
	// nameBytesMax and valueBytesMax are more than the repository takes, so that it is the
	// repository which refuses, in its words.
	nameBytesMax  = 4 << 10
	valueBytesMax = 64 << 10
	// namesMax is for a query's and a filter's names of groups, and of types.
	namesMax = 256
	// textBytesMax is for an error's text.
	textBytesMax = 4 << 10

	// IDBytes is the length of a batch's id.
	IDBytes = 16
)

// PageBytesOf is how much a page has at the nth try, from 0.
func PageBytesOf(try int) int { return PageBytes << min(max(try, 0), pageGrowthMax) }
