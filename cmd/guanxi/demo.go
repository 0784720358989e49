package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"guanxi/app/demo"
	"guanxi/internal/telemetry"
)

func demoCommand() *cobra.Command {
	o := demo.Options{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "the whole business on this machine in a minute: sample data, imitated platforms, a page to click",
		Long: "demo keeps an embedded store in a folder, fills it on the first start by playing six weeks of business through " +
			"the real use cases, and serves the API with WeChat and WeChat Pay imitated beside it. Never for production.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := telemetry.NewLog(os.Stderr, slog.LevelWarn.String())
			if err != nil {
				return err
			}
			o.Log, o.Progress = log, os.Stderr
			ctx := c.Context()
			d, err := demo.Open(ctx, o)
			if err != nil {
				return err
			}
			d.Greet(c.OutOrStdout(), called(), o.Dir)
			<-ctx.Done()
			fmt.Fprintln(c.ErrOrStderr(), "\n正在收尾 ending …")
			return d.Close(context.WithoutCancel(ctx))
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address; keep it on loopback")
	c.Flags().StringVar(&o.Dir, "dir", "./var/demo", "folder that keeps everything between runs")
	c.Flags().BoolVar(&o.Reset, "reset", false, "forget everything and seed again")
	return c
}
