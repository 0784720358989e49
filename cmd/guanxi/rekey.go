package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guanxi/internal/docstore"
)

func rekeyCommand() *cobra.Command {
	var file string
	how := docstore.Rekeying{}
	c := &cobra.Command{
		Use:   "rekey",
		Short: "encrypt all personal data anew with the newest key",
		Long: "rekey encrypts everything anew with the first key of GUANXI_KEYS, bound to where it stands, and brings lookup hashes to the " +
			"first key of GUANXI_KEY_LOOKUP. It may run beside the service (with MongoDB; an embedded store belongs to one process), " +
			"replaces a document only while nobody else has written it, and goes on where it was interrupted.\n\n" +
			"  1. put the new key in front of the old ones and restart every instance\n" +
			"  2. guanxi rekey\n" +
			"  3. when it says that nothing is left, take the old key away and restart\n\n" +
			"Once it is done, data that is not bound to its place is refused; an instance of an older version must not write any more. " +
			"What cannot be read is named and left as it is. Exit code 0: nothing is left under an older key; 1: something is.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			program, err := openProgram(c, file)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, program.Close()) }()
			return rekey(c, program.Store, how)
		},
	}
	c.Flags().StringVar(&file, "env-file", "", "file of NAME=value lines; the environment wins")
	c.Flags().IntVar(&how.Page, "page", 100, "documents read at once")
	c.Flags().DurationVar(&how.Pause, "pause", 20*time.Millisecond, "rest between two pages")
	c.Flags().BoolVar(&how.Again, "again", false, "begin anew although it was done with this key")
	return c
}

func rekey(c *cobra.Command, store *docstore.Store, how docstore.Rekeying) error {
	out, last := c.OutOrStdout(), time.Time{}
	how.Progress = func(p docstore.RekeyProgress) {
		if now := time.Now(); now.Sub(last) > 2*time.Second {
			last = now
			fmt.Fprintf(c.ErrOrStderr(), "%s: %d read, %d encrypted anew\n", p.Collection, p.Read, p.Changed)
		}
	}
	start := time.Now()
	all, err := store.Rekey(c.Context(), how)
	left := false
	for _, p := range all {
		fmt.Fprintf(out, "%s: %d read, %d encrypted anew, %d not", p.Collection, p.Read, p.Changed, p.Failed)
		if len(p.Unreadable) > 0 {
			fmt.Fprintf(out, " (%s)", strings.Join(p.Unreadable, ", "))
		}
		fmt.Fprintln(out)
		left = left || !p.Done
	}
	switch {
	case err != nil:
		return fmt.Errorf("interrupted, the next call goes on: %w", err)
	case left:
		whole(c, store)
		fmt.Fprintln(out, "✗ something is left under an older key: do not take it away yet")
		return errReported
	}
	fmt.Fprintf(out, "✓ nothing is left under an older key (%s)\n", time.Since(start).Round(time.Millisecond))
	return nil
}

// whole reports whether everything could be read, and names what could not: a proof without it proves less than it says.
func whole(c *cobra.Command, store *docstore.Store) bool {
	list, more := store.Unreadable()
	for _, u := range list {
		fmt.Fprintf(c.OutOrStdout(), "✗ unreadable · %s/%s: %s\n", u.Collection, u.Document, u.Why)
	}
	if more > 0 {
		fmt.Fprintf(c.OutOrStdout(), "… and %d more\n", more)
	}
	return len(list) == 0
}
