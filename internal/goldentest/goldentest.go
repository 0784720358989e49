// Package goldentest holds what tests with text tables share: files that people read and tests compare, and stories, which
// are such files played line by line.
package goldentest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden compares text with a file, named from the folder of the test. GUANXI_UPDATE=1 writes the file anew, for a person to
// read the difference before it is committed.
func Golden(t testing.TB, path, now string) {
	t.Helper()
	if os.Getenv("GUANXI_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), now); diff != "" {
		t.Errorf("%s is stale, or the code is wrong; GUANXI_UPDATE=1 with this test writes it (-stored +now):\n%s", path, diff)
	}
}

// Pad fills s with spaces up to n characters.
func Pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len([]rune(s)))) }

// Play plays testdata/stories/*.txt side by side. A line is a command and, behind "=>" in column width, what begin's function
// answers to the command's words: the whole file is compared. Empty lines and lines that begin with "#" stay as they are.
func Play(t *testing.T, width int, begin func(t *testing.T) func(words []string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answer := begin(t)
			var b strings.Builder
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				if line == "" || strings.HasPrefix(line, "#") {
					b.WriteString(line + "\n")
					continue
				}
				command, _, _ := strings.Cut(line, "=>")
				command = strings.TrimSpace(command)
				b.WriteString(strings.TrimRight(Pad(command, width)+" => "+answer(strings.Fields(command)), " ") + "\n")
			}
			Golden(t, file, b.String())
		})
	}
}

// Arg gives the n-th word; "" when there are fewer.
func Arg(words []string, n int) string {
	if n < len(words) {
		return words[n]
	}
	return ""
}
