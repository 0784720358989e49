package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/internal/docstore/mongo"
)

func doctorCommand() *cobra.Command {
	var file, server, database string
	var live, table bool
	c := &cobra.Command{
		Use: "doctor", Short: "check the settings and everything serve depends on, and say what is wrong", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case table:
				return app.WriteSettings(c.OutOrStdout())
			case live:
				return askLive(c.Context(), os.Getenv("GUANXI_LISTEN"))
			case server != "":
				return proveServer(c.Context(), c.OutOrStdout(), mongo.Options{URL: server, Database: database})
			}
			values, err := app.ReadValues(os.Environ(), file)
			if err != nil {
				return err
			}
			wrong := values.Check()
			if len(wrong) == 0 {
				wrong = app.Probe(c.Context(), values)
			}
			for _, line := range wrong {
				fmt.Fprintln(c.OutOrStdout(), "✗", line)
			}
			if len(wrong) > 0 {
				return errReported
			}
			for _, line := range values.Warnings() {
				fmt.Fprintln(c.OutOrStdout(), "!", line)
			}
			fmt.Fprintln(c.OutOrStdout(), "✓ this can start: "+called()+" serve"+fileFlag(file))
			return nil
		},
	}
	c.Flags().StringVar(&file, "env-file", "", "file of NAME=value lines; the environment wins")
	c.Flags().BoolVar(&live, "live", false, "ask the running service at GUANXI_LISTEN whether it is ready (for container health checks)")
	c.Flags().StringVar(&server, "mongo", "", "prove on this MongoDB what the store relies on, in a scratch database that is dropped")
	c.Flags().StringVar(&database, "database", "guanxi", "with --mongo: the program's database, of which only the shard keys are looked at")
	c.Flags().BoolVar(&table, "settings", false, "print every setting with its default as a Markdown table")
	return c
}

// proveServer prints one sentence for everything the store relies on.
func proveServer(ctx context.Context, out io.Writer, o mongo.Options) error {
	found, err := mongo.Prove(ctx, o)
	if err != nil {
		fmt.Fprintln(out, "✗ the server cannot be tried:", err)
		return errReported
	}
	good := true
	for _, f := range found {
		mark := "✓"
		if !f.Good {
			mark, good = "✗", false
		}
		fmt.Fprintln(out, mark, f.Words)
	}
	if !good {
		return errReported
	}
	return nil
}

func fileFlag(file string) string {
	if file == "" {
		return ""
	}
	return " --env-file " + file
}

func askLive(ctx context.Context, listen string) error {
	if listen == "" {
		listen = "127.0.0.1:8080"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New("not ready: " + answer.Status)
	}
	return nil
}
