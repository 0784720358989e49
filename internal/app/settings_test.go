package app_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/app"
	"guanxi/internal/storytest"
)

// TestSettingsArePrinted keeps docs/settings.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestSettingsArePrinted(t *testing.T) {
	t.Parallel()
	var now bytes.Buffer
	now.WriteString("# Settings\n\nFrom the environment, or from a file given with `--env-file` (the environment wins). Printed by `guanxi doctor --settings`.\n\n")
	if err := app.WriteSettings(&now); err != nil {
		t.Fatal(err)
	}
	storytest.Golden(t, "../../docs/settings.md", now.String())
}

func TestATypingMistakeInASettingIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := app.ReadValues([]string{"GUANXI_LISTNE=:80"}, ""); err == nil || !strings.Contains(err.Error(), "GUANXI_LISTNE") {
		t.Errorf("ReadValues = %v, want an error that names the setting", err)
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "guanxi.env")
	if err := os.WriteFile(file, []byte("# comment\nGUANXI_LISTEN=1.1.1.1:1\nGUANXI_RATE=7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := app.ReadValues([]string{"GUANXI_LISTEN=2.2.2.2:2", "HOME=/"}, file)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{v["GUANXI_LISTEN"], v["GUANXI_RATE"], v["GUANXI_LOG"]}
	if diff := cmp.Diff([]string{"2.2.2.2:2", "7", "info"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDoctorSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	v, err := app.ReadValues(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	required := 0
	for _, s := range app.Settings() {
		if s.Required {
			required++
		}
	}
	if got := len(v.Check()); got != required {
		t.Errorf("with nothing set doctor names %d settings, want the %d required ones: %q", got, required, v.Check())
	}
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for name, value := range map[string]string{
		"GUANXI_PUBLIC_URL": "http://shop.example", "GUANXI_KEY_LOOKUP": key, "GUANXI_KEYS": "k1:" + key[:8],
		"GUANXI_WEIXIN_APPID": "wx1", "GUANXI_WEIXIN_SECRET": "s", "GUANXI_PAY_MCHID": "1", "GUANXI_PAY_SERIAL": "A",
		"GUANXI_PAY_KEY_FILE": "nowhere.pem", "GUANXI_PAY_PUBLIC_KEY_ID": "P", "GUANXI_PAY_PUBLIC_KEY_FILE": "nowhere.pem",
		"GUANXI_PAY_APIV3_KEY": "short", "GUANXI_RATE": "-1", "GUANXI_TRUST_PROXY": "perhaps",
	} {
		v[name] = value
	}
	var names []string
	for _, line := range v.Check() {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	want := []string{
		"GUANXI_PUBLIC_URL", "GUANXI_KEYS", "GUANXI_PAY_APIV3_KEY", "GUANXI_RATE", "GUANXI_TRUST_PROXY", "GUANXI_PAY_KEY_FILE",
		"GUANXI_PAY_PUBLIC_KEY_FILE",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}
