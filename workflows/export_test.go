package workflows

// These are for tests alone.
var (
	PartOf     = partOf
	PriorityOf = priorityOf
)
