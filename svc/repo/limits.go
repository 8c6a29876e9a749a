package repo

// Limits. Hitting one is a LimitError. A real system has some 250 services with 1 to 3 instances
// and 10 to 25 groups each, in 3 MB.
const (
	// servicesMax: what a full system has, fifty times.
	servicesMax = 16384
	// instancesMax is for one service.
	instancesMax = 1024
	// groupsMax is for one service or instance, persistent and not.
	groupsMax = 1024
	// propertiesMax is for one group.
	propertiesMax = 4096
	// valuesMax is for one property; package prop's ListMax is as many.
	valuesMax = 1024
	// groupBytesMax is for one group as it is written. Each change writes the whole group.
	groupBytesMax = 1 << 20
	// snapshotsMax is for one instance. By convention there are five.
	snapshotsMax = 32

	// opsMax and batchBytesMax are for one batch: a manifest of the largest kind makes some
	// thousands of operations.
	opsMax        = 1 << 16
	batchBytesMax = 16 << 20

	// FileBytesMax and VolatileBytesMax are for the files. The volatile directory is a file
	// system of 64 MiB. So much of the address space is reserved at once: a mapping that grows
	// would have writers wait for readers.
	FileBytesMax     = 256 << 20
	VolatileBytesMax = 32 << 20
	// growBytes and growVolatileBytes are the steps in which the files grow.
	growBytes         = 1 << 20
	growVolatileBytes = 64 << 10

	// WatchersMax: a watcher costs each commit a comparison for each change.
	WatchersMax = 1024
	// watchQueueMax is how many changes wait for one watcher; then it is told to look for itself.
	watchQueueMax = 1024

	// BackupsKept is how many backups of one name are kept.
	BackupsKept = 4
	// backupsListedMax bounds what a directory full of files with such names costs.
	backupsListedMax = 1024

	// treeDepthMax is the depth of the tree of pages: with two keys a page, 2^32 pages.
	treeDepthMax = 32
	// versionBytesMax and such: what the small records may have.
	recordBytesMax = 64
)
