// Package telemetry sets up what an operator sees: structured logs that cannot carry personal data, and traces when
// an endpoint is given.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

// NewLog writes JSON lines at the given level (debug, info, warn, error). Whatever looks like a phone number, an
// openid, a token or a secret in a message or a value is masked: the last line of defence behind types that hide
// themselves.
func NewLog(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("telemetry: log level %q: %w", level, err)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l, ReplaceAttr: mask})), nil
}

var (
	phones  = regexp.MustCompile(`(?:\+86|\b86|\b)1[3-9]\d{9}\b`)
	openIDs = regexp.MustCompile(`\bo[A-Za-z0-9_-]{27}\b`)
	secrets = regexp.MustCompile(`(?i)(secret|access_token|session_key|js_code|token|password)=[^&\s"]+`)
)

// Mask hides personal data and secrets in free text.
func Mask(text string) string {
	text = phones.ReplaceAllString(text, "1**********")
	text = openIDs.ReplaceAllString(text, "o***")
	return secrets.ReplaceAllString(text, "$1=***")
}

func mask(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString {
		return slog.String(a.Key, Mask(a.Value.String()))
	}
	if err, ok := a.Value.Any().(error); ok {
		return slog.String(a.Key, Mask(err.Error()))
	}
	return a
}

// StartTraces sends spans to an OTLP/HTTP endpoint; with an empty URL it does nothing. Call the returned function
// before the program ends.
func StartTraces(ctx context.Context, url, version string) (stop func(context.Context) error, err error) {
	if url == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter),
		trace.WithResource(resource.NewWithAttributes(semconv.SchemaURL,
			semconv.ServiceName("guanxi"), semconv.ServiceVersion(version))),
	)
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}
