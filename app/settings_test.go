package app_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/app"
	"guanxi/internal/goldentest"
)

// TestTheTemplateOfTheComposeFileIsPrinted keeps deploy/guanxi.env.example equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheTemplateOfTheComposeFileIsPrinted(t *testing.T) {
	t.Parallel()
	var now strings.Builder
	if err := app.WriteEnv(&now); err != nil {
		t.Fatal(err)
	}
	goldentest.Golden(t, "../deploy/guanxi.env.example", now.String())
	file := filepath.Join(t.TempDir(), "guanxi.env")
	if err := os.WriteFile(file, []byte(now.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := app.ReadValues(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range values.Check() {
		if !strings.Contains(line, "is missing") {
			t.Errorf("a template that was not filled in: %s", line)
		}
	}
}

// TestSettingsOfTheComposeFileExist: every GUANXI_ name in deploy/ is a setting, every file it names is there or said to be made.
func TestSettingsOfTheComposeFileExist(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Name] = true
	}
	for _, name := range regexp.MustCompile(`GUANXI_[A-Z_]+`).FindAllString(string(raw), -1) {
		if !known[name] {
			t.Errorf("compose.yaml sets %s, which is no setting", name)
		}
	}
	for _, file := range regexp.MustCompile(`(?m)(?:deploy|docs)/[a-z.]+`).FindAllString(string(raw), -1) {
		if _, err := os.Stat("../" + file); err != nil && file != "deploy/guanxi.env" && file != "deploy/secrets" {
			t.Errorf("compose.yaml speaks of %s: %v", file, err)
		}
	}
}

// A production program never talks to the sandbox, and a sandboxed one is never reached from outside.
func TestASandboxIsForLoopbackOnly(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		public, box string
		good        bool
	}{
		"production":               {"https://shop.example.com", "", true},
		"both on loopback":         {"http://127.0.0.1:8080", "http://127.0.0.1:8081", true},
		"by name and by v6":        {"http://localhost:8080", "http://[::1]:8081", true},
		"a public URL, a sandbox":  {"https://shop.example.com", "http://127.0.0.1:8081", false},
		"a sandbox somewhere else": {"http://127.0.0.1:8080", "http://10.0.0.7:8081", false},
		"a name like loopback":     {"http://127.0.0.1.example.com", "http://127.0.0.1:8081", false},
		"plain http in public":     {"http://shop.example.com", "", false},
		"loopback, no sandbox":     {"http://127.0.0.1:8080", "", false},
	} {
		values, err := app.ReadValues([]string{"GUANXI_PUBLIC_URL=" + one.public, "GUANXI_SANDBOX_URL=" + one.box}, "")
		if err != nil {
			t.Fatal(err)
		}
		good := true
		for _, line := range values.Check() {
			good = good && !strings.HasPrefix(line, "GUANXI_PUBLIC_URL") && !strings.HasPrefix(line, "GUANXI_SANDBOX_URL")
		}
		if good != one.good {
			t.Errorf("%s: %v", name, values.Check())
		}
	}
}

// TestSettingsArePrinted keeps docs/settings.md equal to the code. GUANXI_UPDATE=1 writes it.
// TestAWrongClockIsForTheSandboxOnly: serve refuses it in production.
func TestAWrongClockIsForTheSandboxOnly(t *testing.T) {
	t.Parallel()
	const name = "GUANXI_TEST_CLOCK_OFFSET"
	refused := func(offset, sandbox string) bool {
		values, err := app.ReadValues([]string{name + "=" + offset, "GUANXI_SANDBOX_URL=" + sandbox, "GUANXI_PUBLIC_URL=http://127.0.0.1:8080"}, "")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.Join(values.Check(), "; "), name)
	}
	got := map[string]bool{
		"with the sandbox": refused("90s", "http://127.0.0.1:8081"), "in production": refused("90s", ""),
		"no duration": refused("ninety", "http://127.0.0.1:8081"), "none": refused("", ""),
	}
	want := map[string]bool{"with the sandbox": false, "in production": true, "no duration": true, "none": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestSettingsArePrinted(t *testing.T) {
	t.Parallel()
	var now bytes.Buffer
	now.WriteString("# Settings\n\nFrom the environment, or from a file given with `--env-file` (the environment wins). Printed by `guanxi doctor --settings`.\n\n")
	if err := app.WriteSettings(&now); err != nil {
		t.Fatal(err)
	}
	goldentest.Golden(t, "../docs/settings.md", now.String())
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
