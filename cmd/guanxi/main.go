// Command guanxi is the whole product: one binary with a subcommand for everything an operator does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "guanxi:", err)
	}
	if errors.As(err, &undecided{}) {
		os.Exit(2)
	}
	os.Exit(1)
}

// errReported ends the program with an exit code after the details were printed already.
var errReported = errors.New("reported")

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "guanxi",
		Short:         "community commerce for WeChat: communities, group buys, orders and an explainable commission ledger",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		demoCommand(), serveCommand(), sandboxCommand(), doctorCommand(), verifyCommand(), replayCommand(), benchCommand(),
		ledgerCommand(), auditCommand(), staffCommand(), rekeyCommand(), copyCommand(), backupCommand(), restoreCommand(), sizeCommand(),
		&cobra.Command{
			Use: "version", Short: "print the version", Args: cobra.NoArgs,
			Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), version) },
		},
	)
	return root
}

// called is how this program was called: "guanxi" when it was found on the path, else what was typed.
func called() string {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return "guanxi"
	}
	return os.Args[0]
}
