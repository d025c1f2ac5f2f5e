package policy

// Logic is how a composite follows from its members.
type Logic int8

// The ways in which composites follow from their members.
const (
	LogicAll Logic = iota
	LogicAny
	LogicNot
	LogicAtLeast
)

// Logic is how a composite follows from its members.
func (r *Rule) Logic() Logic {
	switch {
	case len(r.AllOf) > 0:
		return LogicAll
	case len(r.AnyOf) > 0:
		return LogicAny
	case len(r.Of) > 0:
		return LogicAtLeast
	}
	return LogicNot
}

// Form is how a rule is judged.
type Form int8

// The forms of rules.
const (
	FormInstant Form = iota
	FormWindow
	FormComposite
	FormAge
	FormSilence
	FormReadings
	FormSchedule
)

// Form is how the rule is judged.
func (r *Rule) Form() Form {
	switch {
	case r.IsComposite():
		return FormComposite
	case !r.MaxAge.IsZero():
		return FormAge
	case !r.SilentFor.IsZero():
		return FormSilence
	case r.NewReadings != 0:
		return FormReadings
	case r.Schedule != "":
		return FormSchedule
	case r.IsWindowed():
		return FormWindow
	}

	return FormInstant
}

// IsInstant says that the rule is a threshold judged on each observation.
func (r *Rule) IsInstant() bool { return r.Form() == FormInstant }

// IsWindowed says that the rule is judged on datapoints over periods.
func (r *Rule) IsWindowed() bool { return !r.Period.IsZero() }

// IsComposite says that the rule is made of others.
func (r *Rule) IsComposite() bool { return len(r.Members()) > 0 }

// CanTrigger says that a breach of the rule may lead to a retraining by itself.
func (r *Rule) CanTrigger() bool { return !r.Condition && r.Severity != Warning }

// Members are the rules that a composite is made of.
func (r *Rule) Members() []string {
	switch {
	case len(r.AllOf) > 0:
		return r.AllOf
	case len(r.AnyOf) > 0:
		return r.AnyOf
	case len(r.Of) > 0:
		return r.Of
	case r.Not != "":
		return []string{r.Not}
	}

	return nil
}
