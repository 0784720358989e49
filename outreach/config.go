package outreach

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Template is how a topic is shown in WeChat.
type Template struct {
	ID     string            // of the subscribe-message template the mini-program was given
	Page   string            // what a tap opens, without a leading slash; {number} and other values are put in. May be empty
	Fields map[string]string // the template's key → the topic's value: amount1 → net
}

// Config are the tunable rules. Zero values mean the defaults.
type Config struct {
	Templates  map[Topic]Template // a topic that is missing is off
	SendWithin time.Duration      // how long one call to the platform may take. Default 15 s
	Lease      time.Duration      // a notice that is sending for so long is given up as unknown. Default 2 min; at least twice SendWithin
	TendCount  int                // the most notices one Tend looks at. Default 1,000
	Workers    int                // worked on side by side by Tend. Default 4, at most 64
}

const (
	maxFields   = 10
	maxPage     = 512
	maxTemplate = 64
	// MaxValidity is the longest time a thing is worth telling.
	MaxValidity = 7 * 24 * time.Hour
)

var (
	templateID  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	pagePath    = regexp.MustCompile(`^[A-Za-z0-9_]+(/[A-Za-z0-9_-]+)*(\?[A-Za-z0-9_=&{}.-]*)?$`)
	placeholder = regexp.MustCompile(`\{([^{}]*)\}`)
)

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

func (c Config) withDefaults() (Config, error) {
	for _, topic := range slices.Sorted(maps.Keys(c.Templates)) {
		if err := c.Templates[topic].check(topic.subject()); err != nil {
			return c, fmt.Errorf("outreach: config: %s: %w", topic, err)
		}
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&c.SendWithin, 15 * time.Second}, {&c.Lease, 2 * time.Minute}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	for _, n := range []struct {
		field          *int
		standard, most int
	}{{&c.TendCount, 1000, 100_000}, {&c.Workers, 4, 64}} {
		if *n.field == 0 {
			*n.field = n.standard
		}
		if *n.field < 0 || *n.field > n.most {
			return c, errors.New("outreach: config: a count is out of range")
		}
	}
	if c.SendWithin < time.Second || c.Lease < 2*c.SendWithin {
		return c, errors.New("outreach: config: a duration is too short")
	}
	return c, nil
}

func (t Template) check(s *Subject) error {
	switch {
	case s == nil:
		return errors.New("there is no such topic")
	case !templateID.MatchString(t.ID):
		return errors.New("that is no template id")
	case len(t.Fields) == 0 || len(t.Fields) > maxFields:
		return fmt.Errorf("a template has 1 to %d fields", maxFields)
	case t.Page != "" && (!pagePath.MatchString(t.Page) || len(t.Page) > maxPage):
		return errors.New("a page is a path without a leading slash")
	}
	for _, found := range placeholder.FindAllStringSubmatch(t.Page, -1) {
		if _, known := s.kind(found[1]); !known {
			return fmt.Errorf("page: there is no value %s", found[1])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.Fields)) {
		field := kindOf(key)
		if field == nil {
			return fmt.Errorf("%s is no field key", key)
		}
		value, known := s.kind(t.Fields[key])
		if !known {
			return fmt.Errorf("%s: there is no value %s", key, t.Fields[key])
		}
		if !field.fits(value) {
			return fmt.Errorf("%s: %s does not fit: it is of kind %s", key, t.Fields[key], value)
		}
	}
	return nil
}

// show puts a thing's values into the template. Fields are nil when one of them would be empty: the platform refuses such.
func (t Template) show(values map[string]string) (page string, fields []Field) {
	page = placeholder.ReplaceAllStringFunc(t.Page, func(name string) string {
		return url.QueryEscape(values[strings.Trim(name, "{}")])
	})
	for _, key := range slices.Sorted(maps.Keys(t.Fields)) {
		value := fit(key, values[t.Fields[key]])
		if value == "" {
			return page, nil
		}
		fields = append(fields, Field{key, value})
	}
	return page, fields
}
