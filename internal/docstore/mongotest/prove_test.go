package mongotest

import (
	"slices"
	"strings"
	"testing"

	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/mongotest/wiredouble"
)

// TestTheDoctorProvesAServer that does what the driver relies on, leaves nothing there, and names what another does not do.
func TestTheDoctorProvesAServer(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		config wiredouble.Config
		wrong  []string // what is said of it; all else is good
	}{
		"a replica set":                {wiredouble.Config{}, nil},
		"a lonely server":              {wiredouble.Config{Alone: true}, []string{"neither a replica set nor a router"}},
		"one that forgets repetitions": {wiredouble.Config{Forgetful: true}, []string{"sent twice under one number"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			double, err := wiredouble.New(one.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(double.Stop)
			found, err := mongo.Prove(t.Context(), mongo.Options{URL: double.URL(), Database: "guanxi"})
			if err != nil {
				t.Fatal(err)
			}
			var wrong []string
			for _, f := range found {
				if !f.Good {
					wrong = append(wrong, f.Words)
				}
			}
			if !slices.EqualFunc(wrong, one.wrong, strings.Contains) || len(found) < 14 {
				t.Errorf("%d findings, wrong: %q; want %q", len(found), wrong, one.wrong)
			}
			if left := double.Stats().Commands["dropDatabase"]; left != 1 {
				t.Errorf("the scratch database was dropped %d times", left)
			}
		})
	}
}
