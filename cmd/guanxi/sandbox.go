package main

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"guanxi/internal/app"
	"guanxi/internal/sandbox"
)

func sandboxCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "imitate WeChat, WeChat Pay and WeCom on the wire, for development; never for production",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			box, err := sandbox.New(sandbox.Config{AllowLoopbackHTTP: true})
			if err != nil {
				return err
			}
			defer box.Close()
			l, err := app.Listen(c.Context(), address)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.ErrOrStderr(), "sandbox on http://"+l.Addr().String()+"; configure a client with:")
			encoder := json.NewEncoder(c.OutOrStdout())
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(box.Credentials()); err != nil {
				return err
			}
			return app.Serve(c.Context(), l, box, slog.Default(), nil)
		},
	}
	c.Flags().StringVar(&address, "listen", "127.0.0.1:8081", "address; keep it on loopback")
	return c
}
