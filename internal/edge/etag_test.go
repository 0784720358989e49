package edge

import "testing"

func TestATagIsFoundInWhatTheCallerKnows(t *testing.T) {
	t.Parallel()
	for known, want := range map[string]bool{
		`"a"`: true, `W/"a"`: true, `"b", "a"`: true, `"b",W/"a"`: true, `*`: true,
		``: false, `"b"`: false, `a`: false, `"ab"`: false, `W/`: false, `,`: false,
	} {
		if got := matches(known, `"a"`); got != want {
			t.Errorf("%s: %v", known, got)
		}
	}
}
