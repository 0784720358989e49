package telemetry_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
	"guanxi/internal/telemetry"
)

func TestLogsCarryNoPersonalDataAndNoSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLog(&out, "debug")
	if err != nil {
		t.Fatal(err)
	}
	const phone, openID = "13800000013", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	log.Info("bound "+phone, "phone", phone, "who", openID, "encrypted", docstore.Encrypted(phone),
		"error", errors.New("Get \"https://api.example/cgi-bin/token?secret=abcdef&access_token=xyz\": timeout"))
	for _, leak := range []string{phone, openID, "abcdef", "xyz"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the log line holds %q: %s", leak, out.String())
		}
	}
}

func TestMaskHidesNumbersOfPeopleOnly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"call +8613912345678 now":    "call 1********** now",
		"amount_fen 139123456789012": "amount_fen 139123456789012",
		"order 06h04clqnfbsin0mie3d": "order 06h04clqnfbsin0mie3d",
		"secret=s3cr3t&x=1":          "secret=***&x=1",
	} {
		if diff := cmp.Diff(want, telemetry.Mask(text)); diff != "" {
			t.Errorf("Mask(%q): %s", text, diff)
		}
	}
}

func TestAnUnknownLogLevelIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := telemetry.NewLog(&bytes.Buffer{}, "loud"); err == nil {
		t.Error("NewLog accepted the level loud")
	}
}
