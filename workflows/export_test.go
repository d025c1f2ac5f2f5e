package workflows

// PartOf is for tests alone.
var PartOf = partOf
