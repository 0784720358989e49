package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/app/bench"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var seconds int
	var asJSON bool
	var profile string
	c := &cobra.Command{
		Use:   "bench " + strings.Join(bench.Names(), "|"),
		Short: "measure the program beside the bare thing underneath, on a fresh store that is removed afterwards",
		Long: "bench measures on the embedded store with fsync on, in a fresh folder it removes. Ours and the reference take turns; " +
			"medians are reported. What was acknowledged is compared with what is stored: lost, doubled and oversold must be 0.",
		ValidArgs: bench.Names(),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(c *cobra.Command, args []string) error {
			o.Length = time.Duration(seconds) * time.Second
			if profile != "" {
				f, err := os.Create(profile)
				if err != nil {
					return fmt.Errorf("profile: %w", err)
				}
				defer f.Close()
				o.Profile = f
			}
			show, finish := benchProgress()
			o.Progress = show
			var rows []bench.Row
			err := bench.Run(c.Context(), args[0], o, func(r bench.Row) {
				rows = append(rows, r)
				if asJSON {
					finish()
					_ = json.NewEncoder(c.OutOrStdout()).Encode(r) // a reader that left is no reason to stop measuring
				}
			})
			finish()
			if !asJSON && len(rows) > 0 {
				if err := bench.WriteTable(c.OutOrStdout(), rows); err != nil {
					return err
				}
			}
			return err
		},
	}
	c.Flags().IntVar(&o.Callers, "callers", 0, "callers at the same time; 0 = the scenario's standard set")
	c.Flags().IntVar(&o.Size, "size", 0, "members, buyers or records, by scenario; 0 = its standard")
	c.Flags().IntVar(&seconds, "seconds", 6, "measured seconds of a row, the reference not counted")
	c.Flags().IntVar(&o.Laps, "laps", 3, "turns that ours and the reference take")
	c.Flags().StringVar(&o.Mongo, "mongo", "", "MongoDB URL; a database of its own is made and dropped (default: embedded store)")
	c.Flags().StringVar(&o.Dir, "dir", "", "where the fresh folder is made (default: the system's folder for temporary files)")
	c.Flags().StringVar(&profile, "profile", "", "file for a CPU profile of the measured laps")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object per row")
	return c
}

// benchProgress draws one bar at a time on stderr.
func benchProgress() (show func(what string, done, total int), finish func()) {
	var bar *progressbar.ProgressBar
	current := ""
	finish = func() {
		if bar != nil {
			_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
			bar, current = nil, ""
		}
	}
	show = func(what string, done, total int) {
		if bar == nil || what != current {
			finish()
			if total == 0 {
				total = -1
			}
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
				progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
			current = what
		}
		_ = bar.Set(done)
	}
	return show, finish
}
