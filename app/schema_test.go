package app_test

import "encoding/json"

// schema is as much of JSON Schema as our own description uses.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 json.RawMessage
	Format, Pattern      string
	Properties           map[string]*schema
	Required             []string
	Items                *schema
	Enum                 []any
	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	AdditionalProperties any
}
