package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/internal/event"
	"guanxi/internal/telemetry"
)

func replayCommand() *cobra.Command {
	var file, since string
	var parked bool
	c := &cobra.Command{
		Use:   "replay [CONSUMER]",
		Short: "feed the event history to one consumer again, or send parked events again (--parked)",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if parked == (len(args) == 1) {
				return errors.New("name one consumer of docs/flow.md, or --parked")
			}
			from := time.Time{}
			if since != "" {
				if from, err = time.Parse(time.DateOnly, since); err != nil {
					return fmt.Errorf("--since: %w", err)
				}
			}
			program, err := openProgram(c, file)
			if err != nil {
				return err
			}
			if parked {
				err = unpark(c, program.Relay)
			} else {
				err = replay(c, program.Relay, args[0], from)
			}
			return errors.Join(err, program.Relay.Drain(c.Context()), program.Close())
		},
	}
	c.Flags().StringVar(&file, "env-file", "", "file of NAME=value lines; the environment wins")
	c.Flags().StringVar(&since, "since", "", "first day, 2006-01-02 (UTC); default everything")
	c.Flags().BoolVar(&parked, "parked", false, "send every parked event to the consumers that have not taken it")
	return c
}

func openProgram(c *cobra.Command, file string) (*app.Program, error) {
	values, err := app.ReadValues(os.Environ(), file)
	if err != nil {
		return nil, err
	}
	if wrong := values.Check(); len(wrong) > 0 {
		return nil, errors.New("the settings are not right; see " + called() + " doctor")
	}
	log, err := telemetry.NewLog(os.Stderr, slog.LevelWarn.String())
	if err != nil {
		return nil, err
	}
	return app.Open(c.Context(), values, log, nil)
}

func replay(c *cobra.Command, relay *event.Relay, consumer string, since time.Time) error {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(consumer), progressbar.OptionThrottle(100*time.Millisecond))
	n, err := relay.ReplayWith(c.Context(), event.Replaying{
		Consumer: consumer, Since: since, Progress: func(done int, _ time.Time) { _ = bar.Set(done) },
	})
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	fmt.Fprintf(c.OutOrStdout(), "%d events given to %s\n", n, consumer)
	return err
}

func unpark(c *cobra.Command, relay *event.Relay) error {
	all, err := relay.Parked(c.Context(), 1000)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := relay.Unpark(c.Context(), p.ID); err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "sent again:", p.ID)
	}
	return nil
}
