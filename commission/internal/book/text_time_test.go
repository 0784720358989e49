package book

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The fast readings and writings of moments are those of package time.
func TestMomentsAreReadAndWrittenAsPackageTimeDoes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-11-22T07:09:35.000Z", "2024-02-29T23:59:59.999Z", "2026-02-29T00:00:00.000Z", "1900-02-29T00:00:00.000Z",
		"2000-02-29T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-04-31T00:00:00.000Z",
		"2026-00-10T00:00:00.000Z", "2026-13-10T00:00:00.000Z", "2026-10-00T00:00:00.000Z", "2026-10-10T24:00:00.000Z",
		"2026-10-10T00:60:00.000Z", "2026-10-10T00:00:60.000Z", "2026-10-10T00:00:00,000Z", "2026-10-10T7:00:00.0000Z",
		"2026-10-10T00:00:00.000z", "2026-10-10 00:00:00.000Z", "+026-10-10T00:00:00.000Z", "2026-1 -10T00:00:00.000Z", "",
	} {
		sameMoment(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-63_000_000_000, 260_000_000_000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		at = at.In(time.FixedZone("east", rapid.IntRange(-50_000, 50_000).Draw(t, "zone")))
		text := at.UTC().Format(TextTime)
		if is := string(appendTime(nil, at)); is != text {
			t.Fatalf("%v is written %s, not %s", at, is, text)
		}
		sameMoment(t, text)
		raw := []byte(text)
		raw[rapid.IntRange(0, len(raw)-1).Draw(t, "place")] = rapid.SampledFrom([]byte("0123456789-:.,TZ /")).Draw(t, "character")
		sameMoment(t, string(raw))
	})
}

func sameMoment(t rapid.TB, text string) {
	want, wantErr := time.Parse(TextTime, text)
	is, err := parseTime(text)
	if is != want || (err == nil) != (wantErr == nil) {
		t.Errorf("%q is read as %v (%v), not %v (%v)", text, is, err, want, wantErr)
	}
}
