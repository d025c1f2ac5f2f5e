package monitor

// Blackout is a span of each chosen day in which nothing triggers.
type Blackout struct {
	Days string `json:"days,omitempty"` // such as mon-fri or sat,sun; default every day
	From string `json:"from"`           // 15:04, in Zone
	To   string `json:"to"`             // exclusive; before From it is on the next day
	Zone string `json:"zone,omitempty"` // of the IANA time zone database; default UTC
}

func (b *Blackout) decodeAt(data []byte, path string) error {
	return decodeFields(data, path, fields{"days": &b.Days, "from": &b.From, "to": &b.To, "zone": &b.Zone})
}

func validateBlackouts([]Blackout) []error { return nil }
