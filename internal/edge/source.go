package edge

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Source is where a request came from: what an audit log keeps of it.
type Source struct {
	Address string // by the rule of Config.TrustProxy
	Agent   string // User-Agent, at most 120 characters
}

const maxAgent = 120

// SourceOf is where the request that ctx belongs to came from.
func SourceOf(ctx context.Context) Source {
	s, _ := ctx.Value(keySource).(Source)
	return s
}

func (e *Edge) sourceOf(hc huma.Context) Source {
	agent := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, hc.Header("User-Agent"))
	if utf8.RuneCountInString(agent) > maxAgent {
		agent = string([]rune(agent)[:maxAgent-1]) + "…"
	}
	return Source{Address: e.addressOf(hc), Agent: agent}
}
