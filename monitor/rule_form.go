package monitor

// logic is how a composite follows from its members.
type logic int8

const (
	logicAll logic = iota
	logicAny
	logicNot
)

func (r *Rule) logic() logic {
	switch {
	case len(r.AllOf) > 0:
		return logicAll
	case len(r.AnyOf) > 0:
		return logicAny
	}
	return logicNot
}

// form is how a rule is judged.
type form int8

const (
	formInstant form = iota
	formWindow
	formComposite
	formAge
	formSilence
)

func (r *Rule) form() form {
	switch {
	case r.IsComposite():
		return formComposite
	case !r.MaxAge.IsZero():
		return formAge
	case !r.SilentFor.IsZero():
		return formSilence
	case r.IsWindowed():
		return formWindow
	}
	return formInstant
}

// IsInstant says that the rule is a threshold judged on each observation.
func (r *Rule) IsInstant() bool { return r.Metric != "" && r.Period.IsZero() }

// IsWindowed says that the rule is judged on datapoints over periods.
func (r *Rule) IsWindowed() bool { return !r.Period.IsZero() }

// IsComposite says that the rule is made of others.
func (r *Rule) IsComposite() bool { return len(r.AllOf) > 0 || len(r.AnyOf) > 0 || r.Not != "" }

// CanTrigger says that a breach of the rule may lead to a retraining by itself.
func (r *Rule) CanTrigger() bool { return !r.Condition && r.Severity != Warning }

// members are the rules that a composite is made of.
func (r *Rule) members() []string {
	switch {
	case len(r.AllOf) > 0:
		return r.AllOf
	case len(r.AnyOf) > 0:
		return r.AnyOf
	case r.Not != "":
		return []string{r.Not}
	}
	return nil
}
